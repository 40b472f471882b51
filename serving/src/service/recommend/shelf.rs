//! What may be shown to whom: a model's rules, bound to the store.

use scorehouse_features::definition::{Project, RuleInput, UpsellSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, LocalName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};

use super::past::PastReader;
use crate::error::ServeError;

/// The rules of a model, and how to read what they ask about.
#[derive(Debug, Default)]
pub struct Shelf {
    rules: Vec<Rule>,
    customer: Option<Reader>,
    product: Option<Reader>,
    past: Option<PastReader>,
    /// Tells whether two shelves ask the same; empty when nothing is asked.
    fingerprint: String,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in the project.
    pub name: String,
    expression: Expression,
    inputs: Vec<Input>,
}

/// Where a rule's input comes from.
#[derive(Debug)]
enum Input {
    /// The customer's value at this position.
    Customer(usize),
    /// The product's value at this position.
    Product(usize),
    /// A field of the request.
    Request(LocalName),
    /// The product's key.
    Item,
}

/// Reads the features that rules need of one kind of entity.
#[derive(Debug)]
struct Reader {
    entity: EntityName,
    plan: FeaturePlan,
    /// The features in the order of the plan's outputs.
    names: Vec<String>,
}

impl Shelf {
    /// Binds the rules of `spec`.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a checked project turns out not to be.
    pub fn of(project: &Project, spec: &UpsellSpec) -> Result<Self, ServeError> {
        let (mut customer, mut product) = (Vec::new(), Vec::new());
        let mut rules = Vec::with_capacity(spec.rules.len());
        for (name, rule) in &spec.rules {
            let inputs = rule.inputs.iter().map(|input| match input {
                RuleInput::Customer(feature) => Input::Customer(place(&mut customer, feature)),
                RuleInput::Product(feature) => Input::Product(place(&mut product, feature)),
                RuleInput::Request(field) => Input::Request(field.clone()),
                RuleInput::Item => Input::Item,
            });
            let inputs = inputs.collect();
            rules.push(Rule { name: name.clone(), expression: rule.expression.clone(), inputs });
        }
        Ok(Self {
            rules,
            customer: Reader::of(project, spec.user_entity.as_ref(), &customer)?,
            product: Reader::of(project, spec.item_entity.as_ref(), &product)?,
            past: Some(PastReader::of(project, spec)?),
            fingerprint: fingerprint(spec),
        })
    }

    /// A shelf without rules, for a model trained on a plain file.
    #[must_use]
    pub fn bare() -> Self {
        Self::default()
    }

    /// How to read a customer's own past from the store; none for a model trained on a plain file.
    #[must_use]
    pub const fn past(&self) -> Option<&PastReader> {
        self.past.as_ref()
    }

    /// Differs when the rules, or what counts as bought, are declared otherwise.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The names of the rules, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// Opens the shelf for one request.
    ///
    /// # Errors
    /// What reading the customer reports.
    pub fn open<'a>(&'a self, visit: Visit<'a>) -> Result<OpenShelf<'a>, ServeError> {
        let mut scratch = Scratch::default();
        let mut customer = Vec::new();
        match (&self.customer, visit.customer) {
            (Some(reader), Some(key)) => reader.read(&visit, key, &mut scratch, &mut customer)?,
            (Some(reader), None) => {
                customer.resize(reader.plan.outputs().len(), Value::Missing(Missing::NotGiven));
            }
            (None, _) => {}
        }
        let filtered = vec![0; self.rules.len()];
        Ok(OpenShelf {
            shelf: self,
            visit,
            customer,
            product: Vec::new(),
            inputs: Vec::new(),
            scratch,
            filtered,
            failed: None,
        })
    }
}

/// Who looks at the shelf, and when.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// Where features come from.
    pub online: &'a dyn OnlineStore,
    /// The customer; none for a stranger.
    pub customer: Option<&'a EntityKey>,
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// Fields that the request brings.
    pub request: &'a RequestFields,
}

