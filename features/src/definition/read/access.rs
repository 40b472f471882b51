//! `[access]`: who may ask what.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::Path;

use indexmap::{IndexMap, IndexSet};

use crate::definition::access::{
    Access, CallerFilter, CallerInput, EntityAccess, Jwks, JwtIssuer, Rate, Role, RoleAccess,
};
use crate::definition::catalogue::{Catalogue, Meaning};
use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::derived::blame;
use crate::definition::read::source::{Sources, declared, named};
use crate::definition::read::webhook::url;
use crate::expression::{Expression, Scope};
use crate::ids::{EntityName, FeatureName, LocalName, ModelName};
use crate::time::Span;
use crate::value::ValueType;

/// How often keys are fetched when the project does not say.
const REFRESH: Span = Span(5 * 60 * 1_000_000);

/// What else of the file the section refers to.
pub(in crate::definition) struct Around<'a> {
    pub root: &'a Path,
    pub sources: &'a Sources<'a>,
    pub catalogue: &'a Catalogue,
}

pub(in crate::definition) fn access(file: Section<'_>, around: &Around<'_>) -> Access {
    let Some(section) = file.section("access") else { return Access::default() };
    section.only("access", &["open", "metrics", "attributes", "jwt", "role"]);
    let attributes = attributes(&section);
    Access {
        open: section.get("open").and_then(|e| e.flag()).unwrap_or(false),
        open_metrics: section.get("metrics").is_some_and(|e| is_open(&e)),
        jwt: section.section("jwt").and_then(|jwt| issuer(&jwt, &attributes, around.root)),
        roles: roles(&file, &section, &attributes, around),
        attributes,
    }
}

fn is_open(entry: &Entry<'_>) -> bool {
    match entry.text() {
        Some("open") => true,
        Some("closed") | None => false,
        Some(_) => {
            entry.refuse("\"open\" or \"closed\"");
            false
        }
    }
}

