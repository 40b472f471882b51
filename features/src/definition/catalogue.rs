//! Everything checked so far, and what a feature's name means in it.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::definition::{Entity, Feature, View, ViewKind};
use crate::ids::{EntityName, FeatureName, LocalName, ReferenceName, ViewName};
use crate::value::ValueType;

/// Entities, views and request fields while a project is being checked.
pub(super) struct Catalogue {
    pub entities: IndexMap<EntityName, Entity>,
    pub views: IndexMap<ViewName, View>,
    pub request_fields: IndexMap<LocalName, ValueType>,
    /// Names of all entities and views of the file, right or wrong.
    pub declared_entities: Vec<String>,
    pub declared_views: Vec<String>,
    /// How far each derived feature reads, through its inputs.
    pub reach: HashMap<FeatureName, Reach>,
}

/// What a feature reads besides its own entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub through: bool,
    pub request: bool,
}

/// What a feature's name means.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// A feature of this type.
    Feature(ValueType),
    /// A feature of a view that is declared, but wrong; blame has been laid already.
    Broken,
    /// A feature that exists, but cannot be read from here, and why.
    OutOfReach(String),
    /// No such feature.
    Unknown,
}

impl Catalogue {
    pub fn declares_entity(&self, name: &str) -> bool {
        self.declared_entities.iter().any(|declared| declared == name)
    }

    pub fn declares_view(&self, name: &str) -> bool {
        self.declared_views.iter().any(|declared| declared == name)
    }

    /// True for a view that is declared, but has not been understood.
    pub fn is_broken(&self, view: &str) -> bool {
        self.declares_view(view) && !self.views.contains_key(view)
    }

    pub fn entity_name(&self, name: &str) -> Option<EntityName> {
        self.entities.get_key_value(name).map(|(name, _)| name.clone())
    }

    /// What `name` means for `entity`; request fields are not asked for here.
    pub fn meaning(&self, entity: &EntityName, name: &FeatureName) -> Meaning {
        let owner = match &name.through {
            None => Some(entity),
            Some(through) => self.target(entity, through),
        };
        if self.is_broken(name.view.as_str()) {
            return Meaning::Broken;
        }
        let (Some(owner), Some((view, feature))) = (owner, self.feature(&name.view, &name.name)) else {
            return Meaning::Unknown;
        };
        if &view.entity != owner {
            let why = match &name.through {
                None => format!("view `{}` is of `{}`, not of `{entity}`", name.view, view.entity),
                Some(through) => {
                    format!(
                        "view `{}` is of `{}`, but `{through}` of `{entity}` is `{owner}`",
                        name.view, view.entity
                    )
                }
            };
            return Meaning::OutOfReach(why);
        }
        match (&name.through, self.reach_of(&name.view, &name.name)) {
            (Some(_), Reach { through: true, .. }) => Meaning::OutOfReach(format!(
                "`{name}` itself reads through a reference, and references are followed one deep"
            )),
            (Some(_), Reach { request: true, .. }) => Meaning::OutOfReach(format!(
                "`{name}` reads request fields, which belong to the entity at hand"
            )),
            _ => Meaning::Feature(feature.value_type),
        }
    }

    fn target(&self, entity: &EntityName, role: &ReferenceName) -> Option<&EntityName> {
        self.entities.get(entity)?.references.get(role).map(|reference| &reference.target)
    }

    /// A feature with its view.
    pub fn feature(&self, view: &ViewName, name: &LocalName) -> Option<(&View, &Feature)> {
        let view = self.views.get(view)?;
        view.features.iter().find(|feature| &feature.name == name).map(|feature| (view, feature))
    }

    /// How far a feature reads.
    pub fn reach_of(&self, view: &ViewName, name: &LocalName) -> Reach {
        let own = FeatureName { through: None, view: view.clone(), name: name.clone() };
        self.reach.get(&own).copied().unwrap_or_default()
    }

    /// How far a derived feature with these inputs reads.
    pub fn reach_through(&self, inputs: &[FeatureName]) -> Reach {
        inputs.iter().fold(Reach::default(), |sum, input| {
            let below = self.reach_of(&input.view, &input.name);
            Reach {
                through: sum.through || input.through.is_some() || below.through,
                request: sum.request || input.is_request() || below.request,
            }
        })
    }

    /// All features that `entity` can read, its own first, in the order of views; no request fields.
    pub fn features(&self, entity: &EntityName) -> Vec<FeatureName> {
        let mut names = self.own(entity, None);
        let references = self.entities.get(entity).map(|e| &e.references);
        for (role, reference) in references.into_iter().flatten() {
            names.extend(self.own(&reference.target, Some(role)));
        }
        names
    }

    fn own(&self, entity: &EntityName, through: Option<&ReferenceName>) -> Vec<FeatureName> {
        let views = self.views.values().filter(|view| &view.entity == entity);
        views
            .flat_map(|view| view.features.iter().map(move |feature| (view, feature)))
            .filter(|(view, feature)| {
                through.is_none() || self.reach_of(&view.name, &feature.name) == Reach::default()
            })
            .map(|(view, feature)| FeatureName {
                through: through.cloned(),
                view: view.name.clone(),
                name: feature.name.clone(),
            })
            .collect()
    }

    /// The text features of the entity's latest views: what may hold another entity's key.
    pub fn latest_texts(&self, entity: &EntityName) -> Vec<String> {
        let latest = |name: &FeatureName| {
            self.feature(&name.view, &name.name).is_some_and(|(view, feature)| {
                matches!(view.kind, ViewKind::Latest(_)) && feature.value_type == ValueType::Text
            })
        };
        self.own(entity, None).iter().filter(|name| latest(name)).map(ToString::to_string).collect()
    }

    /// True for a feature that holds the key of a reference, of `entity` or of an entity it refers to.
    pub fn holds_key(&self, entity: &EntityName, name: &FeatureName) -> bool {
        let owner = name.through.as_ref().map_or(Some(entity), |role| self.target(entity, role));
        owner.and_then(|owner| self.entities.get(owner)).is_some_and(|owner| {
            owner.references.values().any(|r| r.key.view == name.view && r.key.name == name.name)
        })
    }
}
