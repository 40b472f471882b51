//! A server in a process of its own, so that it can be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::binary::binary;

/// A running `scorehouse serve`; killed when dropped.
pub struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Serves the project in `folder` on a free port and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut child = Command::new(binary()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let err = child.stderr.take().context("no standard error")?;
        let mut lines = BufReader::new(err).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line?;
            let found = serde_json::from_str::<serde_json::Value>(&line).ok();
            if let Some(url) = found.as_ref().and_then(|json| json["listening"].as_str()) {
                let url = url.to_owned();
                // Whoever writes to a pipe that nobody reads stands still when it is full.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, url });
            }
            said.push_str(&line);
            said.push('\n');
        }
        let _ = child.wait();
        bail!("the server did not start:\n{said}")
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
