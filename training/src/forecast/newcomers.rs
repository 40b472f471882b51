//! Deals that are yet to come: as many, and as good, as those that came before.

use scorehouse_features::time::Timestamp;

use crate::forecast::Period;
use crate::forecast::book::Book;
use crate::forecast::level::{ENDED, Level, TRIED, Try};
use crate::forecast::pace::Pace;
use crate::forecast::shares::Shares;

/// Days back from which deals that came are taken as examples: those that told the past best.
const EXAMPLES: [f64; 3] = [365.0, 240.0, 120.0];
/// Share of the ends by which a deal's time has passed.
const MATURE: f64 = 0.95;
/// Days of the past before the first forecast that is tried.
const BEFORE: f64 = 60.0;

/// How many deals come, and what they are like.
#[derive(Debug, Clone, Default)]
pub(super) struct Newcomers {
    /// Days ahead in which deals may come and still count, 0 when the period is over.
    pub days: f64,
    /// The period in days ahead.
    pub period: [f64; 2],
    /// For each group, how many count as come in the days that were counted, and how far it may be off by itself.
    pub shares: Shares,
    /// How many come ahead for each that was seen.
    pub pace: f64,
    /// Variance of the factor, 1 on average, by which what all groups' deals bring is off alike.
    pub spread: f64,
    /// Examples that were won, with the days from coming to the end.
    pub won: Vec<Example>,
    /// How many examples were not won, by group.
    pub others: Vec<usize>,
}

/// A deal that came before and was won.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Example {
    pub days: f64,
    pub amount: f64,
    pub group: usize,
}

/// A deal that came; days count from the moment asked for, so they are below 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Came {
    pub at: f64,
    /// When it ended; infinite while it is open.
    pub ended: f64,
    pub won: bool,
    pub amount: f64,
    pub group: usize,
}

/// What is told of deals to come at a moment of the past, or now.
struct Outlook {
    pace: Pace,
    /// Deals expected for each that came in the days that were counted.
    ahead: f64,
    /// Examples, won or not.
    examples: Vec<Came>,
    /// The moment.
    now: f64,
    days: f64,
    period: [f64; 2],
}

impl Newcomers {
    /// What came before `as_of` tells what comes after it.
    pub fn of(book: &Book, as_of: Timestamp, period: &Period) -> Self {
        let days = period.to.days_since(as_of).max(0.0);
        let period = [period.from.days_since(as_of), days];
        let came = came(book, as_of);
        let level = |span: f64| {
            let tries: Vec<Try> = (1..=TRIED)
                .map_while(|back| Outlook::tried(&came, -days * back as f64, (days, period), span))
                .collect();
            (Level::of(&tries), span)
        };
        let least = |a: (Level, f64), b: (Level, f64)| if b.0.loss < a.0.loss { b } else { a };
        let best = EXAMPLES.map(level).into_iter().reduce(least);
        let nothing = Self { period, others: vec![0; book.groups.len()], ..Self::default() };
        let Some((level, span)) = best else { return nothing };
        let Some(outlook) = Outlook::at(&came, 0.0, (days, period), span) else { return nothing };
        outlook.with(&came, level, book.groups.len())
    }
}

/// Every deal of a book, in the order in which they came.
fn came(book: &Book, as_of: Timestamp) -> Vec<Came> {
    let day = |moment: Timestamp| moment.days_since(as_of);
    let past = book.past.iter().map(|deal| Came {
        at: day(deal.appeared),
        ended: day(deal.ended),
        won: deal.won,
        amount: deal.amount,
        group: deal.group,
    });
    let open = book.open.iter().zip(&book.open_since).map(|(deal, since)| Came {
        at: day(*since),
        ended: f64::INFINITY,
        won: false,
        amount: deal.amount,
        group: deal.group,
    });
    let mut came: Vec<Came> = past.chain(open).collect();
    came.sort_unstable_by(|a, b| a.at.total_cmp(&b.at).then(a.ended.total_cmp(&b.ended)));
    came
}

