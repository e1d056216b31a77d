//! `qhop check`: what is wrong in recipes, for people, for programs, or for GitHub.

mod github;

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::{coloured, print, run};
use crate::cli::{Check, Common, Format};
use crate::error::Error;
use crate::qemu::offer::Offer;
use crate::script::check::{Finding, Severity};
use crate::script::diagnostic::{Failure, Palette};
use crate::script::recipe::Source;
use crate::script::runner::{End, Script};

/// Check recipes. The exit code is 3 if one of them has an error.
pub fn check(asked: &Check, common: &Common) -> Result<u8, Failure> {
    let offer = asked.qemu.as_deref().map(|qemu| offer(qemu, common)).transpose()?;
    let (_runtime, session) = run::start()?;
    let mut findings: Vec<Finding> = Vec::new();
    for name in &asked.recipes {
        match Script::load(session.clone(), run::find(name)?) {
            Ok(script) => findings.extend(script.check(offer.as_ref())),
            Err(failure) => findings.push(Finding { severity: Severity::Error, failure }),
        }
    }
    // What several recipes import is looked at with each of them.
    let mut known: Vec<&Finding> = Vec::new();
    for finding in &findings {
        if !known.contains(&finding) {
            known.push(finding);
        }
    }
    let format = if common.json { Format::Json } else { asked.format };
    show(&known, asked.recipes.len(), format, common)?;
    Ok(if known.iter().any(|finding| finding.severity == Severity::Error) { 3 } else { 0 })
}

fn show(findings: &[&Finding], recipes: usize, format: Format, common: &Common) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let findings: Vec<Value> = findings.iter().map(|finding| object(finding)).collect();
            print(&json!({ "outcome": { "recipes": recipes, "findings": findings } }).to_string())
        }
        Format::Github => findings.iter().try_for_each(|finding| print(&github::command(finding))),
        Format::Text => {
            let is_terminal = std::io::stdout().is_terminal();
            let palette =
                if coloured(common, is_terminal) { Palette::coloured() } else { Palette::default() };
            let shown = |finding: &&&Finding| finding.failure.render_as(finding.severity.word(), &palette);
            let texts: Vec<String> = findings.iter().map(|finding| shown(&finding)).collect();
            if texts.is_empty() { Ok(()) } else { print(texts.join("\n").trim_end()) }
        }
    }
}

/// A finding for programs: that of a failure, and how bad it is.
fn object(finding: &Finding) -> Value {
    let mut object = finding.failure.to_json();
    object["severity"] = finding.severity.word().into();
    object
}

/// What a QEMU says of itself. It is started without a machine, and asked.
fn offer(qemu: &str, common: &Common) -> Result<Offer, Failure> {
    const ASK: &str = "launch(#{ qemu: param(\"qemu\", \"\"), args: \"-S -machine none\", bare: true }).qmp(\"query-qmp-schema\")";
    let (runtime, session) = run::start()?;
    session.set_parameters([("qemu".to_owned(), qemu.to_owned())].into());
    let script = Script::load(session.clone(), Source::expression(ASK))?;
    let quiet = Common { no_record: true, report: None, ..common.clone() };
    let end = run::evaluate(&runtime, &session, script, &quiet).map_err(|failure| Failure {
        // The line is ours.
        place: None,
        ..failure
    })?;
    match end {
        End::Value(schema) => Ok(Offer::new(&schema.json, "", "", "", "")),
        _ => Err(Failure::from(&Error::Usage {
            message: format!("`{qemu}` does not say what it offers"),
            hint: String::new(),
        })),
    }
}
