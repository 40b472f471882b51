//! The bytes of a file: decompressed, counted, hashed and turned into UTF-8.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use parking_lot::Mutex;

use super::error::SourceError;

const BUFFER: usize = 1 << 18;

/// What has been read of a file, after decompression and before decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentMark {
    /// Bytes read.
    pub bytes: u64,
    /// BLAKE3 of those bytes, as hex.
    pub digest: String,
    /// True when the last byte was a line feed, or nothing was read.
    pub ends_line: bool,
}

#[derive(Debug, Default)]
struct Meter {
    hasher: blake3::Hasher,
    bytes: u64,
    last: Option<u8>,
}

/// Tells how much of a file has been read, while a reader reads it.
#[derive(Debug, Clone, Default)]
pub struct ContentMeter(Arc<Mutex<Meter>>);

impl ContentMeter {
    /// What has been read so far.
    #[must_use]
    pub fn mark(&self) -> ContentMark {
        let meter = self.0.lock();
        ContentMark {
            bytes: meter.bytes,
            digest: meter.hasher.finalize().to_hex().to_string(),
            ends_line: meter.last.is_none_or(|b| b == b'\n'),
        }
    }
}

struct Metered<R> {
    inner: R,
    meter: ContentMeter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        let mut meter = self.meter.0.lock();
        meter.hasher.update(&into[..count]);
        meter.bytes += count as u64;
        meter.last = into[..count].last().copied().or(meter.last);
        Ok(count)
    }
}

/// A file's text as UTF-8 bytes.
pub struct Content {
    /// The text.
    pub reader: Box<dyn Read + Send>,
    /// How much has been read of it.
    pub meter: ContentMeter,
    /// Bytes read of the file as it stands on disk, compressed or not.
    pub taken: Arc<AtomicU64>,
    /// The encoding it was decoded from; UTF-8 is passed through unchecked.
    pub encoding: &'static Encoding,
}

/// Counts the bytes taken from a file as it stands on disk.
struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens a file without decoding it; `.gz` and `.zst` are decompressed. `taken` counts bytes on disk.
fn open_bytes(path: &Path, taken: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, SourceError> {
    let io = |cause| SourceError::Io { path: path.to_owned(), cause };
    let file = Counted { file: File::open(path).map_err(io)?, taken: Arc::clone(taken) };
    let file = BufReader::with_capacity(BUFFER, file);
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    Ok(match extension.to_ascii_lowercase().as_str() {
        "gz" => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        "zst" => Box::new(zstd::Decoder::with_buffer(file).map_err(io)?),
        _ => Box::new(file),
    })
}

/// Opens a file as text: a byte-order mark decides, then the declared encoding, then UTF-8.
///
/// # Errors
/// [`SourceError::UnknownEncoding`], or [`SourceError::Io`] when the file cannot be read.
pub fn open_text(path: &Path, encoding: Option<&str>) -> Result<Content, SourceError> {
    let declared = match encoding {
        Some(label) => Encoding::for_label(label.as_bytes())
            .ok_or_else(|| SourceError::UnknownEncoding { label: label.to_owned() })?,
        None => UTF_8,
    };
    let meter = ContentMeter::default();
    let taken = Arc::default();
    let mut bytes = Metered { inner: open_bytes(path, &taken)?, meter: meter.clone() };
    let mut head = Vec::with_capacity(3);
    (&mut bytes)
        .take(3)
        .read_to_end(&mut head)
        .map_err(|cause| SourceError::Io { path: path.to_owned(), cause })?;
    let (encoding, mark) = Encoding::for_bom(&head).unwrap_or((declared, 0));
    let rest = io::Cursor::new(head.split_off(mark)).chain(bytes);
    let reader: Box<dyn Read + Send> =
        if encoding == UTF_8 { Box::new(rest) } else { Box::new(Transcoder::new(rest, encoding)) };
    Ok(Content { reader, meter, taken, encoding })
}

/// Turns text of another encoding into UTF-8; what cannot be decoded becomes U+FFFD.
struct Transcoder<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: usize,
    ended: bool,
    done: bool,
}

impl<R: Read> Transcoder<R> {
    fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { inner, decoder, raw: Vec::new(), raw_at: 0, ended: false, done: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.raw.resize(BUFFER, 0);
        let count = self.inner.read(&mut self.raw)?;
        self.raw.truncate(count);
        self.raw_at = 0;
        self.ended = count == 0;
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // The decoder needs room for the longest character; the CSV reader always gives more.
        if into.len() < 16 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a transcoder needs 16 bytes of room"));
        }
        while !self.done {
            if self.raw_at == self.raw.len() && !self.ended {
                self.refill()?;
            }
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(&self.raw[self.raw_at..], into, self.ended);
            self.raw_at += read;
            self.done = self.ended && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// BLAKE3 of a file's bytes as they stand on disk, as hex, and their number.
///
/// # Errors
/// [`SourceError::Io`] when the file cannot be read.
pub fn file_digest(path: &Path) -> Result<(String, u64), SourceError> {
    let io = |cause| SourceError::Io { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(io)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok((hasher.finalize().to_hex().to_string(), hasher.count())),
            count => hasher.update(&buffer[..count]),
        };
    }
}

/// True when the file still begins with what `mark` describes and only whole lines have been added.
///
/// # Errors
/// [`SourceError::Io`] when the file cannot be read.
pub fn only_grew(path: &Path, mark: &ContentMark) -> Result<bool, SourceError> {
    let io = |cause| SourceError::Io { path: path.to_owned(), cause };
    let mut bytes = open_bytes(path, &Arc::default())?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut left = mark.bytes;
    while left > 0 {
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match bytes.read(&mut buffer[..room]).map_err(io)? {
            0 => return Ok(false),
            count => {
                hasher.update(&buffer[..count]);
                left -= count as u64;
            }
        }
    }
    let mut next = [0_u8];
    let more = bytes.read(&mut next).map_err(io)? == 1;
    let whole = mark.ends_line || matches!(next, [b'\n' | b'\r']);
    Ok(more && whole && hasher.finalize().to_hex().as_str() == mark.digest)
}
