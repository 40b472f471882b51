//! The moment whose knowledge a request asks for.

use scorehouse_features::time::{Clock, Timestamp};

use crate::error::ServeError;

/// The moment asked for, or now.
///
/// # Errors
/// [`ServeError::WrongType`] for text that is no moment, [`ServeError::FutureAsOf`] for one yet to come.
pub fn as_of(clock: &dyn Clock, asked: Option<&str>) -> Result<Timestamp, ServeError> {
    let now = clock.now();
    let Some(text) = asked else { return Ok(now) };
    let as_of = Timestamp::parse(text).map_err(|error| ServeError::WrongType {
        field: "as_of".into(),
        expected: error.expected.into(),
        given: format!("the text {:?}", error.given),
    })?;
    if as_of > now {
        return Err(ServeError::FutureAsOf { as_of, now });
    }
    Ok(as_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::FixedClock;

    #[test]
    fn the_future_is_refused_and_the_present_is_not() {
        let clock = FixedClock(Timestamp::parse("2011-12-09T12:00:00Z").unwrap());
        assert_eq!(as_of(&clock, None).unwrap(), clock.0);
        assert_eq!(as_of(&clock, Some("2011-12-09T12:00:00Z")).unwrap(), clock.0);
        assert!(as_of(&clock, Some("2011-12-09")).unwrap() < clock.0);
        assert!(matches!(as_of(&clock, Some("2011-12-10")), Err(ServeError::FutureAsOf { .. })));
        assert!(matches!(as_of(&clock, Some("tomorrow")), Err(ServeError::WrongType { .. })));
    }
}