/// A shelf during one request.
pub struct OpenShelf<'a> {
    shelf: &'a Shelf,
    visit: Visit<'a>,
    customer: Vec<Value>,
    product: Vec<Value>,
    inputs: Vec<Value>,
    scratch: Scratch,
    /// Products that each rule kept back.
    filtered: Vec<usize>,
    failed: Option<ServeError>,
}

impl OpenShelf<'_> {
    /// True when every rule lets `item` be shown; the first that does not counts it.
    pub fn allows(&mut self, item: &str) -> bool {
        if self.shelf.rules.is_empty() {
            return true;
        }
        match self.broken(item) {
            Ok(None) => true,
            Ok(Some(rule)) => {
                self.filtered[rule] += 1;
                false
            }
            // What cannot be checked is not shown; the request as a whole fails.
            Err(error) => {
                self.failed.get_or_insert(error);
                false
            }
        }
    }

    /// The customer's features that rules read.
    pub fn customer(&self) -> impl Iterator<Item = (&str, &Value)> {
        let names = self.shelf.customer.iter().flat_map(|reader| &reader.names);
        names.map(String::as_str).zip(&self.customer)
    }

    /// How many products each rule kept back.
    ///
    /// # Errors
    /// What reading a product reported.
    pub fn close(self) -> Result<Vec<usize>, ServeError> {
        self.failed.map_or(Ok(self.filtered), Err)
    }

    /// The first rule that `item` breaks.
    fn broken(&mut self, item: &str) -> Result<Option<usize>, ServeError> {
        if let Some(reader) = &self.shelf.product {
            let key = super::super::entities::key_of(item)?;
            reader.read(&self.visit, &key, &mut self.scratch, &mut self.product)?;
        }
        for (number, rule) in self.shelf.rules.iter().enumerate() {
            self.inputs.clear();
            for input in &rule.inputs {
                let value = self.value(input, item);
                self.inputs.push(value);
            }
            if !rule.expression.is_true(&self.inputs, self.visit.as_of) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn value(&self, input: &Input, item: &str) -> Value {
        let found = match input {
            Input::Customer(at) => self.customer.get(*at).cloned(),
            Input::Product(at) => self.product.get(*at).cloned(),
            Input::Request(field) => Some(self.visit.request.get(field)),
            Input::Item => Some(Value::Text(item.into())),
        };
        found.unwrap_or(Value::Missing(Missing::Undefined))
    }
}

impl Reader {
    fn of(
        project: &Project,
        entity: Option<&EntityName>,
        features: &[FeatureName],
    ) -> Result<Option<Self>, ServeError> {
        if features.is_empty() {
            return Ok(None);
        }
        let bug =
            || ServeError::Bug { message: "a rule reads features of an entity that is not named".into() };
        let entity = entity.ok_or_else(bug)?;
        let plan = FeaturePlan::compile(project, entity, features)?;
        let names = features.iter().map(ToString::to_string).collect();
        Ok(Some(Self { entity: entity.clone(), plan, names }))
    }

    fn read(
        &self,
        visit: &Visit<'_>,
        key: &EntityKey,
        scratch: &mut Scratch,
        out: &mut Vec<Value>,
    ) -> Result<(), ServeError> {
        debug_assert_eq!(self.plan.entity(), &self.entity, "a plan reads the entity it was compiled for");
        let read = Read { key, as_of: visit.as_of, request: visit.request, overrides: &[] };
        Ok(self.plan.read(visit.online, &read, scratch, out)?)
    }
}

fn fingerprint(spec: &UpsellSpec) -> String {
    let asked = format!("{:?} {:?} {:?} {:?}", spec.rules, spec.not_bought_within, spec.filter, spec.weight);
    blake3::hash(asked.as_bytes()).to_hex()[..16].to_owned()
}

/// The position of `feature` in `features`, added if it is not there yet.
fn place(features: &mut Vec<FeatureName>, feature: &FeatureName) -> usize {
    features.iter().position(|known| known == feature).unwrap_or_else(|| {
        features.push(feature.clone());
        features.len() - 1
    })
}
