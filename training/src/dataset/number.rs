//! Numbers and "no value" as people write them in tables.

/// Texts that stand for no value, besides the empty one.
const NOTHING: [&str; 12] =
    ["na", "n/a", "#n/a", "nan", "null", "nil", "none", "?", "-", "--", "<na>", "\\n"];

/// True when the text stands for no value.
pub(super) fn is_nothing(text: &str) -> bool {
    text.is_empty() || (text.len() <= 4 && NOTHING.iter().any(|token| text.eq_ignore_ascii_case(token)))
}

/// Reads a number: plain, with an exponent, with thousands separators (`1,234.5`), a currency sign or per
/// cent sign around it, or in parentheses for a negative amount. With `decimal_comma`, comma and point change
/// places. Infinities and NaN are no numbers.
pub(super) fn parse_number(text: &str, decimal_comma: bool) -> Option<f64> {
    if !decimal_comma && let Ok(value) = text.parse::<f64>() {
        return value.is_finite().then_some(value);
    }
    let (negative, text) = match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let sign = |c: char| c.is_whitespace() || matches!(c, '$' | '€' | '£' | '¥' | '%');
    let text = text.trim_matches(sign);
    let (thousands, point) = if decimal_comma { ('.', ',') } else { (',', '.') };
    if !text.bytes().any(|b| b.is_ascii_digit()) || !well_grouped(text, thousands, point) {
        return None;
    }
    let plain: String =
        text.chars().filter(|c| *c != thousands).map(|c| if c == point { '.' } else { c }).collect();
    let value = plain.parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some(if negative { -value } else { value })
}

/// True when thousands separators, if there are any, stand before groups of three digits.
fn well_grouped(text: &str, thousands: char, point: char) -> bool {
    let whole = text.split(point).next().unwrap_or(text);
    let mut groups = whole.split(thousands);
    let first = groups.next().unwrap_or("");
    let mut grouped = false;
    let rest_fits = groups.all(|group| {
        grouped = true;
        group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit())
    });
    let fraction_fits = !text.split(point).skip(1).any(|part| part.contains(thousands));
    rest_fits && fraction_fits && (!grouped || first.trim_start_matches(['-', '+']).len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in [
            ("1", 1.0),
            ("-2.5e3", -2500.0),
            ("1,234.5", 1234.5),
            ("$1,200", 1200.0),
            ("12 %", 12.0),
            ("(300)", -300.0),
            ("€ 7", 7.0),
        ] {
            assert_eq!(parse_number(text, false), Some(value), "{text}");
        }
        assert_eq!(parse_number("1.234,5", true), Some(1234.5));
        assert_eq!(parse_number("0,5", true), Some(0.5));
    }

    #[test]
    fn what_is_no_number_is_not_read_as_one() {
        for text in ["", "inf", "nan", "1,2", "12,34,567", "a1", "1-2", "$", "2011-12-09", "1 234"] {
            assert_eq!(parse_number(text, false), None, "{text}");
        }
    }
}
