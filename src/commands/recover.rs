//! `qhop recover`: what a qhop that died has left undone is finished or undone. What is to be done, and how, the standard library
//! knows (`recover_run`); here the run is found and its record taken over.

use serde_json::json;

use super::ps::undone;
use super::{print, run};
use crate::cli::Common;
use crate::error::Error;
use crate::record::{Record, Run, Store};
use crate::script::diagnostic::Failure;
use crate::script::nearest::did_you_mean;
use crate::script::recipe::Source;
use crate::script::runner::{End, Script};

/// What to do with it.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Change nothing.
    pub dry_run: bool,
    /// End what the script had launched, too.
    pub end: bool,
}

/// Recover the run of that name, or the only one there is.
pub fn recover(name: Option<&str>, manner: Manner, common: &Common) -> Result<u8, Failure> {
    let Some(found) = choose(name)? else {
        return report(&["there is nothing to recover"], true, common);
    };
    let (runtime, session) = run::start()?;
    if !manner.dry_run {
        session.gate().set_record(take_over(&found)?);
    }
    let call = format!("recover_run({:?}, #{{ end: {}, look: {} }})", found.name, manner.end, manner.dry_run);
    let script = Script::load(session.clone(), Source::expression(&call))?;
    let quiet = Common { no_record: true, ..common.clone() };
    match run::evaluate(&runtime, &session, script, &quiet)? {
        End::Value(value) => {
            let said: Vec<&str> = value.json["said"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|line| line.as_str())
                .collect();
            report(&said, value.json["safe"] == true, common)
        }
        end => run::finish(end, common),
    }
}

fn report(said: &[&str], safe: bool, common: &Common) -> Result<u8, Failure> {
    if common.json {
        print(&json!({ "outcome": { "said": said, "safe": safe } }).to_string())?;
    } else {
        said.iter().try_for_each(|line| print(line))?;
    }
    Ok(u8::from(!safe))
}

fn choose(name: Option<&str>) -> Result<Option<Run>, Failure> {
    let store = Store::find().map_err(|error| Failure::from(&error))?;
    let usage = |message: String, hint: String| Failure::from(&Error::Usage { message, hint });
    let Some(name) = name else {
        let mut undone = undone();
        if undone.len() < 2 {
            return Ok(undone.pop());
        }
        let lines: Vec<String> =
            undone.iter().map(|run| format!("`{}` ({}), {}", run.name, run.title, run.doing())).collect();
        return Err(usage(
            format!("which run is to be recovered? There are {}: {}", undone.len(), lines.join("; ")),
            format!("name one: `qhop recover {}`", undone[0].name),
        ));
    };
    let Some(run) = store.run(name) else {
        let runs = store.runs();
        let near = did_you_mean(name, runs.iter().map(|run| run.name.as_str()));
        let hint =
            if near.is_empty() { "`qhop ps` shows the runs that were left undone".to_owned() } else { near };
        return Err(usage(format!("there is no record of a run `{name}`"), hint));
    };
    Ok((!run.is_over() || run.lives).then_some(run))
}

/// The record of a run that nobody else is at.
fn take_over(run: &Run) -> Result<Record, Failure> {
    let busy = |who: String| {
        Failure::from(&Error::Environment {
            message: format!("run `{}` cannot be recovered: {who}", run.name),
            hint: "wait for it, or end it".to_owned(),
        })
    };
    if run.lives {
        return Err(busy(format!("its qhop (process {}) lives", run.pid)));
    }
    let held =
        Store::find().and_then(|store| store.hold(&run.name)).map_err(|error| Failure::from(&error))?;
    let held = held.ok_or_else(|| busy("another qhop is at it".to_owned()))?;
    Record::resume(held).map_err(|error| Failure::from(&error))
}
