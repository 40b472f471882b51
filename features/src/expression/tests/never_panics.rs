//! No text makes the compiler panic, and no input makes a compiled expression panic or break its type.

use proptest::prelude::*;

use crate::expression::Expression;
use crate::expression::tests::scope;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

type Text = BoxedStrategy<String>;

/// Expressions of each type, one level of the grammar above the last.
#[derive(Clone)]
struct Level {
    number: Text,
    text: Text,
    truth: Text,
    time: Text,
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn leaves() -> Level {
    let number = prop_oneof![
        one_of(&["i", "j", "x", "y", "0", "1", "-1", "9223372036854775807", "1e308", "1e-308", "0.5"]),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("literal", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
    ];
    Level {
        number: number.boxed(),
        text: one_of(&["t", "u", "''", "'%a_'", "'2011-12-09'", "'é12'"]).boxed(),
        truth: one_of(&["b", "c", "TRUE", "FALSE"]).boxed(),
        time: one_of(&["at", "later", "as_of()", "DATE '2011-12-09'"]).boxed(),
    }
}

/// `name(a, b, …)` over what `arguments` give.
fn call(name: &'static [&'static str], arguments: &[&Text]) -> Text {
    let arguments: Vec<Text> = arguments.iter().map(|a| (*a).clone()).collect();
    (prop::sample::select(name), arguments).prop_map(|(f, a)| format!("{f}({})", a.join(", "))).boxed()
}

/// `(a operator b)`.
fn infix(operator: &'static [&'static str], left: &Text, right: &Text) -> Text {
    (left.clone(), prop::sample::select(operator), right.clone())
        .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
        .boxed()
}

fn choice(truth: &Text, of: &Text) -> Text {
    (truth.clone(), of.clone(), of.clone())
        .prop_map(|(c, a, b)| format!("CASE WHEN {c} THEN {a} ELSE nullif({b}, {a}) END"))
        .boxed()
}

fn cast(from: &Text, to: &'static str) -> Text {
    from.clone().prop_map(move |a| format!("CAST({a} AS {to})")).boxed()
}

fn above(l: &Level) -> Level {
    let Level { number, text, truth, time } = l;
    let comparison: &[&str] = &["=", "<>", "<", ">=", "IS DISTINCT FROM"];
    let whole = cast(number, "int");
    Level {
        number: prop_oneof![
            3 => infix(&["+", "-", "*", "/", "%"], number, number),
            1 => call(&["abs", "round", "floor", "ceil", "sign", "ln", "log10", "exp", "sqrt", "-"], &[number]),
            1 => call(&["power", "least", "greatest", "coalesce", "nullif"], &[number, number]),
            1 => call(&["round"], &[number, &whole]),
            1 => call(&["length"], &[text]),
            1 => call(&["year", "month", "day", "weekday", "hour"], &[time]),
            1 => call(&["days_between"], &[time, time]),
            1 => prop_oneof![cast(text, "int"), cast(text, "float"), cast(truth, "int"), whole.clone()],
            1 => choice(truth, number),
        ]
        .boxed(),
        text: prop_oneof![
            call(&["lower", "upper", "trim", "ltrim", "rtrim"], &[text]),
            call(&["left", "right", "substr"], &[text, &whole]),
            call(&["substr"], &[text, &whole, &whole]),
            call(&["replace"], &[text, text, text]),
            call(&["concat"], &[text, number, time, truth]),
            infix(&["||"], text, number),
            prop_oneof![cast(number, "text"), cast(time, "text"), cast(truth, "text")],
            choice(truth, text),
        ]
        .boxed(),
        truth: prop_oneof![
            infix(comparison, number, number),
            infix(comparison, text, text),
            infix(comparison, time, time),
            infix(&["AND", "OR"], truth, truth),
            infix(&["LIKE", "NOT LIKE", "ILIKE"], text, text),
            call(&["NOT "], &[truth]),
            call(&["starts_with", "ends_with", "contains"], &[text, text]),
            (number.clone(), number.clone(), number.clone()).prop_map(|(a, b, c)| format!("{a} BETWEEN {b} AND {c}")),
            (text.clone(), text.clone(), text.clone()).prop_map(|(a, b, c)| format!("({a}) NOT IN ({b}, {c}, NULL)")),
            number.clone().prop_map(|a| format!("({a}) IS NULL")),
            truth.clone().prop_map(|a| format!("({a}) IS NOT TRUE")),
            prop_oneof![cast(text, "bool"), cast(number, "bool")],
        ]
        .boxed(),
        time: prop_oneof![
            time.clone().prop_map(|a| format!("({a} + INTERVAL '9999999 weeks')")),
            time.clone().prop_map(|a| format!("({a} - INTERVAL '30 days')")),
            call(&["least", "greatest", "coalesce"], &[time, time]),
            prop_oneof![cast(text, "time"), cast(time, "date")],
            choice(truth, time),
        ]
        .boxed(),
    }
}

