//! The point-in-time join as an operator of DataFusion's physical plans.
//!
//! Left come the questions (an entity's key and a moment, numbered), right the rows of a source. For every
//! question the kernel computes the features of one gathering step from exactly the rows of that entity; which
//! of them may be seen at that moment is the kernel's business, here as online.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};

use crate::point_in_time::answer::Answering;
use crate::point_in_time::chunks::Chunks;
use crate::point_in_time::questions::{KEY, Questions};

/// Joins questions with the rows of a source through the kernel.
///
/// Input 0 holds the questions (see [`Questions::schema`]), input 1 the rows (the columns the layout asks for,
/// then event time, availability time and arrival). With one partition the rows may come in any order and are
/// taken into memory whole. With more, both inputs are partitioned by key and the rows sorted by key, so that
/// they can be taken in runs of whole keys however many there are.
pub struct PointInTimeExec {
    questions: Arc<dyn ExecutionPlan>,
    rows: Arc<dyn ExecutionPlan>,
    answering: Arc<Answering>,
    /// Bytes of rows taken at a time when the input is sorted; none: all at once.
    chunk: Option<usize>,
    key: String,
    properties: Arc<PlanProperties>,
}

impl PointInTimeExec {
    /// An operator over two inputs. `key` is the column of the rows that holds the entity's key.
    #[must_use]
    pub fn new(
        (questions, rows): (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>),
        answering: Arc<Answering>,
        key: &str,
        chunk: Option<usize>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(answering.schema()),
            datafusion::physical_plan::Partitioning::UnknownPartitioning(
                rows.output_partitioning().partition_count(),
            ),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { questions, rows, answering, chunk, key: key.to_owned(), properties: Arc::new(properties) }
    }

    fn key_of(plan: &Arc<dyn ExecutionPlan>, name: &str) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Column::new_with_schema(name, &plan.schema())?))
    }

    fn distribution(&self) -> Vec<Distribution> {
        let keys = (Self::key_of(&self.questions, KEY), Self::key_of(&self.rows, &self.key));
        match (self.chunk, keys) {
            (Some(_), (Ok(question), Ok(row))) => {
                vec![Distribution::KeyPartitioned(vec![question]), Distribution::KeyPartitioned(vec![row])]
            }
            _ => vec![Distribution::SinglePartition, Distribution::SinglePartition],
        }
    }
}

impl fmt::Debug for PointInTimeExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointInTimeExec")
            .field("key", &self.key)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for PointInTimeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PointInTimeExec: key={}, chunk={:?}", self.key, self.chunk)
    }
}

impl ExecutionPlan for PointInTimeExec {
    fn name(&self) -> &str {
        "PointInTimeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(self.distribution())
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let sorted = self.chunk.and_then(|_| {
            let key = Self::key_of(&self.rows, &self.key).ok()?;
            LexOrdering::new([PhysicalSortExpr::new_default(key)]).map(OrderingRequirements::from)
        });
        vec![None, sorted]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.questions, &self.rows]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [questions, rows]: [Arc<dyn ExecutionPlan>; 2] = children
            .try_into()
            .map_err(|_| DataFusionError::Internal("PointInTimeExec takes two inputs".to_owned()))?;
        Ok(Arc::new(Self::new((questions, rows), self.answering.clone(), &self.key, self.chunk)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(
            datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute,
        );
        self.replace_children(children, options)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let questions = self.questions.execute(partition, context.clone())?;
        let rows = self.rows.execute(partition, context.clone())?;
        let reservation =
            MemoryConsumer::new(format!("PointInTimeExec[{partition}]")).register(context.memory_pool());
        let chunks = Chunks::new(rows, &self.key, self.chunk, reservation)?;
        let answers = join(questions, chunks, self.answering.clone());
        let stream = futures::stream::once(answers).map_ok(|batches| {
            futures::stream::iter(batches.into_iter().map(Ok::<RecordBatch, DataFusionError>))
        });
        let schema: SchemaRef = self.answering.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream.try_flatten().boxed())))
    }
}

/// Answers every question of a partition, each once.
async fn join(
    questions: SendableRecordBatchStream,
    mut chunks: Chunks,
    answering: Arc<Answering>,
) -> Result<Vec<RecordBatch>> {
    let batches: Vec<RecordBatch> = questions.try_collect().await?;
    let mut questions = Questions::from_batches(&batches)?;
    let mut answers = Vec::new();
    while let Some(batches) = chunks.next().await? {
        let last = chunks.is_done();
        answers.extend(answering.chunk(&batches, &mut questions, last)?);
    }
    answers.extend(answering.rest(&mut questions)?);
    Ok(answers)
}
