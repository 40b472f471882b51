//! Who may ask what: the checked `[access]` section.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::{EntityName, FeatureName, LocalName, ModelName, SourceName};
use crate::time::Span;

/// What a caller is to the company; it decides which routes answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A sales rep, or the CRM on a rep's behalf: deals and their scores.
    Rep,
    /// A web shop: recommendations and scores, visits pushed.
    Storefront,
    /// A service desk: accounts at risk, tickets and outcomes pushed.
    Service,
    /// A data scientist: training sets, models, moves of aliases.
    Scientist,
    /// Whoever runs the server: everything, and the trail of changes.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Rep, Self::Storefront, Self::Service, Self::Scientist, Self::Operator];

    /// The role as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rep => "rep",
            Self::Storefront => "storefront",
            Self::Service => "service",
            Self::Scientist => "scientist",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; expected one of rep, storefront, service, scientist, operator")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let unknown = || UnknownRole(text.chars().take(80).collect());
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(unknown)
    }
}

/// What `[access]` says. Without the section everything keeps its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Access {
    /// True: everyone may ask everything. Only ever true because the project file says so.
    pub open: bool,
    /// True: `/metrics` needs no key.
    pub open_metrics: bool,
    /// What is known of a caller besides its name, all of them text: `caller.region`.
    pub attributes: Vec<LocalName>,
    /// Whose tokens are taken; none for API keys alone.
    pub jwt: Option<JwtIssuer>,
    /// What narrows a role; a role that is not here is not narrowed.
    pub roles: IndexMap<Role, RoleAccess>,
}

/// Whose JSON Web Tokens are taken, and what their claims mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtIssuer {
    /// The `iss` claim must be this.
    pub issuer: String,
    /// The `aud` claim must hold this.
    pub audience: String,
    /// Where its public keys are (a JWKS document).
    pub jwks: Jwks,
    /// The claim that names the caller.
    pub name: String,
    /// The claim that holds the role or roles; dots lead into objects.
    pub role: String,
    /// What the claim's values mean; a value not here is no role. Empty: the values are the roles' own names.
    pub roles: IndexMap<String, Role>,
    /// The claim of each attribute, in the order of [`Access::attributes`].
    pub attributes: Vec<String>,
}

/// Where an issuer's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In a file.
    File(PathBuf),
    /// With the issuer.
    Url {
        /// The address.
        url: String,
        /// A PEM file of the authorities trusted there; none for those of the machine.
        ca: Option<PathBuf>,
        /// How often they are fetched when nothing asks for it.
        refresh: Span,
    },
}

/// What callers of one role may reach.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoleAccess {
    /// Models they may use; none means all.
    pub models: Option<Vec<ModelName>>,
    /// Sources they may push to; none means all.
    pub sources: Option<Vec<SourceName>>,
    /// Entities they may see; none means all. An entity that is not in the table is not seen.
    pub entities: Option<IndexMap<EntityName, EntityAccess>>,
    /// How often each of them may ask.
    pub rate: Option<Rate>,
}

/// Which entities of one kind a role sees.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityAccess {
    /// All of them.
    All,
    /// Those for which a condition holds.
    Where(CallerFilter),
}

/// A condition over an entity's features and the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerFilter {
    /// The condition; input i is `inputs[i]`.
    pub expression: Expression,
    /// What it reads.
    pub inputs: Vec<CallerInput>,
}

/// What a condition over a caller reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerInput {
    /// A feature of the entity.
    Feature(FeatureName),
    /// `caller.name`.
    Name,
    /// `caller.X`, by its position in [`Access::attributes`].
    Attribute(usize),
}

/// How often a caller may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest.
    pub burst: NonZeroU32,
}
