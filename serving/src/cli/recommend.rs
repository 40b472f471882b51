//! `scorehouse recommend`: products for many users, into a CSV file.

use scorehouse_models::Registry;
use scorehouse_training::{RecommendedTable, Users, recommend_table};
use serde::Serialize;

use crate::cli::args::RecommendArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Report, show, table};
use crate::cli::session::{Session, model_name};

/// Runs `scorehouse recommend`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &RecommendArgs) -> Outcome<()> {
    let registry = session.registry()?;
    let record = session.version(&registry, &model_name(&args.model)?, &args.version)?;
    let artifact = registry.artifact(&record.model, record.version)?;
    let users = match &args.users {
        Some(file) => Users::File(file),
        None if args.keys.is_empty() => Users::All,
        None => Users::Named(&args.keys),
    };
    if let Some(output) = &args.output {
        let done = recommend_table(&artifact, users, args.n, output)?;
        return Ok(show(&Written { file: output.display().to_string(), done }, session.json)?);
    }
    if matches!(users, Users::All) {
        return Err(Failure::caller(
            "name users, a file of them with --users, or a file for everybody with --output",
        ));
    }
    let scratch = session.project.state.join("tmp");
    std::fs::create_dir_all(&scratch)?;
    let file = scratch.join(format!("recommend-{}.csv", std::process::id()));
    recommend_table(&artifact, users, args.n, &file)?;
    let listed = Listed::read(&file);
    std::fs::remove_file(&file)?;
    Ok(show(&listed?, session.json)?)
}

#[derive(Serialize)]
struct Written {
    file: String,
    #[serde(flatten)]
    done: RecommendedTable,
}

impl Report for Written {
    fn human(&self) -> String {
        format!(
            "{} users ({} of them strangers), {} rows → {}",
            self.done.users, self.done.strangers, self.done.rows, self.file
        )
    }
}

/// The rows of a written file.
#[derive(Serialize)]
struct Listed {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Listed {
    fn read(file: &std::path::Path) -> Outcome<Self> {
        let mut reader = csv::Reader::from_path(file).map_err(Failure::data)?;
        let header = reader.headers().map_err(Failure::data)?.iter().map(str::to_owned).collect();
        let rows = reader
            .records()
            .map(|row| row.map(|row| row.iter().map(str::to_owned).collect()).map_err(Failure::data))
            .collect::<Outcome<_>>()?;
        Ok(Self { header, rows })
    }
}

impl Report for Listed {
    fn human(&self) -> String {
        let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
        table(&header, &[], self.rows.iter().cloned())
    }
}
