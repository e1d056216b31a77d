//! A finding as a workflow command, which GitHub shows at the line that it is about.
//!
//! Pure.

use crate::script::check::Finding;

/// `::error file=a.rhai,line=1,col=2,title=…::…`.
pub fn command(finding: &Finding) -> String {
    let failure = &finding.failure;
    let mut properties = Vec::new();
    if let Some(place) = &failure.place {
        properties.push(format!("file={}", property(&place.file)));
        properties.push(format!("line={}", place.line));
        properties.push(format!("col={}", place.column));
    }
    properties.push(format!("title={}", property(&format!("qhop: {}", failure.kind))));
    let hint = if failure.hint.is_empty() { String::new() } else { format!("\nhint: {}", failure.hint) };
    let message = data(&format!("{}{hint}", failure.message));
    format!("::{} {}::{message}", finding.severity.word(), properties.join(","))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::check::Severity;
    use crate::script::diagnostic::{Failure, Place};

    #[test]
    fn a_finding_is_one_line() {
        let place = Place { file: "a,b:c.rhai".into(), line: 2, column: 7, text_of_line: None };
        let failure = Failure {
            kind: "qmp".into(),
            message: "100% wrong:\nall of it".into(),
            hint: "do it right".into(),
            place: Some(place),
            ..Failure::default()
        };
        assert_eq!(
            command(&Finding { severity: Severity::Warning, failure }),
            "::warning file=a%2Cb%3Ac.rhai,line=2,col=7,title=qhop%3A qmp::100%25 wrong:%0Aall of it%0Ahint: do it right"
        );
    }
}
