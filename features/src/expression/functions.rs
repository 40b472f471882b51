//! The functions there are, with what they take and give.

use crate::value::ValueType;

/// A function of the table below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Sign,
    Round,
    Floor,
    Ceil,
    Ln,
    Log10,
    Exp,
    Sqrt,
    Power,
    Lower,
    Upper,
    Trim,
    TrimStart,
    TrimEnd,
    Length,
    Substr,
    Left,
    Right,
    StartsWith,
    EndsWith,
    Contains,
    Replace,
    /// Passes over missing arguments.
    Concat,
    /// `||`: missing when an operand is.
    Join,
    DaysBetween,
    Year,
    Month,
    Day,
    Weekday,
    Hour,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// An int or a float, as it is.
    Number,
    /// This type (an int is taken for a float).
    Of(ValueType),
    /// Anything; turned into text.
    AsText,
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// The type of its first argument.
    First,
    /// This type.
    Of(ValueType),
}

/// A function's row in the table.
#[derive(Debug)]
pub(super) struct Signature {
    pub name: &'static str,
    pub function: Function,
    pub parameters: &'static [Parameter],
    /// How many of the parameters must be given.
    pub required: usize,
    /// True when the last parameter may be repeated.
    pub repeated: bool,
    pub returns: Returns,
}

const NUMBER: Parameter = Parameter::Number;
const INT: Parameter = Parameter::Of(ValueType::Int);
const FLOAT: Parameter = Parameter::Of(ValueType::Float);
const TEXT: Parameter = Parameter::Of(ValueType::Text);
const TIME: Parameter = Parameter::Of(ValueType::Time);

const fn row(
    name: &'static str,
    function: Function,
    parameters: &'static [Parameter],
    returns: Returns,
) -> Signature {
    Signature { name, function, parameters, required: parameters.len(), repeated: false, returns }
}

const fn to(kind: ValueType) -> Returns {
    Returns::Of(kind)
}

static TABLE: &[Signature] = &[
    row("abs", Function::Abs, &[NUMBER], Returns::First),
    row("sign", Function::Sign, &[NUMBER], to(ValueType::Int)),
    Signature { required: 1, ..row("round", Function::Round, &[NUMBER, INT], Returns::First) },
    row("floor", Function::Floor, &[NUMBER], Returns::First),
    row("ceil", Function::Ceil, &[NUMBER], Returns::First),
    row("ln", Function::Ln, &[FLOAT], to(ValueType::Float)),
    row("log10", Function::Log10, &[FLOAT], to(ValueType::Float)),
    row("exp", Function::Exp, &[FLOAT], to(ValueType::Float)),
    row("sqrt", Function::Sqrt, &[FLOAT], to(ValueType::Float)),
    row("power", Function::Power, &[FLOAT, FLOAT], to(ValueType::Float)),
    row("lower", Function::Lower, &[TEXT], to(ValueType::Text)),
    row("upper", Function::Upper, &[TEXT], to(ValueType::Text)),
    row("trim", Function::Trim, &[TEXT], to(ValueType::Text)),
    row("ltrim", Function::TrimStart, &[TEXT], to(ValueType::Text)),
    row("rtrim", Function::TrimEnd, &[TEXT], to(ValueType::Text)),
    row("length", Function::Length, &[TEXT], to(ValueType::Int)),
    Signature { required: 2, ..row("substr", Function::Substr, &[TEXT, INT, INT], to(ValueType::Text)) },
    row("left", Function::Left, &[TEXT, INT], to(ValueType::Text)),
    row("right", Function::Right, &[TEXT, INT], to(ValueType::Text)),
    row("starts_with", Function::StartsWith, &[TEXT, TEXT], to(ValueType::Bool)),
    row("ends_with", Function::EndsWith, &[TEXT, TEXT], to(ValueType::Bool)),
    row("contains", Function::Contains, &[TEXT, TEXT], to(ValueType::Bool)),
    row("replace", Function::Replace, &[TEXT, TEXT, TEXT], to(ValueType::Text)),
    Signature {
        repeated: true,
        ..row("concat", Function::Concat, &[Parameter::AsText], to(ValueType::Text))
    },
    row("days_between", Function::DaysBetween, &[TIME, TIME], to(ValueType::Float)),
    row("year", Function::Year, &[TIME], to(ValueType::Int)),
    row("month", Function::Month, &[TIME], to(ValueType::Int)),
    row("day", Function::Day, &[TIME], to(ValueType::Int)),
    row("weekday", Function::Weekday, &[TIME], to(ValueType::Int)),
    row("hour", Function::Hour, &[TIME], to(ValueType::Int)),
];

/// Functions that the compiler knows itself, since their types depend on their arguments.
pub(super) const SPECIAL: [&str; 5] = ["coalesce", "nullif", "least", "greatest", "as_of"];

/// The function called `name` (in lower case).
pub(super) fn find(name: &str) -> Option<&'static Signature> {
    let name = match name {
        "ceiling" => "ceil",
        "substring" => "substr",
        "pow" => "power",
        "char_length" => "length",
        name => name,
    };
    TABLE.iter().find(|signature| signature.name == name)
}

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|signature| signature.name).chain(SPECIAL)
}
