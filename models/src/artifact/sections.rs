//! Named parts of an artifact.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::artifact::format::SectionEntry;
use crate::artifact::tensors::Tensors;
use crate::error::ModelError;

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionKind {
    /// JSON.
    Json,
    /// Arrays of numbers, in the safetensors format.
    Tensors,
    /// An ONNX model.
    Onnx,
}

/// Named parts in the order in which they were put.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    parts: IndexMap<String, (SectionKind, Vec<u8>)>,
}

const PART: &str = "artifact";
const ALIGN: usize = 8;

impl Sections {
    /// Puts a value as JSON. Maps must have an order of their own, or the bytes differ from run to run.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for a name that stands already, or a value that JSON cannot hold.
    pub fn put_json<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), ModelError> {
        let bytes =
            serde_json::to_vec(value).map_err(|e| ModelError::invalid(PART, format!("{name}: {e}")))?;
        self.put(name, SectionKind::Json, bytes)
    }

    /// Puts arrays of numbers.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for a name that stands already, or arrays that cannot be written.
    pub fn put_tensors(&mut self, name: &str, tensors: &Tensors) -> Result<(), ModelError> {
        self.put(name, SectionKind::Tensors, tensors.to_bytes()?)
    }

    /// Puts an ONNX model.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for a name that stands already.
    pub fn put_onnx(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ModelError> {
        self.put(name, SectionKind::Onnx, bytes)
    }

    fn put(&mut self, name: &str, kind: SectionKind, bytes: Vec<u8>) -> Result<(), ModelError> {
        if self.parts.insert(name.to_owned(), (kind, bytes)).is_some() {
            return Err(ModelError::invalid(PART, format!("section {name} stands there twice")));
        }
        Ok(())
    }

    fn get(&self, name: &str, kind: SectionKind) -> Result<&[u8], ModelError> {
        match self.parts.get(name) {
            Some((found, bytes)) if *found == kind => Ok(bytes),
            Some((found, _)) => {
                Err(ModelError::invalid(PART, format!("section {name} is {found:?}, not {kind:?}")))
            }
            None => Err(ModelError::invalid(PART, format!("section {name} is missing"))),
        }
    }

    /// Reads a JSON section.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it is missing, of another kind, or does not fit the type.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ModelError> {
        let bytes = self.get(name, SectionKind::Json)?;
        serde_json::from_slice(bytes).map_err(|e| ModelError::invalid(PART, format!("section {name}: {e}")))
    }

    /// Reads a section of arrays.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it is missing, of another kind, or malformed.
    pub fn tensors(&self, name: &str) -> Result<Tensors, ModelError> {
        Tensors::from_bytes(self.get(name, SectionKind::Tensors)?)
    }

    /// An ONNX section.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] when it is missing or of another kind.
    pub fn onnx(&self, name: &str) -> Result<&[u8], ModelError> {
        self.get(name, SectionKind::Onnx)
    }

    /// The sections one after the other, each beginning at a multiple of 8.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (_, bytes) in self.parts.values() {
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(ALIGN), 0);
        }
        body
    }

    /// Where they stand in [`Sections::body`].
    pub(super) fn entries(&self) -> Vec<SectionEntry> {
        let mut offset = 0;
        let entry = |(name, (kind, bytes)): (&String, &(SectionKind, Vec<u8>))| {
            let entry = SectionEntry {
                name: name.clone(),
                kind: *kind,
                offset,
                length: bytes.len() as u64,
                blake3: blake3::hash(bytes).to_hex().to_string(),
            };
            offset += bytes.len().next_multiple_of(ALIGN) as u64;
            entry
        };
        self.parts.iter().map(entry).collect()
    }

    /// Takes a body apart and checks every digest.
    pub(super) fn read(entries: &[SectionEntry], body: &[u8]) -> Result<Self, ModelError> {
        let mut sections = Self::default();
        for entry in entries {
            let end = entry.offset.checked_add(entry.length);
            let found = body.len() as u64;
            let expected = end.filter(|end| *end <= found);
            let end = expected.ok_or(ModelError::WrongLength { expected: end.unwrap_or(u64::MAX), found })?;
            let bytes = &body[entry.offset as usize..end as usize];
            if blake3::hash(bytes).to_hex().as_str() != entry.blake3 {
                return Err(ModelError::Tampered { what: format!("section {}", entry.name) });
            }
            sections.put(&entry.name, entry.kind, bytes.to_vec())?;
        }
        Ok(sections)
    }
}
