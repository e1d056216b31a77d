//! What is told while it happens: the events of the guests, their ends, and lines that are printed in the background.
//!
//! A line never gets into what is being typed: while the prompt is shown, the editor prints it above.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::ExternalPrinter;

use crate::script::diagnostic::visible;

/// How many are kept for `:events`.
const KEPT: usize = 200;

/// Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Notices(Arc<Inner>);

struct Inner {
    kept: Mutex<VecDeque<String>>,
    shown: AtomicBool,
    lines: Mutex<Option<Sender<String>>>,
    dim: (&'static str, &'static str),
}

impl Notices {
    /// Kept, and shown nowhere yet; in colour or not.
    #[must_use]
    pub fn new(coloured: bool) -> Self {
        let dim = if coloured { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let (kept, lines) = Default::default();
        Self(Arc::new(Inner { kept, shown: AtomicBool::new(true), lines, dim }))
    }

    /// Show lines with `printer` from here on.
    pub fn show_with(&self, mut printer: impl ExternalPrinter + Send + 'static) {
        let (sender, lines) = channel::<String>();
        *self.0.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        // A thread of its own: the printer waits until the editor has taken the line before.
        std::thread::spawn(move || {
            while let Ok(line) = lines.recv() {
                // All at once, what has come in the meantime.
                let text: String = std::iter::once(line).chain(lines.try_iter()).collect();
                if printer.print(text).is_err() {
                    return;
                }
            }
        });
    }

    /// Something has happened.
    pub fn tell(&self, line: &str) {
        let line = visible(line).replace('\n', " ");
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(line.clone());
        drop(kept);
        if self.0.shown.load(Ordering::Relaxed) {
            let (dim, plain) = self.0.dim;
            self.print(&format!("{dim}{line}{plain}"));
        }
    }

    /// Show a line of something that goes on in the background, as it is. Returns whether anybody shows it.
    pub fn print(&self, line: &str) -> bool {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.as_ref().is_some_and(|lines| lines.send(format!("{line}\r\n")).is_ok())
    }

    /// Whether what happens is shown as it does.
    pub fn set_shown(&self, shown: bool) {
        self.0.shown.store(shown, Ordering::Relaxed);
    }

    /// The latest, oldest first.
    #[must_use]
    pub fn latest(&self) -> Vec<String> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