/// Expressions of any type, up to four levels deep.
fn expression() -> impl Strategy<Value = String> {
    let mut levels = vec![leaves()];
    for _ in 0..4 {
        let top = above(&levels[levels.len() - 1]);
        levels.push(top);
    }
    let all = levels.into_iter().flat_map(|l| [l.number, l.text, l.truth, l.time]);
    prop::strategy::Union::new(all)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Missing(Missing::NeverSeen)),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(Value::Float),
        ".{0,12}".prop_map(|text: String| Value::Text(text.into())),
        any::<i64>().prop_map(|us| Value::Time(Timestamp(us))),
    ]
}

/// A value of a slot's type, an extreme one, or (one time in ten) any value at all.
fn input(kind: ValueType) -> BoxedStrategy<Value> {
    let typed = match kind {
        ValueType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ValueType::Int => {
            prop_oneof![any::<i64>(), Just(i64::MIN), Just(0), -3..3_i64].prop_map(Value::Int).boxed()
        }
        ValueType::Float => {
            prop_oneof![any::<f64>(), Just(f64::MAX), Just(0.0)].prop_map(Value::Float).boxed()
        }
        ValueType::Text => "\\PC{0,12}".prop_map(|text: String| Value::Text(text.into())).boxed(),
        ValueType::Time => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(0)]
            .prop_map(|us| Value::Time(Timestamp(us)))
            .boxed(),
    };
    prop_oneof![8 => typed, 1 => any_value(), 1 => Just(Value::Missing(Missing::Expired))].boxed()
}

fn inputs() -> impl Strategy<Value = Vec<Value>> {
    scope().into_iter().map(|(_, kind)| input(kind)).collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_compiled_expression_never_panics_and_keeps_its_type(
        text in expression(),
        row in inputs(),
        as_of in any::<i64>(),
    ) {
        if let Ok(compiled) = Expression::compile(&text, &scope()) {
            let result = compiled.evaluate(&row, Timestamp(as_of));
            match &result {
                Value::Missing(reason) => prop_assert_eq!(*reason, Missing::Undefined),
                there => prop_assert_eq!(there.value_type(), Some(compiled.value_type()), "{}", text),
            }
            if let Value::Float(number) = result {
                prop_assert!(number.is_finite(), "{text}");
            }
            prop_assert_eq!(compiled.is_true(&row, Timestamp(as_of)), result == Value::Bool(true));
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[-a-z0-9()'\" .,:*/+<>=|%_]{0,60}|\\PC{0,40}") {
        let _ = Expression::compile(&text, &scope());
    }
}

#[test]
fn the_grammar_above_builds_expressions_that_compile() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let compiled = (0..500)
        .filter(|_| {
            let text = expression().new_tree(&mut runner).unwrap().current();
            Expression::compile(&text, &scope()).is_ok()
        })
        .count();
    assert!(compiled > 400, "the property would test little: {compiled} of 500 compile");
}
