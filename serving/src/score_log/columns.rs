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
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::ValueType;

use super::record::{Answered, Answers, ItemsGiven, ScoreGiven};
use crate::error::ServeError;
use crate::live_model::LiveModel;

/// What the column of an input is called, before the input's own name.
pub const INPUT: &str = "input.";

fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn pairs(first: &str, second: &str, number: DataType) -> (DataType, Fields) {
    let fields =
        Fields::from(vec![Field::new(first, DataType::Utf8, false), Field::new(second, number, false)]);
    (DataType::List(Arc::new(Field::new("item", DataType::Struct(fields.clone()), false))), fields)
}

/// The columns of one version's answers.
pub fn schema(model: &LiveModel) -> SchemaRef {
    let mut fields = vec![
        Field::new("at", moment(), false),
        Field::new("as_of", moment(), false),
        Field::new("request", DataType::Utf8, true),
        Field::new("row", DataType::UInt32, false),
        Field::new("caller", DataType::Utf8, true),
        Field::new("model", DataType::Utf8, false),
        Field::new("version", DataType::UInt32, false),
        Field::new("alias", DataType::Utf8, true),
        Field::new("key", DataType::Utf8, true),
        Field::new("given", DataType::Utf8, true),
    ];
    if model.shelf().is_ok() {
        fields.push(Field::new("items", pairs("item", "score", DataType::Float32).0, false));
        return Arc::new(Schema::new(fields));
    }
    fields.extend([
        Field::new("stored", DataType::Boolean, false),
        Field::new("output", DataType::Float64, false),
        Field::new("raw", DataType::Float64, false),
        Field::new("base", DataType::Float64, true),
        Field::new("reasons", pairs("feature", "contribution", DataType::Float64).0, true),
    ]);
    let inputs = model.scoring().signature().inputs.iter();
    fields
        .extend(inputs.map(|input| Field::new(format!("{INPUT}{}", input.name), of(input.value_type), true)));
    Arc::new(Schema::new(fields))
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

/// The answers of one version as one batch.
///
/// # Errors
/// [`ServeError::Bug`] when the columns do not make the schema.
pub fn batch<'a>(
    schema: &SchemaRef,
    model: &LiveModel,
    answers: impl Iterator<Item = &'a Answered>,
) -> Result<RecordBatch, ServeError> {
    let mut columns = Columns::of(model);
    for answered in answers {
        match &answered.answers {
            Answers::Scores(rows) => {
                for (number, row) in rows.iter().enumerate() {
                    columns.head.push(answered, number, (row.as_of, row.key.as_deref()));
                    columns.score(model, row);
                }
            }
            Answers::Items(list) => {
                columns.head.push(answered, 0, (list.as_of, list.customer.as_deref()));
                columns.items(list);
            }
        }
    }
    let bug = |error: arrow_schema::ArrowError| ServeError::Bug { message: format!("score log: {error}") };
    RecordBatch::try_new(schema.clone(), columns.finish(model)).map_err(bug)
}

/// What every answer has.
struct Head {
    at: TimestampMicrosecondBuilder,
    as_of: TimestampMicrosecondBuilder,
    request: StringBuilder,
    row: UInt32Builder,
    caller: StringBuilder,
    model: StringBuilder,
    version: UInt32Builder,
    alias: StringBuilder,
    key: StringBuilder,
}

impl Head {
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
            key: StringBuilder::new(),
        }
    }

    fn push(&mut self, answered: &Answered, number: usize, (as_of, key): (Timestamp, Option<&str>)) {
        let Answered { at, selected, asker, .. } = answered;
        self.at.append_value(at.0);
        self.as_of.append_value(as_of.0);
        self.request.append_option(asker.request.as_ref().and_then(|id| id.to_str().ok()));
        self.row.append_value(number as u32);
        self.caller.append_option(asker.name());
        self.model.append_value(selected.model.name());
        self.version.append_value(selected.model.version().0);
        self.alias.append_option(selected.alias.as_ref().map(|alias| alias.as_str()));
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
            Arc::new(self.key.finish()),
        ]
    }
}

struct Columns {
    head: Head,
    given: StringBuilder,
    stored: BooleanBuilder,
    output: Float64Builder,
    raw: Float64Builder,
    base: Float64Builder,
    /// Reasons, or items.
    list: ListBuilder<StructBuilder>,
    inputs: Vec<ColumnBuilder>,
}

impl Columns {
    fn of(model: &LiveModel) -> Self {
        let recommends = model.shelf().is_ok();
        let (_, fields) = if recommends {
            pairs("item", "score", DataType::Float32)
        } else {
            pairs("feature", "contribution", DataType::Float64)
        };
        let item = Field::new("item", DataType::Struct(fields.clone()), false);
        let list = ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(item);
        let inputs = model.scoring().signature().inputs.iter();
        Self {
            head: Head::new(),
            given: StringBuilder::new(),
            stored: BooleanBuilder::new(),
            output: Float64Builder::new(),
            raw: Float64Builder::new(),
            base: Float64Builder::new(),
            list,
            inputs: inputs.map(|input| ColumnBuilder::new(input.value_type, 0)).collect(),
        }
    }

    fn score(&mut self, model: &LiveModel, row: &ScoreGiven) {
        self.given.append_option((!row.given.is_empty()).then(|| given(model, row)));
        self.stored.append_value(row.stored);
        self.output.append_value(row.score.output);
        self.raw.append_value(row.score.raw);
        let reasons = &row.score.explanation.reasons;
        self.base.append_option((!reasons.is_empty()).then_some(row.score.explanation.base));
        let to = self.list.values();
        for reason in reasons {
            if let Some(name) = to.field_builder::<StringBuilder>(0) {
                name.append_value(&reason.feature);
            }
            if let Some(number) = to.field_builder::<Float64Builder>(1) {
                number.append_value(reason.contribution);
            }
            to.append(true);
        }
        self.list.append(!reasons.is_empty());
        for (column, value) in self.inputs.iter_mut().zip(&row.inputs) {
            column.push(value);
        }
    }

    fn items(&mut self, list: &ItemsGiven) {
        self.given.append_value(&list.asked);
        let to = self.list.values();
        for item in &list.items {
            if let Some(name) = to.field_builder::<StringBuilder>(0) {
                name.append_value(&item.item);
            }
            if let Some(number) = to.field_builder::<Float32Builder>(1) {
                number.append_value(item.score);
            }
            to.append(true);
        }
        self.list.append(true);
    }

    fn finish(mut self, model: &LiveModel) -> Vec<ArrayRef> {
        let mut columns = self.head.finish();
        columns.push(Arc::new(self.given.finish()));
        if model.shelf().is_ok() {
            columns.push(Arc::new(self.list.finish()));
            return columns;
        }
        columns.push(Arc::new(self.stored.finish()));
        columns.push(Arc::new(self.output.finish()));
        columns.push(Arc::new(self.raw.finish()));
        columns.push(Arc::new(self.base.finish()));
        columns.push(Arc::new(self.list.finish()));
        columns.extend(self.inputs.into_iter().map(ColumnBuilder::finish));
        columns
    }
}

/// What the request gave, as a JSON object by name.
fn given(model: &LiveModel, row: &ScoreGiven) -> String {
    let named = row.given.iter().filter_map(|(slot, value)| Some((model.slot_name(*slot)?, value.to_json())));
    let object: serde_json::Map<String, serde_json::Value> =
        named.map(|(name, value)| (name.to_owned(), value)).collect();
    serde_json::Value::Object(object).to_string()
}
