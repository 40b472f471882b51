//! Progress bars for long work; silent when asked, or when nobody watches.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use scorehouse_training::Progress;

/// One bar per stage on standard error; a finished stage leaves one line behind.
pub struct Bars {
    label: String,
    visible: bool,
    plain: bool,
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    /// Bars headed by `label`. Where standard error is not a terminal, each stage prints one line instead.
    #[must_use]
    pub fn new(label: impl Into<String>, quiet: bool) -> Self {
        let plain = !std::io::stderr().is_terminal();
        Self { label: label.into(), visible: !quiet, plain, current: Mutex::new(None) }
    }

    /// Ends the current stage.
    pub fn finish(&self) {
        if let Some(bar) = self.current.lock().take() {
            bar.finish();
        }
    }

    fn bar(&self, total: u64) -> ProgressBar {
        if !self.visible || self.plain {
            return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        }
        let (bar, shape) = if total == 0 {
            (ProgressBar::new_spinner(), "{prefix:10.bold} {spinner} {msg} {elapsed:>6.dim}")
        } else {
            (
                ProgressBar::new(total),
                "{prefix:10.bold} {bar:28.cyan/dim} {percent:>3}% {msg} {elapsed:>6.dim}",
            )
        };
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

impl Bars {
    /// Begins a stage of `total` steps; 0 when the number is not known.
    pub fn start(&self, name: &str, total: u64) {
        self.finish();
        let bar = self.bar(total);
        bar.set_prefix(self.label.clone());
        bar.set_message(name.to_owned());
        if self.visible && self.plain {
            eprintln!("{:10} {name}", self.label);
        }
        *self.current.lock() = Some(bar);
    }

    fn step(&self, by: u64) {
        if let Some(bar) = self.current.lock().as_ref() {
            bar.inc(by);
        }
    }

    fn tell(&self, text: &str) {
        if let Some(bar) = self.current.lock().as_ref() {
            bar.set_message(text.to_owned());
        }
    }
}

impl Progress for Bars {
    fn stage(&self, name: &str, total: u64) {
        self.start(name, total);
    }

    fn advance(&self, by: u64) {
        self.step(by);
    }

    fn message(&self, text: &str) {
        self.tell(text);
    }
}

impl scorehouse_offline::Progress for Bars {
    fn stage(&self, name: &str, total: u64) {
        self.start(name, total);
    }

    fn advance(&self, by: u64) {
        self.step(by);
    }

    fn message(&self, text: &str) {
        self.tell(text);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.finish();
    }
}