fn attributes(section: &Section<'_>) -> Vec<LocalName> {
    let Some(entry) = section.get("attributes") else { return Vec::new() };
    let items = entry.items("a list of names, such as [\"region\"]");
    let mut names: Vec<LocalName> = Vec::new();
    for name in items.iter().filter_map(Entry::parsed::<LocalName>) {
        if name.as_str() == "name" {
            let finding = Finding::at(entry.at(), "`name` is known of every caller");
            entry.findings().report(finding.expected("other names"));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

const JWT: [&str; 10] = [
    "issuer",
    "audience",
    "jwks",
    "jwks_url",
    "jwks_ca",
    "jwks_refresh",
    "name",
    "role",
    "roles",
    "attributes",
];

fn jwks(section: &Section<'_>, root: &Path) -> Option<Jwks> {
    let Some(entry) = section.get("jwks_url") else {
        for key in ["jwks_ca", "jwks_refresh"] {
            if let Some(entry) = section.get(key) {
                entry.refuse("nothing here without `jwks_url`");
            }
        }
        let file =
            section.need("jwks", "the file of the issuer's public keys, or their address as `jwks_url`");
        return file.and_then(|entry| entry.words()).map(|path| Jwks::File(root.join(path.trim())));
    };
    if let Some(file) = section.get("jwks") {
        file.refuse("either `jwks`, a file, or `jwks_url`, an address");
    }
    Some(Jwks::Url {
        url: url(&entry, "https://login.example.com/.well-known/jwks.json")?,
        ca: section.get("jwks_ca").and_then(|entry| entry.words()).map(|path| root.join(path)),
        refresh: section.get("jwks_refresh").map_or(Some(REFRESH), |entry| entry.parsed())?,
    })
}

fn issuer(section: &Section<'_>, attributes: &[LocalName], root: &Path) -> Option<JwtIssuer> {
    section.only("access.jwt", &JWT);
    let need = |key: &str, expected: &str| {
        section.need(key, expected).and_then(|e| e.words()).map(|text| text.trim().to_owned())
    };
    let or = |key: &str, otherwise: &str| {
        section.get(key).and_then(|e| e.words()).unwrap_or(otherwise).trim().to_owned()
    };
    let roles = role_values(section);
    let claims = attribute_claims(section, attributes);
    let issuer = need("issuer", "what the `iss` claim must be");
    let audience = need("audience", "what the `aud` claim must hold");
    let jwks = jwks(section, root);
    Some(JwtIssuer {
        issuer: issuer?,
        audience: audience?,
        jwks: jwks?,
        name: or("name", "sub"),
        role: or("role", "role"),
        roles,
        attributes: claims,
    })
}

fn role_values(section: &Section<'_>) -> IndexMap<String, Role> {
    let entries = section.section("roles").map(|s| s.entries()).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| Some((entry.key().to_owned(), role(entry, entry.text()?, entry.at())?)))
        .collect()
}

fn role(entry: &Entry<'_>, text: &str, at: usize) -> Option<Role> {
    let role = text.parse().ok();
    if role.is_none() {
        let finding = Finding::at(at, format!("unknown role `{text}`"));
        entry.findings().report(finding.known(text, Role::ALL.map(Role::as_str)));
    }
    role
}

/// The claim of each attribute: as the table says, else the attribute's own name.
fn attribute_claims(section: &Section<'_>, attributes: &[LocalName]) -> Vec<String> {
    let table = section.section("attributes");
    if let Some(table) = &table {
        let known: Vec<&str> = attributes.iter().map(LocalName::as_str).collect();
        table.only("access.jwt.attributes", &known);
    }
    let claim = |name: &LocalName| {
        let given = table.as_ref().and_then(|table| table.get(name.as_str())).and_then(|e| e.words());
        given.unwrap_or(name.as_str()).to_owned()
    };
    attributes.iter().map(claim).collect()
}

fn roles(
    file: &Section<'_>,
    section: &Section<'_>,
    attributes: &[LocalName],
    around: &Around<'_>,
) -> IndexMap<Role, RoleAccess> {
    let entries = section.section("role").map(|s| s.entries()).unwrap_or_default();
    let models = declared(*file, "model");
    let one = |entry: &Entry<'_>| {
        let role = role(entry, entry.key(), entry.key_at())?;
        let table = entry.section("a table")?;
        table.only(&format!("access.role.{role}"), &["models", "sources", "entities", "rate", "burst"]);
        let entities = table.section("entities").map(|table| entities(&table, attributes, around.catalogue));
        let access = RoleAccess {
            models: table.get("models").map(|e| model_names(&e, &models)),
            sources: table.get("sources").map(|e| {
                let items = e.items("a list of sources");
                items.iter().filter_map(|e| named(e, around.sources)).map(|s| s.name.clone()).collect()
            }),
            entities,
            rate: rate(&table),
        };
        Some((role, access))
    };
    entries.iter().filter_map(one).collect()
}

pub(super) fn model_names(entry: &Entry<'_>, known: &[String]) -> Vec<ModelName> {
    let items = entry.items("a list of models");
    let name = |entry: &Entry<'_>| {
        let name: ModelName = entry.parsed()?;
        if !known.iter().any(|known| known == name.as_str()) {
            let finding = Finding::at(entry.at(), format!("there is no model `{name}`"));
            entry.findings().report(finding.known(name.as_str(), known.iter().map(String::as_str)));
            return None;
        }
        Some(name)
    };
    items.iter().filter_map(name).collect()
}

fn rate(table: &Section<'_>) -> Option<Rate> {
    const EXPECTED: &str = "a whole number, 1 to 1000000";
    let number = |key: &str| {
        let entry = table.get(key)?;
        let given = entry.whole(EXPECTED)?;
        let number =
            u32::try_from(given).ok().filter(|n| (1..=1_000_000).contains(n)).and_then(NonZeroU32::new);
        if number.is_none() {
            entry.refuse(EXPECTED);
        }
        number
    };
    let (per_second, burst) = (number("rate"), number("burst"));
    if let (None, Some(entry)) = (per_second, table.get("burst")) {
        let finding = Finding::at(entry.key_at(), "`burst` has no meaning without `rate`");
        entry.findings().report(finding.expected("`rate`, requests a second"));
    }
    let per_second = per_second?;
    Some(Rate { per_second, burst: burst.unwrap_or(per_second) })
}

