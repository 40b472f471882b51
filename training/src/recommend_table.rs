//! The best items for a list of users, into a file.

use std::path::Path;

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use scorehouse_models::Artifact;
use scorehouse_models::predictor::Predictor;
use scorehouse_models::predictor::recommender::Recommender;
use serde::{Deserialize, Serialize};

use crate::dataset::read_table;
use crate::error::TrainingError;

/// Who is to be suggested something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users<'a> {
    /// Everybody that training saw.
    All,
    /// These, each once.
    Named(&'a [String]),
    /// Those in the user column of a delimited file, or in its first column, then from the first line on.
    File(&'a Path),
}

/// What came of a list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecommendedTable {
    /// Users in the list.
    pub users: usize,
    /// How many of them training never saw; they got what is popular.
    pub strangers: usize,
    /// Rows written.
    pub rows: usize,
}

/// Users answered at a time, so that the answers of a million users are never all in memory.
const BATCH: usize = 1024;
/// Users whose scores one task computes at once.
const AT_ONCE: usize = 64;

/// Writes the best `n` items for each user to `output`: `user,rank,item,score`, users in the order of the list,
/// ranks from 1. Users that training never saw get what is popular; nobody gets fewer than `n` while there are
/// items the repeat rule allows.
///
/// # Errors
/// [`TrainingError::Artifact`] when the model is no recommender, [`TrainingError::File`] when a file cannot be
/// read or written.
pub fn recommend_table(
    artifact: &Artifact,
    users: Users<'_>,
    n: usize,
    output: &Path,
) -> Result<RecommendedTable, TrainingError> {
    let Predictor::Recommender(recommender) = &artifact.predictor else {
        let why = format!("this {} model scores rows; it cannot suggest items", artifact.predictor.kind());
        return Err(TrainingError::Artifact(why));
    };
    let names = names(recommender, users, artifact.details["user"].as_str())?;
    let mut writer = csv::Writer::from_path(output).map_err(|e| TrainingError::file(output, e))?;
    let mut done = RecommendedTable { users: names.len(), strangers: 0, rows: 0 };
    let write = |writer: &mut csv::Writer<_>, fields: [&str; 4]| {
        writer.write_record(fields).map_err(|e| TrainingError::file(output, e))
    };
    write(&mut writer, ["user", "rank", "item", "score"])?;
    for batch in names.chunks(BATCH) {
        done.strangers +=
            batch.iter().filter(|name| recommender.parts().users.number(name).is_none()).count();
        for (name, list) in batch.iter().zip(answers(recommender, batch, n)) {
            for (place, (item, score)) in list.iter().enumerate() {
                let (rank, score) = ((place + 1).to_string(), score.to_string());
                write(&mut writer, [name, &rank, recommender.parts().items.name(*item as usize), &score])?;
                done.rows += 1;
            }
        }
    }
    writer.flush().map_err(|e| TrainingError::file(output, e))?;
    Ok(done)
}

fn answers(recommender: &Recommender, names: &[String], n: usize) -> Vec<Vec<(u32, f32)>> {
    let parts = recommender.parts();
    let past =
        |name: &String| parts.users.number(name).map_or_else(Vec::new, |user| parts.histories.of(user));
    let lists: Vec<Vec<Vec<(u32, f32)>>> = names
        .par_chunks(AT_ONCE)
        .map(|names| recommender.top(&names.iter().map(past).collect::<Vec<_>>(), parts.until, n))
        .collect();
    lists.into_iter().flatten().collect()
}

fn names(
    recommender: &Recommender,
    users: Users<'_>,
    column: Option<&str>,
) -> Result<Vec<String>, TrainingError> {
    let listed: Vec<String> = match users {
        Users::All => recommender.parts().users.iter().map(str::to_owned).collect(),
        Users::Named(names) => names.to_vec(),
        Users::File(path) => {
            let table = read_table(path)?;
            let known = column.and_then(|column| table.headers.iter().position(|h| h == column));
            let below = (0..table.rows()).filter_map(|row| table.field(row, known.unwrap_or(0)));
            // Without a header of that name the first line is a user like any other.
            let first = table.headers.first().filter(|_| known.is_none()).cloned();
            first.into_iter().chain(below.map(str::to_owned)).collect()
        }
    };
    let mut seen = FxHashSet::default();
    let trimmed = listed.iter().map(|name| name.trim().to_owned());
    Ok(trimmed.filter(|name| !name.is_empty() && seen.insert(name.clone())).collect())
}
