//! Running a feature plan for many entities.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::expressions::Column as ColumnExpr;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, collect};
use datafusion::prelude::SessionContext;
use scorehouse_features::ids::{ColumnName, LocalName, SourceName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};
use scorehouse_features::view::key::{is_key, key_text};
use scorehouse_features::view::plan::Derive;
use scorehouse_features::view::{Column, FeaturePlan, Gather, Layout, Step, TableLayout};

use crate::error::OfflineError;
use crate::point_in_time::answer::Answering;
use crate::point_in_time::chunks::COPIES;
use crate::point_in_time::operator::PointInTimeExec;
use crate::point_in_time::questions::{KEY, Questions};
use crate::point_in_time::slot::{SlotBuilder, SlotColumn};

/// Bytes of rows that the operator takes at a time from sorted input, at most.
const LARGEST_CHUNK: u64 = 64 << 20;
/// Share of the memory that all operators of a join may hold while their inputs are sorted beside them.
const SHARE: u64 = 4;
/// An input is taken whole into memory when it is smaller than the limit divided by this: it is held as it
/// comes, sorted, and beside other inputs.
const HEADROOM: u64 = 6;

/// The rows of one source as DataFusion reads them.
#[derive(Debug, Clone)]
pub struct SourceInput {
    /// Reads the asked columns, then `__event_time`, `__available_time` and `__arrival`.
    pub plan: Arc<dyn ExecutionPlan>,
    /// About how many bytes these columns take in memory.
    pub bytes: u64,
}

/// Where the engine reads the rows of sources.
#[async_trait]
pub trait SourceRows: Send + Sync {
    /// The rows of `source` with these columns.
    ///
    /// # Errors
    /// When the source is not known or cannot be read.
    async fn source_rows(
        &self,
        source: &SourceName,
        columns: &[ColumnName],
    ) -> Result<SourceInput, OfflineError>;
}

/// Entities at moments, with what a request would bring.
#[derive(Debug, Clone)]
pub struct EntityRows {
    /// Whom to look at; null asks about nobody and gets missing values.
    pub keys: StringArray,
    /// When, microseconds, one for each key.
    pub as_of: Int64Array,
    /// Request fields: a column each, as long as the keys.
    pub request: Vec<(LocalName, Column)>,
}

/// The engine: a plan, the rows it reads, and where DataFusion runs.
pub struct PointInTime<'a> {
    /// What is computed.
    pub plan: &'a FeaturePlan,
    /// The numbering of tables that the plan was compiled with.
    pub layout: Arc<Layout>,
    /// Where rows come from.
    pub sources: &'a dyn SourceRows,
    /// Memory pool, spill folder and number of partitions.
    pub context: &'a SessionContext,
    /// Bytes of the memory pool.
    pub memory: u64,
}

/// Values computed so far.
struct State<'a> {
    rows: &'a EntityRows,
    slots: Vec<Option<SlotColumn>>,
    /// The key of each holder, row by row.
    holders: Vec<Option<StringArray>>,
}

