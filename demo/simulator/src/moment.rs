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

    /// The same day, between 8 and 18 o'clock: when people in offices do what the simulation let them do at
    /// any hour. Keeps the order of any two moments.
    pub const fn in_office_hours(self) -> Self {
        let second = self.0.rem_euclid(DAY);
        Self(self.0 - second + DAY / 3 + second * 10 / 24)
    }

    /// Midnight at which its day begins.
    pub const fn start_of_day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY))
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
    fn office_hours_keep_the_day_and_the_order() {
        let night = Moment::parse("2011-12-09 03:00:00").unwrap();
        assert_eq!(night.in_office_hours().to_string(), "2011-12-09 09:15:00");
        assert!(night.in_office_hours() < night.plus_days(0.1).in_office_hours());
        assert_eq!(night.plus_days(0.87).in_office_hours().to_string(), "2011-12-09 17:57:00");
    }

    #[test]
    fn a_moment_is_written_as_it_was_read() {
        for text in ["2009-12-01 07:45:00", "2011-12-09 12:50:00", "2024-02-29 23:59:59"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), text);
        }
    }
}
