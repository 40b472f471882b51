//! What right expressions mean.

use crate::expression::Expression;
use crate::expression::tests::{NONE, as_of, compile, row, scope, value, value_of_nothing};
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn all(cases: &[(&str, Value)]) {
    for (expression, expected) in cases {
        assert_eq!(value(expression), *expected, "{expression}");
    }
}

#[test]
fn arithmetic_keeps_ints_and_divides_to_floats() {
    all(&[
        ("i + j * 2", Value::Int(3)),
        ("i - j", Value::Int(9)),
        ("i / 2", Value::Float(3.5)),
        ("i % 4", Value::Int(3)),
        ("i + x", Value::Float(9.5)),
        ("-x", Value::Float(-2.5)),
        ("-(i)", Value::Int(-7)),
        ("+i", Value::Int(7)),
        ("1e3", Value::Float(1000.0)),
        ("2.50", Value::Float(2.5)),
    ]);
}

#[test]
fn what_has_no_result_is_missing() {
    for expression in [
        "i / 0",
        "i % 0",
        "x / y",
        "x % y",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "i * 9223372036854775807",
        "exp(x * 1000)",
        "ln(y)",
        "ln(-x)",
        "sqrt(-x)",
        "power(-x, 0.5)",
        "x * 1e308 * 10",
        "abs(-9223372036854775807 - 1)",
        "-(-9223372036854775807 - 1)",
        "NULLIF(i, 7)",
        "CASE WHEN c THEN 1 END",
        "CAST('abc' AS int)",
        "CAST(1e300 AS int)",
        "CAST('1e999' AS float)",
        "CAST('maybe' AS bool)",
        "'someday'::text::time",
    ] {
        assert_eq!(value(expression), NONE, "{expression}");
    }
}

#[test]
fn an_operation_on_a_missing_value_is_missing() {
    for expression in [
        "i + 1",
        "x / 2",
        "-x",
        "i = j",
        "t = 'a'",
        "t || 'a'",
        "lower(t)",
        "NOT b",
        "i IN (1, 2)",
        "i BETWEEN 1 AND 3",
        "t LIKE '%'",
        "days_between(at, as_of())",
        "year(at)",
        "CAST(i AS text)",
        "least(i, j)",
        "round(x, 2)",
        "at + INTERVAL '1 day'",
        "substr(t, 1)",
        "coalesce(i, j)",
        "NULLIF(i, 1)",
        "left(t, 2)",
    ] {
        assert_eq!(value_of_nothing(expression), NONE, "{expression}");
    }
}

#[test]
fn logic_has_three_values() {
    let none = "CAST(NULL AS bool)";
    for (expression, expected) in [
        ("TRUE AND ?", None),
        ("FALSE AND ?", Some(false)),
        ("? AND FALSE", Some(false)),
        ("? AND TRUE", None),
        ("TRUE OR ?", Some(true)),
        ("? OR TRUE", Some(true)),
        ("FALSE OR ?", None),
        ("? OR FALSE", None),
        ("NOT ?", None),
        ("? IS NULL", Some(true)),
        ("? IS NOT NULL", Some(false)),
        ("? IS TRUE", Some(false)),
        ("? IS NOT TRUE", Some(true)),
        ("? IS FALSE", Some(false)),
        ("? IS NOT FALSE", Some(true)),
        ("? IS UNKNOWN", Some(true)),
        ("b IS TRUE", Some(true)),
        ("c IS FALSE", Some(true)),
    ] {
        let expected = expected.map_or(NONE, Value::Bool);
        assert_eq!(value(&expression.replace('?', none)), expected, "{expression}");
    }
}

#[test]
fn in_is_unknown_only_when_a_missing_item_could_decide() {
    all(&[
        ("i IN (1, 7)", Value::Bool(true)),
        ("i IN (1, 2)", Value::Bool(false)),
        ("i IN (7, NULL)", Value::Bool(true)),
        ("i IN (1, NULL)", NONE),
        ("i NOT IN (1, NULL)", NONE),
        ("i NOT IN (1, 2)", Value::Bool(true)),
        ("u IN ('C489434', 'x')", Value::Bool(true)),
    ]);
}

#[test]
fn between_is_false_as_soon_as_one_bound_says_so() {
    all(&[
        ("i BETWEEN 7 AND 9", Value::Bool(true)),
        ("i NOT BETWEEN 7 AND 9", Value::Bool(false)),
        ("i BETWEEN 8 AND NULL", Value::Bool(false)),
        ("i BETWEEN 1 AND NULL", NONE),
        ("at BETWEEN '2011-12-01' AND '2011-12-31'", Value::Bool(true)),
    ]);
}

