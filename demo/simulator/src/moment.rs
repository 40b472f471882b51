//! Moments in whole seconds, as the exports write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Seconds in a day.
pub const DAY: i64 = 86_400;
/// Seconds in a week.
pub const WEEK: i64 = 7 * DAY;

/// A moment: seconds since 1970-01-01 00:00 UTC. The exports have no time zone; all is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// Reads `2009-12-01 07:45:00`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<DateTime>().ok().and_then(Self::civil)
    }

    /// Midnight at which the day begins.
    pub fn midnight(day: Date) -> Option<Self> {
        Self::civil(day.at(0, 0, 0, 0))
    }

    fn civil(at: DateTime) -> Option<Self> {
        at.to_zoned(TimeZone::UTC).ok().map(|z| Self(z.timestamp().as_second()))
    }

    /// This moment moved on by so many days; the fraction is cut to whole seconds.
    pub fn plus_days(self, days: f64) -> Self {
        Self(self.0 + (days * DAY as f64) as i64)
    }

    /// Days from `earlier` to this moment.
    pub fn days_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / DAY as f64
    }

    /// The day it falls on.
    pub fn day(self) -> Date {
        self.date_time().date()
    }

    fn date_time(self) -> DateTime {
        let moment = jiff::Timestamp::from_second(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        TimeZone::UTC.to_datetime(moment)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.date_time();
        let (date, time) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_it_was_read() {
        for text in ["2009-12-01 07:45:00", "2011-12-09 12:50:00", "2024-02-29 23:59:59"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), text);
        }
    }
}
