//! The keys of the demo's callers: made on the first run, kept in a file beside the project, shown on each.
//!
//! Only the demo keeps keys in the clear. Its file is readable by its owner alone, and its company is made up.

use std::fs;
use std::path::Path;

use scorehouse_features::definition::Role;

use crate::access::key;
use crate::access::store::{KeyRecord, NewKey};
use crate::cli::failure::Outcome;
use crate::cli::keys;
use crate::cli::session::Session;
use crate::stores;

/// The file, to be read by a shell: `source demo/run/keys.env`.
const FILE: &str = "keys.env";

/// A key of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoKey {
    /// What its holder is.
    pub role: Role,
    /// The environment variable that carries it.
    pub variable: &'static str,
    /// The key.
    pub key: String,
}

const VARIABLES: [(Role, &str); 5] = [
    (Role::Operator, "SCOREHOUSE_KEY"),
    (Role::Scientist, "SCOREHOUSE_SCIENTIST_KEY"),
    (Role::Rep, "SCOREHOUSE_REP_KEY"),
    (Role::Storefront, "SCOREHOUSE_STOREFRONT_KEY"),
    (Role::Service, "SCOREHOUSE_SERVICE_KEY"),
];

/// One key for each role; the rep's bears the name `rep`. Those of an earlier run that still open are kept.
///
/// # Errors
/// A failure with its fault.
pub fn keys(session: &Session, rep: &str) -> Outcome<Vec<DemoKey>> {
    let path = session.project.root.join(FILE);
    let known = stores::open_keys(&session.project)?.list()?;
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut all = Vec::with_capacity(VARIABLES.len());
    for (role, variable) in VARIABLES {
        let name = if role == Role::Rep { rep.to_owned() } else { format!("demo {role}") };
        let kept = kept(&before, variable).filter(|key| opens(key, session, &known, (role, &name)));
        let key = match kept {
            Some(key) => key,
            None => {
                let new = NewKey { name, role, attributes: Vec::new(), expires: None };
                keys::create(session, &new, "made by the demo")?.key
            }
        };
        all.push(DemoKey { role, variable, key });
    }
    write(&path, &all)?;
    Ok(all)
}

/// The value of a variable in the file of an earlier run.
fn kept(file: &str, variable: &str) -> Option<String> {
    let line =
        file.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(variable)?.strip_prefix('='));
    line.map(str::to_owned)
}

fn opens(text: &str, session: &Session, known: &[KeyRecord], holder: (Role, &str)) -> bool {
    let Some((id, _)) = key::parts(text) else { return false };
    let now = session.clock.now();
    known.iter().any(|key| key.id == id && key.is_valid(now) && (key.role, key.name.as_str()) == holder)
}

fn write(path: &Path, keys: &[DemoKey]) -> Outcome<()> {
    let mut text = String::from("# Keys of the demo's callers. Whoever can read this file is let in.\n");
    for DemoKey { variable, key, .. } in keys {
        text.push_str(&format!("export {variable}={key}\n"));
    }
    fs::write(path, "")?;
    restrict(path)?;
    Ok(fs::write(path, text)?)
}

#[cfg(unix)]
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}
