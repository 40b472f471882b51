//! The records of a delimited file, in chunks that can be typed in parallel.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, ReaderBuilder};

use super::content::{ContentMark, ContentMeter, open_text};
use super::error::SourceError;
use super::field::PLACEHOLDER;
use crate::definition::CsvOptions;

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
const HEAD_LIMIT: u64 = 1 << 20;

/// Consecutive records of a file: their fields end to end, and where each record begins.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    rows: Vec<RowSpan>,
}

#[derive(Debug, Clone, Copy)]
struct RowSpan {
    first: usize,
    line: u64,
    last_line: u64,
}

impl Chunk {
    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Line on which record `row` begins, from 1.
    #[must_use]
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].line
    }

    /// Line on which record `row` ends.
    #[must_use]
    pub fn last_line(&self, row: usize) -> u64 {
        self.rows[row].last_line
    }

    /// Number of fields of record `row`.
    #[must_use]
    pub fn width(&self, row: usize) -> usize {
        let next = self.rows.get(row + 1).map_or(self.ends.len(), |r| r.first);
        next - self.rows[row].first
    }

    /// Field `index` of record `row`, unquoted; empty when the record has no such field.
    #[must_use]
    pub fn field(&self, row: usize, index: usize) -> &[u8] {
        if index >= self.width(row) {
            return &[];
        }
        let at = self.rows[row].first + index;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// Leaves out the first `rows` records.
    pub fn skip(&mut self, rows: usize) {
        self.rows.drain(..rows.min(self.rows.len()));
    }

    /// Record `row` as text for a reader, its fields joined by commas.
    #[must_use]
    pub fn raw(&self, row: usize) -> String {
        let fields = (0..self.width(row)).map(|i| String::from_utf8_lossy(self.field(row, i)));
        fields.collect::<Vec<_>>().join(",")
    }

    fn push(&mut self, record: &ByteRecord, last_line: u64) {
        let base = self.bytes.len();
        let line = record.position().map_or(0, csv::Position::line);
        self.rows.push(RowSpan { first: self.ends.len(), line, last_line: last_line.max(line) });
        self.bytes.extend_from_slice(record.as_slice());
        self.ends.extend((0..record.len()).filter_map(|i| record.range(i)).map(|r| base + r.end));
    }
}

/// An open delimited file.
pub struct DelimitedFile {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read + Send>>,
    record: ByteRecord,
    headers: Vec<String>,
    delimiter: u8,
    encoding: &'static str,
    meter: ContentMeter,
    taken: Arc<AtomicU64>,
}

impl DelimitedFile {
    /// Opens a file, finds its delimiter if it is not declared, and reads its header line.
    ///
    /// # Errors
    /// [`SourceError`] when the file cannot be read or has no header.
    pub fn open(path: &Path, options: &CsvOptions) -> Result<Self, SourceError> {
        let io = |cause| SourceError::Io { path: path.to_owned(), cause };
        let mut content = open_text(path, options.encoding.as_deref())?;
        let head = first_line(&mut content.reader, options.quote).map_err(io)?;
        let delimiter = options.delimiter.unwrap_or_else(|| detect_delimiter(&head, options.quote));
        let text: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(content.reader));
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .quote(options.quote)
            .buffer_capacity(1 << 17)
            .from_reader(text);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(|e| csv_error(path, e))? {
            return Err(SourceError::Empty { path: path.to_owned() });
        }
        let headers = record.iter().map(|h| String::from_utf8_lossy(h).trim().to_owned()).collect();
        let encoding = content.encoding.name();
        Ok(Self {
            path: path.to_owned(),
            reader,
            record,
            headers,
            delimiter,
            encoding,
            meter: content.meter,
            taken: content.taken,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header line's fields, trimmed.
    #[must_use]
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The byte between fields.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The encoding the file was decoded from.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// What has been read of the file's content; the whole of it after the last chunk.
    #[must_use]
    pub fn mark(&self) -> ContentMark {
        self.meter.mark()
    }

    /// Bytes read so far of the file as it stands on disk.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The next at most `rows` records; none at the end of the file.
    ///
    /// # Errors
    /// [`SourceError::Io`] when the file cannot be read on.
    pub fn next_chunk(&mut self, rows: usize) -> Result<Option<Chunk>, SourceError> {
        let mut chunk = Chunk::default();
        while chunk.len() < rows {
            if !self.reader.read_byte_record(&mut self.record).map_err(|e| csv_error(&self.path, e))? {
                break;
            }
            let last_line = self.reader.position().line().saturating_sub(1);
            chunk.push(&self.record, last_line);
        }
        Ok(if chunk.is_empty() { None } else { Some(chunk) })
    }
}

fn csv_error(path: &Path, error: csv::Error) -> SourceError {
    let text = error.to_string();
    let cause = match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        _ => std::io::Error::new(std::io::ErrorKind::InvalidData, text),
    };
    SourceError::Io { path: path.to_owned(), cause }
}

/// Reads up to and with the first line feed outside quotes, at most a mebibyte.
fn first_line(reader: &mut impl Read, quote: u8) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut quoted = false;
    let mut buffer = [0_u8; 4096];
    while (head.len() as u64) < HEAD_LIMIT {
        let count = reader.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..count]);
        for byte in &buffer[..count] {
            quoted ^= *byte == quote;
            if *byte == b'\n' && !quoted {
                return Ok(head);
            }
        }
        if count == 0 {
            break;
        }
    }
    Ok(head)
}

