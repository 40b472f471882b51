//! What names mean in derived features and in a storefront's rules.

use std::cell::RefCell;

use indexmap::{IndexMap, IndexSet};

use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::{RuleInput, Source};
use crate::expression::Scope;
use crate::ids::{EntityName, FeatureName, LocalName};
use crate::value::ValueType;

/// Request fields that may be read, with their types.
pub(super) type Request = IndexMap<LocalName, ValueType>;

/// Features of one entity, of entities it refers to, and request fields; gathers what is read.
pub(super) struct FeatureScope<'c> {
    pub catalogue: &'c Catalogue,
    pub entity: &'c EntityName,
    pub request: &'c Request,
    inputs: RefCell<IndexSet<FeatureName>>,
    trouble: RefCell<Option<Meaning>>,
}

impl<'c> FeatureScope<'c> {
    pub fn new(catalogue: &'c Catalogue, entity: &'c EntityName, request: &'c Request) -> Self {
        Self { catalogue, entity, request, inputs: RefCell::default(), trouble: RefCell::default() }
    }

    /// What was read, in the order of slots, and what a name that was refused means.
    pub fn finish(self) -> (Vec<FeatureName>, Option<Meaning>) {
        (self.inputs.into_inner().into_iter().collect(), self.trouble.into_inner())
    }
}

impl Scope for FeatureScope<'_> {
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)> {
        let name: FeatureName = path.join(".").parse().ok()?;
        let meaning = meaning(self.catalogue, self.entity, self.request, &name);
        let Meaning::Feature(value_type) = meaning else {
            *self.trouble.borrow_mut() = Some(meaning);
            return None;
        };
        Some((self.inputs.borrow_mut().insert_full(name).0, value_type))
    }

    fn names(&self) -> Vec<String> {
        names(self.catalogue, self.entity, self.request)
    }
}

/// What a name means for `entity` beside the fields of `request`.
pub(super) fn meaning(
    catalogue: &Catalogue,
    entity: &EntityName,
    request: &Request,
    name: &FeatureName,
) -> Meaning {
    if name.is_request() {
        return request.get(&name.name).map_or(Meaning::Unknown, |kind| Meaning::Feature(*kind));
    }
    catalogue.meaning(entity, name)
}

/// All names that `entity` can read.
pub(super) fn names(catalogue: &Catalogue, entity: &EntityName, request: &Request) -> Vec<String> {
    let features = catalogue.features(entity);
    let fields = request.keys().map(|name| format!("request.{name}"));
    features.iter().map(ToString::to_string).chain(fields).collect()
}

/// `customer.view.feature`, `product.view.feature`, `request.field` and `item`.
pub(super) struct RuleScope<'c> {
    pub catalogue: &'c Catalogue,
    pub customer: Option<&'c EntityName>,
    pub product: Option<&'c EntityName>,
    pub request: &'c Request,
    pub inputs: RefCell<IndexSet<RuleInput>>,
    pub trouble: RefCell<Option<Meaning>>,
}

impl RuleScope<'_> {
    fn input(&self, path: &[String]) -> Option<(RuleInput, ValueType)> {
        match path {
            [item] if item == "item" => Some((RuleInput::Item, ValueType::Text)),
            [request, field] if request == "request" => {
                let (name, kind) = self.request.get_key_value(field.as_str())?;
                Some((RuleInput::Request(name.clone()), *kind))
            }
            [who, rest @ ..] if who == "customer" => {
                self.feature(self.customer, rest).map(|(name, kind)| (RuleInput::Customer(name), kind))
            }
            [what, rest @ ..] if what == "product" => {
                self.feature(self.product, rest).map(|(name, kind)| (RuleInput::Product(name), kind))
            }
            _ => None,
        }
    }

    fn feature(&self, entity: Option<&EntityName>, path: &[String]) -> Option<(FeatureName, ValueType)> {
        let name: FeatureName = path.join(".").parse().ok()?;
        let meaning = self.catalogue.meaning(entity?, &name);
        let Meaning::Feature(kind) = meaning else {
            *self.trouble.borrow_mut() = Some(meaning);
            return None;
        };
        if name.is_request() || self.catalogue.reach_of(&name.view, &name.name).request {
            let why = format!("`{name}` reads request fields; a rule reads them itself");
            *self.trouble.borrow_mut() = Some(Meaning::OutOfReach(why));
            return None;
        }
        Some((name, kind))
    }
}

impl Scope for RuleScope<'_> {
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)> {
        let (input, kind) = self.input(path)?;
        Some((self.inputs.borrow_mut().insert_full(input).0, kind))
    }

    fn names(&self) -> Vec<String> {
        let of = |role: &str, entity: Option<&EntityName>| -> Vec<String> {
            let features = entity.map(|entity| self.catalogue.features(entity)).unwrap_or_default();
            features.iter().map(|name| format!("{role}.{name}")).collect()
        };
        let mut names = of("customer", self.customer);
        names.extend(of("product", self.product));
        names.extend(self.request.keys().map(|name| format!("request.{name}")));
        names.push("item".to_owned());
        names
    }
}

/// Columns of a source that can hold a key.
pub(super) fn text_columns(source: &Source) -> Vec<String> {
    let texts = source.columns.iter().filter(|column| column.value_type == ValueType::Text);
    texts.map(|column| column.name.to_string()).collect()
}
