//! What has become of tests: of each, and of all together; as text for people and as JSON.
//!
//! Pure.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::stage::Task;
use crate::script::diagnostic::{Failure, Palette, visible};
use crate::units::Seconds;

/// What has become of one test.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file of its recipe.
    pub file: String,
    /// Its function; empty for a recipe that does not compile.
    pub name: String,
    /// The line of the function.
    pub line: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, all tries together.
    pub time: Duration,
    /// How often it was tried.
    pub tries: usize,
    /// What it printed and logged, the last time.
    pub output: String,
}

/// The exit code by which `git bisect run` is told to skip a commit.
const UNTESTABLE: u8 = 125;

/// How a test ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// To its end without an error.
    Passed,
    /// By an error.
    Failed(Box<Failure>),
    /// By `skip(reason)`.
    Skipped(String),
    /// It did not begin.
    NotRun,
}

impl Case {
    /// One that has not begun.
    pub fn of(task: &Task) -> Self {
        Self {
            file: task.source.name.clone(),
            name: task.name.clone(),
            line: task.line,
            verdict: Verdict::NotRun,
            time: Duration::ZERO,
            tries: 0,
            output: String::new(),
        }
    }

    /// `a.rhai: test_boots`.
    pub fn title(&self) -> String {
        if self.name.is_empty() { self.file.clone() } else { format!("{}: {}", self.file, self.name) }
    }

    /// For people: one line, and all that is known of a failure. What a test printed is shown if it failed, or
    /// if everything is wanted.
    pub fn text(&self, palette: &Palette, everything: bool) -> String {
        let title = visible(&self.title());
        let time = Seconds(round(self.time));
        let again = if self.tries > 1 { format!(", try {}", self.tries) } else { String::new() };
        let line = match &self.verdict {
            Verdict::Passed => format!("ok      {title} ({time}{again})\n"),
            Verdict::Failed(_) => palette.alarm(&format!("FAILED  {title} ({time}{again})")) + "\n",
            Verdict::Skipped(reason) => format!("skipped {title}: {}\n", visible(reason)),
            Verdict::NotRun => return String::new(),
        };
        let (failure, is_shown) = match &self.verdict {
            Verdict::Failed(failure) => (failure.render(palette), true),
            _ => (String::new(), everything),
        };
        let output: String = if is_shown {
            self.output.lines().flat_map(|line| ["  | ".to_owned(), visible(line), "\n".to_owned()]).collect()
        } else {
            String::new()
        };
        [line, output, failure].concat()
    }

    fn to_json(&self) -> Value {
        let (result, failure, reason) = match &self.verdict {
            Verdict::Passed => ("passed", None, None),
            Verdict::Failed(failure) => ("failed", Some(failure.to_json()), None),
            Verdict::Skipped(reason) => ("skipped", None, Some(reason)),
            Verdict::NotRun => ("not run", None, None),
        };
        json!({
            "file": self.file,
            "name": self.name,
            "line": self.line,
            "result": result,
            "seconds": self.time.as_secs_f64(),
            "tries": self.tries,
            "reason": reason,
            "failure": failure,
            "output": self.output,
        })
    }
}

/// What has become of all tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many skipped themselves.
    pub skipped: usize,
    /// How many did not begin.
    pub not_run: usize,
    /// From the first to the last.
    pub time: Duration,
    /// The exit code: 4 if an assertion failed, else 3 if a recipe does not compile, else 1 for any other failure;
    /// 125 if nothing is wrong but that a test ended by `exit(125)`: what is tested cannot be, as `git bisect run` has it.
    pub code: u8,
}

impl Summary {
    /// Of these tests, which took so long together.
    pub fn of(cases: &[Case], time: Duration) -> Self {
        let (mut summary, mut untestable) = (Self { time, ..Self::default() }, false);
        for case in cases {
            match &case.verdict {
                Verdict::Passed => summary.passed += 1,
                Verdict::Skipped(_) => summary.skipped += 1,
                Verdict::NotRun => summary.not_run += 1,
                Verdict::Failed(failure) => {
                    summary.failed += 1;
                    let code = match failure.kind.as_str() {
                        "assertion" => 4,
                        "compile" => 3,
                        "exit" if failure.code == UNTESTABLE => 0,
                        _ => 1,
                    };
                    untestable |= code == 0;
                    summary.code = summary.code.max(code);
                }
            }
        }
        if untestable && summary.code == 0 {
            summary.code = UNTESTABLE;
        }
        summary
    }

