//! How the values of a row become the numbers that a predictor reads.
//!
//! One input may become several columns (one per level, a missing flag), and a column belongs to exactly one
//! input, so that a reason can be told per input.

mod reader;
mod transform;

use serde::{Deserialize, Serialize};

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

pub(crate) use reader::Reader;
pub use transform::{CalendarPart, Levels, Means, Transform};

use crate::error::ModelError;
use crate::signature::{InputField, Signature};

/// The columns of a predictor's row, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoder {
    columns: Vec<EncodedColumn>,
}

/// One column of a predictor's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedColumn {
    /// Position of the input it is made from.
    pub input: usize,
    /// What is made of the input's value.
    pub transform: Transform,
    /// What is done to that number afterwards; none leaves it, missing staying NaN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// Standardising for models that need columns of one size and cannot read missing values:
/// `(number - mean) / scale`, cut to `±limit`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; above 0.
    pub scale: f64,
    /// Stands in for a missing number, before subtracting and dividing.
    pub fill: f64,
    /// Largest size of the result; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

impl EncodedColumn {
    /// A column without scaling.
    #[must_use]
    pub const fn new(input: usize, transform: Transform) -> Self {
        Self { input, transform, scaling: None }
    }

    /// The same column, scaled.
    #[must_use]
    pub const fn scaled(mut self, scaling: Scaling) -> Self {
        self.scaling = Some(scaling);
        self
    }

    /// Its number for a value; NaN where the value is missing and no scaling fills it.
    #[inline]
    #[must_use]
    pub fn encode(&self, value: &Value, as_of: Timestamp) -> f64 {
        let number = self.transform.apply(value, as_of);
        match &self.scaling {
            None => number,
            Some(scaling) => scaling.apply(number),
        }
    }

    /// The column's name for readers: `contract = two years`.
    #[must_use]
    pub fn label(&self, signature: &Signature) -> String {
        let input = signature.inputs.get(self.input).map_or("?", |i| i.name.as_str());
        self.transform.label(input)
    }
}

impl Scaling {
    /// The scaled number; never NaN for finite parts.
    #[must_use]
    pub fn apply(&self, number: f64) -> f64 {
        let filled = if number.is_nan() { self.fill } else { number };
        let scaled = (filled - self.mean) / self.scale;
        match self.limit {
            None => scaled,
            Some(limit) => scaled.clamp(-limit, limit),
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        let finite = self.mean.is_finite() && self.fill.is_finite() && self.scale.is_finite();
        let limited = self.limit.is_none_or(|l| l.is_finite() && l > 0.0);
        if finite && limited && self.scale > 0.0 {
            return Ok(());
        }
        Err(ModelError::invalid(
            "encoder",
            format!("{self:?}: numbers must be finite, scale and limit above 0"),
        ))
    }
}

impl Encoder {
    /// Takes the columns and checks them against the signature.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when a column reads an input that is not there or of another type.
    pub fn new(columns: Vec<EncodedColumn>, signature: &Signature) -> Result<Self, ModelError> {
        let encoder = Self { columns };
        encoder.check(signature)?;
        Ok(encoder)
    }