#[test]
fn distinct_from_never_misses() {
    all(&[
        ("NULL IS NOT DISTINCT FROM NULLIF(i, 7)", Value::Bool(true)),
        ("i IS DISTINCT FROM NULL", Value::Bool(true)),
        ("i IS NOT DISTINCT FROM 7", Value::Bool(true)),
    ]);
    assert_eq!(value_of_nothing("i IS DISTINCT FROM j"), Value::Bool(false));
}

#[test]
fn a_choice_takes_the_first_true_branch() {
    all(&[
        ("CASE WHEN x > 2 THEN 'high' WHEN x > 1 THEN 'mid' ELSE 'low' END", text("high")),
        ("CASE i WHEN 1 THEN 'one' WHEN 7 THEN 'seven' END", text("seven")),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", Value::Int(2)),
        ("CASE WHEN b THEN 1 ELSE 2.5 END", Value::Float(1.0)),
        ("coalesce(NULL, NULLIF(i, 7), j)", Value::Int(-2)),
        ("coalesce(i, 1.5)", Value::Float(7.0)),
        ("least(i, x, NULL)", Value::Float(2.5)),
        ("greatest(at, later) = later", Value::Bool(true)),
    ]);
}

#[test]
fn text_functions_count_characters_and_keep_accents() {
    all(&[
        ("length(t)", Value::Int(12)),
        ("upper(t)", text("CRÈME BRÛLÉE")),
        ("lower(u)", text("c489434")),
        ("substr(t, 3, 3)", text("ème")),
        ("substr(t, 0, 3)", text("Cr")),
        ("substr(t, 7)", text("Brûlée")),
        ("substr(t, 100)", text("")),
        ("substr(t, 2, -1)", text("")),
        ("substring(t FROM 7 FOR 2)", text("Br")),
        ("left(t, 5)", text("Crème")),
        ("left(t, 500)", text("Crème Brûlée")),
        ("right(t, 2)", text("ée")),
        ("right(t, -2)", text("")),
        ("trim('  a b ')", text("a b")),
        ("ltrim(lower('  A'))", text("a")),
        ("replace(t, 'Br', 'G')", text("Crème Gûlée")),
        ("replace(t, '', 'x')", text("Crème Brûlée")),
        ("u || '-' || i", text("C489434-7")),
        ("concat(u, NULL, i, x)", text("C48943472.5")),
        ("starts_with(u, 'C')", Value::Bool(true)),
        ("ends_with(u, 'C')", Value::Bool(false)),
        ("contains(t, 'me B')", Value::Bool(true)),
        ("u LIKE 'C%'", Value::Bool(true)),
        ("u NOT LIKE 'C______'", Value::Bool(false)),
        ("t ILIKE '%BRÛLÉE'", Value::Bool(true)),
        ("'50%' LIKE '50!%' ESCAPE '!'", Value::Bool(true)),
    ]);
}

#[test]
fn number_functions_keep_the_type_they_are_given() {
    all(&[
        ("abs(j)", Value::Int(2)),
        ("abs(-x)", Value::Float(2.5)),
        ("round(x)", Value::Float(3.0)),
        ("round(-x)", Value::Float(-3.0)),
        ("round(2.345, 2)", Value::Float(2.35)),
        ("round(1234.5, -2)", Value::Float(1200.0)),
        ("round(1250, -2)", Value::Int(1300)),
        ("round(-1250, -2)", Value::Int(-1300)),
        ("round(i, 3)", Value::Int(7)),
        ("floor(x)", Value::Float(2.0)),
        ("ceil(x)", Value::Float(3.0)),
        ("ceiling(i)", Value::Int(7)),
        ("sign(-x)", Value::Int(-1)),
        ("sqrt(i + 2)", Value::Float(3.0)),
        ("power(2, 10)", Value::Float(1024.0)),
        ("log10(1000)", Value::Float(3.0)),
        ("ln(exp(1))", Value::Float(1.0)),
    ]);
}