impl Outlook {
    /// What was known at `now`, looking `days` ahead, with examples from up to `span` days.
    fn at(came: &[Came], now: f64, (days, period): (f64, [f64; 2]), span: f64) -> Option<Self> {
        let known = &came[..came.partition_point(|deal| deal.at <= now)];
        let moments: Vec<f64> = known.iter().map(|deal| deal.at - now).collect();
        let pace = Pace::find(&moments, days)?;
        let mut lengths: Vec<f64> =
            known.iter().filter(|deal| deal.ended <= now).map(|deal| deal.ended - deal.at).collect();
        let place = (lengths.len() as f64 * MATURE) as usize;
        let mature = match place < lengths.len() {
            true => *lengths.select_nth_unstable_by(place, f64::total_cmp).1,
            false => 0.0,
        };
        // What a deal does after the days ahead does not matter; and in a short past, half of it must do.
        let mature = mature.max(0.0).min(days).min((now - known.first()?.at) / 2.0);
        let until = now - mature;
        let examples =
            known.iter().filter(|deal| until - span < deal.at && deal.at <= until).copied().collect();
        let ahead = pace.bias * days / pace.window;
        Some(Self { pace, ahead, examples, now, days, period })
    }

    /// What would have been told at `now`, and what came; none when too little was known.
    fn tried(came: &[Came], now: f64, ahead: (f64, [f64; 2]), span: f64) -> Option<Try> {
        if ahead.0 <= 0.0 || now - came.first()?.at < BEFORE {
            return None;
        }
        let outlook = Self::at(came, now, ahead, span)?;
        let ended = came.iter().filter(|deal| deal.ended <= now).count();
        let each = outlook.expected(came) / outlook.examples.len().max(1) as f64;
        let (mut expected, mut variance) = (0.0, 0.0);
        for deal in outlook.won() {
            let told = each * outlook.share(deal);
            expected += told * deal.amount;
            variance += told * deal.amount * deal.amount;
        }
        let [from, to] = ahead.1.map(|day| now + day);
        let new = &came[came.partition_point(|deal| deal.at <= now)..];
        let won = new.iter().filter(|deal| deal.won && (from..to).contains(&deal.ended));
        let came = won.map(|deal| deal.amount).sum();
        (ended >= ENDED && expected > 0.0).then_some(Try { expected, variance, came })
    }

    /// How many deals came in the days that were counted.
    fn counted<'a>(&self, came: &'a [Came]) -> &'a [Came] {
        let at = |day: f64| came.partition_point(|deal| deal.at <= day);
        &came[at(self.now - self.pace.window)..at(self.now)]
    }

    /// How many deals come ahead.
    fn expected(&self, came: &[Came]) -> f64 {
        self.counted(came).len() as f64 * self.ahead
    }

    fn won(&self) -> impl Iterator<Item = &Came> {
        self.examples.iter().filter(|deal| deal.won && deal.ended <= self.now)
    }

    /// The probability that a new deal like this one ends within the period, whenever it comes.
    fn share(&self, deal: &Came) -> f64 {
        let [from, to] = self.period.map(|day| (day - (deal.ended - deal.at)).clamp(0.0, self.days));
        (to - from) / self.days
    }

    fn with(&self, came: &[Came], level: Level, groups: usize) -> Newcomers {
        let mut others = vec![0; groups];
        for deal in &self.examples {
            others[deal.group] += usize::from(!(deal.won && deal.ended <= self.now));
        }
        let example =
            |deal: &Came| Example { days: deal.ended - deal.at, amount: deal.amount, group: deal.group };
        Newcomers {
            days: self.days,
            period: self.period,
            shares: Shares::of(came, groups, (self.pace.window, self.days)),
            pace: self.ahead * level.factor,
            spread: level.spread,
            won: self.won().map(example).collect(),
            others,
        }
    }
}