    /// For people, on one line.
    pub fn text(&self, palette: &Palette) -> String {
        let mut text = format!("{} passed", self.passed);
        for (count, what) in [(self.failed, "failed"), (self.skipped, "skipped"), (self.not_run, "not run")] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        let _ = write!(text, " in {}", Seconds(round(self.time)));
        if self.failed > 0 { palette.alarm(&text) } else { text }
    }

    /// For programs, with all that is known of each test.
    pub fn to_json(&self, cases: &[Case]) -> Value {
        json!({ "outcome": {
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "not_run": self.not_run,
            "seconds": self.time.as_secs_f64(),
            "tests": cases.iter().map(Case::to_json).collect::<Vec<_>>(),
        } })
    }
}

/// To milliseconds, and to tenths of a second beyond ten.
fn round(time: Duration) -> Duration {
    let step = if time.as_secs() < 10 { 1 } else { 100 };
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(milliseconds / step * step)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::script::diagnostic::Place;

    /// One of each kind.
    pub fn cases() -> Vec<Case> {
        let case = |name: &str, verdict, output: &str| Case {
            file: "dir/a.rhai".into(),
            name: name.into(),
            line: 3,
            verdict,
            time: Duration::from_millis(12),
            tries: 1,
            output: output.into(),
        };
        let place = Place { file: "dir/a.rhai".into(), line: 4, column: 5, text_of_line: None };
        let failure = |kind: &str, message: &str| Failure {
            kind: kind.into(),
            message: message.into(),
            place: Some(place.clone()),
            ..Failure::default()
        };
        vec![
            case("test_one", Verdict::Passed, "fine\n"),
            case(
                "test_two",
                Verdict::Failed(failure("assertion", "assertion failed: 1 < 2 & \"x\"").into()),
                "seen\u{1}\n<b>\n",
            ),
            case("test_three", Verdict::Skipped("no # KVM".into()), ""),
            Case {
                file: "b.rhai".into(),
                ..case("", Verdict::Failed(failure("compile", "it ends").into()), "")
            },
            Case { file: "b.rhai".into(), tries: 0, ..case("test_four", Verdict::NotRun, "") },
        ]
    }

    #[test]
    fn a_case_is_told_on_a_line() {
        let shown = |n: usize, everything| cases()[n].text(&Palette::default(), everything);
        assert_eq!(shown(0, false), "ok      dir/a.rhai: test_one (12 ms)\n");
        assert_eq!(shown(0, true), "ok      dir/a.rhai: test_one (12 ms)\n  | fine\n");
        let failed = "FAILED  dir/a.rhai: test_two (12 ms)\n  | seen␁\n  | <b>\nerror: assertion failed: 1 < 2 & \"x\"\n ——▶ dir/a.rhai:4:5\n";
        assert_eq!(shown(1, false), failed);
        assert_eq!(shown(2, false), "skipped dir/a.rhai: test_three: no # KVM\n");
        assert_eq!(shown(4, true), "");
    }

    #[test]
    fn all_are_summed_up() {
        let all = Summary::of(&cases(), Duration::from_millis(61_234));
        assert_eq!(all.text(&Palette::default()), "1 passed, 2 failed, 1 skipped, 1 not run in 61.2 s");
        assert_eq!(all.code, 4);
        assert_eq!(Summary::of(&cases()[..1], Duration::ZERO).code, 0);
        assert_eq!(Summary::of(&cases()[3..], Duration::ZERO).code, 3);
        let mut cannot = cases().remove(0);
        let exit = Failure { kind: "exit".into(), code: 125, ..Failure::default() };
        cannot.verdict = Verdict::Failed(exit.into());
        let code = |cases: &[Case]| Summary::of(cases, Duration::ZERO).code;
        assert_eq!(code(&[cannot.clone(), cases().remove(0)]), 125);
        assert_eq!(code(&[cannot, cases().remove(1)]), 4);
        let outcome = &all.to_json(&cases())["outcome"];
        assert_eq!((&outcome["failed"], &outcome["tests"][2]["reason"]), (&json!(2), &json!("no # KVM")));
        assert_eq!(outcome["tests"][1]["failure"]["kind"], "assertion");
    }
}
