//! Dates and times as files write them.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// How a column's moments are written. Moments without a zone are taken as UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MomentFormat {
    /// RFC 3339 and ISO 8601 dates and date-times.
    Iso,
    /// A strftime pattern of numbers only, read without the general parser.
    Simple(String, Vec<Item>),
    /// Any other strftime pattern.
    Pattern(String),
    /// A whole number of units since 1970; how many microseconds one unit is.
    Unix(i64),
}

/// One part of a simple pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Four digits.
    Year,
    /// One or two digits.
    Month,
    /// One or two digits.
    Day,
    /// One or two digits, 0 to 23.
    Hour,
    /// Two digits.
    Minute,
    /// Two digits.
    Second,
    /// This byte.
    Literal(u8),
}

impl MomentFormat {
    /// Takes a declared format: none or `iso` for ISO 8601, `unix`, `unix_ms`, `unix_us`, or a strftime
    /// pattern such as `%d.%m.%Y %H:%M`.
    ///
    /// # Errors
    /// What is wrong with the pattern, as text.
    pub fn parse(declared: Option<&str>) -> Result<Self, String> {
        let pattern = match declared {
            None | Some("iso") => return Ok(Self::Iso),
            Some("unix") => return Ok(Self::Unix(1_000_000)),
            Some("unix_ms") => return Ok(Self::Unix(1_000)),
            Some("unix_us") => return Ok(Self::Unix(1)),
            Some(pattern) => pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S"),
        };
        if let Some(items) = simple_items(&pattern) {
            return Ok(Self::Simple(pattern, items));
        }
        let sample = DateTime::constant(2011, 12, 9, 8, 26, 30, 0).to_zoned(TimeZone::UTC);
        let written = sample.map_err(|e| e.to_string()).and_then(|zoned| {
            strtime::format(&pattern, &zoned).map_err(|e| format!("time format {pattern:?}: {e}"))
        })?;
        let format = Self::Pattern(pattern);
        match format.read(written.as_bytes()) {
            Some(_) => Ok(format),
            None => Err(format!("time format {:?} does not tell a whole date", format.name())),
        }
    }

    /// The format as declared, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Iso => "a date or date-time in ISO 8601",
            Self::Simple(pattern, _) | Self::Pattern(pattern) => pattern,
            Self::Unix(1_000_000) => "unix",
            Self::Unix(1_000) => "unix_ms",
            Self::Unix(_) => "unix_us",
        }
    }

    /// Reads one moment; none when the field is not of this format.
    #[must_use]
    pub fn read(&self, field: &[u8]) -> Option<Timestamp> {
        let field = field.trim_ascii();
        match self {
            Self::Iso => read_iso(field),
            Self::Simple(_, items) => read_simple(items, field),
            Self::Pattern(pattern) => read_pattern(pattern, field),
            Self::Unix(unit) => super::field::parse_int(field, b'.')?.checked_mul(*unit).and_then(within),
        }
    }
}

/// A moment that jiff can tell, so that it can be printed and put into a month.
fn within(microseconds: i64) -> Option<Timestamp> {
    jiff::Timestamp::from_microsecond(microseconds).ok().map(|_| Timestamp(microseconds))
}

fn simple_items(pattern: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut bytes = pattern.bytes();
    while let Some(byte) = bytes.next() {
        items.push(match (byte, byte == b'%') {
            (_, true) => match bytes.next()? {
                b'Y' => Item::Year,
                b'm' => Item::Month,
                b'd' => Item::Day,
                b'H' => Item::Hour,
                b'M' => Item::Minute,
                b'S' => Item::Second,
                _ => return None,
            },
            (literal, false) => Item::Literal(literal),
        });
    }
    let whole = [Item::Year, Item::Month, Item::Day].iter().all(|i| items.contains(i));
    whole.then_some(items)
}

/// Civil time to UTC.
fn utc(date: (i16, i8, i8), time: (i8, i8, i8), nanosecond: i32) -> Option<Timestamp> {
    let civil = DateTime::new(date.0, date.1, date.2, time.0, time.1, time.2, nanosecond).ok()?;
    let moment = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp(moment.as_microsecond()))
}

fn digits(field: &mut &[u8], least: usize, most: usize) -> Option<i16> {
    let count = field.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    if count < least {
        return None;
    }
    let (number, rest) = field.split_at(count);
    *field = rest;
    Some(number.iter().fold(0, |n, b| n * 10 + i16::from(b - b'0')))
}

fn small(field: &mut &[u8], least: usize) -> Option<i8> {
    digits(field, least, 2).and_then(|n| i8::try_from(n).ok())
}

fn literal(field: &mut &[u8], byte: u8) -> Option<()> {
    let (first, rest) = field.split_first()?;
    *field = rest;
    (*first == byte).then_some(())
}

