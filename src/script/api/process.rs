//! What the system knows of a QEMU's process, as a script sees it.

use std::path::Path;

use rhai::plugin::*;
use rhai::{Array, Map};

use crate::qemu::attached::Attached;
use crate::script::gate::Effect;
use crate::script::session::{ScriptResult, Session};
use crate::vm::Vm;

#[export_module]
pub mod api {
    /// What the system knows of QEMU's process, as it is now: `program` (the file that runs), `deleted` (whether that
    /// was replaced or removed since), `image` (opens that very file even then), `words` (its command line as
    /// written), `user`, `uid`, `gid`, `cgroup`, `directory` (its working directory), `environment` (a map),
    /// `descriptors` (its open files: a map from the number to a path or to `socket:[123]`), `passed` (those that
    /// its command line names: `fd` and `option`), `started` (in clock ticks since the host's start; with the pid,
    /// an identity) and `unreadable` (the files of `/proc/PID` that another user's process hides; what stands in them
    /// is `()`).
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let process = vm.process;
    /// print(`${process.program} of ${process.user} in ${process.directory}, ${process.descriptors.len()} open files`);
    /// assert_eq(process.environment.PATH, env("PATH"));
    /// ```
    #[rhai_fn(get = "process", return_raw, pure)]
    pub fn process(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<Map> {
        if let Some(pid) = vm.pid() {
            Session::of(&ctx).pass(Effect::Read { path: format!("/proc/{pid}") })?;
        }
        Ok(super::map(&vm.attached()?))
    }
}

fn map(process: &Attached) -> Map {
    let text = |text: Option<&str>| text.map_or(Dynamic::UNIT, Into::into);
    let path = |path: Option<&Path>| path.map_or(Dynamic::UNIT, |path| path.display().to_string().into());
    let words = |words: &[String]| -> Array { words.iter().map(|word| word.clone().into()).collect() };
    let environment = process.environment.as_ref().map(|lines| {
        // Of a name that is there twice, programs see the first.
        let pairs = lines.iter().rev().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.into(), value.into())).collect::<Map>()
    });
    let descriptors = process.descriptors.as_ref().map(|descriptors| {
        descriptors.iter().map(|(fd, file)| (fd.to_string().into(), path(Some(file)))).collect::<Map>()
    });
    let passed = process.passed.iter().map(|passed| {
        let option = passed.option.clone().into();
        Map::from([("fd".into(), i64::from(passed.fd).into()), ("option".into(), option)]).into()
    });
    Map::from([
        ("program".into(), path(Some(&process.program.path))),
        ("deleted".into(), process.program.deleted.into()),
        ("image".into(), path(process.program.image.as_deref())),
        ("words".into(), words(&process.words).into()),
        ("user".into(), text(process.user.as_deref())),
        ("uid".into(), i64::from(process.uid).into()),
        ("gid".into(), i64::from(process.gid).into()),
        ("cgroup".into(), text(process.cgroup.as_deref())),
        ("directory".into(), path(process.directory.as_deref())),
        ("environment".into(), environment.map_or(Dynamic::UNIT, Into::into)),
        ("descriptors".into(), descriptors.map_or(Dynamic::UNIT, Into::into)),
        ("passed".into(), passed.collect::<Array>().into()),
        ("started".into(), i64::try_from(process.started).unwrap_or(i64::MAX).into()),
        ("unreadable".into(), process.unreadable.iter().map(|&file| file.into()).collect::<Array>().into()),
    ])
}
