//! Who answers which row of a request.

use std::borrow::Cow;
use std::cell::RefCell;

use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::{FeaturePlan, Read, RequestFields, Scratch, key::key_text};

use super::{By, Challenge, Followed, Variant};
use crate::error::ServeError;
use crate::live_model::Selected;
use crate::service::scalar::Fields;
use crate::service::score::{EntityAsked, ScoreRequest};
use crate::state::AppState;

/// The versions that answer one request: one, or in a split one per variant.
#[derive(Debug)]
pub struct Arms<'s> {
    first: Selected,
    split: Option<Split<'s>>,
    shadow: Option<(&'s Challenge, Selected)>,
}

#[derive(Debug)]
struct Split<'s> {
    challenge: &'s Challenge,
    /// None while nothing stands behind the alias `challenger`: the champion answers all then.
    challenger: Option<Selected>,
}

/// The alias that a challenge is about.
pub const CHALLENGER: &str = "challenger";

impl<'s> Arms<'s> {
    /// The versions that a request asks for. Only a request that names neither alias nor version takes part in a
    /// split.
    ///
    /// # Errors
    /// As for [`LiveModels::select`](crate::live_model::LiveModels::select).
    pub fn select(
        state: &'s AppState,
        model: &str,
        (alias, version): (Option<&str>, Option<u32>),
    ) -> Result<Self, ServeError> {
        let first = state.live.select(model, alias, version)?;
        let named = alias.is_some() || version.is_some();
        let challenge = if named { None } else { state.challenges.split(model) };
        let split =
            challenge.map(|challenge| Split { challenge, challenger: state.live.behind(model, CHALLENGER) });
        Ok(Self { shadow: shadow(state, &first), first, split })
    }

    /// One version for every row.
    #[must_use]
    pub fn one(state: &'s AppState, selected: Selected) -> Self {
        Self { shadow: shadow(state, &selected), first: selected, split: None }
    }

    /// The version of a variant.
    #[must_use]
    pub fn of(&self, variant: Option<Variant>) -> &Selected {
        match (variant, &self.split) {
            (Some(Variant::Challenger), Some(Split { challenger: Some(challenger), .. })) => challenger,
            _ => &self.first,
        }
    }

    /// The champion, or the one version that was asked for.
    #[must_use]
    pub const fn first(&self) -> &Selected {
        &self.first
    }

    /// The challenger of a split, where one is live.
    #[must_use]
    pub fn challenger(&self) -> Option<&Selected> {
        self.split.as_ref().and_then(|split| split.challenger.as_ref())
    }

    /// The challenger that is asked beside the champion.
    #[must_use]
    pub fn shadow(&self) -> Option<&Selected> {
        self.shadow.as_ref().map(|(_, challenger)| challenger)
    }