fn read_simple(items: &[Item], mut field: &[u8]) -> Option<Timestamp> {
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    for item in items {
        match item {
            Item::Year => year = digits(&mut field, 4, 4)?,
            Item::Month => month = small(&mut field, 1)?,
            Item::Day => day = small(&mut field, 1)?,
            Item::Hour => hour = small(&mut field, 1)?,
            Item::Minute => minute = small(&mut field, 2)?,
            Item::Second => second = small(&mut field, 2)?,
            Item::Literal(byte) => literal(&mut field, *byte)?,
        }
    }
    if field.is_empty() { utc((year, month, day), (hour, minute, second), 0) } else { None }
}

/// `2011-12-09[(T| )08:26[:30[.5]][Z]]`; anything else goes to the general parser.
fn read_iso(field: &[u8]) -> Option<Timestamp> {
    read_plain_iso(field).or_else(|| Timestamp::parse(std::str::from_utf8(field).ok()?).ok())
}

fn read_plain_iso(mut field: &[u8]) -> Option<Timestamp> {
    let year = digits(&mut field, 4, 4)?;
    literal(&mut field, b'-')?;
    let month = small(&mut field, 2)?;
    literal(&mut field, b'-')?;
    let day = small(&mut field, 2)?;
    if field.is_empty() {
        return utc((year, month, day), (0, 0, 0), 0);
    }
    let between = if field[0] == b'T' { b'T' } else { b' ' };
    literal(&mut field, between)?;
    let hour = small(&mut field, 2)?;
    literal(&mut field, b':')?;
    let minute = small(&mut field, 2)?;
    let mut second = 0;
    if field.first() == Some(&b':') {
        field = &field[1..];
        second = small(&mut field, 2)?;
    }
    if matches!(field, [] | [b'Z']) { utc((year, month, day), (hour, minute, second), 0) } else { None }
}

fn read_pattern(pattern: &str, field: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(field).ok()?;
    let parsed = strtime::parse(pattern, text).ok()?;
    if let Ok(moment) = parsed.to_timestamp() {
        return Some(Timestamp(moment.as_microsecond()));
    }
    let civil = parsed.to_datetime().or_else(|_| parsed.to_date().map(|d| d.at(0, 0, 0, 0))).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok().map(|m| Timestamp(m.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Option<&str>, text: &str) -> Option<String> {
        MomentFormat::parse(format).unwrap().read(text.as_bytes()).map(|t| t.to_string())
    }

    #[test]
    fn iso_dates_and_date_times_are_taken_as_utc_unless_they_say_otherwise() {
        for (text, expected) in [
            ("2011-12-09", "2011-12-09T00:00:00Z"),
            ("2011-12-09 08:26", "2011-12-09T08:26:00Z"),
            ("2011-12-09T08:26:30", "2011-12-09T08:26:30Z"),
            ("2011-12-09T08:26:30.25Z", "2011-12-09T08:26:30.25Z"),
            ("2011-12-09T08:26:30+02:00", "2011-12-09T06:26:30Z"),
            ("2012-02-29", "2012-02-29T00:00:00Z"),
        ] {
            assert_eq!(read(None, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_date_that_does_not_exist_is_not_read() {
        for text in ["2011-02-29", "2011-13-01", "2011-12-09 25:00", "09-12-2011", "soon", ""] {
            assert_eq!(read(None, text), None, "{text}");
        }
    }

    #[test]
    fn declared_formats_are_followed() {
        for (format, text, expected) in [
            ("%d-%m-%Y", "27-07-2023", "2023-07-27T00:00:00Z"),
            ("%m/%d/%Y %H:%M", "1/9/2011 8:26", "2011-01-09T08:26:00Z"),
            ("%Y%m%d", "19970112", "1997-01-12T00:00:00Z"),
            ("%d %b %Y", "09 Dec 2011", "2011-12-09T00:00:00Z"),
            ("%Y-%m-%d %H:%M:%S %z", "2011-12-09 08:26:30 +0100", "2011-12-09T07:26:30Z"),
            ("unix", "1323419190", "2011-12-09T08:26:30Z"),
            ("unix_ms", "1323419190500", "2011-12-09T08:26:30.5Z"),
            ("%F %T", "2011-12-09 08:26:30", "2011-12-09T08:26:30Z"),
        ] {
            assert_eq!(read(Some(format), text).as_deref(), Some(expected), "{format} {text}");
        }
        assert_eq!(read(Some("%d-%m-%Y"), "27-07-2023 03:00"), None);
    }

    #[test]
    fn a_format_that_tells_no_date_is_refused() {
        assert!(MomentFormat::parse(Some("%H:%M")).is_err());
        assert!(MomentFormat::parse(Some("%Q")).is_err());
    }
}
