//! From a list of feature names to steps in an order in which each finds what it reads.

use indexmap::IndexMap;

use super::{Derive, FeaturePlan, Gather, Holder, LatestPart, Step};
use crate::definition::{DerivedFeature, Project, View, ViewKind};
use crate::error::FeatureError;
use crate::ids::{EntityName, FeatureName, LocalName, ReferenceName, ViewName};
use crate::value::ValueType;
use crate::view::layout::{Layout, TableId};
use crate::view::window::WindowPlan;

/// How many references may follow one another.
const DEEPEST: usize = 4;

/// A view's features picked so far: (number in the view, slot).
type Picks = Vec<(usize, usize)>;

/// A step while features are still being added to it.
enum Draft {
    Gather { holder: usize, table: TableId, views: IndexMap<ViewName, Picks> },
    Done(Step),
}

pub(super) struct Compiler<'a> {
    project: &'a Project,
    layout: Layout,
    holders: Vec<Holder>,
    drafts: Vec<Draft>,
    request_fields: Vec<(LocalName, usize)>,
    slots: IndexMap<(usize, ViewName, LocalName), ValueType>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(project: &'a Project, entity: &EntityName) -> Result<Self, FeatureError> {
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
    pub(super) fn feature(&mut self, holder: usize, feature: &FeatureName) -> Result<usize, FeatureError> {
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

    pub(super) fn finish(self, outputs: Vec<usize>) -> Result<FeaturePlan, FeatureError> {
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
                gather.latest.push(LatestPart::new(filter, latest.ttl, columns));
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
