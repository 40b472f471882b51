//! `scorehouse models`: what the registry holds, and moves of aliases.

use scorehouse_models::registry::{AliasMove, AuditAction, AuditEntry, ModelRecord, VersionRecord};
use scorehouse_models::{AliasName, ModelVersion, Registry};
use serde::Serialize;

use crate::cli::args::ModelsCommand;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Report, show, table};
use crate::cli::register;
use crate::cli::session::{Session, actor, model_name};

/// Runs `scorehouse models`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, command: &ModelsCommand) -> Outcome<()> {
    match command {
        ModelsCommand::List => list(session),
        ModelsCommand::Show { model, version } => show_versions(session, model, *version),
        ModelsCommand::Register(args) => register::run(session, args),
        ModelsCommand::Promote { model, version, alias, why } => {
            promote(session, model, alias, ModelVersion(*version), why)
        }
        ModelsCommand::Rollback { model, alias } => rollback(session, model, alias),
        ModelsCommand::Audit { model } => audit(session, model),
        ModelsCommand::Export { model, version, output } => {
            let registry = session.registry()?;
            let record = session.version(&registry, &model_name(model)?, version)?;
            std::fs::write(output, registry.artifact_bytes(&record.model, record.version)?)?;
            Ok(show(
                &Exported { digest: record.digest.to_string(), file: output.display().to_string() },
                session.json,
            )?)
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Models(Vec<ModelLine>);

#[derive(Serialize)]
struct ModelLine {
    #[serde(flatten)]
    record: ModelRecord,
    versions: Vec<VersionRecord>,
}

impl Report for Models {
    fn human(&self) -> String {
        if self.0.is_empty() {
            return "no model is registered yet; `scorehouse train` makes one".to_owned();
        }
        let rows = self.0.iter().flat_map(|line| {
            line.versions.iter().rev().map(|version| {
                let aliases: Vec<&str> = line
                    .record
                    .aliases
                    .iter()
                    .filter(|(_, v)| **v == version.version)
                    .map(|(name, _)| name.as_str())
                    .collect();
                version_row(version, &aliases.join(", "))
            })
        });
        table(&["model", "version", "alias", "kind", "registered", "by", "digest"], &[1], rows)
    }
}

fn version_row(version: &VersionRecord, aliases: &str) -> Vec<String> {
    vec![
        version.model.to_string(),
        version.version.to_string(),
        aliases.to_owned(),
        version.kind.clone(),
        version.when.to_string().chars().take(19).collect(),
        version.who.clone(),
        version.digest.to_string().chars().take(12).collect(),
    ]
}

fn list(session: &Session) -> Outcome<()> {
    let registry = session.registry()?;
    let mut lines = Vec::new();
    for record in registry.list()? {
        let versions = registry.versions(&record.name)?;
        lines.push(ModelLine { record, versions });
    }
    Ok(show(&Models(lines), session.json)?)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Versions(Vec<VersionRecord>);

impl Report for Versions {
    fn human(&self) -> String {
        let one = |v: &VersionRecord| {
            let pretty = |json: &serde_json::Value| serde_json::to_string_pretty(json).unwrap_or_default();
            let window = v.window.map_or_else(|| "–".to_owned(), |w| format!("{} to {}", w.from, w.to));
            format!(
                "{} version {}\n  kind        {}\n  digest      {}\n  bytes       {}\n  registered  {} by {}\n  \
                 inputs      {}\n  learnt from {}\n  report      {}\n  metrics     {}\n  settings    {}",
                v.model,
                v.version,
                v.kind,
                v.digest,
                v.bytes,
                v.when,
                v.who,
                v.signature.inputs.len(),
                window,
                v.report.as_deref().unwrap_or("–"),
                pretty(&v.metrics),
                pretty(&v.params)
            )
        };
        self.0.iter().map(one).collect::<Vec<_>>().join("\n\n")
    }
}

fn show_versions(session: &Session, model: &str, version: Option<u32>) -> Outcome<()> {
    let registry = session.registry()?;
    let name = model_name(model)?;
    let versions = match version {
        Some(number) => vec![registry.get(&name, ModelVersion(number))?],
        None => registry.versions(&name)?,
    };
    Ok(show(&Versions(versions), session.json)?)
}

#[derive(Serialize)]
struct Moved {
    model: String,
    alias: String,
    from: Option<ModelVersion>,
    to: ModelVersion,
}

impl Report for Moved {
    fn human(&self) -> String {
        match self.from {
            Some(from) if from == self.to => format!("{} of {} stays at {}", self.alias, self.model, self.to),
            Some(from) => format!("{} of {} moved from {from} to {}", self.alias, self.model, self.to),
            None => format!("{} of {} set to {}", self.alias, self.model, self.to),
        }
    }
}

fn promote(session: &Session, model: &str, alias: &str, to: ModelVersion, why: &str) -> Outcome<()> {
    let registry = session.registry()?;
    let request = AliasMove {
        model: model_name(model)?,
        alias: AliasName::new(alias)?,
        to: Some(to),
        who: actor(),
        when: session.clock.now(),
        why: why.to_owned(),
    };
    let from = registry.move_alias(&request)?;
    Ok(show(&Moved { model: model.to_owned(), alias: alias.to_owned(), from, to }, session.json)?)
}

fn rollback(session: &Session, model: &str, alias: &str) -> Outcome<()> {
    let registry = session.registry()?;
    let name = AliasName::new(alias)?;
    let trail = registry.audit(&model_name(model)?)?;
    let last =
        trail.iter().rev().find(|e| e.action == AuditAction::MoveAlias && e.alias.as_ref() == Some(&name));
    let before = last.and_then(|entry| entry.from).ok_or_else(|| {
        Failure::caller(format!(
            "{alias} of {model} has not stood anywhere before; see `scorehouse models audit`"
        ))
    })?;
    promote(session, model, alias, before, "rolled back")
}

#[derive(Serialize)]
#[serde(transparent)]
struct Trail(Vec<AuditEntry>);

impl Report for Trail {
    fn human(&self) -> String {
        let rows = self.0.iter().map(|entry| {
            let version = |v: Option<ModelVersion>| v.map_or_else(|| "–".to_owned(), |v| v.to_string());
            let what = match entry.action {
                AuditAction::Register => format!("registered version {}", version(entry.to)),
                AuditAction::MoveAlias => format!(
                    "{} {} → {}",
                    entry.alias.as_ref().map_or("alias", AliasName::as_str),
                    version(entry.from),
                    version(entry.to)
                ),
            };
            let when = entry.when.to_string().chars().take(19).collect();
            vec![entry.number.to_string(), when, entry.who.clone(), what, entry.why.clone()]
        });
        table(&["#", "when", "who", "what", "why"], &[0], rows)
    }
}

fn audit(session: &Session, model: &str) -> Outcome<()> {
    let trail = session.registry()?.audit(&model_name(model)?)?;
    Ok(show(&Trail(trail), session.json)?)
}

#[derive(Serialize)]
struct Exported {
    digest: String,
    file: String,
}

impl Report for Exported {
    fn human(&self) -> String {
        format!("{} ({})", self.file, self.digest)
    }
}
