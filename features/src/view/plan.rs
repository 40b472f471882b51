//! From a list of feature names to the steps that compute them.

use indexmap::IndexMap;

use crate::definition::{DerivedFeature, Project, View, ViewKind};
use crate::error::FeatureError;
use crate::expression::Expression;
use crate::ids::{EntityName, FeatureName, LocalName, ReferenceName, ViewName};
use crate::time::{Span, Timestamp};
use crate::value::{Missing, Value, ValueType};
use crate::view::latest;
use crate::view::layout::{Layout, TableId};
use crate::view::rows::Rows;
use crate::view::window::{WindowPlan, WindowScratch};

/// How many references may follow one another.
const DEEPEST: usize = 4;

/// How to compute an ordered list of features of one entity.
///
/// Values stand in numbered slots. The steps fill them in order, each reading only slots that earlier steps
/// (or the request) have filled. Keys stand with *holders*: holder 0 is the entity asked about, every other
/// one an entity it refers to, its key found by a [`Step::Link`]. The online store runs the steps for one
/// entity at a time, the offline engine step by step for many; both call the same functions.
#[derive(Debug, Clone)]
pub struct FeaturePlan {
    entity: EntityName,
    holders: Vec<Holder>,
    steps: Vec<Step>,
    request_fields: Vec<(LocalName, usize)>,
    slots: IndexMap<(usize, ViewName, LocalName), ValueType>,
    outputs: Vec<usize>,
    /// No slot is asked for twice.
    outputs_once: bool,
    /// The slots asked for are the first ones, in their order.
    outputs_first: bool,
    layout_digest: String,
}

/// An entity whose features a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its kind.
    pub entity: EntityName,
    /// The holder that refers to it and in which role; none for the entity asked about.
    pub from: Option<(usize, ReferenceName)>,
}

/// One step of a plan.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads the rows of one holder in one table.
    Gather(Gather),
    /// Finds the key of `holder` in slot `key`; a missing value there leaves the holder without a key.
    Link {
        /// The holder whose key is found.
        holder: usize,
        /// The slot that holds it.
        key: usize,
    },
    /// Evaluates an expression over slots.
    Derive(Derive),
}

impl Step {
    /// The gathering step, if it is one.
    #[must_use]
    pub const fn gather(&self) -> Option<&Gather> {
        match self {
            Self::Gather(gather) => Some(gather),
            _ => None,
        }
    }
}

/// What is read from the rows of one holder in one table.
#[derive(Debug, Clone)]
pub struct Gather {
    /// Whose rows.
    pub holder: usize,
    /// Where they stand.
    pub table: TableId,
    /// Newest rows to find.
    pub latest: Vec<LatestPart>,
    /// Windows to aggregate.
    pub windows: Vec<WindowPlan>,
    /// The slots it fills.
    pub fills: Vec<usize>,
}

/// One latest view's columns.
#[derive(Debug, Clone)]
pub struct LatestPart {
    /// Number of the Bool column that a row must hold true in.
    pub filter: Option<usize>,
    /// Time to live.
    pub ttl: Option<Span>,
    /// (number of the column, slot).
    pub columns: Vec<(usize, usize)>,
}

/// One derived feature.
#[derive(Debug, Clone)]
pub struct Derive {
    /// The entity it belongs to.
    pub holder: usize,
    /// What is computed; input i is slot `inputs[i]`.
    pub expression: Expression,
    /// The slots it reads.
    pub inputs: Vec<usize>,
    /// The slot it fills.
    pub slot: usize,
}

impl Gather {
    /// Computes everything from `rows`, the holder's rows in this table, as of `as_of`.
    pub fn fill<R: Rows + ?Sized>(
        &self,
        rows: &R,
        as_of: Timestamp,
        scratch: &mut WindowScratch,
        slots: &mut [Value],
    ) {
        for part in &self.latest {
            match latest::select(rows, part.filter, part.ttl, as_of) {
                Ok(row) => rows.copy(row, &part.columns, slots),
                Err(missing) => {
                    for (_, slot) in &part.columns {
                        slots[*slot] = Value::Missing(missing);
                    }
                }
            }
        }
        for plan in &self.windows {
            plan.evaluate(rows, as_of, scratch, slots);
        }
    }

