//! What may be shown to whom, and in which order: a model's rules and weights, bound to the store.

use scorehouse_features::definition::{FeatureSet, OverProduct, Project, RuleSpec, UpsellSpec};
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch};
use scorehouse_models::predictor::recommender::{FactsRead, RERANKED, Reranker};

use super::arrangement::{Traits, Weights, arranged, pool};
use super::past::PastReader;
use super::places::{Places, place};
use crate::error::ServeError;
use crate::service::entities::key_of;

/// The rules of a model, and how to read what they ask about.
#[derive(Debug, Default)]
pub struct Shelf {
    rules: Vec<Rule>,
    arranging: Option<Arranging>,
    second_look: Option<SecondLook>,
    customer: Option<Reader>,
    product: Option<Reader>,
    places: Places,
    past: Option<PastReader>,
    /// Tells whether two shelves ask the same; empty when nothing is asked.
    fingerprint: String,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name in the project.
    pub name: String,
    /// Over what [`Places`] says.
    expression: Expression,
}

/// What decides the order beyond relevance.
#[derive(Debug)]
struct Arranging {
    weights: Weights,
    margin: Option<Expression>,
    kinds: Vec<Expression>,
}

/// Where a second look finds what it reads among what is read anyway.
#[derive(Debug)]
struct SecondLook {
    customer: Vec<usize>,
    product: Vec<usize>,
    /// Tells whether two shelves read the same.
    hash: String,
}

