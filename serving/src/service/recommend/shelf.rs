//! What may be shown to whom, and in which order: a model's rules and weights, bound to the store.

use scorehouse_features::definition::{FeatureSet, OverProduct, Project, RuleInput, RuleSpec, UpsellSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, LocalName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};
use scorehouse_models::predictor::recommender::{FactsRead, RERANKED, Reranker};

use super::arrangement::{Traits, Weights, arranged, pool};
use super::past::PastReader;
use crate::error::ServeError;

/// The rules of a model, and how to read what they ask about.
#[derive(Debug, Default)]
pub struct Shelf {
    rules: Vec<Rule>,
    arranging: Option<Arranging>,
    second_look: Option<SecondLook>,
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
    term: Term,
}

/// What decides the order beyond relevance.
#[derive(Debug)]
struct Arranging {
    weights: Weights,
    margin: Option<Term>,
    kinds: Vec<Term>,
}

/// Where a second look finds what it reads among what is read anyway.
#[derive(Debug)]
struct SecondLook {
    customer: Vec<usize>,
    product: Vec<usize>,
    /// Tells whether two shelves read the same.
    hash: String,
}

/// An expression with where its inputs come from.
#[derive(Debug)]
struct Term {
    expression: Expression,
    inputs: Vec<Input>,
}

