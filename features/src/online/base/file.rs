//! A base as one file, made to be read in one go.
//!
//! ```text
//! magic "SCOREBAS" | length of header u32 | CRC-32 of header u32 | header (JSON) | sections
//! ```
//!
//! The header names every section by offset, length and CRC-32. Sections begin at multiples of 64 bytes and
//! hold plain little-endian arrays, so that a loaded file *is* the arrays; only the words of text columns are
//! made anew. Numbers are little-endian; the file is read on machines of that kind only.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use arcstr::ArcStr;
use arrow_buffer::{ArrowNativeType, Buffer, MutableBuffer, ScalarBuffer};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::online::base::keys::KeyIndex;
use crate::online::base::packed::{Kind, PackedColumn, PackedTable, Place};
use crate::online::base::{Base, BaseTable};
use crate::online::error::OnlineError;
use crate::online::log::Position;
use crate::view::{Layout, SourceLayout};

const MAGIC: &[u8; 8] = b"SCOREBAS";
const FORMAT: u32 = 1;
const ALIGN: usize = 64;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    layout: String,
    drained: i64,
    tables: Vec<TableHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TableHeader {
    key_text: Section,
    key_ends: Section,
    key_slots: Section,
    starts: Section,
    arrival: Section,
    /// Words per row.
    width: usize,
    /// Word of the availability time.
    available: usize,
    rows: Section,
    columns: Vec<ColumnHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ColumnHeader {
    number: usize,
    place: Place,
    /// The words' bytes, and where each ends; of a text column only.
    words: Option<(Section, Section)>,
}

/// Bytes at an offset from the end of the header, rounded up to [`ALIGN`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Section {
    offset: usize,
    len: usize,
    crc: u32,
}

impl Base {
    /// Writes the base to `path`, replacing what is there only when all of it is on disk.
    ///
    /// # Errors
    /// [`OnlineError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), OnlineError> {
        let io = |error: std::io::Error| OnlineError::io(path, &error);
        let mut sections = Sections::default();
        let tables = self.tables.iter().map(|table| sections.table(table)).collect();
        let header =
            Header { format: FORMAT, layout: self.layout_digest.clone(), drained: self.drained.0, tables };
        let header = serde_json::to_vec(&header).map_err(|error| io(error.into()))?;
        let partial = path.with_extension("partial");
        let mut file = BufWriter::new(File::create(&partial).map_err(io)?);
        write_all(&mut file, &header, &sections.parts).map_err(io)?;
        let file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&partial, path).map_err(io)?;
        sync_folder(path).map_err(io)
    }

    /// Reads a base that was saved for a project with this layout.
    ///
    /// # Errors
    /// [`OnlineError::OtherProject`] when it was built for another layout, [`OnlineError::Corrupt`] when the
    /// file is damaged or of a newer format, [`OnlineError::Io`].
    pub fn load(path: &Path, layout: &Layout) -> Result<Self, OnlineError> {
        let whole = read_whole(path).map_err(|error| OnlineError::io(path, &error))?;
        let corrupt =
            |reason: &str| OnlineError::corrupt(path, format!("{reason}; build it again from history"));
        let (header, body) = split(&whole).ok_or_else(|| corrupt("not an online base, or cut short"))?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|error| corrupt(&format!("unreadable header: {error}")))?;
        if header.format != FORMAT {
            return Err(corrupt(&format!("format {} is not {FORMAT}", header.format)));
        }
        if header.layout != layout.digest() || header.tables.len() != layout.tables().len() {
            return Err(OnlineError::OtherProject);
        }
        let load = |(table, of): (&TableHeader, &crate::view::TableLayout)| {
            let source = layout.source(&of.source).ok_or(OnlineError::OtherProject)?;
            Loader { body: &body }.table(table, source).ok_or_else(|| corrupt("a section is damaged"))
        };
        let tables =
            header.tables.par_iter().zip(layout.tables()).map(load).collect::<Result<_, OnlineError>>()?;
        Ok(Self { layout_digest: header.layout, drained: Position(header.drained), tables })
    }
}

/// Sections on their way to a file.
#[derive(Default)]
struct Sections {
    parts: Vec<Buffer>,
    end: usize,
}

impl Sections {
    fn push(&mut self, bytes: Buffer) -> Section {
        let section = Section { offset: self.end, len: bytes.len(), crc: crc32fast::hash(&bytes) };
        self.end += bytes.len().next_multiple_of(ALIGN);
        self.parts.push(bytes);
        section
    }

    fn array<T: ArrowNativeType>(&mut self, values: &ScalarBuffer<T>) -> Section {
        self.push(values.inner().clone())
    }

    fn table(&mut self, table: &BaseTable) -> TableHeader {
        let PackedTable { width, available, words, columns } = &table.packed;
        let columns = columns.iter().enumerate();
        let columns: Vec<(usize, &PackedColumn)> =
            columns.filter_map(|(number, column)| Some((number, column.as_ref()?))).collect();
        TableHeader {
            key_text: self.push(table.keys.text.clone()),
            key_ends: self.array(&table.keys.ends),
            key_slots: self.array(&table.keys.slots),
            starts: self.array(&table.starts),
            arrival: self.array(&table.arrival),
            width: *width,
            available: *available,
            rows: self.array(words),
            columns: columns.into_iter().map(|(number, column)| self.column(number, column)).collect(),
        }
    }

    fn column(&mut self, number: usize, column: &PackedColumn) -> ColumnHeader {
        let words = (column.place.kind == Kind::Word).then(|| self.words(&column.words));
        ColumnHeader { number, place: column.place, words }
    }

