//! Who asks, and what may they?
//!
//! In the order of a request's way: the credential it brings (`credential`), an API key ([`key`], kept hashed
//! in [`store`] and in memory by `ring`) or a token of the company's identity provider (`token`, `signed`, its keys by `remote`); the
//! [`Caller`] that it stands for; what callers of that role may reach (`permission`) and how often (`pace`);
//! and the guard in front of every route ([`guard`]). [`Access`] holds them together.
//!
//! Access is closed unless the project file or the command line opens it, or nothing was ever set up on an
//! address that only this machine reaches; `docs/decisions/access.md` says why.

mod caller;
mod credential;
mod gate;
mod guard;
pub mod key;
mod pace;
mod permission;
mod remote;
mod ring;
mod signed;
pub mod store;
mod token;

pub use caller::{Caller, Via};
pub use gate::{Access, watch};
pub use guard::{Guard, guard};
pub use remote::fetch;
pub use scorehouse_features::definition::Role;
