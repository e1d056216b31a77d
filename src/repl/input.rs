//! Where entries come from: a line editor on a terminal, or a pipe; and the signals that end the session.
//!
//! Both are read on a thread of their own, so that a signal is heard while nobody types.

use std::io::{BufRead, stdin};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};

use super::helper::{Assistant, is_entry};
use super::notices::Notices;

/// What is asked for.
enum Ask {
    Entry,
    Answer(String),
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A whole entry, or an answer.
    Text(String),
    /// Ctrl-C: the line is given up.
    Nothing,
    /// Ctrl-D, or the end of the pipe.
    End,
    /// A signal that ends the session, with the exit code that goes with it.
    Signal(u8),
    /// It cannot be read any more.
    Failed(String),
}

/// A terminal or a pipe.
pub struct Input {
    ask: Sender<Ask>,
    said: Receiver<Said>,
    signal: Sender<Said>,
    /// How the terminal was before.
    before: Option<Termios>,
}

impl Input {
    /// A line editor on the terminal that standard input is. What is noticed is shown above its line.
    pub fn terminal(
        assistant: Assistant,
        history: Option<PathBuf>,
        notices: &Notices,
    ) -> rustyline::Result<Self> {
        let before = tcgetattr(stdin()).ok();
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(10_000)?
            .color_mode(if assistant.coloured { ColorMode::Enabled } else { ColorMode::Disabled })
            .build();
        let mut editor = Editor::<Assistant, DefaultHistory>::with_config(config)?;
        editor.set_helper(Some(assistant));
        if let Some(history) = &history {
            // A history that cannot be read is no reason not to start one.
            let _ = editor.load_history(history);
        }
        if let Ok(printer) = editor.create_external_printer() {
            notices.show_with(printer);
        }
        let read = move |ask: &Ask| {
            let (prompt, is_script) = match ask {
                Ask::Entry => ("qhop> ", true),
                Ask::Answer(question) => (question.as_str(), false),
            };
            if let Some(assistant) = editor.helper_mut() {
                assistant.is_script = is_script;
            }
            let said = match editor.readline(prompt) {
                Ok(text) => Said::Text(text),
                Err(ReadlineError::Interrupted) => Said::Nothing,
                Err(ReadlineError::Eof) => Said::End,
                Err(error) => Said::Failed(error.to_string()),
            };
            if let (Said::Text(text), true) = (&said, is_script)
                && editor.add_history_entry(text.trim_end()).unwrap_or_default()
                && let Some(history) = &history
            {
                let _ = editor.append_history(history);
            }
            said
        };
        Ok(Self { before, ..Self::reading(read) })
    }

    /// A pipe, or a file.
    #[must_use]
    pub fn pipe() -> Self {
        Self::reading(|_| {
            let mut text = String::new();
            loop {
                match stdin().lock().read_line(&mut text) {
                    Ok(0) if text.is_empty() => return Said::End,
                    Ok(0) => return Said::Text(text),
                    Ok(_) if is_entry(&text) => return Said::Text(text),
                    Ok(_) => {}
                    Err(error) => return Said::Failed(error.to_string()),
                }
            }
        })
    }

    fn reading(mut read: impl FnMut(&Ask) -> Said + Send + 'static) -> Self {
        let ((ask, asked), (signal, said)) = (channel::<Ask>(), channel());
        let answer = signal.clone();
        std::thread::spawn(move || {
            while let Ok(ask) = asked.recv() {
                if answer.send(read(&ask)).is_err() {
                    return;
                }
            }
        });
        Self { ask, said, signal, before: None }
    }

    /// For whoever hears the signals.
    #[must_use]
    pub fn signals(&self) -> Sender<Said> {
        self.signal.clone()
    }

    /// Wait for the next entry.
    #[must_use]
    pub fn entry(&self) -> Said {
        self.wait_for(Ask::Entry)
    }

    /// Wait for the answer to a question.
    #[must_use]
    pub fn answer(&self, question: &str) -> Said {
        self.wait_for(Ask::Answer(question.to_owned()))
    }

    fn wait_for(&self, ask: Ask) -> Said {
        // A signal that came during the last entry.
        if let Ok(signal) = self.said.try_recv() {
            return signal;
        }
        let _ = self.ask.send(ask);
        self.said.recv().unwrap_or(Said::End)
    }

    /// Give the terminal back as it was, when a signal has come while the editor has it.
    pub fn restore(&self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