    /// One column per input: numbers as they are, booleans as 0 and 1, moments as days before the as-of time.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when an input is text, which has no number of its own.
    pub fn numeric(signature: &Signature) -> Result<Self, ModelError> {
        let column = |(i, input): (usize, &InputField)| {
            let transform = match input.value_type {
                ValueType::Bool => Transform::Bool,
                ValueType::Int | ValueType::Float => Transform::Number,
                ValueType::Time => Transform::DaysBeforeAsOf,
                ValueType::Text => {
                    let why = format!("input {} is text, but the model reads numbers", input.name);
                    return Err(ModelError::invalid("encoder", why));
                }
            };
            Ok(EncodedColumn::new(i, transform))
        };
        let columns = signature.inputs.iter().enumerate().map(column).collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// The columns in order.
    #[must_use]
    pub fn columns(&self) -> &[EncodedColumn] {
        &self.columns
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Writes the columns' numbers into `row`. Values must have passed [`Signature::accept`]; an input that is
    /// not there is read as missing.
    pub fn encode(&self, values: &[Value], as_of: Timestamp, row: &mut [f64]) {
        for (column, number) in self.columns.iter().zip(row) {
            *number = values.get(column.input).map_or(f64::NAN, |value| column.encode(value, as_of));
        }
    }

    /// Checks every column against the signature.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] naming the column.
    pub fn check(&self, signature: &Signature) -> Result<(), ModelError> {
        for (i, column) in self.columns.iter().enumerate() {
            let Some(input) = signature.inputs.get(column.input) else {
                let why = format!("column {i} reads input {} of {}", column.input, signature.inputs.len());
                return Err(ModelError::invalid("encoder", why));
            };
            if !column.transform.reads(input.value_type) {
                let kind = column.transform.label(&input.name);
                let why = format!("column {i} ({kind}) cannot be made from {} values", input.value_type);
                return Err(ModelError::invalid("encoder", why));
            }
            column.transform.check()?;
            column.scaling.iter().try_for_each(Scaling::check)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Output;
    use scorehouse_features::time::DAY;
    use scorehouse_features::value::Missing;

    fn signature() -> Signature {
        let input = |name: &str, value_type| InputField::new(name, value_type);
        let inputs = vec![
            input("amount", ValueType::Float),
            input("plan", ValueType::Text),
            input("since", ValueType::Time),
            input("active", ValueType::Bool),
        ];
        Signature { entity: None, feature_set: None, inputs, output: Output::Probability }
    }

    fn levels(names: &[&str]) -> Levels {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn every_transform() -> Encoder {
        let plans = levels(&["basic", "gold"]);
        let means: Means = [("gold".to_owned(), 0.8)].into_iter().collect();
        let columns = vec![
            EncodedColumn::new(0, Transform::Number),
            EncodedColumn::new(0, Transform::SignedLog),
            EncodedColumn::new(1, Transform::Code { levels: plans.clone() }),
            EncodedColumn::new(1, Transform::OneHot { level: "gold".into() }),
            EncodedColumn::new(1, Transform::Unlisted { levels: plans }),
            EncodedColumn::new(1, Transform::TargetMean { means, prior: 0.3 }),
            EncodedColumn::new(2, Transform::DaysBeforeAsOf),
            EncodedColumn::new(3, Transform::Bool),
            EncodedColumn::new(0, Transform::IsMissing),
        ];
        Encoder::new(columns, &signature()).unwrap()
    }

    fn encoded(amount: Value, plan: &str, since: i64, active: bool) -> Vec<f64> {
        let values =
            [amount, Value::Text(plan.into()), Value::Time(Timestamp(since * DAY)), Value::Bool(active)];
        let mut row = vec![0.0; 9];
        every_transform().encode(&values, Timestamp(10 * DAY), &mut row);
        row
    }

    #[test]
    fn every_transform_gives_its_number() {
        let log = -std::f64::consts::LN_2;
        let known = encoded(Value::Float(-1.0), "gold", 7, true);
        assert_eq!(known, [-1.0, log, 1.0, 1.0, 0.0, 0.8, 3.0, 1.0, 0.0]);
    }

    #[test]
    fn a_level_never_seen_gets_the_code_after_the_last_and_the_prior() {
        let unknown = encoded(Value::Int(2), "iron", 10, false);
        assert_eq!(unknown[2..8], [2.0, 0.0, 1.0, 0.3, 0.0, 0.0]);
    }

    #[test]
    fn a_missing_value_is_nan_never_zero_except_in_flags() {
        let mut row = vec![0.0; 9];
        let missing = vec![Value::Missing(Missing::NeverSeen); 4];
        every_transform().encode(&missing, Timestamp(0), &mut row);
        assert!([0, 1, 2, 6, 7].iter().all(|i: &usize| row[*i].is_nan()), "{row:?}");
        assert_eq!((row[3], row[4], row[5], row[8]), (0.0, 0.0, 0.3, 1.0));
    }

    #[test]
    fn scaling_fills_standardises_and_cuts() {
        let scaling = Scaling { mean: 10.0, scale: 2.0, fill: 12.0, limit: Some(3.0) };
        assert_eq!([f64::NAN, 8.0, 1000.0].map(|x| scaling.apply(x)), [1.0, -1.0, 3.0]);
    }

    #[test]
    fn numbers_and_booleans_can_be_categories() {
        let code = Transform::Code { levels: levels(&["-7", "12", "true", "-9223372036854775808"]) };
        let now = Timestamp(0);
        assert_eq!(code.apply(&Value::Int(-7), now), 0.0);
        assert_eq!(code.apply(&Value::Float(12.0), now), 1.0);
        assert_eq!(code.apply(&Value::Bool(true), now), 2.0);
        assert_eq!(code.apply(&Value::Int(i64::MIN), now), 3.0);
        assert_eq!(code.apply(&Value::Int(5), now), 4.0);
    }

    #[test]
    fn calendar_parts_are_read_in_utc() {
        let moment = Value::Time(Timestamp::parse("2011-12-09T23:30:00Z").unwrap());
        let part = |part| Transform::Calendar { part }.apply(&moment, Timestamp(0));
        assert_eq!(part(CalendarPart::Month), 12.0);
        assert_eq!(part(CalendarPart::DayOfMonth), 9.0);
        assert_eq!(part(CalendarPart::Weekday), 5.0);
        assert_eq!(part(CalendarPart::Hour), 23.0);
    }

    #[test]
    fn a_column_that_does_not_fit_its_input_is_refused() {
        let wrong = vec![EncodedColumn::new(1, Transform::Number)];
        assert!(Encoder::new(wrong, &signature()).is_err());
        let beyond = vec![EncodedColumn::new(9, Transform::Number)];
        assert!(Encoder::new(beyond, &signature()).is_err());
        let flat = Scaling { mean: 0.0, scale: 0.0, fill: 0.0, limit: None };
        let unscaled = vec![EncodedColumn::new(0, Transform::Number).scaled(flat)];
        assert!(Encoder::new(unscaled, &signature()).is_err());
    }

    #[test]
    fn an_encoder_survives_json() {
        let text = serde_json::to_string(&every_transform()).unwrap();
        assert_eq!(serde_json::from_str::<Encoder>(&text).unwrap(), every_transform());
    }
}
