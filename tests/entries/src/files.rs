//! Files that people bring.

use std::io::Write as _;
use std::path::Path;

use scorehouse_features::definition::{CsvOptions, FileFormat, Project, Source};
use scorehouse_features::source::Assembler;
use scorehouse_features::source::block::read_chunk;
use scorehouse_features::source::delimited::DelimitedFile;
use scorehouse_features::source::infer::infer_columns;
use scorehouse_features::source::layout::Layout;

use crate::texts::SHOP;

/// How a file may be declared besides its columns.
const DECLARATIONS: [&str; 4] = [
    "",
    "delimiter = \";\"\ndecimal = \",\"\n",
    "encoding = \"windows-1252\"\nnull = [\"none\"]\n",
    "encoding = \"utf-16le\"\nquote = \"'\"\n",
];

fn declared(more: &str) -> String {
    SHOP.replacen("event_time", &format!("path = \"visits.*\"\n{more}event_time"), 1)
}

/// A delimited file: opened, its columns inferred, read by declared columns. The first byte chooses how it is declared.
pub(crate) fn delimited(bytes: &[u8]) {
    let Some((how, content)) = bytes.split_first() else { return };
    let ending = ["csv", "csv.gz", "csv.zst"][usize::from(how % 4).min(2)];
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join(format!("visits.{ending}"));
    if std::fs::File::create(&path).and_then(|mut file| file.write_all(content)).is_err() {
        return;
    }
    let text = declared(DECLARATIONS[usize::from(how / 4 % 4)]);
    let Ok(project) = Project::parse(&text, folder.path()) else { return };
    let Some(source) = project.sources.values().next() else { return };
    let FileFormat::Csv(options) = &source.format else { return };
    let _ = infer_columns(&path, options, &[]);
    read(&path, source, options);
}

fn read(path: &Path, source: &Source, options: &CsvOptions) {
    let Ok(mut file) = DelimitedFile::open(path, options) else { return };
    let Ok(layout) = Layout::new(source, options, path, file.headers()) else { return };
    let layout = layout.decoded_from(file.encoding());
    let Ok(assembler) = Assembler::new(source) else { return };
    while let Ok(Some(chunk)) = file.next_chunk(100) {
        let block = read_chunk(&layout, &chunk);
        (0..chunk.len()).for_each(|row| drop(chunk.raw(row)));
        let _ = assembler.assemble(block);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn every_way_to_declare_the_file_is_a_good_project_with_a_delimited_source() {
        for more in DECLARATIONS {
            let project = Project::parse(&declared(more), Path::new("/project")).unwrap();
            assert!(matches!(project.sources.values().next().unwrap().format, FileFormat::Csv(_)), "{more}");
        }
    }
}