impl PointInTime<'_> {
    /// The features of the plan, one column each in its order, row i being that of entity row i.
    ///
    /// # Errors
    /// [`OfflineError::EntityRows`] when there are 2^32 rows or more, [`OfflineError::Memory`] when even a spilling join
    /// does not fit, and what reading the sources reports.
    pub async fn features(&self, rows: &EntityRows) -> Result<Vec<SlotColumn>, OfflineError> {
        if u32::try_from(rows.keys.len()).is_err() {
            return Err(OfflineError::EntityRows("more than 2^32 rows".to_owned()));
        }
        let mut state = State {
            rows,
            slots: vec![None; self.plan.slots()],
            holders: vec![None; self.plan.holders().len()],
        };
        state.holders[0] = Some(rows.keys.clone());
        for (name, slot) in self.plan.request_fields() {
            state.slots[*slot] = Some(request_field(rows, name, self.slot_type(*slot)?));
        }
        let mut steps = self.plan.steps();
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            match step {
                Step::Gather(_) => {
                    // Gathering steps that stand together do not read one another's slots.
                    let more = rest.iter().take_while(|step| matches!(step, Step::Gather(_))).count();
                    let (together, rest) = rest.split_at(more);
                    steps = rest;
                    let gathers = std::iter::once(step).chain(together);
                    self.gather_all(gathers.filter_map(Step::gather), &mut state).await?;
                }
                Step::Link { holder, key } => link(*holder, *key, &mut state)?,
                Step::Derive(derive) => self.derive(derive, &mut state)?,
            }
        }
        self.plan.outputs().iter().map(|slot| state.slot(*slot).cloned()).collect()
    }

    fn slot_type(&self, slot: usize) -> Result<ValueType, OfflineError> {
        self.plan
            .slot_type(slot)
            .ok_or_else(|| OfflineError::Internal(format!("the plan has no slot {slot}")))
    }

    /// Runs steps that do not depend on one another; at the same time, when all they read fits.
    async fn gather_all<'g>(
        &self,
        gathers: impl Iterator<Item = &'g Gather>,
        state: &mut State<'_>,
    ) -> Result<(), OfflineError> {
        let mut waiting = Vec::new();
        for gather in gathers {
            waiting.push((gather, self.input(gather).await?));
        }
        let whole = waiting.iter().map(|(_, input)| input.bytes).sum::<u64>() <= self.memory / HEADROOM;
        let mut running = Vec::new();
        for (gather, input) in waiting {
            let asking = self.ask(gather, input, state)?;
            if !whole {
                let batches = asking.collect(self.context).await?;
                self.put(&asking, &batches, state)?;
                continue;
            }
            let (plan, context) = (asking.plan.clone(), self.context.task_ctx());
            running.push((asking, SpawnedTask::spawn(collect(plan, context))));
        }
        for (asking, task) in running {
            let stopped = |error| OfflineError::Internal(format!("a join stopped: {error}"));
            let batches = task.join().await.map_err(stopped)?.map_err(from_query)?;
            self.put(&asking, &batches, state)?;
        }
        Ok(())
    }

    /// The plan that answers one step.
    fn ask(&self, gather: &Gather, input: SourceInput, state: &State<'_>) -> Result<Asking, OfflineError> {
        let mut slots = Vec::with_capacity(gather.fills.len());
        for slot in &gather.fills {
            slots.push((*slot, self.slot_type(*slot)?));
        }
        let questions = questions(gather.holder, state)?;
        let asked = questions.num_rows();
        let answering =
            Arc::new(Answering::new(self.layout.clone(), gather.clone(), slots.clone(), self.plan.slots()));
        Ok(Asking { plan: self.operator(gather, input, questions, answering)?, slots, asked })
    }

    /// Fills a step's slots from its answers.
    fn put(
        &self,
        asking: &Asking,
        batches: &[RecordBatch],
        state: &mut State<'_>,
    ) -> Result<(), OfflineError> {
        let all = arrow_select::concat::concat_batches(&asking.plan.schema(), batches)?;
        if all.num_rows() != asking.asked {
            let why = format!("{} questions got {} answers", asking.asked, all.num_rows());
            return Err(OfflineError::Internal(why));
        }
        let order = places(all.column(0).as_primitive::<UInt32Type>(), state.rows.keys.len());
        for (at, (slot, value_type)) in asking.slots.iter().enumerate() {
            let answers = SlotColumn {
                values: all.column(1 + 2 * at).clone(),
                missing: all.column(2 + 2 * at).clone(),
            };
            state.slots[*slot] = Some(spread(&answers, &order, *value_type)?);
        }
        Ok(())
    }

    fn table(&self, gather: &Gather) -> Result<&TableLayout, OfflineError> {
        let table = self.layout.tables().get(gather.table.0);
        table.ok_or_else(|| OfflineError::Internal(format!("no table {}", gather.table.0)))
    }

    /// The rows that a step reads.
    async fn input(&self, gather: &Gather) -> Result<SourceInput, OfflineError> {
        let table = self.table(gather)?;
        let source = self.layout.source(&table.source);
        let source = source.ok_or_else(|| OfflineError::Internal(format!("no source {}", table.source)))?;
        let numbers = self.layout.read_columns(&table.source);
        let columns: Vec<ColumnName> =
            numbers.iter().map(|number| source.columns[*number].0.clone()).collect();
        self.sources.source_rows(&table.source, &columns).await
    }

    /// The operator over its inputs: whole when the rows are few, else partitioned by key and sorted, which
    /// spills beyond the memory pool.
    fn operator(
        &self,
        gather: &Gather,
        input: SourceInput,
        questions: RecordBatch,
        answering: Arc<Answering>,
    ) -> Result<Arc<dyn ExecutionPlan>, OfflineError> {
        let asked: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&[vec![questions]], Questions::schema(), None)
                .map_err(from_query)?;
        let key = self.table(gather)?.key.as_str();
        if input.bytes <= self.memory / HEADROOM {
            let rows = single(input.plan);
            return Ok(Arc::new(PointInTimeExec::new((asked, rows), answering, key, None)));
        }
        let partitions = self.context.copied_config().target_partitions().max(1);
        let chunk = self.memory / (SHARE * COPIES as u64 * partitions as u64);
        let chunk = usize::try_from(chunk.min(LARGEST_CHUNK)).unwrap_or(usize::MAX);
        let asked = by_key(asked, KEY, partitions)?;
        let rows = by_key(input.plan, key, partitions)?;
        let by = PhysicalSortExpr::new_default(Arc::new(
            ColumnExpr::new_with_schema(key, &rows.schema()).map_err(from_query)?,
        ));
        let order = LexOrdering::new([by]).ok_or_else(|| OfflineError::Internal("no order".to_owned()))?;
        let rows = Arc::new(SortExec::new(order, rows).with_preserve_partitioning(true));
        Ok(Arc::new(PointInTimeExec::new((asked, rows), answering, key, Some(chunk))))
    }

    fn derive(&self, derive: &Derive, state: &mut State<'_>) -> Result<(), OfflineError> {
        let rows = state.rows.keys.len();
        let mut inputs = Vec::with_capacity(derive.inputs.len());
        for slot in &derive.inputs {
            let column = state.slot(*slot)?;
            inputs.push((*slot, column, Column::from_arrow(&column.values, self.slot_type(*slot)?)?));
        }
        let holder = state.holders.get(derive.holder).and_then(Option::as_ref);
        let mut builder = SlotBuilder::new(self.slot_type(derive.slot)?, rows);
        let mut slots = vec![Value::Missing(Missing::NotGiven); self.plan.slots()];
        let mut scratch = Vec::new();
        for row in 0..rows {
            for (slot, missing, column) in &inputs {
                slots[*slot] = missing.value(column, row);
            }
            let linked = derive.holder == 0 || holder.is_some_and(|keys| keys.is_valid(row));
            let as_of = Timestamp(state.rows.as_of.value(row));
            builder.push(&derive.evaluate(linked, &slots, as_of, &mut scratch));
        }
        state.slots[derive.slot] = Some(builder.finish());
        Ok(())
    }
}

