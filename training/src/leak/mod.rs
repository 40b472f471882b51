//! Which columns know the outcome: filled, changed or stamped after the moment at which a row is looked at.
//!
//! Nobody can tell from a table alone how a column came to be; but facts from the future leave marks that facts
//! of the present do not. Names are not looked at, only values:
//!
//! - **too good alone** ([`LeakSign::TooGood`]): one column tells most of the outcome on rows that it was not
//!   read from, more than any honest fact does, or far more than every other column;
//! - **decides** ([`LeakSign::Decides`], [`LeakSign::Filled`]): a value, or there being one, settles the outcome;
//! - **changed** ([`LeakSign::Changed`]): columns that say the same in nearly every row (`a = b`, `a + b = c`,
//!   shares that add up) come apart in rows of one outcome: one of them was written once more when it was known;
//! - **stamped** ([`LeakSign::Stamped`]): neighbouring numbers have nothing to do with each other, as when
//!   many rows were closed on one day, and the number counts the days to it;
//! - **later** ([`LeakSign::Later`]): moments after the row's own, none of them after the end of the data;
//! - **sudden** ([`LeakSign::Sudden`]): what tells the outcome at an entity's last look told nothing one look
//!   before: too good against its own past;
//! - **tied** ([`LeakSign::Tied`]): belongs to the same clockwork as columns with a mark.
//!
//! Strong is not suspicious: a fact may tell as much as it likes as long as it tells it as facts do, by degrees.
//! The thresholds and what they were measured on: `docs/decisions/leaks.md`.

mod agreement;
mod alone;
mod moments;
mod odds;
mod past;
mod stamp;
#[cfg(test)]
mod tests;
mod tied;
mod view;

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{ColumnNote, Dataset};
use view::Views;

/// A column that seems to know the outcome, with every mark found on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakWarning {
    /// The column.
    pub column: String,
    /// The marks, the most telling first.
    pub signs: Vec<LeakSign>,
    /// Area under the ROC curve of this column alone on rows that it was not read from, 0.5..=1.
    pub auc_alone: f64,
}

/// A mark that a fact from the future leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "sign", rename_all = "snake_case")]
pub enum LeakSign {
    /// Alone it tells more than facts tell.
    TooGood {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// Whether there is a value settles the outcome.
    Filled {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// A value, or all values on one side of one, settle the outcome.
    Decides {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// It comes apart from columns that it agrees with, in rows of one outcome.
    Changed {
        /// The columns it otherwise agrees with.
        with: Vec<String>,
        /// What was seen, in a sentence.
        detail: String,
    },
    /// Each number has a rate of its own.
    Stamped {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// It holds moments after the row's own.
    Later {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// It tells the outcome at the last look and told nothing one look before.
    Sudden {
        /// What was seen, in a sentence.
        detail: String,
    },
    /// It moves with columns that have a mark and with no others.
    Tied {
        /// Those columns.
        with: Vec<String>,
        /// What was seen, in a sentence.
        detail: String,
    },
}

impl LeakSign {
    /// What was seen, in a sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::TooGood { detail }
            | Self::Filled { detail }
            | Self::Decides { detail }
            | Self::Changed { detail, .. }
            | Self::Stamped { detail }
            | Self::Later { detail }
            | Self::Sudden { detail }
            | Self::Tied { detail, .. } => detail,
        }
    }
}

impl LeakWarning {
    /// The marks in words, in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let details: Vec<&str> = self.signs.iter().map(LeakSign::detail).collect();
        details.join("; ")
    }
}

/// Marks found so far, by column.
type Found = IndexMap<usize, Vec<LeakSign>>;

/// Looks for columns that know the outcome; `notes` say how each column is read. Worst first.
///
/// At most 40,000 rows spread evenly through the data are looked at. Rows of one entity count as one where
/// certainty matters. Deterministic.
#[must_use]
pub fn find_leaks(data: &Dataset, notes: &[ColumnNote]) -> Vec<LeakWarning> {
    let views = Views::of(data, notes);
    if views.columns.is_empty() || !views.tells() {
        return Vec::new();
    }
    let alone: Vec<alone::Alone> = views.columns.par_iter().map(|column| views.alone(column)).collect();
    let mut found = Found::new();
    alone::find(&views, &alone, &mut found);
    agreement::find(&views, &alone, &mut found);
    stamp::find(&views, &mut found);
    moments::find(data, &views, &mut found);
    past::find(data, notes, &mut found, &views);
    tied::find(&views, &alone, &mut found);
    let mut warnings: Vec<LeakWarning> = found
        .into_iter()
        .map(|(at, signs)| LeakWarning {
            column: views.columns[at].name.to_owned(),
            signs,
            auc_alone: alone[at].auc,
        })
        .collect();
    warnings.sort_by(|a, b| b.auc_alone.total_cmp(&a.auc_alone).then_with(|| a.column.cmp(&b.column)));
    warnings
}
