//! Moments and spans: microseconds since 1970 in UTC, and trailing windows.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in microseconds since 1970-01-01T00:00:00Z (Arrow's `Timestamp(µs, UTC)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// A length of time in whole microseconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(pub i64);

/// Why a moment or span could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}")]
pub struct InvalidTime {
    /// The text as given.
    pub given: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

impl Timestamp {
    /// The earliest moment that can be told.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// This moment moved back by `span`.
    #[must_use]
    pub const fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// This moment moved on by `span`.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Days from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / DAY as f64
    }

    /// Reads a date or date-time: RFC 3339, `2011-12-09`, or `2011-12-09 08:00[:00]` (taken as UTC).
    ///
    /// # Errors
    /// [`InvalidTime`] when the text is none of these.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let text = text.trim();
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(moment.as_microsecond()));
        }
        let civil = text
            .parse::<jiff::civil::DateTime>()
            .or_else(|_| text.parse::<jiff::civil::Date>().map(|d| d.at(0, 0, 0, 0)));
        civil.and_then(|c| c.to_zoned(TimeZone::UTC)).map(|z| Self(z.timestamp().as_microsecond())).map_err(
            |_| InvalidTime {
                given: text.chars().take(80).collect(),
                expected: "a date (2011-12-09) or date-time (2011-12-09T08:00:00Z)",
            },
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

const SPAN_RULE: &str = "a span such as 30d, 12h, 15m, 10s or 6w";

impl FromStr for Span {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let refuse = || InvalidTime { given: text.chars().take(80).collect(), expected: SPAN_RULE };
        let trimmed = text.trim();
        let digits = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let count: i64 = digits.parse().ok().filter(|n| *n > 0).ok_or_else(refuse)?;
        let unit = match &trimmed[digits.len()..] {
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return Err(refuse()),
        };
        count.checked_mul(unit).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0 {
            us if us % DAY == 0 => (us / DAY, "d"),
            us if us % 3_600_000_000 == 0 => (us / 3_600_000_000, "h"),
            us if us % 60_000_000 == 0 => (us / 60_000_000, "m"),
            us => (us / 1_000_000, "s"),
        };
        write!(f, "{count}{unit}")
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where "now" comes from; a test brings its own.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that stands where it was set, for tests and replays.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
