//! What happens to an open deal, more often to one that will be won or to one that will be lost.
//!
//! The end of a deal is drawn when it opens, from the probability of that moment. What happens until then
//! is drawn given that end, at rates that stand here, so that Bayes' rule gives the exact probability of
//! winning at any later moment: the log-odds at the opening plus the logarithm of how much likelier all
//! that was seen is for a won deal than for a lost one.

use crate::draw::Draw;
use crate::moment::Moment;

/// Something that happened to an open deal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// It moved on by a stage.
    Advance,
    /// The buyer wrote or called.
    Reply,
    /// A meeting with someone who decides.
    Meeting,
    /// The rep wrote or called; tells nothing.
    Touch,
    /// The expected close date was put off.
    PutOff,
    /// A quote with this discount, in percent.
    Quote(f64),
    /// The customer looked at the quote in the shop.
    QuoteViewed,
}

/// Events a day: for a deal that will be won, and for one that will be lost.
struct Rates {
    won: f64,
    lost: f64,
}

const ADVANCE: Rates = Rates { won: 0.085, lost: 0.062 };
const REPLY: Rates = Rates { won: 0.080, lost: 0.062 };
const MEETING: Rates = Rates { won: 0.018, lost: 0.012 };
const TOUCH: Rates = Rates { won: 0.150, lost: 0.150 };
const PUT_OFF: Rates = Rates { won: 0.009, lost: 0.014 };
const QUOTE: Rates = Rates { won: 0.035, lost: 0.035 };
const QUOTE_VIEWED: Rates = Rates { won: 0.070, lost: 0.050 };

/// Moves between the four stages.
pub const ADVANCES: usize = 3;
/// Median discounts asked for, in percent, and the deviation of their logarithm.
const DISCOUNT: (f64, f64, f64) = (8.5, 9.8, 0.45);
/// Median days to the end beyond the first two, and the shape of their log-logistic law.
const DURATION: (f64, f64, f64) = (27.0, 31.0, 2.6);
/// No deal ends sooner, in days.
const SOONEST: f64 = 2.0;

impl Rates {
    fn of(&self, won: bool) -> f64 {
        if won { self.won } else { self.lost }
    }

    /// How `count` events in `days` speak for a win.
    fn evidence(&self, count: usize, days: f64) -> f64 {
        count as f64 * (self.won / self.lost).ln() - (self.won - self.lost) * days
    }
}

/// Days from opening to the end.
pub fn duration(draw: &mut Draw, won: bool) -> f64 {
    SOONEST + draw.log_logistic(if won { DURATION.0 } else { DURATION.1 }, DURATION.2)
}

/// What happens from `opened` until `until`, in the order of time. Only a customer can look at a quote in
/// the shop.
pub fn events(
    draw: &mut Draw,
    won: bool,
    opened: Moment,
    until: Moment,
    customer: bool,
) -> Vec<(Moment, Event)> {
    let mut events: Vec<(Moment, Event)> = Vec::new();
    let plain =
        [(REPLY, Event::Reply), (MEETING, Event::Meeting), (TOUCH, Event::Touch), (PUT_OFF, Event::PutOff)];
    for (rates, event) in plain {
        events.extend(draw.moments(rates.of(won), opened, until).into_iter().map(|at| (at, event)));
    }
    let advances = draw.moments(ADVANCE.of(won), opened, until);
    events.extend(advances.into_iter().take(ADVANCES).map(|at| (at, Event::Advance)));
    for at in draw.moments(QUOTE.of(won), opened, until) {
        let discount = draw.log_normal(if won { DISCOUNT.0 } else { DISCOUNT.1 }, DISCOUNT.2);
        events.push((at, Event::Quote(discount)));
    }
    if customer {
        let viewed = draw.moments(QUOTE_VIEWED.of(won), opened, until);
        events.extend(viewed.into_iter().map(|at| (at, Event::QuoteViewed)));
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// What speaks for a win, as log-odds: in the CRM, and elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// From stages, activities, quotes, and the deal still being open.
    pub crm: f64,
    /// From visits to the quote.
    pub shared: f64,
}

/// Weighs what was seen from `opened` to `at`, the deal still being open.
pub fn weigh(events: &[(Moment, Event)], opened: Moment, at: Moment, customer: bool) -> Evidence {
    let seen = &events[..events.partition_point(|(happened, _)| *happened <= at)];
    let count = |wanted: Event| seen.iter().filter(|(_, event)| *event == wanted).count();
    let days = at.days_since(opened).max(0.0);
    let discounts = seen.iter().filter_map(|(_, event)| match event {
        Event::Quote(discount) => Some(discount_evidence(*discount)),
        _ => None,
    });
    let crm = REPLY.evidence(count(Event::Reply), days)
        + MEETING.evidence(count(Event::Meeting), days)
        + PUT_OFF.evidence(count(Event::PutOff), days)
        + ADVANCE.evidence(count(Event::Advance), advancing_days(seen, opened, at))
        + discounts.sum::<f64>()
        + still_open(days);
    let shared = if customer { QUOTE_VIEWED.evidence(count(Event::QuoteViewed), days) } else { 0.0 };
    Evidence { crm, shared }
}

/// Days in which the deal could have moved on: all, until it reached the last stage.
fn advancing_days(seen: &[(Moment, Event)], opened: Moment, at: Moment) -> f64 {
    let last = seen.iter().filter(|(_, event)| *event == Event::Advance).nth(ADVANCES - 1);
    last.map_or(at, |(reached, _)| *reached).days_since(opened).max(0.0)
}

fn discount_evidence(discount: f64) -> f64 {
    let (won, lost, deviation) = DISCOUNT;
    let distance = |median: f64| (discount / median).ln().powi(2);
    (distance(lost) - distance(won)) / (2.0 * deviation * deviation)
}

/// How likely a won deal is still open after so many days, against a lost one.
fn still_open(days: f64) -> f64 {
    let beyond = (days - SOONEST).max(0.0);
    let survival = |median: f64| 1.0 / (1.0 + (beyond / median).powf(DURATION.2));
    (survival(DURATION.0) / survival(DURATION.1)).ln()
}
