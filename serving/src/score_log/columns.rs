//! Answers as Arrow columns, one schema per version of a model.
//!
//! What every answer has comes first; each input of the model is a column of its own, named `input.` and the
//! input, so that any reader of Parquet can look at it without knowing this program.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, Float64Builder, ListBuilder, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use scorehouse_features::source::column::ColumnBuilder;
use scorehouse_features::value::ValueType;
use serde::{Deserialize, Serialize};

use super::wire::{Body, Head, ItemsBody, ScoreBody, Told, answers};
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// What the column of an input is called, before the input's own name.
pub const INPUT: &str = "input.";

/// The form of the bytes of answers (`wire`). It grows with every change of theirs, since they do not describe themselves.
const FORM: u32 = 2;

fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn pairs(first: &str, second: &str, number: DataType) -> (DataType, Fields) {
    let fields =
        Fields::from(vec![Field::new(first, DataType::Utf8, false), Field::new(second, number, false)]);
    (DataType::List(Arc::new(Field::new("item", DataType::Struct(fields.clone()), false))), fields)
}

/// What the answers of one version look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// The form of the answers' bytes, [`FORM`]; 0 before forms were told apart.
    #[serde(default)]
    form: u32,
    model: String,
    version: u32,
    /// True for lists of products, false for scores.
    items: bool,
    /// The model's inputs in the order of its signature.
    inputs: Vec<(String, ValueType)>,
}

impl Shape {
    /// The shape of a version's answers.
    #[must_use]
    pub fn of(model: &LiveModel) -> Self {
        let items = model.shelf().is_ok();
        let inputs = model.scoring().signature().inputs.iter().filter(|_| !items);
        Self {
            form: FORM,
            model: model.name().to_owned(),
            version: model.version().0,
            items,
            inputs: inputs.map(|input| (input.name.to_string(), input.value_type)).collect(),
        }
    }

    /// True when this program can read the answers.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.form == FORM
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("at", moment(), false),
            Field::new("as_of", moment(), false),
            Field::new("request", DataType::Utf8, true),
            Field::new("row", DataType::UInt32, false),
            Field::new("caller", DataType::Utf8, true),
            Field::new("model", DataType::Utf8, false),
            Field::new("version", DataType::UInt32, false),
            Field::new("alias", DataType::Utf8, true),
            Field::new("variant", DataType::Utf8, true),
            Field::new("key", DataType::Utf8, true),
            Field::new("given", DataType::Utf8, true),
        ];
        if self.items {
            fields.push(Field::new("items", pairs("item", "score", DataType::Float32).0, false));
            return Arc::new(Schema::new(fields));
        }
        fields.extend([
            Field::new("stored", DataType::Boolean, false),
            Field::new("output", DataType::Float64, false),
            Field::new("raw", DataType::Float64, false),
            Field::new("base", DataType::Float64, true),
            Field::new("reasons", pairs("feature", "contribution", DataType::Float64).0, true),
            Field::new("track", DataType::Utf8, true),
            Field::new("action", DataType::Utf8, true),
            Field::new("rule", DataType::Utf8, true),
        ]);
        let input = |(name, value_type): &(String, ValueType)| {
            Field::new(format!("{INPUT}{name}"), of(*value_type), true)
        };
        fields.extend(self.inputs.iter().map(input));
        Arc::new(Schema::new(fields))
    }
}

fn of(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int => DataType::Int64,
        ValueType::Float => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Time => moment(),
    }
}

/// The answers of one version as one batch, up to one that cannot be read, and whether that is all of them.
///
/// # Errors
/// [`ServeError::Bug`] when the columns do not make the schema.
pub fn batch(shape: &Shape, bytes: &[u8]) -> Result<(RecordBatch, bool), ServeError> {
    let mut columns = Columns::of(shape);
    let mut whole = true;
    for answer in answers(bytes) {
        let Ok((head, Told { row, key, body })) = answer else {
            whole = false;
            break;
        };
        match body {
            Body::Score(score) if !shape.items && score.width() == shape.inputs.len() => {
                columns.head.push(shape, &head, (row, key, score.as_of));
                columns.score(&score);
            }
            Body::Items(list) if shape.items => {
                columns.head.push(shape, &head, (row, key, list.as_of));
                columns.items(&list);
            }
            _ => {
                whole = false;
                break;
            }
        }
    }
    let bug = |error: arrow_schema::ArrowError| ServeError::Bug { message: format!("score log: {error}") };
    Ok((RecordBatch::try_new(shape.schema(), columns.finish(shape)).map_err(bug)?, whole))
}