    /// Fills the slots for a holder that has no key.
    pub fn not_linked(&self, slots: &mut [Value]) {
        for slot in &self.fills {
            slots[*slot] = Value::Missing(Missing::NotLinked);
        }
    }
}

impl Derive {
    /// The feature's value from the slots filled so far; `Missing(NotLinked)` when its holder has no key.
    /// `inputs` is memory to reuse.
    #[must_use]
    pub fn evaluate(
        &self,
        linked: bool,
        slots: &[Value],
        as_of: Timestamp,
        inputs: &mut Vec<Value>,
    ) -> Value {
        if !linked {
            return Value::Missing(Missing::NotLinked);
        }
        inputs.clear();
        inputs.extend(self.inputs.iter().map(|slot| slots[*slot].clone()));
        self.expression.evaluate(inputs, as_of)
    }
}

impl FeaturePlan {
    /// Compiles a plan for `features` of `entity`, in this order; a name may stand more than once.
    ///
    /// # Errors
    /// [`FeatureError::Unknown`] for an entity, reference, view or feature that is not declared, or belongs
    /// to another entity.
    pub fn compile(
        project: &Project,
        entity: &EntityName,
        features: &[FeatureName],
    ) -> Result<Self, FeatureError> {
        if !project.entities.contains_key(entity) {
            let known = project.entities.keys().map(ToString::to_string).collect();
            return Err(FeatureError::Unknown { what: "entity", name: entity.to_string(), known });
        }
        let mut compiler = Compiler::new(project, entity)?;
        let mut outputs = Vec::with_capacity(features.len());
        for feature in features {
            outputs.push(compiler.feature(0, feature)?);
        }
        compiler.finish(outputs)
    }

    /// The entity asked about.
    #[must_use]
    pub const fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The entities read: the one asked about, then those it refers to, each after the one that refers to it.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// The steps in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The fields that the request may bring, with the slot each fills.
    #[must_use]
    pub fn request_fields(&self) -> &[(LocalName, usize)] {
        &self.request_fields
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot of each feature asked for, in that order.
    #[must_use]
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// True when no feature was asked for twice, so that values can be moved out of their slots.
    pub(crate) const fn outputs_once(&self) -> bool {
        self.outputs_once
    }

    /// True when the slots asked for are the first ones, in their order.
    pub(crate) const fn outputs_first(&self) -> bool {
        self.outputs_first
    }

    /// The slot of any feature or request field that the plan computes on the way, named as the entity asked
    /// about would name it.
    #[must_use]
    pub fn slot(&self, feature: &FeatureName) -> Option<usize> {
        let holder = match &feature.through {
            None => 0,
            Some(reference) => self.holders.iter().position(|holder| {
                holder.from.as_ref().is_some_and(|(from, r)| *from == 0 && r == reference)
            })?,
        };
        self.slots.get_index_of(&(holder, feature.view.clone(), feature.name.clone()))
    }

    /// The type of a slot.
    #[must_use]
    pub fn slot_type(&self, slot: usize) -> Option<ValueType> {
        self.slots.get_index(slot).map(|(_, value_type)| *value_type)
    }

    /// The type of each feature asked for, in that order.
    #[must_use]
    pub fn types(&self) -> Vec<ValueType> {
        self.outputs.iter().filter_map(|slot| self.slot_type(*slot)).collect()
    }

    /// The digest of the layout that table and column numbers refer to.
    #[must_use]
    pub fn layout_digest(&self) -> &str {
        &self.layout_digest
    }
}

/// A view's features picked so far: (number in the view, slot).
type Picks = Vec<(usize, usize)>;

/// A step while features are still being added to it.
enum Draft {
    Gather { holder: usize, table: TableId, views: IndexMap<ViewName, Picks> },
    Done(Step),
}

struct Compiler<'a> {
    project: &'a Project,
    layout: Layout,
    holders: Vec<Holder>,
    drafts: Vec<Draft>,
    request_fields: Vec<(LocalName, usize)>,
    slots: IndexMap<(usize, ViewName, LocalName), ValueType>,
}

impl<'a> Compiler<'a> {
    fn new(project: &'a Project, entity: &EntityName) -> Result<Self, FeatureError> {
        Ok(Self {
            project,
            layout: Layout::of(project)?,
            holders: vec![Holder { entity: entity.clone(), from: None }],
            drafts: Vec::new(),
            request_fields: Vec::new(),
            slots: IndexMap::new(),
        })
    }