/// Where an input comes from.
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
    /// Binds the rules of `spec`, and what the second look of a version reads, if the project still declares one.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] when that was made for other definitions of its features, [`ServeError::Bug`] when a
    /// checked project turns out not to be.
    pub fn of(project: &Project, spec: &UpsellSpec, reranker: Option<&Reranker>) -> Result<Self, ServeError> {
        let (mut customer, mut product) = (Vec::new(), Vec::new());
        let mut term = |expression: &Expression, inputs: &[RuleInput]| {
            let input = |input: &RuleInput| match input {
                RuleInput::Customer(feature) => Input::Customer(place(&mut customer, feature)),
                RuleInput::Product(feature) => Input::Product(place(&mut product, feature)),
                RuleInput::Request(field) => Input::Request(field.clone()),
                RuleInput::Item => Input::Item,
            };
            Term { expression: expression.clone(), inputs: inputs.iter().map(input).collect() }
        };
        let rule = |(name, rule): (&String, &RuleSpec)| Rule {
            name: name.clone(),
            term: term(&rule.expression, &rule.inputs),
        };
        let rules = spec.rules.iter().map(rule).collect();
        let arrangement = &spec.arrangement;
        let mut over = |over: &OverProduct| term(&over.expression, &over.inputs);
        let arranging = (!arrangement.is_none()).then(|| Arranging {
            weights: Weights::of(arrangement),
            margin: arrangement.margin.as_ref().map(|margin| over(&margin.value)),
            kinds: arrangement.diversity.iter().flat_map(|spec| &spec.by).map(&mut over).collect(),
        });
        let second_look = match (reranker, &spec.rerank) {
            (Some(reranker), Some(declared)) => {
                check(&reranker.customer, declared.customer.as_ref())?;
                check(&reranker.product, declared.product.as_ref())?;
                let places = |of: &mut Vec<FeatureName>, read: &FactsRead| {
                    read.features.iter().map(|feature| place(of, feature)).collect()
                };
                Some(SecondLook {
                    customer: places(&mut customer, &reranker.customer),
                    product: places(&mut product, &reranker.product),
                    hash: format!("{} {}", reranker.customer.hash, reranker.product.hash),
                })
            }
            _ => None,
        };
        let fingerprint = fingerprint(spec, second_look.as_ref());
        Ok(Self {
            rules,
            arranging,
            second_look,
            customer: Reader::of(project, spec.user_entity.as_ref(), &customer)?,
            product: Reader::of(project, spec.item_entity.as_ref(), &product)?,
            past: Some(PastReader::of(project, spec)?),
            fingerprint,
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

    /// How many candidates are looked for when `n` products are asked for.
    #[must_use]
    pub fn pool(&self, n: usize) -> usize {
        match (&self.arranging, &self.second_look) {
            (Some(_), _) => pool(n),
            (None, Some(_)) => n.max(RERANKED),
            (None, None) => n,
        }
    }

    /// True when answers say what each product earns.
    #[must_use]
    pub fn tells_margin(&self) -> bool {
        self.arranging.as_ref().is_some_and(|arranging| arranging.margin.is_some())
    }

    /// True when the order is not that of relevance alone.
    #[must_use]
    pub const fn arranges(&self) -> bool {
        self.arranging.is_some()
    }

    /// Differs when the rules, the weights, or what counts as bought, are declared otherwise.
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
            traits: Vec::new(),
            facts: Vec::new(),
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
    /// Of each product that was allowed, where they are arranged.
    traits: Vec<Traits>,
    /// Of each product that was allowed, what a second look reads of it.
    facts: Vec<Vec<Value>>,
    scratch: Scratch,
    /// Products that each rule kept back.
    filtered: Vec<usize>,
    failed: Option<ServeError>,
}

impl OpenShelf<'_> {
    /// True when every rule lets `item` be shown; the first that does not counts it.
    pub fn allows(&mut self, item: &str) -> bool {
        let Shelf { rules, arranging, second_look, .. } = self.shelf;
        if rules.is_empty() && arranging.is_none() && second_look.is_none() {
            return true;
        }
        match self.looked_at(item) {
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

    /// Appends what a second look reads of the customer and of product number `candidate` of those allowed; false where
    /// there is none.
    pub fn facts(&self, candidate: usize, into: &mut Vec<Value>) -> bool {
        let Some(look) = &self.shelf.second_look else { return false };
        let unknown = || Value::Missing(Missing::Undefined);
        into.extend(look.customer.iter().map(|at| self.customer.get(*at).cloned().unwrap_or_else(unknown)));
        match self.facts.get(candidate) {
            Some(facts) => into.extend(facts.iter().cloned()),
            None => into.extend(look.product.iter().map(|_| unknown())),
        }
        true
    }

    /// The `n` products to show of those allowed, given the most relevant first.
    pub fn arrange(&self, by_relevance: &[usize], n: usize) -> Vec<usize> {
        let weights = self.shelf.arranging.as_ref().map_or_else(Weights::default, |a| a.weights);
        arranged(by_relevance, &self.traits, weights, n)
    }

    /// What was read of the products that were allowed, in the order in which they were asked about.
    pub fn traits(&self) -> &[Traits] {
        &self.traits
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

    /// The first rule that `item` breaks; of one that breaks none, what decides its place is kept.
    fn looked_at(&mut self, item: &str) -> Result<Option<usize>, ServeError> {
        let shelf = self.shelf;
        if let Some(reader) = &shelf.product {
            let key = super::super::entities::key_of(item)?;
            reader.read(&self.visit, &key, &mut self.scratch, &mut self.product)?;
        }
        for (number, rule) in shelf.rules.iter().enumerate() {
            self.bring(&rule.term, item);
            if !rule.term.expression.is_true(&self.inputs, self.visit.as_of) {
                return Ok(Some(number));
            }
        }
        if let Some(arranging) = &shelf.arranging {
            let margin = arranging.margin.as_ref().and_then(|term| match self.value_of(term, item) {
                Value::Float(margin) if margin.is_finite() => Some(margin),
                _ => None,
            });
            let kinds = arranging.kinds.iter().map(|term| self.value_of(term, item)).collect();
            self.traits.push(Traits { margin, kinds });
        }
        if let Some(look) = shelf.second_look.as_ref().filter(|_| self.facts.len() < RERANKED) {
            let value = |at: &usize| self.product.get(*at).cloned();
            let unknown = || Value::Missing(Missing::Undefined);
            self.facts.push(look.product.iter().map(|at| value(at).unwrap_or_else(unknown)).collect());
        }
        Ok(None)
    }

    fn value_of(&mut self, term: &Term, item: &str) -> Value {
        self.bring(term, item);
        term.expression.evaluate(&self.inputs, self.visit.as_of)
    }

    /// Lays the inputs of `term` ready.
    fn bring(&mut self, term: &Term, item: &str) {
        self.inputs.clear();
        for input in &term.inputs {
            let value = self.value(input, item);
            self.inputs.push(value);
        }
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

/// That the project still declares the features that a version's second look reads, as they were.
fn check(read: &FactsRead, declared: Option<&FeatureSet>) -> Result<(), ServeError> {
    let hash = declared.map_or("", |set| set.hash.as_str());
    if read.features.is_empty() || read.hash == hash {
        return Ok(());
    }
    let message =
        "its second look was made for other definitions of the features in `rerank`; train it again";
    Err(ServeError::InvalidField { message: message.into(), nearest: None })
}

fn fingerprint(spec: &UpsellSpec, second_look: Option<&SecondLook>) -> String {
    let mut asked =
        format!("{:?} {:?} {:?} {:?}", spec.rules, spec.not_bought_within, spec.filter, spec.weight);
    if !spec.arrangement.is_none() {
        asked.push_str(&format!(" {:?}", spec.arrangement));
    }
    if let Some(look) = second_look {
        asked.push_str(&format!(" {}", look.hash));
    }
    blake3::hash(asked.as_bytes()).to_hex()[..16].to_owned()
}

/// The position of `feature` in `features`, added if it is not there yet.
fn place(features: &mut Vec<FeatureName>, feature: &FeatureName) -> usize {
    features.iter().position(|known| known == feature).unwrap_or_else(|| {
        features.push(feature.clone());
        features.len() - 1
    })
}
