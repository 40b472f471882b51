//! One raw file becomes typed rows: read in order, typed in parallel, handed on in order.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

use scorehouse_features::definition::{CsvOptions, FileFormat, Source};
use scorehouse_features::ids::ColumnName;
use scorehouse_features::source::block::{Block, read_chunk};
use scorehouse_features::source::content::ContentMark;
use scorehouse_features::source::delimited::{Chunk, DelimitedFile};
use scorehouse_features::source::infer::settle_moments;
use scorehouse_features::source::layout::Layout;
use scorehouse_features::source::{Assembled, Assembler, Reject, SourceError};

use super::columnar::{ColumnarLayout, raw_row};
use super::plan::RawFile;
use crate::error::OfflineError;
use crate::progress::Progress;
use crate::report::{Counted, FoundFormat};

/// Records typed by one task.
const CHUNK: usize = 8_192;

/// What takes the rows and rejects of a file, in the file's order.
pub(super) trait Taker {
    fn rows(&mut self, assembled: Assembled) -> Result<(), OfflineError>;
    fn reject(&mut self, reject: Reject) -> Result<(), OfflineError>;
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) read: u64,
    pub(super) kept: u64,
    pub(super) filtered: u64,
    pub(super) rejected: u64,
    pub(super) reasons: HashMap<String, u64>,
    pub(super) nulls: BTreeMap<(ColumnName, String), u64>,
    pub(super) formats: Vec<FoundFormat>,
    pub(super) ignored: Vec<String>,
    pub(super) delimiter: Option<u8>,
    pub(super) encoding: Option<String>,
    pub(super) content: Option<ContentMark>,
}

impl Findings {
    pub(super) fn nulls(&self) -> Vec<Counted> {
        let counted = |((column, text), count): (&(ColumnName, String), &u64)| Counted {
            what: format!("{column}: {text}"),
            count: *count,
        };
        self.nulls.iter().map(counted).collect()
    }

    fn take(
        &mut self,
        file: &RawFile,
        typed: Typed,
        taker: &mut dyn Taker,
        describe: impl Fn(usize) -> (u64, String),
    ) -> Result<(), OfflineError> {
        self.read += typed.rows as u64;
        for (key, count) in typed.nulls {
            *self.nulls.entry(key).or_default() += count;
        }
        for (row, reason) in typed.assembled.bad.iter() {
            let (line, raw) = describe(row);
            self.rejected += 1;
            *self.reasons.entry(reason.kind()).or_default() += 1;
            taker.reject(Reject { file: file.name.clone(), line, reason: reason.clone(), raw })?;
        }
        self.filtered += typed.assembled.filtered;
        self.kept += typed.assembled.batch.num_rows() as u64;
        taker.rows(typed.assembled)
    }
}

/// A block once its rows are complete.
struct Typed {
    rows: usize,
    nulls: BTreeMap<(ColumnName, String), u64>,
    assembled: Assembled,
}

fn complete(assembler: &Assembler, mut block: Block) -> Result<Typed, SourceError> {
    let rows = block.rows;
    let nulls = std::mem::take(&mut block.nulls);
    Ok(Typed { rows, nulls, assembled: assembler.assemble(block)? })
}

/// Reads a file, leaving out its first `skip` records.
pub(super) fn read_file(
    source: &Source,
    file: &RawFile,
    skip: u64,
    taker: &mut dyn Taker,
    progress: &dyn Progress,
) -> Result<Findings, OfflineError> {
    match &source.format {
        FileFormat::Csv(options) => read_delimited(source, options, file, skip, taker, progress),
        FileFormat::Parquet => read_parquet(source, file, taker, progress),
    }
}

fn read_delimited(
    source: &Source,
    options: &CsvOptions,
    file: &RawFile,
    skip: u64,
    taker: &mut dyn Taker,
    progress: &dyn Progress,
) -> Result<Findings, OfflineError> {
    let assembler = Assembler::new(source)?;
    let mut open = DelimitedFile::open(&file.path, options)?;
    let layout = Layout::new(source, options, &file.path, open.headers())?;
    let mut layout = layout.decoded_from(open.encoding());
    let mut found = Findings {
        ignored: layout.ignored.clone(),
        delimiter: Some(open.delimiter()),
        encoding: Some(open.encoding().to_owned()),
        ..Findings::default()
    };
    let width = rayon::current_num_threads() * 2;
    let mut round = next_round(&mut open, width)?;
    if let Some(first) = round.first() {
        let formats = settle_moments(&mut layout, first, &file.path)?;
        found.formats = formats.into_iter().map(|(column, format)| FoundFormat { column, format }).collect();
    }
    let mut to_skip = skip;
    let mut told = 0;
    while !round.is_empty() {
        skip_records(&mut round, &mut to_skip);
        let type_round = || {
            let type_chunk = |chunk: &Chunk| complete(&assembler, read_chunk(&layout, chunk));
            round.par_iter().map(type_chunk).collect::<Result<Vec<_>, _>>()
        };
        let (next, typed) = rayon::join(|| next_round(&mut open, width), type_round);
        for (typed, chunk) in typed?.into_iter().zip(&round) {
            found.take(file, typed, taker, |row| (chunk.line(row), chunk.raw(row)))?;
        }
        round = next?;
        let read = open.taken();
        progress.advance(read - told);
        told = read;
    }
    found.content = Some(open.mark());
    Ok(found)
}

fn next_round(open: &mut DelimitedFile, width: usize) -> Result<Vec<Chunk>, SourceError> {
    let mut round = Vec::with_capacity(width);
    while round.len() < width
        && let Some(chunk) = open.next_chunk(CHUNK)?
    {
        round.push(chunk);
    }
    Ok(round)
}

fn skip_records(round: &mut [Chunk], left: &mut u64) {
    for chunk in round {
        let now = usize::try_from(*left).unwrap_or(usize::MAX).min(chunk.len());
        chunk.skip(now);
        *left -= now as u64;
    }
}

fn read_parquet(
    source: &Source,
    file: &RawFile,
    taker: &mut dyn Taker,
    progress: &dyn Progress,
) -> Result<Findings, OfflineError> {
    let assembler = Assembler::new(source)?;
    let open = File::open(&file.path).map_err(OfflineError::io(&file.path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(open)?;
    let total = builder.metadata().file_metadata().num_rows().max(1) as u64;
    let layout = ColumnarLayout::new(source, &file.path, builder.schema())?;
    let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), layout.roots());
    let mut found = Findings { ignored: layout.ignored().to_vec(), ..Findings::default() };
    let mut reader = builder.with_projection(mask).with_batch_size(CHUNK * 8).build()?;
    let mut row_number = 0_u64;
    let mut next = || reader.next().transpose().map_err(OfflineError::from);
    while let Some(batch) = next()? {
        let batch = batch;
        let typed = complete(&assembler, layout.block(&batch)?)?;
        found.take(file, typed, taker, |row| (row_number + row as u64 + 1, raw_row(&batch, row)))?;
        row_number += batch.num_rows() as u64;
        progress.advance(file.bytes * batch.num_rows() as u64 / total);
    }
    Ok(found)
}
