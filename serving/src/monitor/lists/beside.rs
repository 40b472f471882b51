//! Lists of champion and challenger side by side.

use scorehouse_features::time::{Span, Timestamp};
use scorehouse_training::gate::{Verdict, mean_difference};
use serde::Serialize;
use utoipa::ToSchema;

use super::Told;
use super::read::{List, Part};
use super::worth::{Judged, ListQuality, Outcome, breadth, customers, spread};
use crate::challenger::Variant;
use crate::monitor::variants::{Figure, SEED, TWO_SIDED, word};

/// Lists, and customers, of each side below which nothing is said.
const LISTS: usize = 40;
const CUSTOMERS: usize = 20;
/// Lists with, and without, a product that was bought, of both sides together.
const EITHER: usize = 8;
/// Draws behind a paired interval: many for few customers, fewer for many, so that a report stays quick.
const DRAWS: (usize, usize) = (100, 1_000);
/// Lists times draws at most.
const MOST_WORK: usize = 4_000_000;

/// What the lists of one variant were worth.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ListVariant {
    /// `champion`; `challenger`, which answered a share of the customers; or `shadow`, which was asked beside the champion.
    pub variant: String,
    /// The versions that answered in this part, ascending.
    pub versions: Vec<u32>,
    /// Lists that count: the last one of a customer on a day.
    pub counted: usize,
    /// Distinct products in them.
    pub products: usize,
    /// Products of a list, on average.
    pub length: f64,
    /// What they were worth.
    pub quality: ListQuality,
}

/// How the challenger's lists did beside the champion's.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ListComparison {
    /// True: both answered the same questions of the same customers as of the same moments. False: each had customers
    /// of its own.
    pub paired: bool,
    /// Judged lists: pairs, or those of both variants together.
    pub lists: usize,
    /// Differences with their 95 % intervals, which know that the lists of one customer go together; null where too
    /// little is known.
    pub difference: Option<ListDifference>,
    /// What the hit rates say: `better`, `alike` (the interval holds zero), `worse` or `not_compared`.
    pub verdict: &'static str,
    /// All of it in a sentence.
    pub words: String,
}

/// Challenger less champion; above 0 the challenger is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct ListDifference {
    /// Of the share of lists with a product that was bought.
    pub hit_rate: Figure,
    /// Of the share of products shown that were bought.
    pub precision: Figure,
    /// Of the share of products bought that were shown; null where nobody bought anything.
    pub recall: Option<Figure>,
    /// Of the normalised discounted cumulative gain; null where nobody bought anything.
    pub ndcg: Option<Figure>,
}

