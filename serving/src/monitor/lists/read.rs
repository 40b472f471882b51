//! Lists as the score log has them: the last one of a customer on a day, and the champion's beside each of a shadow's.

use std::collections::BTreeMap;
use std::path::Path;

use rustc_hash::FxHashMap;
use scorehouse_features::time::{DAY, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::challenger::Variant;
use crate::error::ServeError;
use crate::score_log::read::{LoggedHead, LoggedList, Range, lists};

/// In which part a list was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// By the champion, while nobody had a share of its answers.
    Alone,
    /// By the champion of a split.
    Champion,
    /// By the challenger of a split.
    Challenger,
    /// By another alias, or by a version that the request named.
    Named,
    /// By a shadow.
    Shadow,
    /// By the champion, to the very question that the shadow's last list of the day answers.
    Beside,
}

impl Part {
    fn of(head: &LoggedHead) -> Self {
        let is = |text: &Option<String>, variant: Variant| text.as_deref() == Some(variant.as_str());
        match &head.variant {
            shadow if is(shadow, Variant::Shadow) => Self::Shadow,
            challenger if is(challenger, Variant::Challenger) => Self::Challenger,
            champion if is(champion, Variant::Champion) => Self::Champion,
            _ if is(&head.alias, Variant::Champion) => Self::Alone,
            _ => Self::Named,
        }
    }

    /// True for lists that customers got.
    pub const fn is_given(self) -> bool {
        !matches!(self, Self::Shadow | Self::Beside)
    }
}

/// Numbers of products, given as they are met.
#[derive(Debug, Default)]
pub struct Products(FxHashMap<String, u32>);

impl Products {
    /// The number of a product.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(known) = self.0.get(name) {
            return *known;
        }
        let next = self.0.len() as u32;
        self.0.insert(name.to_owned(), next);
        next
    }
}

/// One list, as much of it as judging needs.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// When it was given.
    pub at: Timestamp,
    /// The moment for which it was made.
    pub as_of: Timestamp,
    /// The version that made it.
    pub version: u32,
    /// Products asked for.
    pub n: usize,
    /// Products in the basket.
    pub basket: Box<[u32]>,
    /// Fields of the request, as it wrote them.
    pub request: Box<str>,
    /// Products shown, the first one first.
    pub items: Box<[u32]>,
}

/// What the log keeps of a question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked<'a> {
    n: usize,
    basket: Vec<String>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

impl List {
    fn of(row: &LoggedList, products: &mut Products) -> Self {
        // What an earlier version kept may say less; then the list itself says how long it was to be.
        let asked: Asked<'_> = serde_json::from_str(&row.asked).unwrap_or_default();
        let items: Box<[u32]> = row.items.iter().map(|(item, _)| products.number(item)).collect();
        Self {
            at: row.head.at,
            as_of: row.head.as_of,
            version: row.head.version,
            n: asked.n.max(items.len()),
            basket: asked.basket.iter().map(|item| products.number(item)).collect(),
            request: asked.request.map_or("", RawValue::get).into(),
            items,
        }
    }

    /// True when both answer one question of one customer as of one moment.
    fn answers_as(&self, other: &Self) -> bool {
        (self.as_of, self.n, &self.basket, &self.request)
            == (other.as_of, other.n, &other.basket, &other.request)
    }
}

/// A customer's lists: the last one of each day and part.
pub type Days = BTreeMap<(i64, Part), List>;

/// The lists of a model in a range.
#[derive(Debug, Default)]
pub struct Log {
    /// How many were given.
    pub given: usize,
    /// Of these, those for nobody by name.
    pub unnamed: usize,
    /// The products in them.
    pub products: Products,
    /// Lists by customer.
    pub customers: BTreeMap<String, Days>,
}

impl Log {
    /// Reads the lists of a model that were answered within `range`.
    ///
    /// # Errors
    /// As for [`lists`].
    pub fn read(folder: &Path, model: &str, range: Range) -> Result<Self, ServeError> {
        let mut log = Self::default();
        lists(folder, model, range, &mut |row| {
            log.take(&row);
            Ok(())
        })?;
        if log.customers.values().any(lonely) {
            lists(folder, model, range, &mut |row| {
                log.meet(&row);
                Ok(())
            })?;
        }
        Ok(log)
    }

    fn take(&mut self, row: &LoggedList) {
        let part = Part::of(&row.head);
        self.given += usize::from(part.is_given());
        let Some(key) = &row.head.key else {
            self.unnamed += usize::from(part.is_given());
            return;
        };
        let list = List::of(row, &mut self.products);
        let days = match self.customers.get_mut(key) {
            Some(days) => days,
            None => self.customers.entry(key.clone()).or_default(),
        };
        let place = (day(list.as_of), part);
        if days.get(&place).is_none_or(|known| known.at <= list.at) {
            days.insert(place, list);
        }
    }

    /// Keeps a list of the champion that a shadow's last of the day stands beside.
    fn meet(&mut self, row: &LoggedList) {
        if Part::of(&row.head) != Part::Alone {
            return;
        }
        let Some(days) = row.head.key.as_ref().and_then(|key| self.customers.get_mut(key)) else { return };
        let day = day(row.head.as_of);
        let Some(shadow) = days.get(&(day, Part::Shadow)).filter(|list| list.as_of == row.head.as_of) else {
            return;
        };
        let list = List::of(row, &mut self.products);
        if list.answers_as(shadow) {
            days.insert((day, Part::Beside), list);
        }
    }
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY)
}

/// True when the champion's last list of a day answers another question than the shadow's, as when the shadow was not
/// asked about that one.
fn lonely(days: &Days) -> bool {
    let shadows = days.iter().filter(|((_, part), _)| *part == Part::Shadow);
    let mut apart =
        shadows.filter(|((day, _), list)| beside(days, *day).is_none_or(|other| !other.answers_as(list)));
    apart.next().is_some()
}

fn beside(days: &Days, day: i64) -> Option<&List> {
    days.get(&(day, Part::Beside)).or_else(|| days.get(&(day, Part::Alone)))
}

/// A customer's lists that a champion and its shadow both made, the champion's first.
pub fn pairs(days: &Days) -> impl Iterator<Item = (&List, &List)> {
    let shadows = days.iter().filter(|((_, part), _)| *part == Part::Shadow);
    shadows.filter_map(|((day, _), shadow)| {
        let champion = beside(days, *day).filter(|champion| champion.answers_as(shadow))?;
        Some((champion, shadow))
    })
}

/// A customer's lists that count: the last one given on each day.
pub fn given(days: &Days) -> impl Iterator<Item = &List> {
    let mut last: BTreeMap<i64, &List> = BTreeMap::new();
    for ((day, _), list) in days.iter().filter(|((_, part), _)| part.is_given()) {
        let known = last.entry(*day).or_insert(list);
        if known.at < list.at {
            *known = list;
        }
    }
    last.into_values()
}

/// A customer's lists of one part.
pub fn of_part(days: &Days, part: Part) -> impl Iterator<Item = &List> {
    days.iter().filter(move |((_, known), _)| *known == part).map(|(_, list)| list)
}