/// A step that is being answered.
struct Asking {
    plan: Arc<dyn ExecutionPlan>,
    /// The slots it fills, in the order of the answers' columns.
    slots: Vec<(usize, ValueType)>,
    asked: usize,
}

impl Asking {
    async fn collect(&self, context: &SessionContext) -> Result<Vec<RecordBatch>, OfflineError> {
        collect(self.plan.clone(), context.task_ctx()).await.map_err(from_query)
    }
}

impl State<'_> {
    fn slot(&self, slot: usize) -> Result<&SlotColumn, OfflineError> {
        let found = self.slots.get(slot).and_then(Option::as_ref);
        found.ok_or_else(|| OfflineError::Internal(format!("slot {slot} is read before it is filled")))
    }
}

/// The questions about one holder; rows without a key ask nothing.
fn questions(holder: usize, state: &State<'_>) -> Result<RecordBatch, OfflineError> {
    let keys = state.holders.get(holder).and_then(Option::as_ref);
    let keys = keys.ok_or_else(|| OfflineError::Internal(format!("holder {holder} has no keys yet")))?;
    let asking: Vec<u32> = (0..keys.len() as u32).filter(|row| keys.is_valid(*row as usize)).collect();
    let whom: StringArray = asking.iter().map(|row| Some(keys.value(*row as usize))).collect();
    let when: Int64Array = asking.iter().map(|row| Some(state.rows.as_of.value(*row as usize))).collect();
    Questions::batch(whom, when, UInt32Array::from(asking)).map_err(from_query)
}

