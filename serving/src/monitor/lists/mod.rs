//! How good are the lists that customers got, now that they have bought something, or nothing?
//!
//! A list is judged once its horizon is over: what the customer bought within it, after the moment for which the list was
//! made and not before, is laid beside what the list held. A customer is counted once a day, by the last list of that
//! day.

mod beside;
mod bought;
mod read;
mod worth;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use scorehouse_features::definition::Pipeline;
use scorehouse_features::ids::ModelName;
use scorehouse_features::time::{Span, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

pub use beside::{ListComparison, ListDifference, ListVariant};
pub use worth::ListQuality;

use super::Monitor;
use crate::error::ServeError;
use crate::score_log::folder;
use beside::{Sides, judged};
use bought::{Bought, Wanted};
use read::{List, Log, Part, given, of_part, pairs};
use worth::{Outcome, breadth};

/// What was recommended and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ListReport {
    /// The model.
    pub model: String,
    /// Time after a list within which a purchase counts.
    #[schema(value_type = String, example = "30d")]
    pub horizon: Span,
    /// Lists that were given; those of a shadow do not count.
    pub lists: usize,
    /// Of these, lists for nobody by name, of whose purchases nothing is known.
    pub unnamed: usize,
    /// Lists that count: the last one of a customer on a day.
    pub counted: usize,
    /// Those whose horizon is not over.
    pub pending: usize,
    /// Those made for a moment that their version learnt from, so that it may know what was bought: they are not judged.
    pub foreseen: usize,
    /// Distinct products in the lists that count.
    pub products: usize,
    /// Products of a list, on average.
    pub length: f64,
    /// What the lists were worth, over all whose horizon is over.
    pub quality: ListQuality,
    /// The same by period, the earliest first.
    pub periods: Vec<ListPeriod>,
    /// Where a challenger was tried out: champion and challenger side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<ListVariant>,
    /// How the challenger did beside the champion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ListComparison>,
}

/// One period.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ListPeriod {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Lists that count.
    pub counted: usize,
    /// What they were worth, over all whose horizon is over.
    pub quality: ListQuality,
}

/// What can be said of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Its horizon is not over.
    Pending,
    /// Its version learnt from later rows than it was asked about.
    Foreseen,
    /// Its horizon is over.
    Judged(Outcome),
}

impl Fate {
    /// What became of the list, once that is known.
    const fn judged(self) -> Option<Outcome> {
        match self {
            Self::Judged(outcome) => Some(outcome),
            Self::Pending | Self::Foreseen => None,
        }
    }
}

/// A list with what became of it.
#[derive(Debug, Clone, Copy)]
struct Told<'a> {
    /// The customer's number, in the order of keys.
    customer: u32,
    list: &'a List,
    fate: Fate,
}

/// What decides a list's fate.
struct Judge {
    bought: Bought,
    horizon: Span,
    now: Timestamp,
    /// By version: its last training row, where the registry knows.
    learnt_to: BTreeMap<u32, Timestamp>,
}

impl Judge {
    fn tell<'a>(&self, customer: (u32, &str), list: &'a List) -> Told<'a> {
        let (number, key) = customer;
        let knows = self.learnt_to.get(&list.version).is_some_and(|learnt_to| *learnt_to > list.as_of);
        let fate = if knows {
            Fate::Foreseen
        } else if list.as_of.after(self.horizon) > self.now {
            Fate::Pending
        } else {
            Fate::Judged(Outcome::of(list, &self.bought.after(key, list, self.horizon)))
        };
        Told { customer: number, list, fate }
    }
}

impl Monitor<'_> {
    /// Looks at the lists of a model that recommends.
    ///
    /// # Errors
    /// What reading the log, history and the registry report.
    pub(super) fn lists(&self, name: &ModelName, pipeline: &Pipeline) -> Result<ListReport, ServeError> {
        let mut log = Log::read(&folder(&self.project.state), name.as_str(), self.range)?;
        let judge = self.judge(name, pipeline, &mut log)?;
        let numbered =
            || log.customers.iter().zip(0_u32..).map(|((key, days), at)| ((at, key.as_str()), days));
        let mut all: Vec<Told<'_>> = numbered()
            .flat_map(|(customer, days)| given(days).map(move |list| (customer, list)))
            .map(|(customer, list)| judge.tell(customer, list))
            .collect();
        all.sort_by_key(|told| told.list.as_of);
        let of = |part: Part| -> Vec<Told<'_>> {
            let lists =
                numbered().flat_map(|(customer, days)| of_part(days, part).map(move |list| (customer, list)));
            lists.map(|(customer, list)| judge.tell(customer, list)).collect()
        };
        let both = numbered().flat_map(|(customer, days)| pairs(days).map(move |pair| (customer, pair)));
        let pairs = both
            .map(|(customer, (old, new))| (judge.tell(customer, old), judge.tell(customer, new)))
            .collect();
        let (variants, comparison) = Sides { of: &of, pairs, horizon: judge.horizon }.reports();
        let (products, length) = breadth(all.iter().map(|told| told.list));
        let count = |fate: Fate| all.iter().filter(|told| told.fate == fate).count();
        Ok(ListReport {
            model: name.to_string(),
            horizon: judge.horizon,
            lists: log.given,
            unnamed: log.unnamed,
            counted: all.len(),
            pending: count(Fate::Pending),
            foreseen: count(Fate::Foreseen),
            products,
            length,
            quality: ListQuality::of(&judged(&all)),
            periods: self.list_periods(&all),
            variants,
            comparison,
        })
    }

    fn list_periods(&self, all: &[Told<'_>]) -> Vec<ListPeriod> {
        let groups = self.grouped(all, |told| told.list.as_of);
        let period = |(from, lists): (Timestamp, &[Told<'_>])| ListPeriod {
            from,
            counted: lists.len(),
            quality: ListQuality::of(&judged(lists)),
        };
        groups.into_iter().map(period).collect()
    }

    /// Reads what the customers of the log bought, and what their versions learnt from.
    fn judge(&self, name: &ModelName, pipeline: &Pipeline, log: &mut Log) -> Result<Judge, ServeError> {
        let horizon = match pipeline {
            Pipeline::Upsell(spec) => spec.horizon,
            Pipeline::Interactions(spec) => spec.horizon,
            _ => return Err(ServeError::Bug { message: format!("{name} does not recommend") }),
        };
        let (now, mut learnt_to) = (self.now, BTreeMap::new());
        let moments = || log.customers.values().flat_map(|days| days.values()).map(|list| list.as_of);
        let (Some(first), Some(last)) = (moments().min(), moments().max()) else {
            return Ok(Judge { bought: Bought::default(), horizon, now, learnt_to });
        };
        for record in self.registry.versions(name)? {
            if let Some(window) = record.window {
                learnt_to.insert(record.version.0, window.to);
            }
        }
        let (customers, products) = (&log.customers, &mut log.products);
        let asked = |key: &str| customers.contains_key(key);
        let wanted = Wanted { customer: &asked, from: first, until: last.after(horizon).min(now) };
        let bought = match pipeline {
            Pipeline::Upsell(spec) => Bought::from_source(self, spec, &wanted, products)?,
            Pipeline::Interactions(spec) => Bought::reported(self, (name.as_str(), spec), &wanted, products)?,
            _ => Bought::default(),
        };
        Ok(Judge { bought, horizon, now, learnt_to })
    }
}
