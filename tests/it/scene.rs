//! A run that something happens to at one of its steps, and what is left of it: which QEMUs, and whether the guest is whole.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::test::Test;

/// The library that strikes at a step, see there.
pub fn striker() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("strike-{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/strike.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let made = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(made.expect("a C compiler, which Rust needs, too").success());
        library
    })
}

/// What is left of a run, and what is done about it.
pub struct Scene {
    pub test: Test,
}

impl Scene {
    pub fn new(recipe: &str) -> Self {
        Self { test: Test::new().recipe(recipe) }
    }

    /// Run to the end, or until so many lines are on record.
    pub fn run(&self, lines: Option<usize>) -> Output {
        let mut command = self.test.command();
        if let Some(lines) = lines {
            command.env("LD_PRELOAD", striker()).env("STRIKE_LINE", lines.to_string());
        }
        let output = command.output().unwrap();
        let wanted = lines.map(|_| Signal::KILL.as_raw());
        assert_eq!(output.status.signal(), wanted, "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub fn qhop(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qhop"));
        let plain = self.test.command();
        command.args(args).current_dir(self.test.directory());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Output and exit code of another qhop.
    pub fn says(&self, args: &[&str]) -> (String, i32) {
        let output = self.qhop(args).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), output.status.code().unwrap_or(-1))
    }

    pub fn record(&self) -> Vec<Value> {
        let runs = std::fs::read_dir(self.test.directory().join("state/qhop/runs")).unwrap();
        let run = runs.map(|run| run.unwrap().path()).max().unwrap();
        let steps = std::fs::read_to_string(run.join("steps")).unwrap();
        steps.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The QEMUs of this scene that live.
    pub fn alive(&self) -> Vec<String> {
        let own = format!("path={}/qhop-", self.test.directory().display());
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&own) && !state.contains(") Z ")
        })
        .collect()
    }

    /// Exactly one QEMU is left, and the guest in it is whole; with that, nothing is left.
    pub fn one_guest_is_whole(&self, status: &str) {
        let alive = self.alive();
        let [pid] = &alive[..] else { panic!("one QEMU is to be left: {alive:?}") };
        let check = format!(
            "let vm = attach({pid}); let status = vm.status(); if status == \"running\" {{ vm.wait_for_output(\"beat\", 30.s); }} vm.check_memory(); vm.kill(); status"
        );
        assert_eq!(self.says(&["--no-record", "eval", &check]), (format!("{status}\n"), 0));
        self.test.nothing_left();
    }

    /// Recover what there is, and see that nothing more is to be done.
    pub fn recover(&self) -> String {
        let (said, code) = self.says(&["recover"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(self.says(&["recover"]), ("there is nothing to recover\n".to_owned(), 0), "after: {said}");
        said
    }
}

impl Drop for Scene {
    /// A test that has failed leaves nothing running, either.
    fn drop(&mut self) {
        for pid in self.alive() {
            let _ = kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL);
        }
    }
}