fn entities(
    table: &Section<'_>,
    attributes: &[LocalName],
    catalogue: &Catalogue,
) -> IndexMap<EntityName, EntityAccess> {
    let mut seen = IndexMap::new();
    for entry in table.entries() {
        let Some(name) = named_entity(&entry, catalogue) else { continue };
        let access = if entry.is_text() {
            filter(&entry, &name, attributes, catalogue).map(EntityAccess::Where)
        } else {
            match entry.flag() {
                Some(true) => Some(EntityAccess::All),
                Some(false) => {
                    entry.refuse("true or a condition; leave it out to hide all of a kind");
                    None
                }
                None => None,
            }
        };
        if let Some(access) = access {
            seen.insert(name, access);
        }
    }
    seen
}

/// The entity that an entry's key names.
fn named_entity(entry: &Entry<'_>, catalogue: &Catalogue) -> Option<EntityName> {
    let name = catalogue.entity_name(entry.key());
    if name.is_none() && !catalogue.declares_entity(entry.key()) {
        let finding = Finding::at(entry.key_at(), format!("there is no entity `{}`", entry.key()));
        let known = catalogue.declared_entities.iter().map(String::as_str);
        entry.findings().report(finding.known(entry.key(), known));
    }
    name
}

fn filter(
    entry: &Entry<'_>,
    entity: &EntityName,
    attributes: &[LocalName],
    catalogue: &Catalogue,
) -> Option<CallerFilter> {
    let scope = CallerScope {
        catalogue,
        entity,
        attributes,
        inputs: RefCell::default(),
        trouble: RefCell::default(),
    };
    let compiled = Expression::compile_as(entry.words()?, &scope, ValueType::Bool);
    let CallerScope { inputs, trouble, .. } = scope;
    let expression = compiled.inspect_err(|error| blame(entry, error, trouble.into_inner())).ok()?;
    Some(CallerFilter { expression, inputs: inputs.into_inner().into_iter().collect() })
}

/// `caller.name`, `caller.attribute`, and features of one entity that no request can change.
struct CallerScope<'c> {
    catalogue: &'c Catalogue,
    entity: &'c EntityName,
    attributes: &'c [LocalName],
    inputs: RefCell<IndexSet<CallerInput>>,
    trouble: RefCell<Option<Meaning>>,
}

impl CallerScope<'_> {
    fn input(&self, path: &[String]) -> Option<(CallerInput, ValueType)> {
        if let [who, what] = path
            && who == "caller"
        {
            if what == "name" {
                return Some((CallerInput::Name, ValueType::Text));
            }
            let at = self.attributes.iter().position(|name| name.as_str() == what)?;
            return Some((CallerInput::Attribute(at), ValueType::Text));
        }
        let name: FeatureName = path.join(".").parse().ok()?;
        let meaning = self.catalogue.meaning(self.entity, &name);
        let Meaning::Feature(kind) = meaning else {
            *self.trouble.borrow_mut() = Some(meaning);
            return None;
        };
        if name.is_request() || self.catalogue.reach_of(&name.view, &name.name).request {
            let why = format!("`{name}` reads request fields, which a caller sets freely");
            *self.trouble.borrow_mut() = Some(Meaning::OutOfReach(why));
            return None;
        }
        Some((CallerInput::Feature(name), kind))
    }
}

impl Scope for CallerScope<'_> {
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)> {
        let (input, kind) = self.input(path)?;
        Some((self.inputs.borrow_mut().insert_full(input).0, kind))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.catalogue.features(self.entity).iter().map(ToString::to_string).collect();
        names.push("caller.name".to_owned());
        names.extend(self.attributes.iter().map(|name| format!("caller.{name}")));
        names
    }
}
