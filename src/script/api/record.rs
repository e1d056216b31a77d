//! The record of the run: what a script notes in it, and what the next qhop reads of it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Map};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::monitor::Address;
use crate::qemu::attached::{Attached, started};
use crate::qemu::directory::Directory;
use crate::qemu::ours::{Ours, ours};
use crate::qemu::process::{Process, pidfd};
use crate::record::run::{Course, Guest};
use crate::record::{Run, Store};
use crate::script::gate::Effect;
use crate::script::session::{ScriptResult, Session};
use crate::script::value::{to_dynamic, to_json};
use crate::units::Seconds;
use crate::vm::{Vm, Where, survey};

#[export_module]
pub mod api {
    /// Note a step of a move in the run's record, before it is taken. `details` say what whoever finds the record needs to
    /// finish the move or to undo it: `source` and `target` (each a `Vm`) tell to which move it belongs; `throwaway` is a
    /// `Vm` (or several) that must never run its guest and is ended by whoever recovers the run; where that is all there is to note,
    /// `throwaway` is the step's name, too. The first step is `plan` or `agree`; it fails where no record
    /// can be kept, and nothing must have been changed before it. The last one is `done`, once for each first one.
    ///
    /// ```rhai
    /// let source = launch(#{ name: "source", guest: "heartbeat" });
    /// step("plan", #{ source: source });
    /// step("done", #{ source: source });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn step(ctx: NativeCallContext, name: &str, details: Map) -> ScriptResult<()> {
        let session = Session::of(&ctx);
        let details = super::noted(&Dynamic::from_map(details));
        let noted = session.step(name, &details);
        session.complain();
        Ok(noted?)
    }

    /// The QEMUs that qhop has started or moved on this machine and that live still, whichever run it was: `name`, `pid`,
    /// `version`, `machine`, `state`, `holder` (who is connected to its monitor), `monitor`. What cannot be known is `()`, such as
    /// the state of one whose monitor somebody holds.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let found = guests().filter(|guest| guest.pid == vm.pid)[0];
    /// assert(found.holder.contains("qhop"), "by this very script");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn guests(ctx: NativeCallContext) -> ScriptResult<Array> {
        let effect = Effect::Read { path: "the records of all runs".to_owned() };
        let recorded: Vec<Guest> = Store::find()
            .map(|store| store.runs())
            .unwrap_or_default()
            .into_iter()
            .filter(Run::is_of_this_boot)
            .flat_map(|run| run.guests)
            .collect();
        let found = Session::of(&ctx).perform(effect, async { Ok(survey(&recorded).await) })?;
        Ok(found.iter().map(to_dynamic).collect())
    }

    /// What the record of a run says, for `recover_run`: `title`, `doing`, `guests` (those that it launched or attached
    /// to, each with `alive`), `courses` (the moves that it did not bring to an end, each with `steps`, `details`, and
    /// the guests `source` and `target`), `files`.
    ///
    /// ```rhai
    /// assert_throws(|| recorded("no-such-run"), "usage");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn recorded(ctx: NativeCallContext, run: &str) -> ScriptResult<Dynamic> {
        Session::of(&ctx).pass(Effect::Read { path: format!("the record of run `{run}`") })?;
        Ok(to_dynamic(&super::described(&super::found(run)?)))
    }

    /// The names of the runs that have left a move of the guest of a `Vm` undone.
    #[rhai_fn(name = "_undone", return_raw, pure)]
    pub fn undone(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<Array> {
        Session::of(&ctx).pass(Effect::Read { path: "the records of all runs".to_owned() })?;
        let reference = vm.reference();
        let runs = Store::find().map(|store| store.undone()).unwrap_or_default();
        Ok(runs.into_iter().filter(|run| run.moves(&reference)).map(|run| run.name.into()).collect())
    }

    /// Take hold of a QEMU that a record speaks of: the very process, or a `Vm` that has ended if it has.
    ///
    /// ```rhai
    /// let gone = take_hold(#{ name: "source", pid: (), started: (), monitor: "", qemu: "", alive: false });
    /// assert(!gone.alive, "it has ended");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn take_hold(ctx: NativeCallContext, guest: Map) -> ScriptResult<Vm> {
        let session = Session::of(&ctx);
        let guest = super::noted(&Dynamic::from_map(guest));
        let text = |key: &str| guest[key].as_str().unwrap_or_default().to_owned();
        if guest["alive"] != true {
            return Ok(Vm::departed(&text("name"), &text("qemu")));
        }
        let effect = Effect::Attach { to: format!("`{}`, process {}", text("name"), guest["pid"]) };
        let monitors = text("monitor").parse::<Address>().ok().into_iter().collect();
        let vm = session.perform(
            effect,
            Vm::attach(text("name"), Where { pid: guest["pid"].as_i64(), monitors, as_named: true }),
        )?;
        // What it was when the record was read, it may not be any more.
        if vm.reference()["started"] != guest["started"] {
            return Ok(Vm::departed(&text("name"), &text("qemu")));
        }
        session.adopt(&vm);
        Ok(vm)
    }

    /// End a QEMU that a record speaks of (`SIGKILL`), if it is still that process, and wait until it has ended.
    ///
    /// ```rhai
    /// end_process(#{ name: "source", pid: (), started: (), alive: false });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn end_process(ctx: NativeCallContext, guest: Map) -> ScriptResult<()> {
        let guest = super::noted(&Dynamic::from_map(guest));
        let vm = guest["name"].as_str().unwrap_or_default().to_owned();
        Session::of(&ctx).perform(Effect::Process { vm, verb: "kill" }, super::end(&guest))
    }

    /// Remove a file or a private directory that qhop has made for a QEMU, if that is what it is.
    ///
    /// ```rhai
    /// remove_left_over("/no/such/qhop-directory");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_left_over(ctx: NativeCallContext, path: &str) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Write { path: path.to_owned() })?;
        let path = Path::new(path);
        if let Some(directory) = Directory::adopt(path) {
            directory.set_kept(false);
        } else if path.is_file() && path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"qhop-"))
        {
            // What cannot be removed stays.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

async fn end(guest: &Value) -> Result<()> {
    // One that cannot be looked at has ended, or is somebody else's.
    let Ok(attached) = Attached::to(guest["pid"].as_i64().unwrap_or_default()) else { return Ok(()) };
    if guest["started"].as_u64() != Some(attached.started) {
        return Ok(());
    }
    let pid = attached.pid();
    if let Ok(watched) = pidfd(pid) {
        let process = Process::attach(pid, attached.into_pidfd(), watched);
        process.kill()?;
        process.wait().await;
    }
    Ok(())
}

fn found(name: &str) -> Result<Run> {
    Store::find()?.run(name).ok_or_else(|| Error::Usage {
        message: format!("there is no record of a run `{name}`"),
        hint: "`qhop ps` shows the runs that did not end".to_owned(),
    })
}

/// A detail of a step as JSON: a `Vm` as what tells it from all others, and text for what has no JSON.
fn noted(value: &Dynamic) -> Value {
    let value = value.flatten_clone();
    if let Some(vm) = value.read_lock::<Vm>() {
        return vm.reference();
    }
    if let Some(duration) = value.read_lock::<Duration>() {
        return Seconds(*duration).to_string().into();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(noted).collect();
    }
    if let Some(members) = value.read_lock::<Map>() {
        return members.iter().map(|(key, value)| (key.to_string(), noted(value))).collect();
    }
    to_json("details", &value).unwrap_or_else(|_| value.to_string().into())
}

/// A run for the one who recovers it.
fn described(run: &Run) -> Value {
    let lives = |guest: &Guest| {
        run.is_of_this_boot()
            && guest.pid.is_some_and(|pid| guest.started.is_some() && started(pid) == guest.started)
    };
    let guest = |guest: &Guest| {
        json!({
            "name": guest.name, "pid": guest.pid, "started": guest.started, "qemu": guest.qemu,
            "monitor": guest.monitor, "directory": guest.directory, "kept": guest.kept,
            "launched": guest.launched, "throwaway": guest.throwaway, "alive": lives(guest),
        })
    };
    let end = |course: &Course, end: &str| {
        course.details.get(end).and_then(|reference| run.guest(reference)).map_or(Value::Null, guest)
    };
    let course = |course: &Course| {
        json!({
            "doing": course.doing(), "steps": course.steps, "details": course.details,
            "source": end(course, "source"), "target": end(course, "target"),
        })
    };
    let mut guests: Vec<Value> = run.guests.iter().map(guest).collect();
    guests.extend(orphans(run));
    json!({
        "name": run.name, "title": run.title, "doing": run.doing(), "files": run.files,
        "guests": guests, "courses": run.open().map(course).collect::<Vec<_>>(),
    })
}

/// The QEMUs that it had started, but not yet taken hold of, when it died: no script knew them.
fn orphans(run: &Run) -> Vec<Value> {
    let is_its = |directory: &Path| run.files.iter().any(|file| Path::new(file) == directory);
    let is_unknown = |pid: u32| run.guests.iter().all(|guest| guest.pid != Some(pid));
    let described = |one: &Ours| {
        let pid = one.process.pid().as_raw_nonzero().get().unsigned_abs();
        (is_its(&one.directory) && is_unknown(pid)).then(|| {
            json!({
                "name": one.process.args.get("name", "guest"), "pid": pid, "started": one.process.started,
                "qemu": one.process.program.path, "monitor": one.monitor().to_string(),
                "directory": one.directory, "kept": false, "launched": true, "throwaway": false,
                "alive": true,
            })
        })
    };
    ours().iter().filter_map(described).collect()
}
