//! One export: rows of text in the order of time, with the dirt that exports have.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::draw::Draw;
use crate::error::SimulationError;
use crate::moment::Moment;
use crate::report::WrittenFile;

/// One field of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Text, quoted where it must be.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// Pounds and pence, or a share, with two digits.
    Money(f64),
    /// A probability or log-odds, with six digits.
    Fine(f64),
    /// A moment.
    When(Moment),
    /// Nothing.
    Nothing,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.contains([',', '"', '\n']) => {
                write!(f, "\"{}\"", text.replace('"', "\"\""))
            }
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            // Adding zero turns a negative zero, such as an empty sum, into a plain one.
            Self::Money(pounds) => write!(f, "{:.2}", pounds + 0.0),
            Self::Fine(number) => write!(f, "{number:.6}"),
            Self::When(at) => write!(f, "{at}"),
            Self::Nothing => Ok(()),
        }
    }
}

/// How dirty an export is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dirt {
    /// Share of rows that stand twice.
    pub repeated: f64,
    /// Broken lines a generation of customers.
    pub malformed: u64,
}

/// One export, collected row by row and written a generation of customers at a time.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    header: &'static [&'static str],
    dirt: Dirt,
    rows: Vec<(Moment, std::ops::Range<usize>)>,
    text: String,
}

impl Table {
    /// An empty export.
    pub fn new(name: &'static str, header: &'static [&'static str], dirt: Dirt) -> Self {
        Self { name, header, dirt, rows: Vec::new(), text: String::new() }
    }

    /// Its file's name, without the ending.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a row that happened at `at`, one cell for each column.
    pub fn push(&mut self, at: Moment, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.header.len(), "{}", self.name);
        let from = self.text.len();
        for (column, cell) in cells.iter().enumerate() {
            if column > 0 {
                self.text.push(',');
            }
            // Writing into a String cannot fail.
            let _ = write!(self.text, "{cell}");
        }
        self.rows.push((at, from..self.text.len()));
    }
}

/// An export's file, open for the generations to come.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    to: BufWriter<File>,
    rows: u64,
    malformed: u64,
}

impl TableFile {
    /// Makes the file and writes the header.
    ///
    /// # Errors
    /// [`SimulationError::File`] when it cannot be written.
    pub fn create(folder: &Path, table: &Table) -> Result<Self, SimulationError> {
        let path = folder.join(table.name).with_extension("csv");
        let file = File::create(&path).map_err(SimulationError::file(&path))?;
        let mut to = BufWriter::with_capacity(1 << 18, file);
        writeln!(to, "{}", table.header.join(",")).map_err(SimulationError::file(&path))?;
        Ok(Self { path, to, rows: 0, malformed: 0 })
    }

    /// Writes the table's rows in the order of time, some of them twice, with a few broken lines between
    /// them, and empties it.
    ///
    /// # Errors
    /// [`SimulationError::File`] when the file cannot be written.
    pub fn append(&mut self, table: &mut Table, draw: &mut Draw) -> Result<(), SimulationError> {
        let text = std::mem::take(&mut table.text);
        let mut rows = std::mem::take(&mut table.rows);
        rows.sort_by(|a, b| (a.0, &text[a.1.clone()]).cmp(&(b.0, &text[b.1.clone()])));
        let broken_every = (rows.len() as u64).checked_div(table.dirt.malformed).filter(|&every| every > 0);
        for (position, (at, row)) in rows.iter().enumerate() {
            let line = &text[row.clone()];
            self.line(line)?;
            if draw.chance(table.dirt.repeated) {
                self.line(line)?;
            }
            if broken_every.is_some_and(|every| position as u64 % every == every / 2) {
                self.malformed += 1;
                self.line(&broken(line, *at, self.malformed))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), SimulationError> {
        self.rows += 1;
        writeln!(self.to, "{line}").map_err(SimulationError::file(&self.path))
    }

    /// Closes the file.
    ///
    /// # Errors
    /// [`SimulationError::File`] when the last bytes cannot be written.
    pub fn finish(mut self) -> Result<WrittenFile, SimulationError> {
        let failed = SimulationError::file(&self.path);
        let bytes = self.to.flush().and_then(|()| self.to.get_ref().metadata()).map_err(failed)?.len();
        Ok(WrittenFile { path: self.path, rows: self.rows, malformed: self.malformed, bytes })
    }
}

/// A copy of a line as a spreadsheet or a cut connection leaves it: no date, half a line, or fields too
/// many. Quotes stay balanced, so that only this line is lost.
fn broken(line: &str, at: Moment, kind: u64) -> String {
    let plain = line.replace('"', "");
    match kind % 3 {
        0 => plain.replace(&at.to_string(), "##########"),
        1 => plain.chars().take(plain.chars().count() / 2).collect(),
        _ => format!("{plain},,see note"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_the_order_of_time_and_quoted_where_they_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::new("notes", &["at", "text"], Dirt::default());
        table.push(Moment(60), &[Cell::When(Moment(60)), Cell::Text("a \"b\", c")]);
        table.push(Moment(0), &[Cell::When(Moment(0)), Cell::Nothing]);
        let mut file = TableFile::create(folder.path(), &table).unwrap();
        file.append(&mut table, &mut Draw::new(1, "dirt", 0)).unwrap();
        let written = file.finish().unwrap();
        let text = std::fs::read_to_string(&written.path).unwrap();
        assert_eq!(text, "at,text\n1970-01-01 00:00:00,\n1970-01-01 00:01:00,\"a \"\"b\"\", c\"\n");
        assert_eq!((written.rows, written.bytes), (2, text.len() as u64));
    }

    #[test]
    fn a_broken_line_never_swallows_the_next() {
        for kind in 0..3 {
            let line = broken("1970-01-01 00:00:00,\"a, b\",c", Moment(0), kind);
            assert!(!line.contains('"') && !line.contains('\n'));
            assert_ne!(line, "1970-01-01 00:00:00,\"a, b\",c");
        }
    }
}
