//! A plan as text for people.
//!
//! Pure: the value that a script has in, lines out.

use std::fmt::Write;

use serde_json::Value;

use super::modes::MODES;
use super::{list, text};

/// Wide enough for a terminal, and not too wide to be read.
const WIDTH: usize = 110;

/// The findings, each with cause and remedy; what was chosen and why, and what stands against the other modes; and what the
/// target has in another way, where the plan knows it, with how it is given back.
#[must_use]
pub fn table(plan: &Value) -> String {
    let mut table = String::new();
    let findings = list(&plan["findings"]);
    let widest =
        findings.iter().map(|finding| text(finding, "subject").chars().count()).max().unwrap_or_default();
    let indent = "blocks".len() + 2 + widest.clamp(12, 28) + 2;
    let width = indent - 10;
    if findings.is_empty() {
        table += "nothing stands between this guest and that QEMU\n";
    }
    for finding in findings {
        let head = format!("{:<6}  {:<width$}  ", text(finding, "severity"), text(finding, "subject"));
        wrap(&mut table, &head, text(finding, "message"), indent);
        for (label, key) in [("cause", "cause"), ("hint", "remedy")] {
            if !text(finding, key).is_empty() {
                wrap(&mut table, &format!("{:indent$}{label}: ", ""), text(finding, key), indent + 2);
            }
        }
    }
    let mode = match text(plan, "mode") {
        "" => "none",
        mode => mode,
    };
    let label = "mode  ";
    wrap(&mut table, &format!("{label}  {mode:<width$}  "), text(plan, "why"), indent);
    for name in MODES {
        let reason = text(&plan["modes"][name], "why");
        if !reason.is_empty() && name != mode {
            wrap(&mut table, &format!("{:<6}  {name:<width$}  ", "not"), reason, indent);
        }
    }
    for rewrite in list(&plan["rewrites"]) {
        let head = format!("change  {:<width$}  ", text(rewrite, "option"));
        wrap(&mut table, &head, &change(rewrite), indent);
        let back = back(rewrite);
        if !back.is_empty() {
            wrap(&mut table, &" ".repeat(indent), &back, indent + 2);
        }
    }
    table
}

fn change(rewrite: &Value) -> String {
    let (from, to, why) = (text(rewrite, "from"), text(rewrite, "to"), text(rewrite, "why"));
    match (from, to) {
        ("", to) => format!("`{to}` is added: {why}"),
        (from, "") => format!("`{from}` is left out: {why}"),
        (from, to) if from == to => format!("`{from}` stays: {why}"),
        (from, to) => format!("`{from}` becomes `{to}`: {why}"),
    }
}

fn back(rewrite: &Value) -> String {
    let back = &rewrite["back"];
    let how = match text(back, "how") {
        "rename" => format!("given back: `{}` leads to it again", text(back, "to")),
        "hmp" | "log" => format!("given back: by `{}`", text(back, "line")),
        "qmp" => format!("given back: by `{}`", text(back, "command")),
        "none" => "not given back".to_owned(),
        _ => String::new(),
    };
    let parts = [how.as_str(), text(rewrite, "note")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

/// A text behind its head, and what does not fit on the line below it.
fn wrap(table: &mut String, head: &str, text: &str, indent: usize) {
    let mut line = head.to_owned();
    let mut fresh = true;
    for word in text.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(table, "{}", line.trim_end());
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line += word;
        fresh = false;
    }
    let _ = writeln!(table, "{}", line.trim_end());
}
