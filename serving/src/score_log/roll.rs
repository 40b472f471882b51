//! From segments to Parquet, and from Parquet to nothing when its time is over.
//!
//! A segment becomes the file of the same name under its model and day. The file is there whole or not at all, and
//! only then the segment goes, so that a crash in between leaves both: the file counts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use scorehouse_features::time::{DAY, Span, Timestamp};

use super::segment;

/// The folder of segments.
pub const OPEN: &str = "open";

/// What a segment's name says: `model.day.version-began.answers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The model.
    pub model: String,
    /// The day of its answers, such as `2011-12-09`.
    pub day: String,
    /// The version, and a number that no other segment has.
    pub own: String,
}

impl Name {
    /// Reads a segment's name.
    #[must_use]
    pub fn of(segment: &Path) -> Option<Self> {
        let stem = segment.file_name()?.to_str()?.strip_suffix(segment::ENDING)?.strip_suffix('.')?;
        let (model, rest) = stem.split_once('.')?;
        let (day, own) = rest.split_once('.')?;
        Some(Self { model: model.to_owned(), day: day.to_owned(), own: own.to_owned() })
    }

    /// The segment's file.
    #[must_use]
    pub fn segment(&self, folder: &Path) -> PathBuf {
        folder.join(OPEN).join(format!("{}.{}.{}.{}", self.model, self.day, self.own, segment::ENDING))
    }

    /// The Parquet file it becomes.
    #[must_use]
    pub fn parquet(&self, folder: &Path) -> PathBuf {
        folder.join(&self.model).join(&self.day).join(format!("{}.parquet", self.own))
    }
}

/// The day of a moment, in UTC.
#[must_use]
pub fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Segments in the folder, in the order of their names.
///
/// # Errors
/// When the folder cannot be read; one that is not there has none.
pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = list(&folder.join(OPEN))?;
    found.retain(|path| path.extension().is_some_and(|ending| ending == segment::ENDING));
    Ok(found)
}

/// The entries of a folder in order; none when it is not there.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// What is put in place of a segment's ending when parts of it cannot be read.
const UNREAD: &str = "unread";

/// Turns a segment into Parquet and removes it; one of which parts cannot be read is kept under another name, its answers
/// as far as they can be read. `pause` is called before every piece of work.
///
/// # Errors
/// When the disk refuses, or `pause` does; the segment stays then.
pub fn roll(folder: &Path, segment: &Path, pause: &dyn Fn() -> io::Result<()>) -> Result<(), ParquetError> {
    let Some(name) = Name::of(segment) else { return Ok(()) };
    let target = name.parquet(folder);
    pause()?;
    let mut batches = segment::batches(segment)?;
    if target.exists() {
        // A crash came between the file and the removal; whether all was in it is asked again.
        batches.by_ref().try_for_each(|_| pause())?;
    } else {
        write(&mut batches, &target, pause)?;
    }
    if batches.is_whole() {
        return Ok(fs::remove_file(segment)?);
    }
    let kept = segment.with_extension(UNREAD);
    tracing::error!(kept = %kept.display(), "parts of a segment of the score log cannot be read");
    Ok(fs::rename(segment, kept)?)
}

fn write(
    batches: &mut segment::Batches,
    target: &Path,
    pause: &dyn Fn() -> io::Result<()>,
) -> Result<(), ParquetError> {
    let mut batches = batches.filter(|batch| batch.num_rows() > 0).peekable();
    let Some(first) = batches.peek() else { return Ok(()) };
    let parent = target.parent().unwrap_or(target);
    fs::create_dir_all(parent)?;
    let partial = target.with_extension("partial");
    let level = ZstdLevel::try_new(1)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer = ArrowWriter::try_new(File::create(&partial)?, first.schema(), Some(properties))?;
    for batch in batches {
        pause()?;
        writer.write(&batch)?;
    }
    writer.into_inner()?.sync_all()?;
    fs::rename(&partial, target)?;
    File::open(parent)?.sync_all()?;
    Ok(())
}

/// Removes the days of every model that end before `keep` ago.
///
/// # Errors
/// When the folder cannot be read or a day cannot be removed.
pub fn forget(folder: &Path, now: Timestamp, keep: Span) -> io::Result<()> {
    let first = day(Timestamp(now.0.saturating_sub(keep.0).saturating_sub(DAY)));
    for model in list(folder)?.into_iter().filter(|path| path.is_dir() && !path.ends_with(OPEN)) {
        for path in list(&model)? {
            let old =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name < first.as_str());
            if old {
                fs::remove_dir_all(path)?;
            }
        }
    }
    Ok(())
}