/// The lists that count of one variant.
fn report(variant: Variant, lists: &[Told<'_>]) -> ListVariant {
    let mut versions: Vec<u32> = lists.iter().map(|told| told.list.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let (products, length) = breadth(lists.iter().map(|told| told.list));
    let quality = ListQuality::of(&judged(lists));
    ListVariant {
        variant: variant.as_str().to_owned(),
        versions,
        counted: lists.len(),
        products,
        length,
        quality,
    }
}

/// Those that could be judged.
pub fn judged(lists: &[Told<'_>]) -> Vec<Judged> {
    lists.iter().filter_map(|told| Some((told.customer, told.fate.judged()?))).collect()
}

/// A list of the champion and the shadow's of the same question.
pub type Pair<'a> = (Told<'a>, Told<'a>);

/// What lies side by side.
pub struct Sides<'a> {
    /// The lists that count of each part.
    pub of: &'a dyn Fn(Part) -> Vec<Told<'a>>,
    /// Those that champion and shadow both made.
    pub pairs: Vec<Pair<'a>>,
    /// Time after a list within which a purchase counts.
    pub horizon: Span,
}

impl Sides<'_> {
    /// Champion and challenger, where one was tried out, and how they compare: pair by pair where the challenger was a
    /// shadow last, customers apart where it answered some last.
    pub fn reports(&self) -> (Vec<ListVariant>, Option<ListComparison>) {
        let (alone, shadow) = ((self.of)(Part::Alone), (self.of)(Part::Shadow));
        let (mut champion, challenger) = ((self.of)(Part::Champion), (self.of)(Part::Challenger));
        let last = |lists: &[Told<'_>]| lists.iter().map(|told| told.list.at).max();
        let split = match (last(&challenger), last(&shadow)) {
            (None, None) => return (Vec::new(), None),
            (split, shadow) => split >= shadow,
        };
        // What the champion of a split answered while nothing stood beside it was answered in another time.
        let both = Shared::of(&challenger);
        champion.retain(|told| both.is_some_and(|both| both.holds(told.list)));
        let comparison = match split {
            true => apart(&judged(&champion), &judged(&challenger), self.horizon),
            false => paired(&self.pairs, self.horizon),
        };
        let champion = if split { &champion } else { &alone };
        let mut reports = vec![report(Variant::Champion, champion)];
        for (variant, lists) in [(Variant::Challenger, &challenger), (Variant::Shadow, &shadow)] {
            if !lists.is_empty() {
                reports.push(report(variant, lists));
            }
        }
        (reports, Some(comparison))
    }
}

/// From when until when a challenger made lists.
#[derive(Clone, Copy)]
struct Shared(Timestamp, Timestamp);

impl Shared {
    fn of(lists: &[Told<'_>]) -> Option<Self> {
        let moments = || lists.iter().map(|told| told.list.at);
        Some(Self(moments().min()?, moments().max()?))
    }

    fn holds(self, list: &List) -> bool {
        self.0 <= list.at && list.at <= self.1
    }
}

/// Compares on the same questions.
fn paired(pairs: &[Pair<'_>], horizon: Span) -> ListComparison {
    let both = |(champion, shadow): &Pair<'_>| {
        Some((champion.customer, champion.fate.judged()?, shadow.fate.judged()?))
    };
    let judged: Vec<(u32, Outcome, Outcome)> = pairs.iter().filter_map(both).collect();
    let old: Vec<Judged> = judged.iter().map(|(customer, old, _)| (*customer, *old)).collect();
    let new: Vec<Judged> = judged.iter().map(|(customer, _, new)| (*customer, *new)).collect();
    let on = format!("the {} lists that both made and whose horizon of {horizon} is over", judged.len());
    let with = judged.iter().filter(|(_, old, new)| old.hits + new.hits > 0).count();
    if judged.len() < LISTS || customers(&old) < CUSTOMERS || with < EITHER {
        return too_few(true, judged.len(), format!("{on}, {with} of them with a product that was bought,"));
    }
    let difference = |of: fn(&Outcome) -> f64, buyers: bool| {
        let rows = judged.iter().filter(|(_, old, _)| old.bought || !buyers);
        let (each, group): (Vec<f64>, Vec<u32>) =
            rows.map(|(customer, old, new)| (of(new) - of(old), *customer)).unzip();
        let draws = (MOST_WORK / each.len().max(1)).clamp(DRAWS.0, DRAWS.1);
        (!each.is_empty()).then(|| Figure::from(mean_difference(&each, Some(&group), draws, SEED)))
    };
    let words = |figure: Figure, so: &str| {
        let (new, old) = (percent(&new), percent(&old));
        format!(
            "of {on}, {new} of the challenger's and {old} of the champion's hold a product that was bought: {}, {so}; \
             customers saw the champion's only, which favours it",
            points(figure)
        )
    };
    told(true, judged.len(), &difference, &words)
}

/// Compares two groups of customers.
fn apart(old: &[Judged], new: &[Judged], horizon: Span) -> ListComparison {
    let lists = old.len() + new.len();
    let with = old.iter().chain(new).filter(|(_, outcome)| outcome.hits > 0).count();
    let few = |side: &[Judged]| side.len() < LISTS || customers(side) < CUSTOMERS;
    let counts = format!(
        "{} lists of the challenger and {} of the champion whose horizon of {horizon} is over",
        new.len(),
        old.len()
    );
    if few(old) || few(new) || with.min(lists - with) < EITHER {
        return too_few(false, lists, format!("{counts}, {with} of them with a product that was bought,"));
    }
    let difference = |of: fn(&Outcome) -> f64, buyers: bool| {
        let rows = |side: &[Judged]| -> Vec<Judged> {
            side.iter().filter(|(_, outcome)| outcome.bought || !buyers).copied().collect()
        };
        let (old, new) = (rows(old), rows(new));
        if customers(&old) < 2 || customers(&new) < 2 {
            return None;
        }
        let ((old, old_variance), (new, new_variance)) = (spread(&old, of), spread(&new, of));
        let (value, margin) = (new - old, TWO_SIDED * (old_variance + new_variance).sqrt());
        Some(Figure { value, low: value - margin, high: value + margin })
    };
    let words = |figure: Figure, so: &str| {
        let (new, old) = (percent(new), percent(old));
        format!("of {counts}, {new} and {old} hold a product that was bought: {}, {so}", points(figure))
    };
    told(false, lists, &difference, &words)
}

/// Puts a comparison together; `difference` measures over all lists, or over those whose customer bought anything.
fn told(
    paired: bool,
    lists: usize,
    difference: &dyn Fn(fn(&Outcome) -> f64, bool) -> Option<Figure>,
    words: &dyn Fn(Figure, &str) -> String,
) -> ListComparison {
    let (hit_rate, precision) = (difference(Outcome::hit, false), difference(|o| o.precision, false));
    let (Some(hit_rate), Some(precision)) = (hit_rate, precision) else {
        return too_few(paired, lists, format!("{lists} lists"));
    };
    let (recall, ndcg) = (difference(|o| o.recall, true), difference(|o| o.ndcg, true));
    let (verdict, so) = match hit_rate {
        Figure { low, .. } if low > 0.0 => (Verdict::Better, "it is better"),
        Figure { high, .. } if high < 0.0 => (Verdict::Worse, "it is worse"),
        _ => (Verdict::Alike, "the difference may be chance"),
    };
    let difference = Some(ListDifference { hit_rate, precision, recall, ndcg });
    ListComparison { paired, lists, difference, verdict: word(verdict), words: words(hit_rate, so) }
}

fn too_few(paired: bool, lists: usize, what: String) -> ListComparison {
    let words = format!("{what} are too few to compare on");
    ListComparison { paired, lists, difference: None, verdict: word(Verdict::NotCompared), words }
}

/// The share of hits among judged lists.
fn percent(lists: &[Judged]) -> String {
    let hits = lists.iter().filter(|(_, outcome)| outcome.hits > 0).count();
    format!("{:.1} %", 100.0 * hits as f64 / lists.len().max(1) as f64)
}

fn points(Figure { value, low, high }: Figure) -> String {
    format!("{:+.1} points (95 % interval {:+.1} to {:+.1})", 100.0 * value, 100.0 * low, 100.0 * high)
}
