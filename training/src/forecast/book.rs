//! Every deal as it was known at a moment, with what it is worth and when it is going to end.

use indexmap::IndexSet;
use scorehouse_features::definition::{FeatureSet, ForecastSpec, WinSpec};
use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_features::view::key::key_text;

use crate::dataset::Column;
use crate::error::TrainingError;
use crate::forecast::level::Try;
use crate::forecast::sheet::{Judged, Sheet, shown};
use crate::forecast::{ForecastRequest, standing};
use crate::pipeline::{feature_set, read_events};
use crate::trained::TrainRequest;

/// How far back deals teach what deals yet to come are like.
pub(super) const PAST: Span = Span(730 * DAY);

/// A deal that is open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenDeal {
    pub judged: Judged,
    pub amount: f64,
    pub group: usize,
}

/// A deal that ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PastDeal {
    /// When it became known.
    pub appeared: Timestamp,
    pub ended: Timestamp,
    pub won: bool,
    pub amount: f64,
    pub group: usize,
}

/// Every deal that was known at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub open: Vec<OpenDeal>,
    /// When each open deal became known.
    pub open_since: Vec<Timestamp>,
    pub past: Vec<PastDeal>,
    /// Already won in the period, by group.
    pub won: Vec<f64>,
    /// Values of the feature asked for, in the order in which they were met; one group without it.
    pub groups: Vec<Option<String>>,
    /// Keys of those whom deals belong to, each with the groups of the deals.
    pub owners: IndexSet<(String, usize)>,
    pub without_amount: usize,
    /// Wins of deals that were open at past moments, as this version would have told and as they came, the latest first.
    pub tries: Vec<Try>,
}

/// A deal from its rows.
pub(super) struct Met {
    pub key: EntityKey,
    pub appeared: Timestamp,
    /// When it ended, when that was known, and whether it was won.
    pub end: Option<(Timestamp, Timestamp, bool)>,
}

impl Book {
    /// Reads and judges every deal.
    pub fn read(
        request: &ForecastRequest<'_>,
        win: &WinSpec,
        spec: &ForecastSpec,
    ) -> Result<Self, TrainingError> {
        let training = request.training();
        let set = feature_set(&training, &win.fit)?;
        let met = met(request, win, &set.entity)?;
        let whole = Sheet::of(request, spec, set, true)?;
        let mut book = Self { tries: standing::tries(request, &whole, &met)?, ..Self::default() };
        let (open, past): (Vec<Met>, Vec<Met>) = met.into_iter().partition(|deal| deal.end.is_none());
        let columns = whole.read(&training, open.iter().map(|deal| (&deal.key, request.as_of)))?;
        book.judge(request, spec, (&whole, &columns), &open)?;
        book.remember(request, spec, set, &past)?;
        Ok(book)
    }

    /// As [`Book::read`], of deals that ended only.
    pub fn read_past(
        request: &ForecastRequest<'_>,
        win: &WinSpec,
        spec: &ForecastSpec,
    ) -> Result<Self, TrainingError> {
        let training = request.training();
        let set = feature_set(&training, &win.fit)?;
        let mut past = met(request, win, &set.entity)?;
        past.retain(|deal| deal.end.is_some_and(|(at, _, won)| won && request.period.contains(at)));
        let mut book = Self::default();
        book.remember(request, spec, set, &past)?;
        Ok(book)
    }

    fn remember(
        &mut self,
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        set: &FeatureSet,
        past: &[Met],
    ) -> Result<(), TrainingError> {
        let worth = Sheet::of(request, spec, set, false)?;
        let known = |deal: &Met| deal.end.map_or(request.as_of, |(at, known, _)| known.max(at));
        let columns = worth.read(&request.training(), past.iter().map(|deal| (&deal.key, known(deal))))?;
        for (row, deal) in past.iter().enumerate() {
            let Some((ended, known, won)) = deal.end else { continue };
            let group = self.group(&worth, &columns, row);
            let amount = worth.amount(spec, &columns, row, known).unwrap_or(0.0);
            if won && request.period.contains(ended) {
                self.won[group] += amount;
            }
            self.own(&worth, &columns, row, group);
            self.past.push(PastDeal { appeared: deal.appeared, ended, won, amount, group });
        }
        if self.groups.is_empty() {
            self.groups.push(None);
            self.won.push(0.0);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        (sheet, columns): (&Sheet, &[Column]),
        open: &[Met],
    ) -> Result<(), TrainingError> {
        let judged = sheet.judge(request, columns, open.iter().map(|_| request.as_of))?;
        for ((row, deal), judged) in open.iter().enumerate().zip(judged) {
            let amount = sheet.amount(spec, columns, row, request.as_of);
            self.without_amount += usize::from(amount.is_none());
            let group = self.group(sheet, columns, row);
            self.own(sheet, columns, row, group);
            self.open_since.push(deal.appeared);
            self.open.push(OpenDeal { judged, amount: amount.unwrap_or(0.0), group });
        }
        Ok(())
    }

    /// The number of the group of a row.
    fn group(&mut self, sheet: &Sheet, columns: &[Column], row: usize) -> usize {
        let name = sheet.by.and_then(|at| shown(&columns[at].value(row)));
        let found = self.groups.iter().position(|group| *group == name);
        found.unwrap_or_else(|| {
            self.groups.push(name);
            self.won.push(0.0);
            self.groups.len() - 1
        })
    }

    fn own(&mut self, sheet: &Sheet, columns: &[Column], row: usize, group: usize) {
        if let Some(owner) =
            sheet.owner.and_then(|at| key_text(&columns[at].value(row)).map(|k| k.to_string()))
        {
            self.owners.insert((owner, group));
        }
    }
}

/// Every deal seen by whoever asks, that is open or ended in the past that teaches.
fn met(
    request: &ForecastRequest<'_>,
    win: &WinSpec,
    entity: &scorehouse_features::ids::EntityName,
) -> Result<Vec<Met>, TrainingError> {
    let training = request.training();
    let opened = read_events(&training, entity, &win.opened, None)?;
    let closed = read_events(&training, entity, &win.closed, Some(&win.won))?;
    let since = request.as_of.before(PAST).min(request.period.from);
    let mut deals = Vec::new();
    for (key, rows) in opened {
        let Some(first) = rows.first() else { continue };
        let end = closed.get(&key).and_then(|rows| rows.first()).map(|end| (end.at, end.known, end.holds));
        if end.is_none_or(|(at, _, _)| at >= since) && (request.seen)(&key) {
            deals.push(Met { key, appeared: first.known, end });
        }
    }
    Ok(deals)
}

impl ForecastRequest<'_> {
    /// The same as a training run would be asked for at that moment.
    pub(super) fn training(&self) -> TrainRequest<'_> {
        TrainRequest {
            project: self.project,
            model: self.model,
            history: self.history,
            seed: self.seed,
            threads: 0,
            now: self.as_of,
            champion: None,
            progress: self.progress,
        }
    }
}