    /// What the shadow is to score of an entity as of a moment; none without one, for an entity without a key, and for
    /// keys that are not its.
    ///
    /// # Errors
    /// What reading the key of the entity referred to reports.
    pub fn followed(
        &self,
        state: &AppState,
        request: &ScoreRequest<'_>,
        (entity, as_of): (&EntityAsked<'_>, Timestamp),
    ) -> Result<Option<Box<Followed>>, ServeError> {
        let (Some((challenge, challenger)), Some(key)) = (&self.shadow, &entity.key) else { return Ok(None) };
        let takes = match given_key(challenge, request, entity) {
            Some(given) => challenge.takes(&given),
            None => challenge.takes_entity(state, key, as_of)?,
        };
        let Some(key) = EntityKey::new(key).ok().filter(|_| takes) else { return Ok(None) };
        let given = challenger.model.given_where_read(&[&request.features, &entity.features]);
        Ok(Some(Box::new(Followed::Entity { key, as_of, given })))
    }

    /// What the shadow is to score of a row of plain values, of a model that reads a table.
    #[must_use]
    pub fn followed_inputs(
        &self,
        fields: &Fields<'_>,
        (key, as_of): (Option<&str>, Timestamp),
    ) -> Option<Box<Followed>> {
        let (challenge, challenger) =
            self.shadow.as_ref().filter(|(_, other)| other.model.entity().is_none())?;
        if !challenge.follows(deciding(challenge, fields, key).as_deref()) {
            return None;
        }
        let values = challenger.model.inputs_where_read(fields);
        Some(Box::new(Followed::Inputs { key: key.map(str::to_owned), as_of, values }))
    }

    /// The variant that answers a row of plain values, of a model that reads a table; none outside a split.
    #[must_use]
    pub fn variant_of_inputs(&self, fields: &Fields<'_>, key: Option<&str>) -> Option<Variant> {
        let Some(Split { challenge, challenger: Some(_) }) = &self.split else { return self.undecided() };
        let takes = self.first.model.entity().is_none()
            && deciding(challenge, fields, key).is_some_and(|key| challenge.takes(&key));
        Some(if takes { Variant::Challenger } else { Variant::Champion })
    }

    /// The variant that recommends to a customer; none outside a split. A stranger is the champion's.
    #[must_use]
    pub fn variant_of_customer(&self, customer: Option<&str>) -> Option<Variant> {
        let Some(Split { challenge, challenger: Some(_) }) = &self.split else { return self.undecided() };
        let takes = customer.is_some_and(|key| challenge.takes(key));
        Some(if takes { Variant::Challenger } else { Variant::Champion })
    }

    /// The challenger that is asked for a list as well, beside the champion.
    #[must_use]
    pub fn shadow_of_customer(&self, customer: Option<&str>) -> Option<&Selected> {
        let (challenge, challenger) = self.shadow.as_ref()?;
        challenge.follows(customer).then_some(challenger)
    }

    /// The variant of rows that no key decides; none outside a split.
    #[must_use]
    pub fn undecided(&self) -> Option<Variant> {
        self.split.as_ref().map(|_| Variant::Champion)
    }

    /// The variant that answers for an entity as of a moment; none outside a split. An entity without a key is the
    /// champion's.
    ///
    /// # Errors
    /// What reading the key of the entity referred to reports.
    pub fn variant(
        &self,
        state: &AppState,
        request: &ScoreRequest<'_>,
        (entity, as_of): (&EntityAsked<'_>, Timestamp),
    ) -> Result<Option<Variant>, ServeError> {
        let Some(Split { challenge, challenger: Some(_) }) = &self.split else { return Ok(self.undecided()) };
        let takes = match given_key(challenge, request, entity) {
            Some(given) => challenge.takes(&given),
            None => match entity.key.as_deref() {
                Some(key) => challenge.takes_entity(state, key, as_of)?,
                None => false,
            },
        };
        Ok(Some(if takes { Variant::Challenger } else { Variant::Champion }))
    }
}

/// The challenger of a champion that the project gives a shadow, where one is live.
fn shadow<'s>(state: &'s AppState, first: &Selected) -> Option<(&'s Challenge, Selected)> {
    let name = first.model.name();
    let challenge = state.challenges.shadow(name)?;
    first.alias.as_ref().filter(|alias| alias.as_str() == Variant::Champion.as_str())?;
    Some((challenge, state.live.behind(name, CHALLENGER)?))
}

/// The deciding key, when the request gives it in place of a stored one.
fn given_key(challenge: &Challenge, request: &ScoreRequest<'_>, entity: &EntityAsked<'_>) -> Option<String> {
    let By::Reference(feature, _) = &challenge.by else { return None };
    let name = feature.to_string();
    let given = request.features.0.iter().chain(&entity.features.0).rev();
    let (_, value) = given.into_iter().find(|(known, _)| **known == *name)?;
    let value = value.to_value(&name, scorehouse_features::value::ValueType::Text).ok()?;
    key_text(&value).map(std::borrow::Cow::into_owned)
}

/// The key that decides for a row of plain values: what names it, or the column that the project declares.
fn deciding<'a>(challenge: &Challenge, fields: &'a Fields<'_>, key: Option<&'a str>) -> Option<Cow<'a, str>> {
    let By::Column(column) = &challenge.by else { return key.map(Cow::Borrowed) };
    let (_, value) = fields.0.iter().rev().find(|(name, _)| **name == **column)?;
    value.text()
}

thread_local! {
    static WORK: RefCell<(Scratch, Vec<Value>)> = RefCell::default();
}

impl Challenge {
    /// True when the entity with this key, or the one that decides for it, is the challenger's.
    ///
    /// # Errors
    /// What reading the key of the entity referred to reports.
    pub fn takes_entity(&self, state: &AppState, key: &str, as_of: Timestamp) -> Result<bool, ServeError> {
        let By::Reference(_, plan) = &self.by else { return Ok(self.takes(key)) };
        if self.share >= 1.0 {
            return Ok(true);
        }
        Ok(referred(state, plan, key, as_of)?.map_or_else(|| self.takes(key), |other| self.takes(&other)))
    }
}

fn referred(
    state: &AppState,
    plan: &FeaturePlan,
    key: &str,
    as_of: Timestamp,
) -> Result<Option<String>, ServeError> {
    // What is no key has no rows; scoring it says so.
    let Ok(key) = EntityKey::new(key) else { return Ok(None) };
    WORK.with_borrow_mut(|(scratch, values)| {
        let read = Read { key: &key, as_of, request: &RequestFields::new(), overrides: &[] };
        plan.read(state.online.as_ref(), &read, scratch, values)?;
        Ok(values.first().and_then(key_text).map(std::borrow::Cow::into_owned))
    })
}
