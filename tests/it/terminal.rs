//! A real terminal for tests: a pseudo terminal that qhop sits at, and an emulator that knows what it shows.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::test::Test;

/// The most that anything takes that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

const ROWS: NonZero<u16> = NonZero::new(50).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

/// A terminal of 100 columns, with qhop at it.
pub struct Terminal {
    /// Where qhop runs.
    pub test: Test,
    master: File,
    slave: File,
    qhop: Child,
    screen: Arc<(Mutex<Screen>, Condvar)>,
}

struct Screen {
    parser: vt100::Parser,
    closed: bool,
}

impl Terminal {
    /// Start `qhop repl` with what `test` says, and wait for its prompt.
    pub fn start(test: Test) -> Self {
        let terminal = Self::run(test, &["repl"]);
        terminal.shows("qhop> ");
        terminal
    }

    /// Start qhop with these words and what `test` says.
    pub fn run(test: Test, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(path).unwrap();
        tcsetwinsize(
            &slave,
            Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 },
        )
        .unwrap();
        let master = File::from(master);

        // Its own session, whose controlling terminal this is: Ctrl-C is a signal only there.
        let inner = test.command();
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(inner.get_program()).args(words).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let stream = || Stdio::from(slave.try_clone().unwrap());
        let qhop = command
            .env("TERM", "xterm-256color")
            .env("XDG_STATE_HOME", test.directory().join("state"))
            .current_dir(test.directory())
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("`setsid` of util-linux can be started");

        let parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        let screen = Arc::new((Mutex::new(Screen { parser, closed: false }), Condvar::new()));
        let (shown, mut output) = (screen.clone(), master.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes).unwrap_or_default();
                let mut screen = shown.0.lock().unwrap();
                screen.closed = read == 0;
                screen.parser.process(&bytes[..read]);
                shown.1.notify_all();
                if screen.closed {
                    return;
                }
            }
        });
        Self { test, master, slave, qhop, screen }
    }

    /// Type a text, or keys such as `\t`.
    pub fn types(&self, text: &str) -> &Self {
        (&self.master).write_all(text.as_bytes()).unwrap();
        self
    }

    /// Type an entry, and wait until the prompt is there again after it.
    pub fn enters(&self, text: &str) -> &Self {
        self.types(text).types("\r");
        let wanted = text.rsplit(['\n', '\r']).next().unwrap().to_owned();
        self.wait(&format!("the prompt after `{text}`"), |screen| {
            let lines: Vec<&str> = screen.trim_end().lines().collect();
            lines.last() == Some(&"qhop>") && lines.iter().any(|line| line.ends_with(&wanted))
        });
        self
    }

    /// Wait until a text is on the screen.
    pub fn shows(&self, text: &str) -> &Self {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text.trim_end()));
        self
    }

    /// Wait until the line of the cursor is this; returns how long that took.
    pub fn line_is(&self, line: &str) -> Duration {
        let start = Instant::now();
        self.wait(&format!("the line `{line}`"), |screen| {
            screen.trim_end().lines().last() == Some(line.trim_end())
        });
        start.elapsed()
    }

    /// Wait until the screen is as wanted; the test fails with what it shows if it never is.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let came = self.becomes(PATIENCE, wanted);
        assert!(came, "waited for {what}; the screen shows:\n{}", self.screen());
    }

    /// Whether the screen becomes as wanted within that time.
    pub fn becomes(&self, time: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let (screen, news) = &*self.screen;
        let unwanted = |screen: &mut Screen| !wanted(&screen.parser.screen().contents()) && !screen.closed;
        let seen = news.wait_timeout_while(screen.lock().unwrap(), time, unwanted).unwrap();
        wanted(&seen.0.parser.screen().contents())
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.screen.0.lock().unwrap().parser.screen().contents()
    }

    /// Clear the screen and the line.
    pub fn clear(&self) -> &Self {
        self.types("\x15\x0c");
        self.wait("an empty screen", |screen| screen.trim() == "qhop>");
        self
    }

    /// Whether the terminal is as a shell wants it: lines, with an echo.
    pub fn is_as_before(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.qhop), signal).unwrap();
    }

    /// Wait for the end of qhop; returns its exit code.
    pub fn ends(&mut self) -> i32 {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.qhop.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
            }
            self.becomes(Duration::from_millis(5), |_| false);
        }
        panic!("qhop does not end; the screen shows:\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whatever a failed test leaves behind; its guests end with it.
        if self.qhop.try_wait().unwrap().is_none() {
            self.signal(Signal::TERM);
            let _ = self.qhop.wait();
        }
    }
}
