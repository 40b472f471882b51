//! Writing to a file past the system's page cache.
//!
//! A log is read once, much later. Through the cache each of its bytes is copied into memory that is new each time, and
//! that memory has to be found, told of and given back; and it pushes out what is read again. Straight from where they lie
//! the bytes cost the processor next to nothing. Not every file system can do this, and not every system.

use std::fs::File;
use std::io;
use std::path::Path;

/// The way past the cache into one file.
#[derive(Debug, Default)]
pub enum Direct {
    /// Nobody has asked for it yet.
    #[default]
    Untried,
    /// It is open.
    Open(File),
    /// There is none here.
    Closed,
}

impl Direct {
    /// False once it is known that there is no such way.
    pub const fn may_be_open(&self) -> bool {
        !matches!(self, Self::Closed)
    }

    /// Writes blocks at a place that is a multiple of theirs; false when there is no such way here, and whatever was
    /// written must be written again.
    ///
    /// # Errors
    /// When the disk refuses them.
    #[cfg(target_os = "linux")]
    pub fn write(&mut self, path: &Path, place: u64, blocks: &[u8]) -> io::Result<bool> {
        use std::os::unix::fs::{FileExt, OpenOptionsExt};
        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let open = || std::fs::OpenOptions::new().write(true).custom_flags(flags).open(path);
        let told = match self {
            Self::Untried => open().and_then(|file| {
                let told = file.write_all_at(blocks, place);
                *self = Self::Open(file);
                told
            }),
            Self::Open(file) => file.write_all_at(blocks, place),
            Self::Closed => return Ok(false),
        };
        match told {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                *self = Self::Closed;
                Ok(false)
            }
            told => told.map(|()| true),
        }
    }

    /// There is no such way here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(target_os = "linux"))]
    pub fn write(&mut self, _: &Path, _: u64, _: &[u8]) -> io::Result<bool> {
        *self = Self::Closed;
        Ok(false)
    }
}