/// The candidate that stands most often outside quotes in the first line; a comma if none does.
fn detect_delimiter(head: &[u8], quote: u8) -> u8 {
    let mut counts = [0_usize; CANDIDATES.len()];
    let mut quoted = false;
    for byte in head {
        quoted ^= *byte == quote;
        if *byte == b'\n' && !quoted {
            break;
        }
        if let (false, Some(i)) = (quoted, CANDIDATES.iter().position(|c| c == byte)) {
            counts[i] += 1;
        }
    }
    let best = (0..counts.len()).max_by_key(|i| (counts[*i], std::cmp::Reverse(*i))).unwrap_or(0);
    CANDIDATES[best]
}

/// True when decoding replaced bytes that were not text.
#[must_use]
pub(super) fn was_replaced(text: &str) -> bool {
    text.contains(PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn rows(path: &Path, options: &CsvOptions) -> (Vec<String>, Vec<Vec<String>>) {
        let mut open = DelimitedFile::open(path, options).unwrap();
        let mut out = Vec::new();
        while let Some(chunk) = open.next_chunk(2).unwrap() {
            for row in 0..chunk.len() {
                let width = chunk.width(row);
                out.push(
                    (0..width).map(|i| String::from_utf8_lossy(chunk.field(row, i)).into_owned()).collect(),
                );
            }
        }
        (open.headers().to_vec(), out)
    }

    #[test]
    fn finds_a_semicolon_although_a_quoted_header_holds_commas() {
        let (_folder, path) = file("a.csv", b"a;\"b, c, d\";e\n1;2;3\n");
        let (headers, rows) = rows(&path, &CsvOptions::default());
        assert_eq!(headers, ["a", "b, c, d", "e"]);
        assert_eq!(rows, [["1", "2", "3"]]);
    }

    #[test]
    fn reads_utf_16_with_a_byte_order_mark() {
        let mut bytes = vec![0xFF, 0xFE];
        bytes.extend("key,name\n1,Žofie\n".encode_utf16().flat_map(u16::to_le_bytes));
        let (_folder, path) = file("a.csv", &bytes);
        let (headers, rows) = rows(&path, &CsvOptions::default());
        assert_eq!(headers, ["key", "name"]);
        assert_eq!(rows, [["1", "Žofie"]]);
    }

    #[test]
    fn drops_the_byte_order_mark_of_utf_8() {
        let (_folder, path) = file("a.csv", b"\xEF\xBB\xBFkey\n1\n");
        assert_eq!(rows(&path, &CsvOptions::default()).0, ["key"]);
    }

    #[test]
    fn reads_windows_1252_when_declared() {
        let (_folder, path) = file("a.csv", b"name\nCaf\xE9\n");
        let options = CsvOptions { encoding: Some("windows-1252".to_owned()), ..CsvOptions::default() };
        assert_eq!(rows(&path, &options).1, [["Café"]]);
    }

    #[test]
    fn reads_gzip_of_several_members_and_zstd() {
        use std::io::Write;
        let gz = |text: &[u8]| {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(text).unwrap();
            to.finish().unwrap()
        };
        let joined = [gz(b"a,b\n1,2\n"), gz(b"3,4\n")].concat();
        let (_folder, path) = file("a.csv.gz", &joined);
        assert_eq!(rows(&path, &CsvOptions::default()).1, [["1", "2"], ["3", "4"]]);
        let (_folder, path) = file("a.csv.zst", &zstd::encode_all(&b"a,b\n1,2\n"[..], 1).unwrap());
        assert_eq!(rows(&path, &CsvOptions::default()).1, [["1", "2"]]);
    }

    #[test]
    fn tells_the_lines_of_records_with_line_breaks_in_quotes() {
        let (_folder, path) = file("a.csv", b"a,b\n1,\"x\ny\"\n3,4\n");
        let mut open = DelimitedFile::open(&path, &CsvOptions::default()).unwrap();
        let chunk = open.next_chunk(10).unwrap().unwrap();
        assert_eq!((chunk.line(0), chunk.last_line(0), chunk.line(1)), (2, 3, 4));
    }

    #[test]
    fn a_truncated_gzip_file_is_an_error_and_not_a_short_file() {
        use std::io::Write;
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all("a,b\n1,2\n".repeat(5000).as_bytes()).unwrap();
        let whole = to.finish().unwrap();
        let (_folder, path) = file("a.csv.gz", &whole[..whole.len() / 2]);
        let opened = DelimitedFile::open(&path, &CsvOptions::default());
        let failed = opened.and_then(|mut open| {
            while open.next_chunk(100)?.is_some() {}
            Ok(())
        });
        assert!(matches!(failed, Err(SourceError::Io { .. })));
    }
}
