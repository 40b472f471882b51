//! A fact in words, from the template declared with its feature.

use scorehouse_features::value::Value;

use crate::reason::number;
use crate::signature::InputField;

/// The fact in words: the feature's template with `{value}` filled in, or `orders revenue 90d: 1,234` for a
/// feature without one. `{value:%}` writes a share as a percentage.
///
/// A missing value does not go into a template, which is a sentence about a value: it reads
/// `orders revenue 90d: not known`.
#[must_use]
pub fn words(input: &InputField, value: &Value) -> String {
    let mut out = String::with_capacity(64);
    match &input.words {
        Some(template) if !value.is_missing() => fill(&mut out, template, value),
        _ => {
            // `account.orders.revenue_90d` reads `account orders revenue 90d`.
            out.extend(input.name.chars().map(|c| if matches!(c, '.' | '_') { ' ' } else { c }));
            out.push_str(": ");
            push_plain(&mut out, value);
        }
    }
    out
}

fn fill(out: &mut String, template: &str, value: &Value) {
    let mut rest = template;
    while let Some(at) = rest.find("{value") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        rest = if let Some(after) = from.strip_prefix("{value}") {
            push_plain(out, value);
            after
        } else if let Some(after) = from.strip_prefix("{value:%}") {
            push_percentage(out, value);
            after
        } else {
            out.push('{');
            &from[1..]
        };
    }
    out.push_str(rest);
}

fn push_plain(out: &mut String, value: &Value) {
    match value {
        Value::Missing(_) => out.push_str("not known"),
        Value::Bool(true) => out.push_str("yes"),
        Value::Bool(false) => out.push_str("no"),
        Value::Int(whole) => number::push(out, *whole as f64),
        Value::Float(x) => number::push(out, *x),
        Value::Text(text) => out.push_str(text),
        Value::Time(moment) => out.extend(moment.to_string().chars().take(10)),
    }
}

fn push_percentage(out: &mut String, value: &Value) {
    match value {
        Value::Int(whole) => number::push(out, *whole as f64 * 100.0),
        Value::Float(x) => number::push(out, (x * 1000.0).round() / 10.0),
        _ => return push_plain(out, value),
    }
    out.push_str(" %");
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::time::Timestamp;
    use scorehouse_features::value::{Missing, ValueType};

    fn input(name: &str, template: Option<&str>) -> InputField {
        InputField { words: template.map(Into::into), ..InputField::new(name, ValueType::Float) }
    }

    #[test]
    fn a_template_is_filled_with_a_readable_value() {
        let last = input("orders.last", Some("last order was {value} days ago"));
        assert_eq!(words(&last, &Value::Float(12.0)), "last order was 12 days ago");
        let share = input("deal.discount", Some("a discount of {value:%}"));
        assert_eq!(words(&share, &Value::Float(0.125)), "a discount of 12.5 %");
        let since = input("account.since", Some("customer since {value}"));
        let moment = Value::Time(Timestamp::parse("2009-12-01T07:45:00Z").unwrap());
        assert_eq!(words(&since, &moment), "customer since 2009-12-01");
    }

    #[test]
    fn braces_that_are_no_place_for_the_value_stay() {
        let both = input("deal.discount", Some("{value:%} is {value}, {value:x} and {values}"));
        assert_eq!(words(&both, &Value::Float(0.5)), "50 % is 0.5, {value:x} and {values}");
        let text = Value::Text("a {value:%} b".into());
        assert_eq!(words(&input("plan", Some("plan {value}")), &text), "plan a {value:%} b");
    }

    #[test]
    fn without_a_template_the_name_is_told_plainly() {
        let revenue = input("account.orders.revenue_90d", None);
        assert_eq!(words(&revenue, &Value::Int(1234)), "account orders revenue 90d: 1,234");
        assert_eq!(words(&revenue, &Value::Bool(true)), "account orders revenue 90d: yes");
    }

    #[test]
    fn a_missing_value_never_goes_into_a_sentence() {
        let last = input("orders.last", Some("last order was {value} days ago"));
        assert_eq!(words(&last, &Value::Missing(Missing::NeverSeen)), "orders last: not known");
    }
}