    /// The slot of `feature` as `holder` names it, with every step it needs.
    fn feature(&mut self, holder: usize, feature: &FeatureName) -> Result<usize, FeatureError> {
        if feature.is_request() {
            return self.request(feature);
        }
        if let Some(reference) = &feature.through {
            let target = self.follow(holder, reference, feature)?;
            let own = FeatureName { through: None, ..feature.clone() };
            return self.feature(target, &own);
        }
        let place = (holder, feature.view.clone(), feature.name.clone());
        if let Some(slot) = self.slots.get_index_of(&place) {
            return Ok(slot);
        }
        let view = self.view(holder, feature)?;
        let number = feature_number(view, feature)?;
        let value_type = view.features[number].value_type;
        match &view.kind {
            ViewKind::Derived(expressions) => {
                let derived = expressions.get(number).ok_or_else(|| not_computed(feature))?;
                self.derive(holder, place, derived, value_type)
            }
            ViewKind::Latest(latest) => {
                let slot = self.slots.insert_full(place, value_type).0;
                self.pick(holder, view, (&latest.source, &latest.key), (number, slot))?;
                Ok(slot)
            }
            ViewKind::Window(window) => {
                let slot = self.slots.insert_full(place, value_type).0;
                self.pick(holder, view, (&window.source, &window.key), (number, slot))?;
                Ok(slot)
            }
        }
    }

    /// Request fields belong to the request, not to any holder: all expressions share one slot per name.
    fn request(&mut self, feature: &FeatureName) -> Result<usize, FeatureError> {
        let unknown = || FeatureError::Unknown {
            what: "request field",
            name: feature.name.to_string(),
            known: self.project.request_fields.keys().map(ToString::to_string).collect(),
        };
        let value_type = *self.project.request_fields.get(&feature.name).ok_or_else(unknown)?;
        let place = (0, feature.view.clone(), feature.name.clone());
        let (slot, old) = self.slots.insert_full(place, value_type);
        if old.is_none() {
            self.request_fields.push((feature.name.clone(), slot));
        }
        Ok(slot)
    }

    fn derive(
        &mut self,
        holder: usize,
        place: (usize, ViewName, LocalName),
        derived: &DerivedFeature,
        value_type: ValueType,
    ) -> Result<usize, FeatureError> {
        let mut inputs = Vec::with_capacity(derived.inputs.len());
        for input in &derived.inputs {
            inputs.push(self.feature(holder, input)?);
        }
        let slot = self.slots.insert_full(place, value_type).0;
        let expression = derived.expression.clone();
        self.drafts.push(Draft::Done(Step::Derive(Derive { holder, expression, inputs, slot })));
        Ok(slot)
    }

    /// The holder behind a reference, with the step that finds its key.
    fn follow(
        &mut self,
        holder: usize,
        reference: &ReferenceName,
        feature: &FeatureName,
    ) -> Result<usize, FeatureError> {
        let from = Some((holder, reference.clone()));
        if let Some(known) = self.holders.iter().position(|known| known.from == from) {
            return Ok(known);
        }
        if self.depth(holder) == DEEPEST {
            return Err(FeatureError::Shape(format!(
                "`{feature}` leads through more than {DEEPEST} references"
            )));
        }
        let entity = &self.holders[holder].entity;
        let references = self.project.entities.get(entity).map(|entity| &entity.references);
        let unknown = || FeatureError::Unknown {
            what: "reference",
            name: reference.to_string(),
            known: references.into_iter().flat_map(|r| r.keys()).map(ToString::to_string).collect(),
        };
        let target = references.and_then(|known| known.get(reference)).ok_or_else(unknown)?;
        let key = self.feature(holder, &target.key)?;
        self.holders.push(Holder { entity: target.target.clone(), from });
        let found = self.holders.len() - 1;
        self.drafts.push(Draft::Done(Step::Link { holder: found, key }));
        Ok(found)
    }

    fn depth(&self, holder: usize) -> usize {
        std::iter::successors(Some(holder), |at| self.holders[*at].from.as_ref().map(|(from, _)| *from))
            .count()
            - 1
    }

