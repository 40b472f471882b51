//! `scorehouse keys`: who may ask the server.

use scorehouse_features::ids::LocalName;
use scorehouse_features::nearest::nearest;
use scorehouse_features::time::{Span, Timestamp};
use serde::Serialize;

use crate::access::store::{Act, KeyRecord, NewKey};
use crate::cli::args::KeysCommand;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Report, show, table};
use crate::cli::session::{Session, actor};
use crate::stores;

/// Runs `scorehouse keys`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, command: &KeysCommand) -> Outcome<()> {
    match command {
        KeysCommand::Create { name, role, expires, attributes, why } => {
            let new = NewKey {
                name: name.clone(),
                role: *role,
                attributes: attributes.iter().map(|text| attribute(session, text)).collect::<Outcome<_>>()?,
                expires: expires.as_deref().map(|text| end(session, text)).transpose()?,
            };
            Ok(show(&create(session, &new, why)?, session.json)?)
        }
        KeysCommand::List => list(session),
        KeysCommand::Revoke { key, why } => revoke(session, key, why),
    }
}

/// A key just made, with the one sight of it.
#[derive(Serialize)]
pub struct Created {
    /// The key.
    pub key: String,
    #[serde(flatten)]
    record: KeyRecord,
}

impl Report for Created {
    fn human(&self) -> String {
        let KeyRecord { id, name, role, .. } = &self.record;
        format!(
            "{}\n\nThis is the only time the key of {name} ({role}, id {id}) is shown; only its hash is kept. Send it \
             as\n  Authorization: Bearer {}",
            self.key, self.key
        )
    }
}

/// Makes a key.
///
/// # Errors
/// A failure with its fault.
pub fn create(session: &Session, new: &NewKey, why: &str) -> Outcome<Created> {
    let who = actor();
    let act = Act { who: &who, when: session.clock.now(), why };
    let (key, record) = stores::open_keys(&session.project)?.create(new, &act)?;
    Ok(Created { key: key.reveal().to_owned(), record })
}

fn attribute(session: &Session, text: &str) -> Outcome<(String, String)> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Failure::caller(format!("--set takes NAME=VALUE, not {text:?}")));
    };
    let known = &session.project.access.attributes;
    if known.iter().any(|known| known.as_str() == name) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let near = nearest(name, known.iter().map(LocalName::as_str));
    let hint = near.map_or_else(
        || "; [access] attributes names them".to_owned(),
        |near| format!("; did you mean `{near}`?"),
    );
    Err(Failure::caller(format!("the project knows no attribute `{name}`{hint}")))
}

/// A span from now, or a moment.
fn end(session: &Session, text: &str) -> Outcome<Timestamp> {
    let now = session.clock.now();
    let end = match text.parse::<Span>() {
        Ok(span) => now.after(span),
        Err(_) => Timestamp::parse(text).map_err(|_| {
            Failure::caller(format!("--expires takes a span such as 90d or a moment, not {text:?}"))
        })?,
    };
    if end <= now {
        return Err(Failure::caller(format!("--expires: {end} has passed")));
    }
    Ok(end)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Keys(Vec<KeyLine>);

#[derive(Serialize)]
struct KeyLine {
    state: &'static str,
    #[serde(flatten)]
    record: KeyRecord,
}

impl KeyLine {
    fn of(record: KeyRecord, now: Timestamp) -> Self {
        let state = match (record.revoked, record.is_valid(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "valid",
            (None, false) => "expired",
        };
        Self { state, record }
    }
}

impl Report for Keys {
    fn human(&self) -> String {
        if self.0.is_empty() {
            return "no key was ever made; `scorehouse keys create NAME --role ROLE` makes one".to_owned();
        }
        let day = |moment: Option<Timestamp>| {
            moment.map_or_else(|| "–".to_owned(), |moment| moment.to_string().chars().take(16).collect())
        };
        let rows = self.0.iter().map(|KeyLine { state, record }| {
            let attributes: Vec<String> =
                record.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
            vec![
                record.id.clone(),
                record.name.clone(),
                record.role.to_string(),
                attributes.join(" "),
                (*state).to_owned(),
                day(Some(record.created)),
                day(record.expires),
                day(record.last_used),
            ]
        });
        table(&["id", "name", "role", "attributes", "state", "made", "ends", "last used"], &[], rows)
    }
}

fn list(session: &Session) -> Outcome<()> {
    let now = session.clock.now();
    let records = stores::open_keys(&session.project)?.list()?;
    let lines = records.into_iter().map(|record| KeyLine::of(record, now)).collect();
    Ok(show(&Keys(lines), session.json)?)
}

fn revoke(session: &Session, key: &str, why: &str) -> Outcome<()> {
    let who = actor();
    let act = Act { who: &who, when: session.clock.now(), why };
    let store = stores::open_keys(&session.project)?;
    let revoked = store.revoke(key, &act)?;
    if revoked.is_empty() {
        return Err(Failure::caller(format!(
            "there is no valid key with the id or name {key:?}; `scorehouse keys list` shows them"
        )));
    }
    let ids: Vec<String> = revoked.into_iter().map(|key| key.id).collect();
    let now = act.when;
    let records = store.list()?.into_iter().filter(|record| ids.contains(&record.id));
    let lines = records.map(|record| KeyLine::of(record, now)).collect();
    Ok(show(&Keys(lines), session.json)?)
}
