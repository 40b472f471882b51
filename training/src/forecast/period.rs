//! The time in which a win counts.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use scorehouse_features::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;

/// From a moment, itself included, to another, itself not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// A calendar quarter's name, such as `2026-Q4`; none for any other time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The first moment that counts.
    pub from: Timestamp,
    /// The first moment that does not count any more.
    pub to: Timestamp,
}

impl Period {
    /// The time between two moments, named if it is a calendar quarter (UTC).
    ///
    /// # Errors
    /// [`TrainingError::Definition`] when it is empty.
    pub fn between(from: Timestamp, to: Timestamp) -> Result<Self, TrainingError> {
        if from >= to {
            return Err(TrainingError::Definition(format!("a period cannot last from {from} to {to}")));
        }
        let quarter = Self::quarter_of(from);
        if (quarter.from, quarter.to) == (from, to) {
            return Ok(quarter);
        }
        Ok(Self { name: None, from, to })
    }

    /// The calendar quarter (UTC) that a moment is in.
    #[must_use]
    pub fn quarter_of(moment: Timestamp) -> Self {
        let moment = jiff::Timestamp::from_microsecond(moment.0).unwrap_or_default();
        let day = moment.to_zoned(TimeZone::UTC).date();
        Self::quarter(day.year(), (day.month() - 1) / 3 + 1)
    }

    fn quarter(year: i16, number: i8) -> Self {
        let (next, after) = if number == 4 { (year.saturating_add(1), 1) } else { (year, number * 3 + 1) };
        let name = Some(format!("{year:04}-Q{number}"));
        Self { name, from: midnight(date(year, number * 3 - 2, 1)), to: midnight(date(next, after, 1)) }
    }

    /// A calendar quarter by its name, such as `2026-Q4`.
    ///
    /// # Errors
    /// [`TrainingError::Definition`] for any other text.
    pub fn named(name: &str) -> Result<Self, TrainingError> {
        let quarter = name.trim().split_once("-Q").and_then(|(year, number)| {
            let year: i16 = year.parse().ok().filter(|year| (1..9999).contains(year))?;
            let number: i8 = number.parse().ok().filter(|number| (1..=4).contains(number))?;
            Some(Self::quarter(year, number))
        });
        quarter.ok_or_else(|| {
            TrainingError::Definition(format!("{name:?} is not a quarter such as \"2026-Q4\""))
        })
    }

    /// True when a moment counts.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.to
    }
}

fn midnight(day: Date) -> Timestamp {
    let moment = day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp().as_microsecond());
    Timestamp(moment.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_quarter_is_told_by_name_by_a_moment_and_by_its_ends() {
        let quarter = Period::named("2026-Q4").unwrap();
        assert_eq!((quarter.from, quarter.to), (at("2026-10-01"), at("2027-01-01")));
        assert_eq!(Period::quarter_of(at("2026-12-31T23:59:59Z")), quarter);
        assert_eq!(Period::between(quarter.from, quarter.to).unwrap(), quarter);
        assert_eq!(Period::between(quarter.from, at("2026-12-31")).unwrap().name, None);
        assert!(quarter.contains(at("2026-10-01")) && !quarter.contains(at("2027-01-01")));
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for name in ["2026", "2026-Q5", "Q4", "2026-Q", "x-Q1", "99999-Q1"] {
            assert!(Period::named(name).is_err(), "{name}");
        }
        assert!(Period::between(at("2026-01-02"), at("2026-01-02")).is_err());
    }
}