    fn words(&mut self, words: &[ArcStr]) -> (Section, Section) {
        let mut text = Vec::new();
        let mut ends: Vec<u32> = Vec::with_capacity(words.len());
        for word in words {
            text.extend_from_slice(word.as_bytes());
            ends.push(text.len() as u32);
        }
        (self.push(Buffer::from_vec(text)), self.array(&ends.into()))
    }
}

fn write_all(file: &mut impl Write, header: &[u8], parts: &[Buffer]) -> std::io::Result<()> {
    let too_long = |_| std::io::Error::other("the header is longer than 4 GiB");
    file.write_all(MAGIC)?;
    file.write_all(&u32::try_from(header.len()).map_err(too_long)?.to_le_bytes())?;
    file.write_all(&crc32fast::hash(header).to_le_bytes())?;
    file.write_all(header)?;
    pad(file, 16 + header.len())?;
    for part in parts {
        file.write_all(part)?;
        pad(file, part.len())?;
    }
    Ok(())
}

fn pad(file: &mut impl Write, written: usize) -> std::io::Result<()> {
    file.write_all(&[0; ALIGN][..written.next_multiple_of(ALIGN) - written])
}

/// Makes a rename in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// The file in memory that begins at a multiple of [`ALIGN`].
fn read_whole(path: &Path) -> std::io::Result<Buffer> {
    let mut file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
    let mut whole = MutableBuffer::from_len_zeroed(len);
    file.read_exact(whole.as_slice_mut())?;
    Ok(whole.into())
}

/// The header's bytes and the sections.
fn split(whole: &Buffer) -> Option<(Vec<u8>, Buffer)> {
    if whole.get(..8)? != MAGIC {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(whole.get(at..at + 4)?.try_into().ok()?));
    let len = number(8)? as usize;
    let header = whole.get(16..16 + len)?;
    let start = (16 + len).next_multiple_of(ALIGN);
    (crc32fast::hash(header) == number(12)? && start <= whole.len())
        .then(|| (header.to_vec(), whole.slice(start)))
}

/// Reads sections, each checked against its CRC; none when one is damaged.
struct Loader<'a> {
    body: &'a Buffer,
}

impl Loader<'_> {
    fn bytes(&self, section: Section) -> Option<Buffer> {
        let end = section.offset.checked_add(section.len)?;
        let whole = end <= self.body.len() && section.offset.is_multiple_of(ALIGN);
        let bytes = whole.then(|| self.body.slice_with_length(section.offset, section.len))?;
        (crc32fast::hash(&bytes) == section.crc).then_some(bytes)
    }

    fn array<T: ArrowNativeType>(&self, section: Section, len: Option<usize>) -> Option<ScalarBuffer<T>> {
        let bytes = self.bytes(section)?;
        let found = bytes.len() / size_of::<T>();
        let fits = bytes.len() % size_of::<T>() == 0 && len.is_none_or(|len| len == found);
        fits.then(|| ScalarBuffer::new(bytes, 0, found))
    }

    fn table(&self, header: &TableHeader, source: &SourceLayout) -> Option<BaseTable> {
        let arrival: ScalarBuffer<i64> = self.array(header.arrival, None)?;
        let rows = arrival.len();
        let width = header.width;
        let words: ScalarBuffer<u64> = self.array(header.rows, Some(rows.checked_mul(width)?))?;
        let keys = self.keys(header)?;
        let starts: ScalarBuffer<u32> = self.array(header.starts, Some(keys.len() + 1))?;
        let sound = starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last().map(|end| *end as usize) == Some(rows)
            && (rows == 0 || header.available < width);
        let loaded: Vec<(usize, PackedColumn)> = header
            .columns
            .par_iter()
            .map(|column| Some((column.number, self.column(column, width)?)))
            .collect::<Option<_>>()?;
        let mut columns = vec![None; source.width()];
        for (number, column) in loaded {
            *columns.get_mut(number)? = Some(column);
        }
        let packed = PackedTable { width, available: header.available, words, columns };
        sound.then_some(BaseTable { keys, starts, arrival, packed })
    }

    fn keys(&self, header: &TableHeader) -> Option<KeyIndex> {
        let text = self.bytes(header.key_text)?;
        let ends: ScalarBuffer<u32> = self.array(header.key_ends, None)?;
        let slots: ScalarBuffer<u32> = self.array(header.key_slots, None)?;
        let sound = ends.is_sorted()
            && ends.last().is_none_or(|end| *end as usize == text.len())
            && slots.len().is_power_of_two()
            && slots.len() > ends.len()
            && slots.iter().all(|slot| *slot == u32::MAX || (*slot as usize) < ends.len())
            && std::str::from_utf8(&text).is_ok();
        sound.then_some(KeyIndex { text, ends, slots })
    }

    fn column(&self, header: &ColumnHeader, width: usize) -> Option<PackedColumn> {
        let Place { bit, null, .. } = header.place;
        let inside = (bit.max(null.unwrap_or(0)) as usize) < width * 64;
        let words = match header.words {
            Some(sections) => self.words(sections)?,
            None => Arc::default(),
        };
        inside.then_some(PackedColumn { place: header.place, words })
    }

    fn words(&self, (text, ends): (Section, Section)) -> Option<Arc<[ArcStr]>> {
        let text = self.bytes(text)?;
        let text = std::str::from_utf8(&text).ok()?;
        let ends: ScalarBuffer<u32> = self.array(ends, None)?;
        let mut start = 0;
        let word = |end: &u32| {
            let word = text.get(start..*end as usize)?;
            start = *end as usize;
            Some(ArcStr::from(word))
        };
        ends.iter().map(word).collect()
    }
}
