//! A deal from its opening to its end, or to the present.

use super::evidence::{self, Event, Evidence};
use super::law::probability;
use super::opening::Opening;
use crate::draw::Draw;
use crate::moment::Moment;

/// How a deal ended.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// When.
    pub at: Moment,
    /// True when it was won.
    pub won: bool,
}

/// A deal.
#[derive(Debug, Clone)]
pub struct Deal {
    /// Id in the CRM.
    pub id: String,
    /// Position of its account.
    pub account: usize,
    /// How it opened.
    pub opening: Opening,
    /// What happened, in the order of time.
    pub events: Vec<(Moment, Event)>,
    /// How it ended; none while it is open.
    pub end: Option<End>,
    customer: bool,
}

/// The true log-odds of winning at some moment, in two parts.
#[derive(Debug, Clone, Copy)]
pub struct LogOdds {
    /// What the CRM knows, the intercept with it.
    pub crm: f64,
    /// What the others know.
    pub shared: f64,
}

impl LogOdds {
    /// The true probability of winning.
    pub fn probability(self) -> f64 {
        probability(self.crm + self.shared)
    }
}

impl Deal {
    /// Draws the end from the probability at the opening, and what happens until then from the end.
    pub fn draw(draw: &mut Draw, account: usize, opening: Opening, customer: bool, now: Moment) -> Self {
        let won = draw.chance(probability(opening.prior.0 + opening.prior.1));
        let at = opening.at.plus_days(evidence::duration(draw, won));
        let mut events = evidence::events(draw, won, opening.at, at.min(now), customer);
        for (happened, _) in &mut events {
            *happened = happened.in_office_hours().max(opening.at);
        }
        let end = (at < now).then_some(End { at: at.in_office_hours(), won });
        Self { id: String::new(), account, opening, events, end, customer }
    }

    /// True when it was opened and not closed at `at`.
    pub fn is_open(&self, at: Moment) -> bool {
        self.opening.at <= at && self.end.is_none_or(|end| end.at > at)
    }

    /// The true log-odds of winning for someone who knows all that happened until `at`, while it is open.
    pub fn log_odds(&self, at: Moment) -> LogOdds {
        let Evidence { crm, shared } = evidence::weigh(&self.events, self.opening.at, at, self.customer);
        LogOdds { crm: self.opening.prior.0 + crm, shared: self.opening.prior.1 + shared }
    }
}