impl SecondLook {
    fn of(reranker: &Reranker, places: &mut Places) -> Self {
        let all = |of: &mut Vec<FeatureName>, read: &FactsRead| {
            read.features.iter().map(|feature| place(of, feature)).collect()
        };
        Self {
            customer: all(&mut places.customer, &reranker.customer),
            product: all(&mut places.product, &reranker.product),
            hash: format!("{} {}", reranker.customer.hash, reranker.product.hash),
        }
    }
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
        let arrangement = &spec.arrangement;
        let by = || arrangement.diversity.iter().flat_map(|spec| &spec.by);
        let mut places = Places::default();
        spec.rules.values().for_each(|rule| places.note(&rule.inputs));
        arrangement.margin.iter().for_each(|margin| places.note(&margin.value.inputs));
        by().for_each(|over| places.note(&over.inputs));
        let second_look = match (reranker, &spec.rerank) {
            (Some(reranker), Some(declared)) => {
                check(&reranker.customer, declared.customer.as_ref())?;
                check(&reranker.product, declared.product.as_ref())?;
                Some(SecondLook::of(reranker, &mut places))
            }
            _ => None,
        };
        let rule = |(name, rule): (&String, &RuleSpec)| Rule {
            name: name.clone(),
            expression: places.bind(&rule.expression, &rule.inputs),
        };
        let over = |over: &OverProduct| places.bind(&over.expression, &over.inputs);
        let arranging = (!arrangement.is_none()).then(|| Arranging {
            weights: Weights::of(arrangement),
            margin: arrangement.margin.as_ref().map(|margin| over(&margin.value)),
            kinds: by().map(over).collect(),
        });
        Ok(Self {
            rules: spec.rules.iter().map(rule).collect(),
            arranging,
            fingerprint: fingerprint(spec, second_look.as_ref()),
            second_look,
            customer: Reader::of(project, spec.user_entity.as_ref(), &places.customer)?,
            product: Reader::of(project, spec.item_entity.as_ref(), &places.product)?,
            past: Some(PastReader::of(project, spec)?),
            places,
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
        let (mut scratch, places) = (Scratch::default(), &self.places);
        let mut inputs = Vec::with_capacity(places.len());
        inputs.resize(places.customer_at(), Value::Missing(Missing::Undefined));
        let mut customer = Vec::new();
        if let (Some(reader), Some(key)) = (&self.customer, visit.customer) {
            reader.read(&visit, key, &mut scratch, &mut customer)?;
        }
        inputs.append(&mut customer);
        inputs.resize(places.request_at(), Value::Missing(Missing::NotGiven));
        inputs.extend(places.request.iter().map(|field| visit.request.get(field)));
        inputs.resize(places.len(), Value::Missing(Missing::Undefined));
        let filtered = vec![0; self.rules.len()];
        Ok(OpenShelf {
            shelf: self,
            visit,
            inputs,
            products: Vec::new(),
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
    /// What expressions read, as [`Places`] says; of the product that is looked at.
    inputs: Vec<Value>,
    /// Room to read some products in, the features of one after those of the other.
    products: Vec<Value>,
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
    /// Whether every rule lets each of `items` be shown; the first that does not counts it.
    pub fn allowed(&mut self, items: &[&str]) -> Vec<bool> {
        let Shelf { rules, arranging, second_look, product, .. } = self.shelf;
        if rules.is_empty() && arranging.is_none() && second_look.is_none() {
            return vec![true; items.len()];
        }
        if let Some(reader) = product
            && let Err(error) = reader.read_all(&self.visit, items, &mut self.scratch, &mut self.products)
        {
            // What cannot be checked is not shown; the request as a whole fails.
            self.failed.get_or_insert(error);
            return vec![false; items.len()];
        }
        items.iter().enumerate().map(|(place, item)| self.allows(item, place)).collect()
    }

    /// Whether `item` may be shown, whose features were read as the `place`th of some.
    fn allows(&mut self, item: &str, place: usize) -> bool {
        let width = self.shelf.product.as_ref().map_or(0, |reader| reader.names.len());
        let features = &mut self.products[place * width..(place + 1) * width];
        self.inputs.iter_mut().zip(features).for_each(|(to, from)| std::mem::swap(to, from));
        let broken = self.looked_at(item);
        if let Some(rule) = broken {
            self.filtered[rule] += 1;
        }
        broken.is_none()
    }

    /// Appends what a second look reads of the customer and of product number `candidate` of those allowed; false where
    /// there is none.
    pub fn facts(&self, candidate: usize, into: &mut Vec<Value>) -> bool {
        let Some(look) = &self.shelf.second_look else { return false };
        let unknown = || Value::Missing(Missing::Undefined);
        let customer = self.of_customer();
        into.extend(look.customer.iter().map(|at| customer.get(*at).cloned().unwrap_or_else(unknown)));
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
        names.map(String::as_str).zip(self.of_customer())
    }

    fn of_customer(&self) -> &[Value] {
        let places = &self.shelf.places;
        self.inputs.get(places.customer_at()..places.request_at()).unwrap_or_default()
    }

    /// How many products each rule kept back.
    ///
    /// # Errors
    /// What reading a product reported.
    pub fn close(self) -> Result<Vec<usize>, ServeError> {
        self.failed.map_or(Ok(self.filtered), Err)
    }

    /// The first rule that `item` breaks, whose features were read; of one that breaks none, what decides its place is
    /// kept.
    fn looked_at(&mut self, item: &str) -> Option<usize> {
        let (shelf, as_of) = (self.shelf, self.visit.as_of);
        if shelf.places.item {
            self.inputs[shelf.places.item_at()] = Value::Text(item.into());
        }
        let inputs = &self.inputs;
        let broken = shelf.rules.iter().position(|rule| !rule.expression.is_true(inputs, as_of));
        if broken.is_some() {
            return broken;
        }
        if let Some(arranging) = &shelf.arranging {
            let value = |expression: &Expression| expression.evaluate(inputs, as_of);
            let margin = arranging.margin.as_ref().and_then(|margin| match value(margin) {
                Value::Float(margin) if margin.is_finite() => Some(margin),
                _ => None,
            });
            self.traits.push(Traits { margin, kinds: arranging.kinds.iter().map(value).collect() });
        }
        if let Some(look) = shelf.second_look.as_ref().filter(|_| self.facts.len() < RERANKED) {
            let value = |at: &usize| inputs.get(*at).cloned();
            let unknown = || Value::Missing(Missing::Undefined);
            self.facts.push(look.product.iter().map(|at| value(at).unwrap_or_else(unknown)).collect());
        }
        None
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

    /// Reads several entities, the features of one after those of the other.
    fn read_all(
        &self,
        visit: &Visit<'_>,
        names: &[&str],
        scratch: &mut Scratch,
        out: &mut Vec<Value>,
    ) -> Result<(), ServeError> {
        let keys: Vec<EntityKey> = names.iter().map(|name| key_of(name)).collect::<Result<_, _>>()?;
        let read = |key| Read { key, as_of: visit.as_of, request: visit.request, overrides: &[] };
        let reads: Vec<Read<'_>> = keys.iter().map(read).collect();
        Ok(self.plan.read_all(visit.online, &reads, scratch, out)?)
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
