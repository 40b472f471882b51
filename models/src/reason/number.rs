//! Numbers as people write them.

/// A number for readers: whole when it is whole, else with as many decimals as matter, thousands separated by
/// commas: `12`, `1,234.5`, `0.083`.
pub(super) fn format(number: f64) -> String {
    let size = number.abs();
    if size >= 1e15 {
        return format!("{number:.2e}");
    }
    let decimals = match size {
        _ if number.fract() == 0.0 => 0,
        s if s >= 1000.0 => 0,
        s if s >= 100.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.001 => 3,
        _ => return format!("{number:.1e}"),
    };
    group(&trim(format!("{number:.decimals$}")))
}

/// Cuts zeros at the end of a fraction, and a sign before nothing but zeros.
fn trim(text: String) -> String {
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    if text == "-0" { "0".into() } else { text }
}

/// Puts a comma before every third digit of the whole part.
fn group(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let cases = [
            (12.0, "12"),
            (-0.0, "0"),
            (0.083_333, "0.083"),
            (1.5, "1.5"),
            (12.345_678, "12.35"),
            (123.456, "123.5"),
            (-1234.5, "-1,234"),
            (1_234_567.0, "1,234,567"),
            (0.000_012, "1.2e-5"),
            (-0.000_4, "-4.0e-4"),
            (2.5e18, "2.50e18"),
        ];
        for (number, text) in cases {
            assert_eq!(format(number), text, "{number}");
        }
    }
}
