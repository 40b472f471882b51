//! Numbers as people write them.

use std::fmt::Write;

/// Appends a number for readers: whole when it is whole, else with as many decimals as matter, thousands separated by
/// commas: `12`, `1,234.5`, `0.083`.
pub(super) fn push(out: &mut String, number: f64) {
    let begins = out.len();
    let size = number.abs();
    let decimals = match size {
        s if s >= 1e15 => return push_scaled(out, format_args!("{number:.2e}")),
        _ if number.fract() == 0.0 => 0,
        s if s >= 1000.0 => 0,
        s if s >= 100.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.001 => 3,
        _ => return push_scaled(out, format_args!("{number:.1e}")),
    };
    push_scaled(out, format_args!("{number:.decimals$}"));
    if decimals > 0 {
        // No zeros at the end of a fraction.
        let trimmed = out[begins..].trim_end_matches('0').trim_end_matches('.').len();
        out.truncate(begins + trimmed);
    }
    if &out[begins..] == "-0" {
        out.truncate(begins);
        out.push('0');
    }
    separate(out, begins);
}

fn push_scaled(out: &mut String, number: std::fmt::Arguments<'_>) {
    // Writing into memory cannot fail.
    let _ = out.write_fmt(number);
}

/// Puts a comma before every third digit of the whole part of the number that begins at `begins`.
fn separate(out: &mut String, begins: usize) {
    let digits = begins + usize::from(out[begins..].starts_with('-'));
    let mut at = out[digits..].find('.').map_or(out.len(), |point| digits + point);
    while at > digits + 3 {
        at -= 3;
        out.insert(at, ',');
    }
}

#[cfg(test)]
mod tests {
    use super::push;

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
            let mut out = String::from("1 ");
            push(&mut out, number);
            assert_eq!(out[2..], *text, "{number}");
        }
    }
}