    fn view(&self, holder: usize, feature: &FeatureName) -> Result<&'a View, FeatureError> {
        let entity = &self.holders[holder].entity;
        let found = self.project.views.get(&feature.view).filter(|view| &view.entity == entity);
        let of_entity = self.project.views.values().filter(|view| &view.entity == entity);
        found.ok_or_else(|| FeatureError::Unknown {
            what: "view",
            name: feature.view.to_string(),
            known: of_entity.map(|view| view.name.to_string()).collect(),
        })
    }

    /// Adds a view's feature to the step that reads its table, or to a new one.
    fn pick(
        &mut self,
        holder: usize,
        view: &View,
        (source, key): (&crate::ids::SourceName, &crate::ids::ColumnName),
        pick: (usize, usize),
    ) -> Result<(), FeatureError> {
        let unknown = || FeatureError::Bug(format!("view `{}` reads no table of the layout", view.name));
        let wanted = self.layout.table(source, key).ok_or_else(unknown)?;
        for draft in &mut self.drafts {
            if let Draft::Gather { holder: whose, table, views } = draft
                && (*whose, *table) == (holder, wanted)
            {
                views.entry(view.name.clone()).or_default().push(pick);
                return Ok(());
            }
        }
        let views = IndexMap::from([(view.name.clone(), vec![pick])]);
        self.drafts.push(Draft::Gather { holder, table: wanted, views });
        Ok(())
    }

    fn finish(self, outputs: Vec<usize>) -> Result<FeaturePlan, FeatureError> {
        let mut steps = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            steps.push(match draft {
                Draft::Done(step) => step,
                Draft::Gather { holder, table, views } => {
                    Step::Gather(gather(self.project, &self.layout, (holder, table), &views)?)
                }
            });
        }
        let distinct: std::collections::BTreeSet<usize> = outputs.iter().copied().collect();
        Ok(FeaturePlan {
            outputs_once: distinct.len() == outputs.len(),
            outputs_first: outputs.iter().enumerate().all(|(at, slot)| at == *slot),
            entity: self.holders[0].entity.clone(),
            holders: self.holders,
            steps,
            request_fields: self.request_fields,
            slots: self.slots,
            outputs,
            layout_digest: self.layout.digest().to_owned(),
        })
    }
}

fn gather(
    project: &Project,
    layout: &Layout,
    (holder, table): (usize, TableId),
    views: &IndexMap<ViewName, Picks>,
) -> Result<Gather, FeatureError> {
    let name = &layout.tables()[table.0].source;
    let source = layout.source(name).ok_or_else(|| FeatureError::Bug(format!("no source `{name}`")))?;
    let fills = views.values().flatten().map(|(_, slot)| *slot).collect();
    let mut gather = Gather { holder, table, latest: Vec::new(), windows: Vec::new(), fills };
    for (view, picks) in views {
        match project.views.get(view).map(|view| &view.kind) {
            Some(ViewKind::Latest(latest)) => {
                let column = |(number, slot): &(usize, usize)| {
                    let name = latest.columns.get(*number)?;
                    Some((source.column(name)?.0, *slot))
                };
                let columns: Option<Vec<_>> = picks.iter().map(column).collect();
                let columns = columns
                    .ok_or_else(|| FeatureError::Bug(format!("view `{view}` reads no such column")))?;
                let filter = latest.filter.as_ref().and_then(|filter| source.filter(filter));
                gather.latest.push(LatestPart { filter, ttl: latest.ttl, columns });
            }
            Some(ViewKind::Window(window)) => {
                gather.windows.push(WindowPlan::compile(window, source, picks)?);
            }
            _ => return Err(FeatureError::Bug(format!("view `{view}` reads no rows"))),
        }
    }
    Ok(gather)
}

fn feature_number(view: &View, feature: &FeatureName) -> Result<usize, FeatureError> {
    view.features.iter().position(|known| known.name == feature.name).ok_or_else(|| FeatureError::Unknown {
        what: "feature",
        name: feature.to_string(),
        known: view.features.iter().map(|known| format!("{}.{}", view.name, known.name)).collect(),
    })
}

fn not_computed(feature: &FeatureName) -> FeatureError {
    FeatureError::Bug(format!("`{feature}` has no expression"))
}
