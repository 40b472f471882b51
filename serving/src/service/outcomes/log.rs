//! The built-in log of outcomes, for models whose project declares no source of them.
//!
//! One JSON object a line under `state/outcomes/outcomes.jsonl`. An outcome is acknowledged only after its
//! line has reached the disk; a line torn by a crash was never acknowledged and is cut off on opening.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::error::ServeError;

/// An open log.
#[derive(Debug)]
pub struct OutcomeLog {
    path: PathBuf,
    file: Mutex<File>,
}

impl OutcomeLog {
    /// Opens the log under `state`, creating it when it is not there.
    ///
    /// # Errors
    /// [`ServeError::Io`] when the folder or file cannot be made or read.
    pub fn open(state: &Path) -> Result<Self, ServeError> {
        let folder = state.join("outcomes");
        let path = folder.join("outcomes.jsonl");
        let open = || {
            std::fs::create_dir_all(&folder)?;
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let whole = end_of_last_line(&mut file)?;
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { path, file: Mutex::new(file) }),
            Err(source) => Err(ServeError::Io { what: path.display().to_string(), source }),
        }
    }

    /// Appends whole lines and waits until they are on the disk.
    ///
    /// # Errors
    /// [`ServeError::Io`]; nothing of `lines` counts as stored then, and what was written is cut off.
    pub fn append(&self, lines: &[u8]) -> Result<(), ServeError> {
        let mut file = self.file.lock();
        let write = |file: &mut File| {
            let before = file.seek(SeekFrom::End(0))?;
            let written = file.write_all(lines).and_then(|()| file.sync_data());
            if written.is_err() {
                file.set_len(before)?;
            }
            written
        };
        write(&mut file).map_err(|source| ServeError::Io { what: self.path.display().to_string(), source })
    }
}

/// Length of the file up to and with its last line break.
fn end_of_last_line(file: &mut File) -> std::io::Result<u64> {
    const CHUNK: u64 = 64 * 1024;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let begin = end.saturating_sub(CHUNK);
        let mut bytes = vec![0; (end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_cut_off_and_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let log = OutcomeLog::open(folder.path()).unwrap();
        log.append(b"{\"key\":\"a\"}\n").unwrap();
        let path = log.path.clone();
        drop(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"b").unwrap();
        let log = OutcomeLog::open(folder.path()).unwrap();
        log.append(b"{\"key\":\"c\"}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"key\":\"a\"}\n{\"key\":\"c\"}\n");
    }
}
