//! `scorehouse demo`: a company around real orders, its models, and a server, from nothing and again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use scorehouse_features::definition::{PROJECT_FILE, Pipeline, Role};
use scorehouse_features::ids::{ColumnName, ModelName, SourceName};
use scorehouse_features::time::{Clock as _, SystemClock, Timestamp};
use scorehouse_models::{AliasName, Registry};
use scorehouse_simulator::{SimulationReport, SimulationRequest, simulate};
use scorehouse_training::Evaluation;
use serde::{Deserialize, Serialize};

use crate::cli::args::{Cli, DemoArgs};
use crate::cli::demo_keys::{self, DemoKey};
use crate::cli::evaluation::{self, Candidate};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::StoreHistory;
use crate::cli::output::count;
use crate::cli::progress::Bars;
use crate::cli::serve::{How, serve};
use crate::cli::session::Session;
use crate::cli::train::{Order, train_one};
use crate::cli::{examples, ingest};

/// What the demo's folder was made from; another makes it anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stamp {
    seed: u64,
    scale: f64,
    anchor: Date,
    simulation: SimulationReport,
}

const STAMP: &str = "demo.json";

/// Runs `scorehouse demo`.
///
/// # Errors
/// A failure with its fault.
pub fn run(cli: &Cli, args: &DemoArgs) -> Outcome<()> {
    fs::create_dir_all(&args.folder)?;
    let stamp = exports(cli, args)?;
    fs::copy(args.definitions.join(PROJECT_FILE), args.folder.join(PROJECT_FILE))?;
    let session = Session::open_at(&args.folder, cli)?;
    let say = |text: &str| {
        if !session.quiet {
            eprintln!("{text}");
        }
    };
    let ingested = ingest::ingest(&session, &[], false, false)?;
    if ingested.materialized {
        say(&crate::cli::output::Report::human(&ingested));
    }
    if args.no_train {
        return Ok(());
    }
    let now = session.clock.now();
    train_missing(&session, now, ingested.materialized)?;
    say(&format!("\n{}", evaluation_table(&session)?));
    say(&silo_line(&session, &stamp)?);
    if args.no_serve {
        return Ok(());
    }
    let lines = examples::curl_lines(&session, now)?;
    let keys = match args.open {
        true => Vec::new(),
        false => demo_keys::keys(&session, &busiest_rep(&session, now)?)?,
    };
    let how = How { listen: args.listen.clone(), open: args.open, open_here: !args.closed, ..How::default() };
    let closed = args.closed;
    serve(&session, how, move |addresses| {
        let address = addresses.http;
        greet(address, &lines, &keys, closed || !address.ip().is_loopback());
    })
}

/// The rep with the most deals: the demo's rep, who sees these and no others.
fn busiest_rep(session: &Session, now: Timestamp) -> Outcome<String> {
    let (source, column) = (SourceName::new("opportunities"), ColumnName::new("owner_id"));
    let (Ok(source), Ok(column)) = (source, column) else { return Ok("demo rep".to_owned()) };
    let found = examples::busiest_of(session, now, &source, &column)?;
    Ok(found.unwrap_or_else(|| "demo rep".to_owned()))
}

/// The simulated exports, made when they are not there or were made from something else.
fn exports(cli: &Cli, args: &DemoArgs) -> Outcome<Stamp> {
    let path = args.folder.join(STAMP);
    let known: Option<Stamp> =
        fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
    let anchor = match &args.anchor {
        Some(text) => Some(text.parse::<Date>().map_err(|e| Failure::caller(format!("--anchor: {e}")))?),
        None => None,
    };
    if let Some(stamp) = known {
        let same = stamp.seed == args.seed && stamp.scale == args.scale;
        if same && anchor.is_none_or(|wanted| wanted == stamp.anchor) {
            return Ok(stamp);
        }
        return Err(Failure::caller(format!(
            "{} was made with seed {}, scale {} and anchor {}; remove it, or name another --folder",
            args.folder.display(),
            stamp.seed,
            stamp.scale,
            stamp.anchor
        )));
    }
    let orders = orders_file(&args.orders)?;
    let anchor = anchor.unwrap_or_else(today);
    let bars = Bars::new("demo", cli.quiet || cli.json);
    bars.start("simulating a company around the real orders", 0);
    let request =
        SimulationRequest { orders: &orders, out: &args.folder, seed: args.seed, scale: args.scale, anchor };
    let simulation = simulate(&request).map_err(|error| Failure::data(format!("simulation: {error}")))?;
    bars.finish();
    let stamp = Stamp { seed: args.seed, scale: args.scale, anchor, simulation };
    let text = serde_json::to_string_pretty(&stamp).map_err(Failure::data)?;
    fs::write(&path, text)?;
    Ok(stamp)
}

