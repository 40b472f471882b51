//! Which columns may move a score one way only.

use indexmap::IndexMap;
use scorehouse_features::definition::Direction;

use crate::dataset::{Column, ColumnData};
use crate::error::TrainingError;

/// For each column +1, -1 or 0, as the project file says; empty when it says nothing.
///
/// # Errors
/// [`TrainingError::Definition`] when it names a column that is not there or holds no numbers.
pub fn directions(
    columns: &[Column],
    stated: &IndexMap<String, Direction>,
) -> Result<Vec<i8>, TrainingError> {
    let mut directions = vec![0; if stated.is_empty() { 0 } else { columns.len() }];
    for (name, direction) in stated {
        let Some(at) = columns.iter().position(|column| column.name == *name) else {
            let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let reason = format!(
                "monotone names {name}, which the model does not read; it reads {}",
                known.join(", ")
            );
            return Err(TrainingError::Definition(reason));
        };
        if !matches!(columns[at].data, ColumnData::Int(_) | ColumnData::Float(_)) {
            let reason =
                format!("monotone names {name}, which holds no numbers, so it neither rises nor falls");
            return Err(TrainingError::Definition(reason));
        }
        directions[at] = match direction {
            Direction::Up => 1,
            Direction::Down => -1,
        };
    }
    Ok(directions)
}
