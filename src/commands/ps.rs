//! `qhop ps`: the guests that qhop started or moved and that live still, and the runs that were left undone.

use serde_json::{Value, json};

use super::{print, run};
use crate::cli::Common;
use crate::record::{Run, Store};
use crate::script::diagnostic::Failure;
use crate::script::recipe::Source;
use crate::script::runner::{End, Script};

const TITLES: [&str; 7] = ["NAME", "PID", "VERSION", "MACHINE", "STATE", "HELD BY", "MONITOR"];

/// Print them.
pub fn ps(common: &Common) -> Result<u8, Failure> {
    let (runtime, session) = run::start()?;
    let script = Script::load(session.clone(), Source::expression("guests()"))?;
    // It starts nothing: there is nothing to be recorded.
    let quiet = Common { no_record: true, report: None, ..common.clone() };
    let guests = match run::evaluate(&runtime, &session, script, &quiet)? {
        End::Value(value) => value.json,
        end => return run::finish(end, common),
    };
    let guests = guests.as_array().cloned().unwrap_or_default();
    let undone = undone();
    if common.json {
        let undone: Vec<Value> = undone.iter().map(described).collect();
        print(&json!({ "outcome": { "guests": guests, "undone": undone } }).to_string())?;
        return Ok(0);
    }
    if guests.is_empty() {
        print("no guest that qhop started or moved lives here")?;
    } else {
        print(&table(&guests))?;
    }
    for run in undone {
        print(&format!("run {} ({}) did not come to its end: it was {}", run.name, run.title, run.doing()))?;
        print(&format!("  `qhop recover {}` finishes or undoes what it did", run.name))?;
    }
    Ok(0)
}

/// The runs that somebody has to recover, the oldest first.
pub fn undone() -> Vec<Run> {
    Store::find().map(|store| store.undone()).unwrap_or_default()
}

fn described(run: &Run) -> Value {
    json!({ "run": run.name, "title": run.title, "pid": run.pid, "at": run.at, "doing": run.doing() })
}

fn table(guests: &[Value]) -> String {
    let cell = |guest: &Value, key: &str| match &guest[key] {
        Value::Null if key == "holder" => "nobody".to_owned(),
        Value::Null => "?".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let keys = ["name", "pid", "version", "machine", "state", "holder", "monitor"];
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(guests.iter().map(|guest| keys.map(|key| cell(guest, key))));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..TITLES.len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