/// What every answer has.
struct Common {
    at: TimestampMicrosecondBuilder,
    as_of: TimestampMicrosecondBuilder,
    request: StringBuilder,
    row: UInt32Builder,
    caller: StringBuilder,
    model: StringBuilder,
    version: UInt32Builder,
    alias: StringBuilder,
    variant: StringBuilder,
    key: StringBuilder,
}

impl Common {
    fn new() -> Self {
        let moments = || TimestampMicrosecondBuilder::new().with_data_type(moment());
        Self {
            at: moments(),
            as_of: moments(),
            request: StringBuilder::new(),
            row: UInt32Builder::new(),
            caller: StringBuilder::new(),
            model: StringBuilder::new(),
            version: UInt32Builder::new(),
            alias: StringBuilder::new(),
            variant: StringBuilder::new(),
            key: StringBuilder::new(),
        }
    }

    fn push(&mut self, shape: &Shape, head: &Head<'_>, (row, key, as_of): (u32, Option<&str>, i64)) {
        self.at.append_value(head.at);
        self.as_of.append_value(as_of);
        self.request.append_option(head.request);
        self.row.append_value(row);
        self.caller.append_option(head.caller);
        self.model.append_value(&shape.model);
        self.version.append_value(shape.version);
        self.alias.append_option(head.alias);
        self.variant.append_option(head.variant);
        self.key.append_option(key);
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.at.finish()),
            Arc::new(self.as_of.finish()),
            Arc::new(self.request.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.caller.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.alias.finish()),
            Arc::new(self.variant.finish()),
            Arc::new(self.key.finish()),
        ]
    }
}

struct Columns {
    head: Common,
    given: StringBuilder,
    stored: BooleanBuilder,
    output: Float64Builder,
    raw: Float64Builder,
    base: Float64Builder,
    /// Reasons, or items.
    list: ListBuilder<StructBuilder>,
    decision: [StringBuilder; 3],
    inputs: Vec<ColumnBuilder>,
}

impl Columns {
    fn of(shape: &Shape) -> Self {
        let (_, fields) = if shape.items {
            pairs("item", "score", DataType::Float32)
        } else {
            pairs("feature", "contribution", DataType::Float64)
        };
        let item = Field::new("item", DataType::Struct(fields.clone()), false);
        let list = ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(item);
        Self {
            head: Common::new(),
            given: StringBuilder::new(),
            stored: BooleanBuilder::new(),
            output: Float64Builder::new(),
            raw: Float64Builder::new(),
            base: Float64Builder::new(),
            list,
            decision: Default::default(),
            inputs: shape.inputs.iter().map(|(_, value_type)| ColumnBuilder::new(*value_type, 0)).collect(),
        }
    }

    fn score(&mut self, score: &ScoreBody<'_>) {
        self.given.append_option((!score.given.is_empty()).then_some(&score.given));
        self.stored.append_value(score.stored);
        self.output.append_value(score.output);
        self.raw.append_value(score.raw);
        self.base.append_option((!score.reasons.is_empty()).then_some(score.base));
        let to = self.list.values();
        for (feature, contribution) in &score.reasons {
            if let Some(name) = to.field_builder::<StringBuilder>(0) {
                name.append_value(feature);
            }
            if let Some(number) = to.field_builder::<Float64Builder>(1) {
                number.append_value(*contribution);
            }
            to.append(true);
        }
        self.list.append(!score.reasons.is_empty());
        let decided = score.decision.map_or([None; 3], |(track, action, rule)| [Some(track), action, rule]);
        for (column, told) in self.decision.iter_mut().zip(decided) {
            column.append_option(told);
        }
        for (column, cell) in self.inputs.iter_mut().zip(score.cells()) {
            cell.push_to(column);
        }
    }

    fn items(&mut self, list: &ItemsBody<'_>) {
        self.given.append_value(list.asked);
        let to = self.list.values();
        for (item, score) in &list.items {
            if let Some(name) = to.field_builder::<StringBuilder>(0) {
                name.append_value(item);
            }
            if let Some(number) = to.field_builder::<Float32Builder>(1) {
                number.append_value(*score);
            }
            to.append(true);
        }
        self.list.append(true);
    }

    fn finish(mut self, shape: &Shape) -> Vec<ArrayRef> {
        let mut columns = self.head.finish();
        columns.push(Arc::new(self.given.finish()));
        if shape.items {
            columns.push(Arc::new(self.list.finish()));
            return columns;
        }
        columns.push(Arc::new(self.stored.finish()));
        columns.push(Arc::new(self.output.finish()));
        columns.push(Arc::new(self.raw.finish()));
        columns.push(Arc::new(self.base.finish()));
        columns.push(Arc::new(self.list.finish()));
        columns.extend(self.decision.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef));
        columns.extend(self.inputs.into_iter().map(ColumnBuilder::finish));
        columns
    }
}