fn today() -> Date {
    let now = SystemClock.now();
    let moment = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    moment.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The orders themselves, or the one file of orders in a folder.
fn orders_file(path: &Path) -> Outcome<PathBuf> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let is_orders = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains(".csv")
    };
    let entries = fs::read_dir(path).map_err(|e| Failure::caller(format!("{}: {e}", path.display())))?;
    let mut found: Vec<PathBuf> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(is_orders).collect();
    found.sort();
    found.into_iter().next().ok_or_else(|| {
        Failure::caller(format!("{} holds no orders (a .csv, .csv.gz or .csv.zst file)", path.display()))
    })
}

/// Trains every model that has no champion over the present definitions and data.
fn train_missing(session: &Session, now: Timestamp, data_changed: bool) -> Outcome<()> {
    let registry = session.registry()?;
    let mut history = None;
    for spec in session.project.models.values() {
        if matches!(spec.pipeline, Pipeline::Registered(_)) {
            continue;
        }
        if !data_changed && is_current(session, &registry, &spec.name, &spec.pipeline)? {
            continue;
        }
        if history.is_none() {
            history = Some(StoreHistory::open(session, now)?);
        }
        let Some(history) = &history else { continue };
        train_one(session, history, &spec.name, &Order { now, promote: true, report: None })?;
    }
    Ok(())
}

fn is_current(
    session: &Session,
    registry: &dyn Registry,
    model: &ModelName,
    pipeline: &Pipeline,
) -> Outcome<bool> {
    let known = registry.list()?.into_iter().find(|record| &record.name == model);
    let Some(version) = known.and_then(|record| record.aliases.get(&AliasName::champion()).copied()) else {
        return Ok(false);
    };
    let wanted = match pipeline {
        Pipeline::Win(win) => Some(&win.fit.feature_set),
        Pipeline::Churn(churn) => Some(&churn.fit.feature_set),
        _ => None,
    };
    let wanted = wanted.and_then(|name| session.project.feature_sets.get(name)).map(|set| set.hash.as_str());
    let record = registry.get(model, version)?;
    Ok(record.parents.feature_set.as_ref().map(|set| set.hash.as_str()) == wanted)
}

/// The metrics that the registry holds of every champion.
fn champions(session: &Session) -> Outcome<Vec<(ModelName, Evaluation)>> {
    let registry = session.registry()?;
    let mut found = Vec::new();
    for record in registry.list()? {
        if let Some(version) = record.aliases.get(&AliasName::champion()) {
            let metrics = registry.get(&record.name, *version)?.metrics;
            found.push((record.name, serde_json::from_value(metrics).unwrap_or_default()));
        }
    }
    Ok(found)
}

fn evaluation_table(session: &Session) -> Outcome<String> {
    let champions = champions(session)?;
    let rows: Vec<Candidate<'_>> = champions
        .iter()
        .map(|(model, metrics)| Candidate { model: model.as_str(), name: "champion", chosen: true, metrics })
        .collect();
    Ok(evaluation::table_of(&rows))
}

/// What the shared store is worth, beside what the simulation says is possible.
fn silo_line(session: &Session, stamp: &Stamp) -> Outcome<String> {
    let champions = champions(session)?;
    let auc = |name: &str| {
        champions
            .iter()
            .find(|(model, _)| model.as_str() == name)
            .and_then(|(_, metrics)| metrics.value("auc"))
    };
    let deals = &stamp.simulation.deals;
    let (Some(shared), Some(silo)) = (auc("win"), auc("win_crm_only")) else { return Ok(String::new()) };
    Ok(format!(
        "{} deals, {} still open. AUC of the win model: {shared:.3} with the shared store, {silo:.3} on CRM columns \
         alone; knowing the true probability of every deal gives {:.3}.",
        count(deals.opened),
        count(deals.open),
        deals.oracle_auc
    ))
}

fn greet(address: SocketAddr, lines: &[String], keys: &[DemoKey], closed: bool) {
    let url = crate::server::url("http", address);
    eprintln!("\nScorehouse answers at {url} (Ctrl-C stops it).");
    let operator = keys.iter().find(|key| key.role == Role::Operator).map(|key| key.key.as_str());
    if operator.is_some() {
        let who = match closed {
            true => "Access is closed",
            false => {
                "This machine needs no key (with --closed it does), and whoever brings one is held to its role"
            }
        };
        eprintln!("{who}; these keys, also in the demo folder's keys.env, let their holders in:\n");
        for DemoKey { role, variable, key } in keys {
            eprintln!("  {:<11}{key}   {variable}", role.as_str());
        }
    }
    let page = operator.map_or_else(|| format!("{url}/"), |key| format!("{url}/#key={key}"));
    eprintln!("\nOpen {page} in a browser, or try:\n");
    let proof = operator.map_or_else(String::new, |key| format!(" -H 'authorization: Bearer {key}'"));
    for line in lines {
        eprintln!("  {}\n", line.replace("{url}", &url).replace("{proof}", &proof));
    }
}
