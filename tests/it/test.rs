//! The builder that nearly all tests go through: what is run, and exactly what a user sees.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::{Assert, IntoData};
use tempfile::TempDir;

/// One run of qhop. Output is compared whole and is empty unless stated; `[..]` stands for any text in a
/// line, `...` for any lines.
pub struct Test {
    directory: TempDir,
    program: String,
    args: Vec<String>,
    stdin: String,
    environment: Vec<(String, String)>,
    stdout: String,
    stderr: String,
    code: i32,
}

impl Test {
    /// The default QEMU of what is run is the newer one of the lab, whatever the machine has.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("bin")).unwrap();
        let default = directory.path().join("bin").join("qemu-system-x86_64");
        std::os::unix::fs::symlink(new(), default).unwrap();
        Self {
            directory,
            program: env!("CARGO_BIN_EXE_qhop").to_owned(),
            args: Vec::new(),
            stdin: String::new(),
            environment: Vec::new(),
            stdout: String::new(),
            stderr: String::new(),
            code: 0,
        }
    }

    /// A recipe, run from the file `test.rhai`.
    pub fn recipe(self, text: &str) -> Self {
        self.file("test.rhai", text).args(["run", "test.rhai"])
    }

    /// A file in the directory that qhop runs in.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn args<I: IntoIterator<Item = S>, S: Into<String>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A program to run in place of qhop, with its arguments.
    pub fn program(mut self, program: &str, args: &[&str]) -> Self {
        program.clone_into(&mut self.program);
        self.args(args.iter().copied())
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.into();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdout(mut self, text: &str) -> Self {
        self.stdout = text.into();
        self
    }

    pub fn stderr(mut self, text: &str) -> Self {
        self.stderr = text.into();
        self
    }

    pub fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// The directory that qhop runs in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Run it, for a test that compares by itself.
    pub fn output(&self) -> Output {
        let stdin = self.directory.path().join(".stdin");
        std::fs::write(&stdin, &self.stdin).unwrap();
        self.command().stdin(std::fs::File::open(&stdin).unwrap()).output().expect("qhop can be started")
    }

    /// The command, for a test that does more than run it to its end.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(self.directory.path())
            .env("PATH", self.path())
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .env("XDG_STATE_HOME", self.directory.path().join("state"))
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn path(&self) -> String {
        let own = self.directory.path().join("bin");
        format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// Run it and compare. Whatever it launched must be gone with it.
    pub fn run(self) {
        let output = self.output();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let assert = Assert::new();
        let seen = format!("{stdout}--- stderr\n{stderr}--- code {}\n", code(output.status));
        let wanted =
            format!("{}--- stderr\n{}--- code {}\n", lines(&self.stdout), lines(&self.stderr), self.code);
        assert.eq(seen.into_data(), wanted.into_data());
        self.nothing_left();
    }

    /// No `Vm` directory, hence no socket and no log, is left over.
    pub fn nothing_left(&self) {
        let left: Vec<PathBuf> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("qhop-")))
            .collect();
        assert!(left.is_empty(), "left over: {left:?}");
    }
}

/// A process that a test has started, and that ends with it, however that ends.
pub struct Ended(pub std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
}

fn lines(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// A file of the test lab, which `make lab` installs.
pub fn lab(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab").join(file);
    assert!(path.exists(), "{} is missing: `make lab` installs it", path.display());
    path.to_str().unwrap().to_owned()
}

/// The older QEMU of the lab, 7.2.
pub fn old() -> String {
    lab("bin/qemu-7.2-system-x86_64")
}

/// The newer QEMU of the lab, 10.0.
pub fn new() -> String {
    lab("bin/qemu-10.0-system-x86_64")
}

/// The newest QEMU that Debian has, where the lab could get it; a test that wants it is skipped where it could not.
pub fn newest() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab/bin/qemu-new-system-x86_64");
    if !path.exists() {
        println!("skipped: the lab has no QEMU from Debian's sid");
        return None;
    }
    Some(path.to_str().unwrap().to_owned())
}
