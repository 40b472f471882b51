//! A server in a process of its own, so that it can be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::binary::binary;

/// A running `scorehouse serve`; killed when dropped.
pub struct Server {
    child: Child,
    url: String,
    grpc: Option<String>,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Serves the project in `folder` on a free port and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &[])
    }

    /// As [`Server::start`], with environment variables of one's own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(binary()?);
        command.envs(variables.iter().copied());
        Self::spawn(folder, command)
    }

    /// As [`Server::start`], by a command that runs the one it is given, such as a shell with settings of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_under(folder: &Path, under: &[&str]) -> Result<Self> {
        let (first, rest) = under.split_first().context("no command")?;
        let mut command = Command::new(first);
        command.args(rest).arg(binary()?);
        Self::spawn(folder, command)
    }

    fn spawn(folder: &Path, mut command: Command) -> Result<Self> {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let err = child.stderr.take().context("no standard error")?;
        let mut lines = BufReader::new(err).lines();
        let said = Arc::new(Mutex::new(String::new()));
        for line in lines.by_ref() {
            let line = line?;
            let found = serde_json::from_str::<serde_json::Value>(&line).ok();
            if let Some((found, url)) =
                found.as_ref().and_then(|json| Some((json, json["listening"].as_str()?)))
            {
                let (url, grpc) = (url.to_owned(), found["grpc"].as_str().map(str::to_owned));
                let more = Arc::clone(&said);
                // Whoever writes to a pipe that nobody reads stands still when it is full.
                std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| keep(&more, &line)));
                return Ok(Self { child, url, grpc, said });
            }
            keep(&said, &line);
        }
        let _ = child.wait();
        bail!("the server did not start:\n{}", text(&said))
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Where it answers over gRPC, host and port; none when its project does not say so.
    #[must_use]
    pub fn grpc(&self) -> Option<&str> {
        self.grpc.as_deref()
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server wrote to standard error so far: its log.
    #[must_use]
    pub fn said(&self) -> String {
        text(&self.said)
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

fn keep(said: &Mutex<String>, line: &str) {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    said.push_str(line);
    said.push('\n');
}

fn text(said: &Mutex<String>) -> String {
    said.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
