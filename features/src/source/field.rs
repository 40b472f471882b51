//! The meaning of one field of text.

/// What decoding puts in place of bytes that are not text.
pub(super) const PLACEHOLDER: char = '\u{FFFD}';

/// Texts that other systems write where a number, a truth value or a date is missing. They count as missing
/// in such columns without being declared; in a text column they are text.
pub const USUAL_NULLS: [&str; 8] = ["NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan"];

/// Reads a whole number: digits with an optional sign; `.0` behind them, as spreadsheets write it, is
/// allowed.
#[must_use]
pub fn parse_int(field: &[u8], decimal: u8) -> Option<i64> {
    let field = field.trim_ascii();
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, field),
    };
    let whole = match digits.iter().position(|b| *b == decimal) {
        Some(at) if at > 0 && digits[at + 1..].iter().all(|b| *b == b'0') => &digits[..at],
        Some(_) => return None,
        None => digits,
    };
    if whole.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in whole {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Built downwards so that i64::MIN can be read.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a finite number. With a decimal comma, dots may separate groups of three digits (`1.234,50`).
#[must_use]
pub fn parse_float(field: &[u8], decimal: u8) -> Option<f64> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    let first = text.bytes().find(|b| !matches!(b, b'-' | b'+'))?;
    if !(first.is_ascii_digit() || first == decimal) {
        return None;
    }
    let value: f64 = if decimal == b'.' {
        text.parse().ok()?
    } else {
        with_point(text, char::from(decimal))?.parse().ok()?
    };
    value.is_finite().then_some(value)
}

/// Rewrites a number with a decimal comma to one with a decimal point.
fn with_point(text: &str, decimal: char) -> Option<String> {
    let (whole, fraction) = text.split_once(decimal).map_or((text, None), |(w, f)| (w, Some(f)));
    let mut groups = whole.split('.');
    let mut out = groups.next()?.to_owned();
    let grouped = whole.contains('.');
    if grouped && !(1..=3).contains(&out.trim_start_matches(['-', '+']).len()) {
        return None;
    }
    for group in groups {
        if group.len() != 3 || !group.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        out.push_str(group);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    Some(out)
}

/// Reads a truth value: `true`/`false`, `t`/`f`, `yes`/`no`, `y`/`n`, `1`/`0`, in any case.
#[must_use]
pub fn parse_bool(field: &[u8]) -> Option<bool> {
    let field = field.trim_ascii();
    let is = |words: [&str; 5]| words.iter().any(|w| field.eq_ignore_ascii_case(w.as_bytes()));
    if is(["true", "1", "yes", "t", "y"]) {
        Some(true)
    } else if is(["false", "0", "no", "f", "n"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("12", Some(12)),
            (" -7 ", Some(-7)),
            ("+3", Some(3)),
            ("13085.0", Some(13085)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.5", None),
            (".0", None),
            ("1,000", None),
            ("-", None),
            ("", None),
            ("12a", None),
        ] {
            assert_eq!(parse_int(text.as_bytes(), b'.'), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_finite_and_follow_the_declared_decimal() {
        for (text, decimal, expected) in [
            ("6.95", b'.', Some(6.95)),
            ("1e3", b'.', Some(1000.0)),
            ("-.5", b'.', Some(-0.5)),
            ("inf", b'.', None),
            ("NaN", b'.', None),
            ("1e999", b'.', None),
            ("1,5", b'.', None),
            ("1,5", b',', Some(1.5)),
            ("1.234,50", b',', Some(1234.5)),
            ("-12.345.678", b',', Some(-12_345_678.0)),
            ("1.23", b',', None),
            ("1234.567,1", b',', None),
        ] {
            assert_eq!(parse_float(text.as_bytes(), decimal), expected, "{text}");
        }
    }

    #[test]
    fn truth_values_come_in_the_usual_spellings() {
        for (text, expected) in
            [("TRUE", Some(true)), ("n", Some(false)), (" 1 ", Some(true)), ("maybe", None), ("", None)]
        {
            assert_eq!(parse_bool(text.as_bytes()), expected, "{text}");
        }
    }
}
