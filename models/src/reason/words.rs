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
    match &input.words {
        _ if value.is_missing() => format!("{}: not known", plain_name(&input.name)),
        Some(template) => {
            template.replace("{value:%}", &percentage(value)).replace("{value}", &plain_value(value))
        }
        None => format!("{}: {}", plain_name(&input.name), plain_value(value)),
    }
}

/// `account.orders.revenue_90d` reads `account orders revenue 90d`.
fn plain_name(name: &str) -> String {
    name.replace(['.', '_'], " ")
}

fn plain_value(value: &Value) -> String {
    match value {
        Value::Missing(_) => "not known".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Int(whole) => number::format(*whole as f64),
        Value::Float(x) => number::format(*x),
        Value::Text(text) => text.to_string(),
        Value::Time(moment) => moment.to_string().chars().take(10).collect(),
    }
}

fn percentage(value: &Value) -> String {
    match value {
        Value::Int(whole) => format!("{} %", number::format(*whole as f64 * 100.0)),
        Value::Float(x) => format!("{} %", number::format((x * 1000.0).round() / 10.0)),
        _ => plain_value(value),
    }
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
