//! What each function does.

use crate::expression::evaluate::scalar::{Scalar, Text, finite};
use crate::expression::functions::Function;
use crate::expression::node::Node;
use crate::time::Timestamp;

/// Calls `function`; `of` gives an argument's value.
pub(super) fn call<'a>(
    function: Function,
    arguments: &'a [Node],
    of: &impl Fn(&'a Node) -> Option<Scalar<'a>>,
) -> Option<Scalar<'a>> {
    if function == Function::Concat {
        return Some(Scalar::Text(Text::New(concat(arguments.iter().filter_map(of)))));
    }
    let argument = |i: usize| arguments.get(i).and_then(of);
    match function {
        Function::Concat => None,
        Function::Abs | Function::Sign | Function::Floor | Function::Ceil => rounded(function, &argument(0)?),
        Function::Round => {
            let digits = if arguments.len() > 1 { argument(1)?.int()? } else { 0 };
            round(&argument(0)?, digits)
        }
        Function::Ln => finite(argument(0)?.number()?.ln()),
        Function::Log10 => finite(argument(0)?.number()?.log10()),
        Function::Exp => finite(argument(0)?.number()?.exp()),
        Function::Sqrt => finite(argument(0)?.number()?.sqrt()),
        Function::Power => finite(argument(0)?.number()?.powf(argument(1)?.number()?)),
        Function::Year | Function::Month | Function::Day | Function::Weekday | Function::Hour => {
            let Scalar::Time(moment) = argument(0)? else { return None };
            calendar(function, moment).map(Scalar::Int)
        }
        Function::DaysBetween => match (argument(0)?, argument(1)?) {
            (Scalar::Time(from), Scalar::Time(to)) => finite(to.days_since(from)),
            _ => None,
        },
        _ => {
            let Scalar::Text(text) = argument(0)? else { return None };
            words(function, text, arguments.len(), &argument)
        }
    }
}

fn rounded<'a>(function: Function, value: &Scalar<'a>) -> Option<Scalar<'a>> {
    match (function, value) {
        (Function::Abs, Scalar::Int(v)) => v.checked_abs().map(Scalar::Int),
        (Function::Abs, Scalar::Float(v)) => Some(Scalar::Float(v.abs())),
        (Function::Sign, Scalar::Int(v)) => Some(Scalar::Int(v.signum())),
        (Function::Sign, Scalar::Float(v)) => Some(Scalar::Int(i64::from(*v > 0.0) - i64::from(*v < 0.0))),
        (_, Scalar::Int(v)) => Some(Scalar::Int(*v)),
        (Function::Floor, Scalar::Float(v)) => Some(Scalar::Float(v.floor())),
        (Function::Ceil, Scalar::Float(v)) => Some(Scalar::Float(v.ceil())),
        _ => None,
    }
}

/// Rounds half away from zero to so many digits after the point (before it, if negative).
fn round<'a>(value: &Scalar<'a>, digits: i64) -> Option<Scalar<'a>> {
    match value {
        Scalar::Int(whole) if digits >= 0 => Some(Scalar::Int(*whole)),
        Scalar::Int(whole) => {
            let unit = u32::try_from(digits.checked_neg()?).ok().and_then(|d| 10_i128.checked_pow(d));
            let Some(unit) = unit else { return Some(Scalar::Int(0)) };
            let half = unit / 2 * i128::from(whole.signum());
            let near = (i128::from(*whole) + half) / unit * unit;
            i64::try_from(near).ok().map(Scalar::Int)
        }
        Scalar::Float(number) => {
            // Beyond these digits a double has nothing to round, or nothing left.
            if digits > 300 {
                return Some(Scalar::Float(*number));
            }
            if digits < -308 {
                return Some(Scalar::Float(0.0));
            }
            let scale = 10_f64.powi(i32::try_from(digits.unsigned_abs()).ok()?);
            let scaled = if digits >= 0 { number * scale } else { number / scale };
            if !scaled.is_finite() {
                return Some(Scalar::Float(*number));
            }
            finite(if digits >= 0 { scaled.round() / scale } else { scaled.round() * scale })
        }
        _ => None,
    }
}

/// A part of a moment's date or time of day in UTC.
fn calendar(function: Function, moment: Timestamp) -> Option<i64> {
    let stamp = jiff::Timestamp::from_microsecond(moment.0).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(stamp);
    Some(match function {
        Function::Year => i64::from(civil.year()),
        Function::Month => i64::from(civil.month()),
        Function::Day => i64::from(civil.day()),
        Function::Weekday => i64::from(civil.weekday().to_monday_one_offset()),
        Function::Hour => i64::from(civil.hour()),
        _ => return None,
    })
}

/// Functions whose first argument is text.
fn words<'a>(
    function: Function,
    text: Text<'a>,
    given: usize,
    argument: &impl Fn(usize) -> Option<Scalar<'a>>,
) -> Option<Scalar<'a>> {
    let truth = |test: fn(&str, &str) -> bool| Some(Scalar::Bool(test(&text, argument(1)?.text()?)));
    match function {
        Function::Length => return i64::try_from(text.chars().count()).ok().map(Scalar::Int),
        Function::StartsWith => return truth(|text, part| text.starts_with(part)),
        Function::EndsWith => return truth(|text, part| text.ends_with(part)),
        Function::Contains => return truth(|text, part| text.contains(part)),
        _ => {}
    }
    Some(Scalar::Text(match function {
        Function::Lower if text.chars().any(char::is_uppercase) => Text::New(text.to_lowercase()),
        Function::Upper if text.chars().any(char::is_lowercase) => Text::New(text.to_uppercase()),
        Function::Lower | Function::Upper => text,
        Function::Trim => text.part(str::trim),
        Function::TrimStart => text.part(str::trim_start),
        Function::TrimEnd => text.part(str::trim_end),
        Function::Left => {
            let (_, to) = span(&text, 1, argument(1)?.int()?);
            text.part(|t| t.get(..to).unwrap_or_default())
        }
        Function::Right => {
            let length = i64::try_from(text.chars().count()).ok()?;
            let count = argument(1)?.int()?.clamp(0, length);
            let (from, _) = span(&text, length - count + 1, count);
            text.part(|t| t.get(from..).unwrap_or_default())
        }
        Function::Substr => {
            let start = argument(1)?.int()?;
            let length = if given > 2 { argument(2)?.int()? } else { i64::MAX };
            let (from, to) = span(&text, start, length);
            text.part(|t| t.get(from..to).unwrap_or_default())
        }
        Function::Replace => {
            let (from, to) = (argument(1)?, argument(2)?);
            let (from, to) = (from.text()?, to.text()?);
            if from.is_empty() || !text.contains(from) { text } else { Text::New(text.replace(from, to)) }
        }
        Function::Join => {
            let right = argument(1)?;
            Text::New([&*text, right.text()?].concat())
        }
        _ => return None,
    }))
}

/// The byte range of `length` characters of `text` from character `start` (from 1; what lies before the
/// first character counts, as in SQL's `SUBSTRING`).
fn span(text: &str, start: i64, length: i64) -> (usize, usize) {
    let last = start.saturating_add(length.max(0)).max(1);
    let first = start.max(1);
    let byte = |character: i64| {
        usize::try_from(character - 1)
            .ok()
            .and_then(|skip| text.char_indices().nth(skip))
            .map_or(text.len(), |(byte, _)| byte)
    };
    (byte(first), byte(last.max(first)))
}

fn concat<'a>(parts: impl Iterator<Item = Scalar<'a>>) -> String {
    let mut whole = String::new();
    for part in parts {
        whole.push_str(part.text().unwrap_or_default());
    }
    whole
}
