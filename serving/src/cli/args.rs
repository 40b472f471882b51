//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::access::Role;
use crate::cli::failure::EXIT_CODES;
use crate::telemetry::LogFormat;

/// One place where customer data becomes scores: features, training, registry and serving in one binary.
#[derive(Debug, Parser)]
#[command(name = "scorehouse", version, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// The project folder, or its scorehouse.toml.
    #[arg(short, long, global = true, default_value = ".", env = "SCOREHOUSE_PROJECT", value_name = "PATH")]
    pub project: PathBuf,
    /// Print the result as one JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress bars.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project in a folder.
    Init(InitArgs),
    /// Check the project file: line, what was expected, the nearest known name.
    Check,
    /// Read new rows of the sources into history and the online store.
    Ingest(IngestArgs),
    /// Read features: of one entity, or a training set for many.
    #[command(subcommand)]
    Features(FeaturesCommand),
    /// Train models and register them.
    Train(TrainArgs),
    /// Look at the registry, register models, move aliases.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Score entities by key, or the rows of a CSV file.
    Score(ScoreArgs),
    /// What open deals come to in a period: P10, P50 and P90 of the amount won, against target and commit.
    Forecast(ForecastArgs),
    /// Recommend products for users.
    Recommend(RecommendArgs),
    /// What became of a model's scores: calibration, AUC over time, drift from training.
    Monitor(MonitorArgs),
    /// Compute served scores again from history and name every feature that differs.
    Replay(ReplayArgs),
    /// What could not be delivered to webhooks: list it, deliver it again.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Make, list and revoke the API keys of those who may ask the server.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Answer over HTTP until interrupted.
    Serve(ServeArgs),
    /// Simulate a company around real orders, train its three models, and serve them.
    Demo(DemoArgs),
}

/// `scorehouse init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to write to; made if it is not there.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// A CSV file with a label column, to train on as it is.
    #[arg(long, requires = "label")]
    pub table: Option<PathBuf>,
    /// The column to predict.
    #[arg(long, requires = "table")]
    pub label: Option<String>,
}

/// `scorehouse ingest`
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Sources to read; all of them when none is named.
    pub sources: Vec<String>,
    /// Take a changed file in place of what was read from it before.
    #[arg(long)]
    pub replace: bool,
    /// Merge small history files.
    #[arg(long)]
    pub compact: bool,
}

/// `scorehouse features …`
#[derive(Debug, Subcommand)]
pub enum FeaturesCommand {
    /// All features of one entity, with the reason where one is missing.
    Show(ShowArgs),
    /// A point-in-time correct training set for the rows of a file.
    History(HistoryArgs),
    /// The features the project declares.
    List,
    /// Build the online store's snapshot from history.
    Materialize,
}

/// `scorehouse features show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The entity, such as customer.
    pub entity: String,
    /// Its key.
    pub key: String,
    /// The moment to look at; now when not given.
    #[arg(long)]
    pub as_of: Option<String>,
}

/// `scorehouse features history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The feature set to read.
    #[arg(long, value_name = "NAME")]
    pub set: String,
    /// CSV or Parquet file with the entity's key column and `as_of`; other columns are carried through.
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Where to write, `.csv` or `.parquet`.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Add a column per feature that says why a value is missing.
    #[arg(long)]
    pub reasons: bool,
}

/// `scorehouse train`
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Models to train; all declared ones when none is named.
    pub models: Vec<String>,
    /// Register the version but leave `champion` where it is, whatever the gate says.
    #[arg(long)]
    pub no_promote: bool,
    /// Look at the data as of this moment; now when not given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// Write the report of each model into this folder too.
    #[arg(long, value_name = "FOLDER")]
    pub report: Option<PathBuf>,
}

/// `scorehouse models …`
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Models, versions and aliases.
    List,
    /// One model, or one of its versions, in full.
    Show {
        /// The model.
        model: String,
        /// The version; all when not given.
        version: Option<u32>,
    },
    /// Register an ONNX file with its feature list and a sample that must score as recorded.
    Register(RegisterArgs),
    /// Move an alias to a version.
    Promote {
        /// The model.
        model: String,
        /// The version.
        version: u32,
        /// The alias.
        #[arg(long, default_value = "champion")]
        alias: String,
        /// Why, for the audit trail.
        #[arg(long, default_value = "moved by hand")]
        why: String,
    },
    /// Move an alias back to where it stood before its last move.
    Rollback {
        /// The model.
        model: String,
        /// The alias.
        #[arg(long, default_value = "champion")]
        alias: String,
    },
    /// Every change of a model: who, when, why.
    Audit {
        /// The model.
        model: String,
    },
    /// Write a version's artifact to a file.
    Export {
        /// The model.
        model: String,
        /// Version or alias.
        #[arg(long, default_value = "champion")]
        version: String,
        /// Where to write.
        #[arg(short, long)]
        output: PathBuf,
    },
}

