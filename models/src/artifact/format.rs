//! The container: magic, format, lengths, manifest, body, digest.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic |
//! | 4 | format, little-endian |
//! | 4 | zero |
//! | 8 | length of the manifest, little-endian |
//! | 8 | length of the body, little-endian |
//! | … | manifest, JSON |
//! | … | body: the sections, each beginning at a multiple of 8 |
//! | 32 | BLAKE3 of all before |

use serde::{Deserialize, Serialize};

use crate::artifact::sections::{SectionKind, Sections};
use crate::error::ModelError;
use crate::ids::ArtifactDigest;

/// The format this release writes; it reads this one and all before.
pub const FORMAT: u32 = 1;

/// A byte beyond ASCII and a line end betray a file that went through a text channel.
const MAGIC: [u8; 8] = *b"\x89SCORE\r\n";
const HEADER: usize = 32;
const DIGEST: usize = 32;

/// Where a section stands in the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SectionEntry {
    pub(super) name: String,
    pub(super) kind: SectionKind,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) blake3: String,
}

/// A file taken apart.
pub(super) struct Parts<'a> {
    pub(super) manifest: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) digest: ArtifactDigest,
}

pub(super) fn write(manifest: &[u8], sections: &Sections) -> Vec<u8> {
    let body = sections.body();
    let mut bytes = Vec::with_capacity(HEADER + manifest.len() + body.len() + DIGEST);
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend((manifest.len() as u64).to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(manifest);
    bytes.extend(body);
    let digest = blake3::hash(&bytes);
    bytes.extend(digest.as_bytes());
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<Parts<'_>, ModelError> {
    let found = bytes.len() as u64;
    if bytes.len() < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC {
        return Err(ModelError::NotAnArtifact);
    }
    let header = bytes.get(..HEADER).ok_or(ModelError::WrongLength { expected: HEADER as u64, found })?;
    let format = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    if format > FORMAT {
        return Err(ModelError::NewerFormat { found: format, known: FORMAT });
    }
    let (manifest, body) = (number(&header[16..24]), number(&header[24..32]));
    let expected = manifest.saturating_add(body).saturating_add((HEADER + DIGEST) as u64);
    if expected != found {
        return Err(ModelError::WrongLength { expected, found });
    }
    let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
    let hash = blake3::hash(content);
    if hash.as_bytes() != digest {
        return Err(ModelError::Tampered { what: "the file".into() });
    }
    let (manifest, body) = content[HEADER..].split_at(manifest as usize);
    Ok(Parts { manifest, body, digest: ArtifactDigest::of(hash) })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
