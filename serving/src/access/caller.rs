//! Who asks.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use scorehouse_features::definition::Role;
use scorehouse_features::ids::{EntityKey, EntityName};
use scorehouse_features::online::OnlineStore;
use scorehouse_features::time::Timestamp;

use super::pace::Pace;
use super::permission::Permission;
use crate::error::ServeError;

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Not at all: the server is open.
    Open,
    /// By an API key.
    Key,
    /// By a token of the identity provider.
    Token,
}

/// Who asks; every handler behind a guard can take it. Cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<Identity>);

pub(super) struct Identity {
    pub name: String,
    pub role: Role,
    pub via: Via,
    /// What is known besides the name, in the order of the project's `[access] attributes`.
    pub attributes: Vec<Option<String>>,
    pub permission: Arc<Permission>,
    pub pace: Option<Arc<Pace>>,
}

impl Caller {
    pub(super) fn new(identity: Identity) -> Self {
        Self(Arc::new(identity))
    }

    /// The caller of an open server: nobody in particular, who may do everything.
    #[must_use]
    pub fn anyone() -> Self {
        Self::new(Identity {
            name: "anyone".to_owned(),
            role: Role::Operator,
            via: Via::Open,
            attributes: Vec::new(),
            permission: Arc::new(Permission::default()),
            pace: None,
        })
    }

    /// The caller's name: a key's, or what the token says.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the caller is to the company.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// How the caller proved who it is.
    #[must_use]
    pub fn via(&self) -> Via {
        self.0.via
    }

    /// Whether the caller may ask once more now.
    ///
    /// # Errors
    /// [`ServeError::RateLimited`] with the time to wait.
    pub(super) fn pace(&self, now: Timestamp) -> Result<(), ServeError> {
        self.0.pace.as_ref().map_or(Ok(()), |pace| pace.take(now))
    }

    /// True when the caller's role names the models it may use.
    pub(super) fn is_narrowed_by_path(&self) -> bool {
        self.0.permission.narrows_paths()
    }

    /// Refuses a model that the caller's role may not use.
    ///
    /// # Errors
    /// [`ServeError::Forbidden`].
    pub fn check_model(&self, model: &str) -> Result<(), ServeError> {
        if self.may_use(model) { Ok(()) } else { Err(self.forbidden("model", model)) }
    }

    /// True for a model that the caller's role may use.
    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        self.0.permission.allows_model(model)
    }

    /// Refuses a source that the caller's role may not push to.
    ///
    /// # Errors
    /// [`ServeError::Forbidden`].
    pub fn check_source(&self, source: &str) -> Result<(), ServeError> {
        if self.0.permission.allows_source(source) { Ok(()) } else { Err(self.forbidden("source", source)) }
    }

    /// Refuses a kind of entity that the caller's role does not see at all.
    ///
    /// # Errors
    /// [`ServeError::Forbidden`].
    pub fn check_entity(&self, entity: &str) -> Result<(), ServeError> {
        if self.0.permission.knows(entity) { Ok(()) } else { Err(self.forbidden("entity", entity)) }
    }

    /// Refuses what reads many entities at once unless the caller sees all of that kind.
    ///
    /// # Errors
    /// [`ServeError::Forbidden`].
    pub fn check_all(&self, entity: &EntityName) -> Result<(), ServeError> {
        if self.0.permission.sees_all(entity) {
            return Ok(());
        }
        Err(self.forbidden("every entity of kind", entity.as_str()))
    }

    /// True when the role sees some entities and not others, so that each one asked for must be looked at.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.0.permission.narrows_entities()
    }

    /// True for an entity that the caller may see now. What it may not see is to be answered as if it were not
    /// there.
    ///
    /// # Errors
    /// What reading the features that the role's condition asks for reports.
    pub fn sees(
        &self,
        online: &dyn OnlineStore,
        entity: &EntityName,
        key: &EntityKey,
        now: Timestamp,
    ) -> Result<bool, ServeError> {
        self.0.permission.sees(&self.0, online, (entity, key), now)
    }

    fn forbidden(&self, what: &str, name: &str) -> ServeError {
        let name: String = name.chars().take(100).collect();
        ServeError::Forbidden { message: format!("the role {} does not reach {what} {name:?}", self.0.role) }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("name", &self.0.name)
            .field("role", &self.0.role)
            .field("via", &self.0.via)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ServeError> {
        let unguarded = || ServeError::Bug { message: "a route without a guard asks who calls".into() };
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}