/// `scorehouse models register`
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// The model, declared in the project with `pipeline = "registered"` (or any binary model).
    pub model: String,
    /// The ONNX file.
    #[arg(long, value_name = "FILE")]
    pub onnx: PathBuf,
    /// CSV sample: the features by name plus a column `expected` with the probability each row must get, and
    /// `as_of` when a feature is a time.
    #[arg(long, value_name = "FILE")]
    pub sample: PathBuf,
    /// How far a sample's score may be from `expected`.
    #[arg(long, default_value_t = 1e-5)]
    pub tolerance: f64,
    /// Move this alias to the new version.
    #[arg(long)]
    pub alias: Option<String>,
}

/// `scorehouse score`
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model.
    pub model: String,
    /// Keys of entities, features from the store.
    pub keys: Vec<String>,
    /// CSV file: rows with the model's columns, or with the entity's key (and `as_of`).
    #[arg(short, long, value_name = "FILE", conflicts_with = "keys")]
    pub input: Option<PathBuf>,
    /// Where the scores go, as CSV; standard output when not given.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Version or alias.
    #[arg(long, default_value = "champion")]
    pub version: String,
    /// The moment to look at; now when not given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// How many reasons to show.
    #[arg(long, default_value_t = 5)]
    pub reasons: usize,
    /// When each deal is going to end: the likely close with its range, and how likely it is won by --by.
    #[arg(long)]
    pub timing: bool,
    /// Dates by which a win is asked for, with --timing; 30, 60 and 90 days ahead when not given.
    #[arg(long, value_name = "DATE", requires = "timing")]
    pub by: Vec<String>,
    /// The greatest first: by value at stake where the project declares a margin, else by probability.
    #[arg(long)]
    pub rank: bool,
}

/// `scorehouse forecast`
#[derive(Debug, Args)]
pub struct ForecastArgs {
    /// A model of pipeline win whose section says what deals are worth.
    pub model: String,
    /// A calendar quarter, such as 2026-Q4; the present one when nothing is said.
    #[arg(long, value_name = "QUARTER", conflicts_with_all = ["from", "to"])]
    pub period: Option<String>,
    /// In place of a quarter: the first moment that counts. In a backtest: the first forecast.
    #[arg(long, value_name = "MOMENT")]
    pub from: Option<String>,
    /// The first moment that does not count any more.
    #[arg(long, value_name = "MOMENT", requires = "from")]
    pub to: Option<String>,
    /// A feature by which deals are told apart, such as deal.owner_id; may be given again in a backtest.
    #[arg(long, value_name = "FEATURE")]
    pub by: Vec<String>,
    /// The moment to look at; now when not given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// Version or alias.
    #[arg(long, default_value = "champion")]
    pub version: String,
    /// Forecast the past from what was known then, with models learnt from what was known, and say how often the middle
    /// 80 % held what came.
    #[arg(long, conflicts_with_all = ["period", "to", "version"])]
    pub backtest: bool,
    /// In a backtest: how far each forecast looks ahead.
    #[arg(long, value_name = "SPAN", default_value = "90d", requires = "backtest")]
    pub length: String,
    /// In a backtest: time from one forecast to the next.
    #[arg(long, value_name = "SPAN", default_value = "30d", requires = "backtest")]
    pub every: String,
    /// In a backtest: time after which the model is learnt anew.
    #[arg(long, value_name = "SPAN", default_value = "90d", requires = "backtest")]
    pub refit: String,
}

/// `scorehouse recommend`
#[derive(Debug, Args)]
pub struct RecommendArgs {
    /// The model.
    pub model: String,
    /// Keys of users.
    pub keys: Vec<String>,
    /// File with one user a line, or a CSV file with the user column.
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub users: Option<PathBuf>,
    /// How many products each.
    #[arg(short, long, default_value_t = 10)]
    pub n: usize,
    /// Where they go, as CSV; standard output when not given.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Version or alias.
    #[arg(long, default_value = "champion")]
    pub version: String,
}

