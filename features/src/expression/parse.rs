//! From text to a syntax tree.

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::expression::{ExpressionError, Problem};

/// Longest text of an expression, in bytes: keeps the tree's depth within any thread's stack.
const LONGEST: usize = 4096;
/// Deepest nesting of brackets and calls.
const DEEPEST: usize = 50;

/// SQL with as few words taken away from names as can be: a view may be called `user` or `line`.
#[derive(Debug)]
struct Scorehouse;

impl Dialect for Scorehouse {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }
}

/// Parses one expression that takes up the whole of `text`.
///
/// # Errors
/// [`Problem::Syntax`] with its place, [`Problem::TooLarge`].
pub(super) fn parse(text: &str) -> Result<Expr, ExpressionError> {
    if text.trim().is_empty() {
        return Err(Problem::Syntax("it is empty".to_owned()).into());
    }
    if text.len() > LONGEST {
        return Err(Problem::TooLarge("long (4096 bytes at most)").into());
    }
    let mut parser = Parser::new(&Scorehouse)
        .with_recursion_limit(DEEPEST)
        .try_with_sql(text)
        .map_err(|error| syntax(text, error))?;
    let tree = parser.parse_expr().map_err(|error| syntax(text, error))?;
    let rest = parser.peek_token();
    if rest.token == Token::EOF {
        return Ok(tree);
    }
    let at = place(text, rest.span.start.line, rest.span.start.column);
    Err(ExpressionError { problem: Problem::Syntax(format!("`{}` is not expected here", rest.token)), at })
}

fn syntax(text: &str, error: ParserError) -> ExpressionError {
    let message = match error {
        ParserError::RecursionLimitExceeded => return Problem::TooLarge("deep").into(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let Some((what, position)) = message.rsplit_once(" at Line: ") else {
        return Problem::Syntax(message).into();
    };
    let mut numbers = position.split(", Column: ").map(|n| n.trim().parse::<u64>());
    let at = match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => place(text, line, column),
        _ => None,
    };
    let what = what.replace("Expected: ", "expected ").replace("found: EOF", "found the end");
    ExpressionError { problem: Problem::Syntax(what), at }
}

/// The character of `text` (from 1) at a line and column (from 1); none for the parser's "nowhere", 0.
pub(super) fn place(text: &str, line: u64, column: u64) -> Option<usize> {
    let above = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok().filter(|column| *column > 0)?;
    Some(text.split('\n').take(above).map(|l| l.chars().count() + 1).sum::<usize>() + column)
}

/// The names that stand in `text`, dotted or not, as written and without asking what they mean (words of
/// SQL and functions among them); none when the text cannot be read at all.
#[must_use]
pub fn names_in(text: &str) -> Vec<Vec<String>> {
    let tokens = Tokenizer::new(&Scorehouse, text).tokenize().unwrap_or_default();
    let mut names: Vec<Vec<String>> = Vec::new();
    let mut after_dot = false;
    for token in tokens {
        match token {
            Token::Word(word) if after_dot => {
                if let Some(name) = names.last_mut() {
                    name.push(word.value);
                }
                after_dot = false;
            }
            Token::Word(word) => names.push(vec![word.value]),
            Token::Period => after_dot = true,
            _ => after_dot = false,
        }
    }
    names
}
