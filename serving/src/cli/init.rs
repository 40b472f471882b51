//! `scorehouse init`: a project to start from.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use scorehouse_features::definition::{CsvOptions, PROJECT_FILE, Project, Template};
use scorehouse_features::source::delimited::DelimitedFile;
use serde::Serialize;

use crate::cli::args::InitArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Report, show};

/// Runs `scorehouse init`.
///
/// # Errors
/// A caller's failure when a project is there already, or the table or its label is not.
pub fn run(args: &InitArgs, json: bool) -> Outcome<()> {
    let file = args.folder.join(PROJECT_FILE);
    if file.exists() {
        return Err(Failure::caller(format!("{} is there already; nothing was changed", file.display())));
    }
    let files = match (&args.table, &args.label) {
        (Some(table), Some(label)) => table_project(&args.folder, table, label)?,
        _ => Project::template(&Template::Shop { name: folder_name(&args.folder) }),
    };
    fs::create_dir_all(&args.folder)?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = args.folder.join(name);
        fs::write(&path, text)?;
        written.push(path);
    }
    Ok(show(&Started { folder: args.folder.clone(), files: written }, json)?)
}

/// The project of a plain file, after a look at its header.
fn table_project(folder: &Path, table: &Path, label: &str) -> Outcome<Vec<(PathBuf, String)>> {
    let found = table.canonicalize().map_err(|e| Failure::caller(format!("{}: {e}", table.display())))?;
    let mut file = DelimitedFile::open(&found, &CsvOptions::default()).map_err(Failure::data)?;
    let header = file.headers().to_vec();
    if !header.iter().any(|column| column == label) {
        let near = scorehouse_features::nearest::nearest(label, header.iter().map(String::as_str));
        let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        return Err(Failure::caller(format!("{} has no column `{label}`{hint}", table.display())));
    }
    fs::create_dir_all(folder)?;
    let inside = found.strip_prefix(folder.canonicalize()?).map_or_else(|_| found.clone(), Path::to_path_buf);
    let id = id_column(&mut file, &header, label)?;
    let table = inside.display().to_string();
    Ok(Project::template(&Template::Table { name: folder_name(folder), table, label: label.to_owned(), id }))
}

/// Rows looked at to see whether a column tells rows apart.
const ROWS_LOOKED_AT: usize = 10_000;

/// The first column that is named like an id and has another value in each of the first rows.
fn id_column(file: &mut DelimitedFile, header: &[String], label: &str) -> Outcome<Option<String>> {
    let named: Vec<usize> =
        (0..header.len()).filter(|at| header[*at] != label && is_id(&header[*at])).collect();
    if named.is_empty() {
        return Ok(None);
    }
    let Some(rows) = file.next_chunk(ROWS_LOOKED_AT).map_err(Failure::data)? else {
        return Ok(named.first().map(|at| header[*at].clone()));
    };
    let tells_apart = |column: &usize| {
        let mut met = HashSet::new();
        let field = |row: usize| if *column < rows.width(row) { rows.field(row, *column) } else { b"" };
        (0..rows.len()).all(|row| !field(row).is_empty() && met.insert(field(row)))
    };
    Ok(named.into_iter().find(tells_apart).map(|at| header[at].clone()))
}

/// Headers that name rows in most exports: `id`, `customer_id`, `CustomerID`, `Order No`, `account key`, ….
fn is_id(header: &str) -> bool {
    let lower = header.to_ascii_lowercase().replace([' ', '-', '.'], "_");
    let ending = ["_id", "_uuid", "_key", "_no", "_number"].iter().any(|ending| lower.ends_with(ending));
    let camel = header.len() > 2 && (header.ends_with("ID") || header.ends_with("Id"));
    ending || camel || ["id", "uuid", "key"].contains(&lower.as_str())
}

/// A name for the project, from its folder.
fn folder_name(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if clean.is_empty() { "project".to_owned() } else { clean }
}

#[derive(Serialize)]
struct Started {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Report for Started {
    fn human(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|f| format!("  {}", f.display())).collect();
        format!(
            "wrote\n{}\nnext: cd {} && scorehouse check && scorehouse train",
            files.join("\n"),
            self.folder.display()
        )
    }
}