/// For each row the position of its answer, null where nothing was asked.
fn places(numbers: &UInt32Array, rows: usize) -> UInt32Array {
    let mut places: Vec<Option<u32>> = vec![None; rows];
    for (at, number) in numbers.values().iter().enumerate() {
        places[*number as usize] = Some(at as u32);
    }
    UInt32Array::from(places)
}

/// Answers in the order of the rows; a row that asked nothing is not linked.
fn spread(
    answers: &SlotColumn,
    order: &UInt32Array,
    value_type: ValueType,
) -> Result<SlotColumn, OfflineError> {
    if order.null_count() == 0 {
        let in_order = order.values().iter().enumerate().all(|(row, at)| row == *at as usize);
        return if in_order { Ok(answers.clone()) } else { answers.take(order) };
    }
    // One more answer at the end stands for all rows that asked nothing.
    let nobody = SlotColumn::all_missing(value_type, Missing::NotLinked, 1);
    let last = answers.values.len() as u32;
    let all = SlotColumn {
        values: arrow_select::concat::concat(&[&answers.values, &nobody.values])?,
        missing: arrow_select::concat::concat(&[&answers.missing, &nobody.missing])?,
    };
    all.take(&order.iter().map(|at| Some(at.unwrap_or(last))).collect())
}

/// The keys of `holder`, found in slot `key`, by the rule that the online store follows.
fn link(holder: usize, key: usize, state: &mut State<'_>) -> Result<(), OfflineError> {
    let slot = state.slot(key)?;
    let keys: StringArray = match slot.values.as_string_opt::<i32>() {
        Some(texts) => texts.iter().map(|text| text.filter(|text| is_key(text))).collect(),
        None => {
            let value_type = value_type_of(&slot.values)?;
            let column = Column::from_arrow(&slot.values, value_type)?;
            (0..column.len())
                .map(|row| key_text(&slot.value(&column, row)).map(|text| text.into_owned()))
                .collect()
        }
    };
    state.holders[holder] = Some(keys);
    Ok(())
}

fn value_type_of(values: &dyn Array) -> Result<ValueType, OfflineError> {
    use arrow_schema::DataType;
    Ok(match values.data_type() {
        DataType::Boolean => ValueType::Bool,
        DataType::Int64 => ValueType::Int,
        DataType::Float64 => ValueType::Float,
        DataType::Timestamp(..) => ValueType::Time,
        DataType::Utf8 => ValueType::Text,
        other => return Err(OfflineError::Internal(format!("a slot of {other}"))),
    })
}

fn request_field(rows: &EntityRows, name: &LocalName, value_type: ValueType) -> SlotColumn {
    let count = rows.keys.len();
    let Some((_, column)) = rows.request.iter().find(|(known, _)| known == name) else {
        return SlotColumn::all_missing(value_type, Missing::NotGiven, count);
    };
    let mut builder = SlotBuilder::new(value_type, count);
    for row in 0..count {
        match column.value(row) {
            Value::Missing(_) => builder.push(&Value::Missing(Missing::NotGiven)),
            value => builder.push(&value),
        }
    }
    builder.finish()
}

fn single(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() == 1 {
        return plan;
    }
    Arc::new(CoalescePartitionsExec::new(plan))
}

fn by_key(
    plan: Arc<dyn ExecutionPlan>,
    key: &str,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>, OfflineError> {
    let key = Arc::new(ColumnExpr::new_with_schema(key, &plan.schema()).map_err(from_query)?);
    let partitioning = Partitioning::Hash(vec![key], partitions);
    Ok(Arc::new(RepartitionExec::try_new(plan, partitioning).map_err(from_query)?))
}

/// Sorts out what DataFusion reports: memory, a damaged or undeclared shape, anything else.
pub(crate) fn from_query(error: DataFusionError) -> OfflineError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(what) => OfflineError::Memory(what.clone()),
        other => OfflineError::Query(other.to_string()),
    }
}
