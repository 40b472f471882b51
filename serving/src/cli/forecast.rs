//! `scorehouse forecast`: what open deals come to, and whether past forecasts were right.

use scorehouse_features::ids::{EntityKey, FeatureName};
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_models::Registry;
use scorehouse_training::forecast::{Line, Summary};
use scorehouse_training::{Backtest, BacktestRequest, Forecast, ForecastRequest, Period, backtest, forecast};

use crate::cli::args::ForecastArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::StoreHistory;
use crate::cli::output::{Report, count, show, table};
use crate::cli::progress::Bars;
use crate::cli::session::{Session, model_name};

/// Runs `scorehouse forecast`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &ForecastArgs) -> Outcome<()> {
    let by = args.by.iter().map(|text| text.parse::<FeatureName>().map_err(Failure::caller));
    let by = by.collect::<Outcome<Vec<_>>>()?;
    let bars = Bars::new(&args.model, session.quiet);
    let answer = if args.backtest {
        let past = past(session, args, &by, &bars)?;
        bars.finish();
        show(&past, session.json)
    } else {
        let ahead = ahead(session, args, &by, &bars)?;
        bars.finish();
        show(&ahead, session.json)
    };
    Ok(answer?)
}

fn ahead(session: &Session, args: &ForecastArgs, by: &[FeatureName], bars: &Bars) -> Outcome<Forecast> {
    if by.len() > 1 {
        return Err(Failure::caller(
            "a forecast tells deals apart by one feature; only a backtest takes several",
        ));
    }
    let model = model_name(&args.model)?;
    let registry = session.registry()?;
    let record = session.version(&registry, &model, &args.version)?;
    let artifact = registry.artifact(&record.model, record.version)?;
    let as_of = session.moment(args.as_of.as_deref())?;
    let period = match (&args.period, &args.from, &args.to) {
        (Some(name), _, _) => Period::named(name)?,
        (None, Some(from), Some(to)) => {
            let moment = |text: &str| Timestamp::parse(text).map_err(Failure::caller);
            Period::between(moment(from)?, moment(to)?)?
        }
        (None, None, None) => Period::quarter_of(as_of),
        _ => return Err(Failure::caller("give --period, or both --from and --to")),
    };
    let history = StoreHistory::open(session, as_of)?;
    Ok(forecast(&ForecastRequest {
        project: &session.project,
        model: &model,
        artifact: &artifact,
        history: &history,
        as_of,
        period: &period,
        by: by.first(),
        seen: &|_: &EntityKey| true,
        seed: session.project.seed,
        progress: bars,
    })?)
}

fn past(session: &Session, args: &ForecastArgs, by: &[FeatureName], bars: &Bars) -> Outcome<Backtest> {
    let span = |text: &str| text.parse::<Span>().map_err(Failure::caller);
    let now = session.moment(args.as_of.as_deref())?;
    let from =
        args.from.as_deref().map(|text| Timestamp::parse(text).map_err(Failure::caller)).transpose()?;
    let history = StoreHistory::open(session, now)?;
    Ok(backtest(&BacktestRequest {
        project: &session.project,
        model: &model_name(&args.model)?,
        history: &history,
        now,
        from,
        length: span(&args.length)?,
        every: span(&args.every)?,
        refit: span(&args.refit)?,
        by,
        seed: session.project.seed,
        threads: session.project.settings.threads,
        progress: bars,
    })?)
}

fn amount(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", count(value.abs().round() as u64))
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), amount)
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

impl Report for Forecast {
    fn human(&self) -> String {
        let name = self.period.name.as_deref().map_or_else(String::new, |name| format!("{name}, "));
        let mut text = format!(
            "amount won, {name}{} to {}, as known on {} (open deals at {:.2} of their scores, as of late; correlation of deals {:.3}; {} draws)\n",
            day(self.period.from),
            day(self.period.to),
            day(self.as_of),
            self.level,
            self.correlation,
            count(self.draws as u64),
        );
        let header = [
            "deals",
            "won",
            "open",
            "from open",
            "from new",
            "P10",
            "P50",
            "P90",
            "target",
            "reached",
            "commit",
            "kept",
        ];
        let right: Vec<usize> = (1..header.len()).collect();
        let lines = self.groups.iter().map(|line| cells(line, line.group.as_deref().unwrap_or("none")));
        text.push_str(&table(&header, &right, lines.chain([cells(&self.total, "all")])));
        if self.without_amount > 0 {
            text.push_str(&format!("\n{} open deals have no amount and count nothing", self.without_amount));
        }
        text
    }
}

fn cells(line: &Line, name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        amount(line.won),
        format!("{} in {}", amount(line.open_amount), count(line.open_deals as u64)),
        amount(line.from_open),
        amount(line.from_new),
        amount(line.p10),
        amount(line.p50),
        amount(line.p90),
        optional(line.target),
        share(line.reaches_target),
        optional(line.commit),
        share(line.reaches_commit),
    ]
}

impl Report for Backtest {
    fn human(&self) -> String {
        let header = ["from", "P10", "P50", "P90", "came", "held"];
        let total = self.checked.iter().filter(|one| one.group.is_none());
        let rows = total.map(|one| {
            let held = if (one.p10..=one.p90).contains(&one.actual) { "yes" } else { "no" };
            let figures = [one.p10, one.p50, one.p90, one.actual].map(amount);
            let [p10, p50, p90, came] = figures;
            vec![day(one.from), p10, p50, p90, came, held.to_owned()]
        });
        let mut text = table(&header, &[1, 2, 3, 4], rows);
        let mut say = |name: &str, summary: &Summary| {
            text.push_str(&format!(
                "\n{name}: the middle 80 % held what came in {:.1} % of {} forecasts; {:.3} of the middles came, {:.3} of what was expected of open deals, {:.3} of new ones",
                summary.coverage * 100.0,
                count(summary.forecasts as u64),
                summary.level,
                summary.open,
                summary.new
            ));
        };
        say("all deals", &self.total);
        for (feature, summary) in &self.groups {
            say(&format!("by {feature}"), summary);
        }
        text
    }
}
