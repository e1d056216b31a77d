//! Tests in the words of the Test Anything Protocol, version 14; or 13, for a reader that says that it knows no
//! newer one: what is said here is good in both.
//!
//! Pure.

use std::fmt::Write;

use serde_json::Value;

use super::case::{Case, Verdict};

/// The first lines: so many tests are to come. `known` is the latest version that the reader knows, if it says so:
/// Perl's `prove` does, by `TAP_VERSION`, and refuses any other.
pub fn plan(count: usize, known: Option<&str>) -> String {
    let version = if known == Some("13") { 13 } else { 14 };
    format!("TAP version {version}\n1..{count}")
}

/// One test.
pub fn point(number: usize, case: &Case) -> String {
    let title = escaped(&case.title());
    match &case.verdict {
        Verdict::Passed => format!("ok {number} - {title}\n"),
        Verdict::Skipped(reason) => format!("ok {number} - {title} # SKIP {}\n", on_one_line(reason)),
        Verdict::NotRun => format!("ok {number} - {title} # SKIP not run\n"),
        Verdict::Failed(failure) => {
            let failure = failure.to_json();
            let mut block = format!("not ok {number} - {title}\n  ---\n");
            let known = ["message", "kind", "vm", "cause", "hint", "outlook", "place"];
            for key in known.into_iter().filter(|key| !failure[key].is_null()) {
                // JSON is YAML, too.
                let _ = writeln!(block, "  {key}: {}", failure[key]);
            }
            if !case.output.is_empty() {
                let _ = writeln!(block, "  output: {}", Value::from(case.output.as_str()));
            }
            block + "  ...\n"
        }
    }
}

/// The last line of a suite that was ended before its end.
pub fn bail_out(cause: &str) -> String {
    format!("Bail out! {}", on_one_line(cause))
}

/// A `#` would begin a directive.
fn escaped(text: &str) -> String {
    on_one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

fn on_one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::case::tests::cases;
    use super::*;

    #[test]
    fn a_suite_in_tap() {
        let points = cases().iter().enumerate().map(|(n, case)| point(n + 1, case)).collect::<String>();
        let expected = r#"ok 1 - dir/a.rhai: test_one
not ok 2 - dir/a.rhai: test_two
  ---
  message: "assertion failed: 1 < 2 & \"x\""
  kind: "assertion"
  place: {"file":"dir/a.rhai","line":4,"column":5}
  output: "seen\u0001\n<b>\n"
  ...
ok 3 - dir/a.rhai: test_three # SKIP no # KVM
not ok 4 - b.rhai
  ---
  message: "it ends"
  kind: "compile"
  place: {"file":"dir/a.rhai","line":4,"column":5}
  ...
ok 5 - b.rhai: test_four # SKIP not run
"#;
        assert_eq!(points, expected);
        assert_eq!(plan(5, None), "TAP version 14\n1..5");
        assert_eq!(plan(5, Some("13")), "TAP version 13\n1..5");
        assert_eq!(plan(5, Some("15")), "TAP version 14\n1..5");
        assert_eq!(bail_out("interrupted\nby SIGINT"), "Bail out! interrupted by SIGINT");
    }

    #[test]
    fn a_name_is_no_directive() {
        let mut case = cases().remove(0);
        case.file = "a#1\\.rhai".into();
        assert_eq!(point(1, &case), "ok 1 - a\\#1\\\\.rhai: test_one\n");
    }
}
