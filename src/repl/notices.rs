//! What is told while it happens: the events of the guests, their ends, and lines that are printed in the background.
//!
//! A line never gets into what is being typed: while the prompt is shown, the editor prints it above.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::ExternalPrinter;

use crate::progress::Progress;
use crate::script::diagnostic::visible;

/// How many are kept for `:events`.
const KEPT: usize = 200;

/// Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Notices(Arc<Inner>);

struct Inner {
    kept: Mutex<VecDeque<String>>,
    shown: AtomicBool,
    typing: AtomicBool,
    lines: Mutex<Option<Sender<String>>>,
    progress: Progress,
    dim: (&'static str, &'static str),
}

impl Notices {
    /// Kept, and shown nowhere yet; in colour or not. The terminal is shared with `progress`.
    #[must_use]
    pub fn new(coloured: bool, progress: Progress) -> Self {
        progress.pause(true);
        let dim = if coloured { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let (kept, lines, typing) = Default::default();
        Self(Arc::new(Inner { kept, shown: AtomicBool::new(true), typing, lines, progress, dim }))
    }

    /// Show lines with `printer` from here on.
    pub fn show_with(&self, mut printer: impl ExternalPrinter + Send + 'static) {
        let (sender, lines) = channel::<String>();
        *self.0.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let progress = self.0.progress.clone();
        // A thread of its own: the printer waits until the editor has taken the line before.
        std::thread::spawn(move || {
            while let Ok(line) = lines.recv() {
                // All at once, what has come in the meantime.
                let text: String = std::iter::once(line).chain(lines.try_iter()).collect();
                let done = progress.above_if_shown(|| printer.print(text.clone()));
                if done.unwrap_or_else(|| printer.print(text)).is_err() {
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

    /// Whether a line is being typed, so that nothing else may write to the terminal.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.0.typing.load(Ordering::Relaxed)
    }

    /// Say that a line is being typed now, or not any more.
    pub fn set_typing(&self, typing: bool) {
        self.0.typing.store(typing, Ordering::Relaxed);
    }

    /// Do what an entry asks for, with the progress of migrations shown.
    pub fn at_work<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.progress.pause(false);
        let done = work();
        self.0.progress.pause(true);
        done
    }

    /// The guests that are on their way, by the names of their sources.
    #[must_use]
    pub fn on_their_way(&self) -> Vec<String> {
        self.0.progress.on_their_way()
    }

    /// Write to the terminal by `write`, above the progress.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.progress.above(write)
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

/// What `-v` tells, a line at a time.
pub struct Trace(Notices);

impl std::io::Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if !(self.0.is_typing() && self.0.print(text.trim_end())) {
            self.0.above(|| std::io::stderr().write_all(bytes))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Notices {
    type Writer = Trace;

    fn make_writer(&'a self) -> Trace {
        Trace(self.clone())
    }
}
