//! Tests in the XML that readers of `JUnit`'s reports know: a suite for each file, and in it a case for each test.
//! It holds to the schema of Jenkins' xUnit plugin, the strictest reader, and has the `file` that GitLab shows.
//!
//! Pure.

use std::fmt::Write;
use std::time::Duration;

use super::case::{Case, Summary, Verdict};
use crate::script::diagnostic::Palette;

/// The whole report.
pub fn report(cases: &[Case], all: &Summary) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"qhop\"{}>", counts(cases, all.time));
    for suite in cases.chunk_by(|a, b| a.file == b.file) {
        let time = suite.iter().map(|case| case.time).sum();
        let skipped =
            suite.iter().filter(|it| matches!(it.verdict, Verdict::Skipped(_) | Verdict::NotRun)).count();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\"{} skipped=\"{skipped}\">",
            escaped(&suite[0].file),
            counts(suite, time)
        );
        text.extend(suite.iter().map(case));
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

/// A failed assertion is a failure; whatever else went wrong is an error. (Only a suite says how many were skipped.)
fn counts(cases: &[Case], time: Duration) -> String {
    let count = |is: fn(&Verdict) -> bool| cases.iter().filter(|case| is(&case.verdict)).count();
    let failures = count(|it| matches!(it, Verdict::Failed(failure) if failure.kind == "assertion"));
    let failed = count(|it| matches!(it, Verdict::Failed(_)));
    format!(
        " tests=\"{}\" failures=\"{failures}\" errors=\"{}\" time=\"{:.3}\"",
        cases.len(),
        failed - failures,
        time.as_secs_f64()
    )
}

fn case(case: &Case) -> String {
    let name = if case.name.is_empty() { "it compiles" } else { &case.name };
    let mut text = format!(
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{1}\" line=\"{}\" time=\"{:.3}\">\n",
        escaped(name),
        escaped(&case.file),
        case.line,
        case.time.as_secs_f64()
    );
    match &case.verdict {
        Verdict::Passed => {}
        Verdict::Skipped(reason) => {
            let _ = writeln!(text, "      <skipped message=\"{}\"/>", escaped(reason));
        }
        Verdict::NotRun => text += "      <skipped message=\"not run\"/>\n",
        Verdict::Failed(failure) => {
            let element = if failure.kind == "assertion" { "failure" } else { "error" };
            let _ = writeln!(
                text,
                "      <{element} message=\"{}\" type=\"{}\">{}</{element}>",
                escaped(&failure.message),
                escaped(&failure.kind),
                escaped(&failure.render(&Palette::default()))
            );
        }
    }
    if !case.output.is_empty() {
        let _ = writeln!(text, "      <system-out>{}</system-out>", escaped(&case.output));
    }
    text + "    </testcase>\n"
}

/// Text as it can stand in XML, in an attribute, too. Characters that XML cannot have in any form become the one that
/// stands for what cannot be shown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            '\t' => escaped += "&#9;",
            '\r' => escaped += "&#13;",
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::case::tests::cases;
    use super::*;

    #[test]
    fn a_suite_in_xml() {
        let cases = cases();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"qhop\" tests=\"5\" failures=\"1\" errors=\"1\" time=\"0.100\">
  <testsuite name=\"dir/a.rhai\" tests=\"3\" failures=\"1\" errors=\"0\" time=\"0.036\" skipped=\"1\">
    <testcase name=\"test_one\" classname=\"dir/a.rhai\" file=\"dir/a.rhai\" line=\"3\" time=\"0.012\">
      <system-out>fine&#10;</system-out>
    </testcase>
    <testcase name=\"test_two\" classname=\"dir/a.rhai\" file=\"dir/a.rhai\" line=\"3\" time=\"0.012\">
      <failure message=\"assertion failed: 1 &lt; 2 &amp; &quot;x&quot;\" type=\"assertion\">error: assertion failed: 1 &lt; 2 &amp; &quot;x&quot;&#10; ——▶ dir/a.rhai:4:5&#10;</failure>
      <system-out>seen\u{fffd}&#10;&lt;b&gt;&#10;</system-out>
    </testcase>
    <testcase name=\"test_three\" classname=\"dir/a.rhai\" file=\"dir/a.rhai\" line=\"3\" time=\"0.012\">
      <skipped message=\"no # KVM\"/>
    </testcase>
  </testsuite>
  <testsuite name=\"b.rhai\" tests=\"2\" failures=\"0\" errors=\"1\" time=\"0.024\" skipped=\"1\">
    <testcase name=\"it compiles\" classname=\"b.rhai\" file=\"b.rhai\" line=\"3\" time=\"0.012\">
      <error message=\"it ends\" type=\"compile\">error: it ends&#10; ——▶ dir/a.rhai:4:5&#10;</error>
    </testcase>
    <testcase name=\"test_four\" classname=\"b.rhai\" file=\"b.rhai\" line=\"3\" time=\"0.012\">
      <skipped message=\"not run\"/>
    </testcase>
  </testsuite>
</testsuites>
";
        assert_eq!(report(&cases, &Summary::of(&cases, Duration::from_millis(100))), expected);
    }
}
