//! How does a model come to be?
//!
//! In the order of the work: what training reads ([`history`]) and whom it tells ([`progress`]); rows to
//! learn from ([`dataset`]); who learns and who is asked ([`split`]); the learners ([`fit`]); from raw scores
//! to honest probabilities ([`calibrate`]); how good it is ([`metric`]); which columns know the outcome
//! ([`leak`]) and how far the latest rows have moved on ([`drift`]); whether it may go live ([`gate`]); all
//! of it in order ([`pipeline`]), told on a page (`report`). [`train`] is the door; [`score_table`] scores a
//! plain file with what came out, [`forecast()`] adds up what open deals come to, and
//! [`purchases`] tells what customers without a contract will buy.

pub mod calibrate;
pub mod dataset;
pub mod drift;
pub mod error;
pub mod fit;
pub mod forecast;
pub mod gate;
pub mod history;
pub mod leak;
pub mod metric;
pub mod pipeline;
pub mod progress;
pub mod purchases;
pub mod split;

mod recommend_table;
mod report;
mod score_table;
mod train;
mod trained;

pub use dataset::{ColumnNote, Treatment};
pub use drift::{Drift, FeatureDrift, Shift, find_drift};
pub use error::TrainingError;
pub use forecast::{Backtest, BacktestRequest, Forecast, ForecastRequest, Period, backtest, forecast};
pub use gate::{Champion, Check, Comparison, Gate, Verdict};
pub use history::{History, NoHistory, Snapshots};
pub use leak::{LeakSign, LeakWarning, find_leaks};
pub use metric::{Estimate, Evaluation};
pub use progress::{Progress, Silent};
pub use recommend_table::{RecommendedTable, Users, recommend_table};
pub use score_table::{ScoredTable, score_table};
pub use train::train;
pub use trained::{CandidateResult, TrainRequest, Trained, TrainingWindow};