/// `scorehouse monitor`
#[derive(Debug, Args)]
pub struct MonitorArgs {
    /// The model.
    pub model: String,
    /// Only scores answered at this moment or later.
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Only scores answered before this moment.
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// The length of a period; 30d when not given.
    #[arg(long, value_name = "SPAN")]
    pub every: Option<String>,
    /// Judge the champion by the limits of [model.X.monitor] and end with 3 if one is crossed; without a range, tell that as the server does.
    #[arg(long)]
    pub check: bool,
    /// As `--check`, and train the model again when a limit is crossed; the gate decides whether it becomes champion.
    #[arg(long)]
    pub retrain: bool,
}

/// `scorehouse replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The model; all of them when not given.
    #[arg(long)]
    pub model: Option<String>,
    /// Only scores answered at this moment or later.
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Only scores answered before this moment.
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
}

/// `scorehouse serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on, instead of the project's.
    #[arg(long, env = "SCOREHOUSE_LISTEN")]
    pub listen: Option<String>,
    /// Let everyone ask everything, whatever keys there are.
    #[arg(long, env = "SCOREHOUSE_OPEN", value_parser = clap::builder::FalseyValueParser::new())]
    pub open: bool,
    /// How log lines are written.
    #[arg(long, env = "SCOREHOUSE_LOG", value_enum, default_value_t)]
    pub log: LogFormat,
}

/// `scorehouse keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and show it, once: only its hash is kept.
    Create {
        /// Who will hold it; conditions of the project file read it as `caller.name`.
        name: String,
        /// What its holder is: rep, storefront, service, scientist or operator.
        #[arg(long)]
        role: Role,
        /// When it ends: a span from now such as 90d, or a moment.
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// What conditions read as `caller.NAME`, one of the project's `[access] attributes`.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        attributes: Vec<String>,
        /// Why, for the audit trail.
        #[arg(long, default_value = "made by hand")]
        why: String,
    },
    /// Every key: who holds it, when it was last used, whether it still opens.
    List,
    /// Take a key back; running servers refuse it within a second.
    Revoke {
        /// Its id, or the name of its holder for all of that holder's keys.
        key: String,
        /// Why, for the audit trail.
        #[arg(long, default_value = "revoked by hand")]
        why: String,
    },
}

/// `scorehouse webhooks …`
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Deliveries that wait or were given up, the oldest first.
    List {
        /// Only those of this webhook.
        #[arg(long)]
        webhook: Option<String>,
        /// Only those that are `waiting` or `dead`.
        #[arg(long)]
        state: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Deliver again what was given up; a running server does so within a second.
    Redeliver {
        /// The webhook.
        webhook: String,
        /// Numbers of deliveries; all that were given up when none is named.
        deliveries: Vec<u64>,
    },
}

/// `scorehouse demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder that the demo runs in; made if it is not there.
    #[arg(long, default_value = "demo/run")]
    pub folder: PathBuf,
    /// The real orders.
    #[arg(long, default_value = "demo/data")]
    pub orders: PathBuf,
    /// The demo's project folder.
    #[arg(long, default_value = "demo/project")]
    pub definitions: PathBuf,
    /// Size of the simulated company, 0.1 to 100.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Seed of the simulation.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Day on which the data ends; today on the first run, then kept.
    #[arg(long)]
    pub anchor: Option<String>,
    /// Stop after the table, do not serve.
    #[arg(long)]
    pub no_serve: bool,
    /// Stop once the company's data is in the store, train nothing.
    #[arg(long)]
    pub no_train: bool,
    /// Address to listen on.
    #[arg(long, env = "SCOREHOUSE_LISTEN")]
    pub listen: Option<String>,
    /// Let everyone ask everything, and make no keys.
    #[arg(long, env = "SCOREHOUSE_OPEN", value_parser = clap::builder::FalseyValueParser::new())]
    pub open: bool,
    /// Ask this machine's own requests for a key too.
    #[arg(long, env = "SCOREHOUSE_CLOSED", value_parser = clap::builder::FalseyValueParser::new())]
    pub closed: bool,
}