#[test]
fn time_functions_speak_utc_and_weeks_begin_on_monday() {
    all(&[
        ("year(at)", Value::Int(2011)),
        ("month(at)", Value::Int(12)),
        ("day(at)", Value::Int(9)),
        ("weekday(at)", Value::Int(5)),
        ("hour(at)", Value::Int(8)),
        ("extract(year FROM at)", Value::Int(2011)),
        ("days_between(at, later)", Value::Float(2.5)),
        ("days_between(later, at)", Value::Float(-2.5)),
        ("at + INTERVAL '2 days' + INTERVAL '12' HOUR = later", Value::Bool(true)),
        ("later - INTERVAL '60h' = at", Value::Bool(true)),
        ("at < '2011-12-10'", Value::Bool(true)),
        ("at::date = DATE '2011-12-09'", Value::Bool(true)),
        ("as_of() = TIMESTAMP '2012-01-01 00:00:00'", Value::Bool(true)),
        ("CAST('2011-12-09' AS timestamp) < at", Value::Bool(true)),
    ]);
    assert_eq!(compile("as_of()").evaluate(&[], as_of()), Value::Time(as_of()));
    assert_eq!(compile("year(as_of())").evaluate(&[], Timestamp::MAX), NONE, "beyond the calendar");
}

#[test]
fn casts_read_what_can_be_read() {
    all(&[
        ("'42'::int", Value::Int(42)),
        ("' 42.5 '::int", Value::Int(42)),
        ("CAST(x AS int)", Value::Int(2)),
        ("3.5::int", Value::Int(4)),
        ("b::int", Value::Int(1)),
        ("'Yes'::bool", Value::Bool(true)),
        ("i::bool", Value::Bool(true)),
        ("i::float", Value::Float(7.0)),
        ("x::text", text("2.5")),
        ("b::text", text("true")),
        ("at::text", text("2011-12-09T08:26:00Z")),
        ("'1e2'::double precision", Value::Float(100.0)),
    ]);
}

#[test]
fn an_input_is_shared_not_copied() {
    let input = [Value::Int(0), Value::Int(0), Value::Float(0.0), Value::Float(0.0), text("abc")];
    let Value::Text(given) = &input[4] else { panic!("text") };
    let Value::Text(result) = compile("coalesce(t, 'none')").evaluate(&input, as_of()) else {
        panic!("text")
    };
    assert!(arcstr::ArcStr::ptr_eq(given, &result));
}

#[test]
fn an_expression_knows_its_slots_type_and_moves() {
    let expression = compile("x + y * x");
    assert_eq!((expression.slots(), expression.value_type()), ([2, 3].as_slice(), ValueType::Float));
    assert!(!expression.reads_as_of());
    assert!(compile("days_between(at, as_of()) > 3").reads_as_of());
    let moved = expression.with_slots(|slot| slot - 2);
    assert_eq!(moved.slots(), [0, 1]);
    assert_eq!(moved.evaluate(&[Value::Float(2.0), Value::Float(3.0)], as_of()), Value::Float(8.0));
}

#[test]
fn an_int_is_taken_where_a_float_is_wanted() {
    let weight = Expression::compile_as("i", &scope(), ValueType::Float).unwrap();
    assert_eq!(weight.evaluate(&row(), as_of()), Value::Float(7.0));
}

#[test]
fn inputs_of_another_type_than_promised_are_missing() {
    let wrong = vec![text("seven"); scope().len()];
    assert_eq!(compile("i + 1").evaluate(&wrong, as_of()), NONE);
    assert_eq!(compile("i + 1").evaluate(&[], as_of()), NONE);
    assert_eq!(compile("x").evaluate(&[Value::Int(0), Value::Int(0), Value::Float(f64::NAN)], as_of()), NONE);
    assert_eq!(
        compile("x + 1").evaluate(&[Value::Int(0), Value::Int(0), Value::Int(3)], as_of()),
        Value::Float(4.0)
    );
}

#[test]
fn a_condition_counts_only_when_it_is_true() {
    assert!(compile("b").is_true(&row(), as_of()));
    assert!(!compile("c").is_true(&row(), as_of()));
    let missing = vec![Value::Missing(Missing::NullAtSource); scope().len()];
    assert!(!compile("NOT c").is_true(&missing, as_of()));
}

#[test]
fn a_name_may_be_an_sql_word() {
    let scope: Vec<(String, ValueType)> =
        ["user", "line", "date", "order", "time"].iter().map(|n| ((*n).to_owned(), ValueType::Int)).collect();
    let expression = Expression::compile("\"user\" + line + date + \"order\" + time", &scope).unwrap();
    assert_eq!(expression.slots(), [0, 1, 2, 3, 4]);
    assert_eq!(Expression::compile("user * LINE", &scope).unwrap().slots(), [0, 1]);
}
