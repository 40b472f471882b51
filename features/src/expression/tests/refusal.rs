//! What is refused, why, and where.

use crate::expression::tests::scope;
use crate::expression::{Expression, ExpressionError, Problem, names_in};
use crate::value::ValueType;

fn refused(text: &str) -> ExpressionError {
    Expression::compile(text, &scope()).expect_err(text)
}

#[test]
fn unknown_names_come_with_their_place_and_neighbour() {
    let error = refused("i + latr");
    assert_eq!((error.at, error.nearest()), (Some(5), Some("later")));
    let error = refused("i +\n  latr");
    assert_eq!(error.at, Some(7), "characters are counted through lines");
    assert_eq!(refused("flor(x)").nearest(), Some("floor"));
    assert_eq!(refused("nothing_like_it(x)").nearest(), None);
}

#[test]
fn types_that_do_not_fit_are_told() {
    for (text, told) in [
        ("i + t", "an operand of `+` must be a number, but is text"),
        ("i = t", "both sides of a comparison must be int, but is text"),
        ("NOT i", "the operand of NOT must be bool, but is int"),
        ("i AND b", "an operand of AND must be bool, but is int"),
        ("lower(i)", "argument 1 of `lower` must be text, but is int"),
        ("CASE WHEN b THEN 1 ELSE 'x' END", "every branch of CASE must be int, but is text"),
        ("at > 'yesterday'", "the text must be a date"),
        ("later - at", "days_between(a, b) gives the days"),
        ("at::int", "a cast from time to int cannot be used here"),
        ("x::money", "the type must be bool, int, float, text, time or date, but is `money`"),
        ("at + INTERVAL '1 month'", "an interval must be like INTERVAL '30 days'"),
        ("greatest(b, c)", "an argument of `greatest` must be a number, text or time, but is bool"),
    ] {
        let error = refused(text).to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn calls_with_too_few_or_too_many_arguments_are_told() {
    for (text, told) in [
        ("round()", "`round` takes 1 or 2 arguments, but none was given"),
        ("power(x)", "`power` takes 2 arguments, but 1 was given"),
        ("as_of(1)", "`as_of` takes no argument, but 1 was given"),
        ("nullif(i, 1, 2)", "`nullif` takes 2 arguments, but 3 were given"),
        ("coalesce()", "`coalesce` takes at least 1 argument, but none was given"),
    ] {
        assert_eq!(refused(text).to_string(), told);
    }
}

#[test]
fn sql_beyond_expressions_is_refused() {
    for text in [
        "(SELECT 1)",
        "EXISTS (SELECT 1)",
        "i IN (SELECT 1)",
        "sum(x) OVER ()",
        "count(DISTINCT i)",
        "i; DROP TABLE t",
        "ARRAY[1]",
        "$1",
        "?",
        "i & j",
        "x'FF'",
        "i COLLATE \"C\"",
        "INTERVAL '1 day'",
        "count(*)",
        "a.b.c.d",
        "now()",
        "random()",
        "t SIMILAR TO 'x'",
        "(i, j)",
        "i AT TIME ZONE 'UTC'",
        "*",
    ] {
        refused(text);
    }
}

#[test]
fn broken_text_is_refused_with_its_place() {
    assert_eq!(refused("").to_string(), "not an expression: it is empty");
    assert_eq!(refused("i +").problem, refused("i + ").problem);
    let error = refused("i j");
    assert_eq!(
        (error.to_string().as_str(), error.at),
        ("not an expression: `j` is not expected here", Some(3))
    );
    assert!(refused("'abc").to_string().contains("Unterminated"));
}

#[test]
fn a_null_alone_has_no_type() {
    assert_eq!(refused("NULL").problem, Problem::AlwaysNull);
    assert_eq!(refused("coalesce(NULL, NULL)").problem, Problem::AlwaysNull);
}

#[test]
fn another_type_than_the_place_needs_is_refused() {
    let error = Expression::compile_as("t", &scope(), ValueType::Bool).unwrap_err();
    assert_eq!(error.to_string(), "the expression must be bool, but is text");
}

#[test]
fn monsters_are_refused_before_they_harm() {
    let long = format!("i{}", " + i".repeat(1500));
    assert!(matches!(refused(&long).problem, Problem::TooLarge(_)));
    let chain = format!("i{}", " + i".repeat(900));
    assert!(matches!(refused(&chain).problem, Problem::TooLarge(_)));
    let nested = format!("{}i{}", "(".repeat(900), ")".repeat(900));
    assert!(matches!(refused(&nested).problem, Problem::TooLarge(_)));
    let negated = format!("{}b", "NOT ".repeat(900));
    refused(&negated);
    let ok = format!("i{}", " + i".repeat(150));
    assert!(Expression::compile(&ok, &scope()).is_ok());
}

#[test]
fn names_are_found_without_meaning() {
    let names = |text: &str| names_in(text).into_iter().map(|name| name.join(".")).collect::<Vec<_>>();
    assert_eq!(
        names("account.orders.x > deal.amount AND 'no.name' = t -- a.b"),
        ["account.orders.x", "deal.amount", "AND", "t"]
    );
    assert!(names("'unterminated").is_empty());
}
