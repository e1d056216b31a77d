//! What a script asks of one QEMU: states, properties, its end.

use rhai::Array;
use rhai::plugin::*;
use serde_json::json;

use super::command::command;
use crate::script::gate::Effect;
use crate::script::options::duration;
use crate::script::session::{ScriptResult, Session};
use crate::script::value::to_dynamic;
use crate::vm::Vm;

#[export_module]
pub mod api {
    /// The guest's run state, as `query-status` gives it.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-S -machine none" });
    /// assert_eq(vm.status(), "prelaunch");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn status(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<String> {
        Session::of(&ctx).perform(command(vm, "query-status"), vm.status())
    }

    /// The migration's state and figures, as `query-migrate` gives them; empty before the first migration.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert(!("status" in vm.migration()), "no migration so far");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn migration(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<Dynamic> {
        Session::of(&ctx)
            .perform(command(vm, "query-migrate"), vm.migration())
            .map(|reply| to_dynamic(&reply))
    }

    /// `migration`, for a QEMU that may hang: no answer within `timeout` is an error.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// run("kill", ["-STOP", `${vm.pid}`]);
    /// assert_throws(|| vm.migration(100.ms), "timeout");
    /// vm.kill();
    /// ```
    #[rhai_fn(name = "migration", return_raw, pure)]
    pub fn migration_within(ctx: NativeCallContext, vm: &mut Vm, timeout: Dynamic) -> ScriptResult<Dynamic> {
        let timeout = duration("migration", &timeout)?;
        Session::of(&ctx)
            .perform(command(vm, "query-migrate"), vm.migration_within(timeout))
            .map(|reply| to_dynamic(&reply))
    }

    /// Stop the guest's processors.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.stop();
    /// assert_eq(vm.status(), "paused");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn stop(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        Session::of(&ctx).perform(command(vm, "stop"), vm.qmp("stop", json!({}))).map(drop)
    }

    /// Let the guest's processors run. Refused after the guest has moved away, unless it is certain that it does
    /// not run elsewhere.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.stop();
    /// vm.cont();
    /// assert_eq(vm.status(), "running");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn cont(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        let session = Session::of(&ctx);
        session.block_on(vm.may_cont(&session.others(vm)))?;
        session.perform(command(vm, "cont"), vm.qmp("cont", json!({}))).map(drop)
    }

    /// Tell QEMU to quit, and wait until its process has ended. One that has ended already is fine. Refused in a
    /// postcopy, at either end.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.quit();
    /// assert_throws(|| vm.status(), "gone");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn quit(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        let session = Session::of(&ctx);
        session.block_on(vm.may_quit())?;
        session.perform(command(vm, "quit"), vm.quit())
    }

    /// End the QEMU process at once (`SIGKILL`), and wait until it has ended.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.kill();
    /// assert_eq(vm.wait_for_end(), "was killed by signal 9");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn kill(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        Session::of(&ctx).perform(process(vm, "kill"), vm.kill())
    }

    /// Let QEMU live on when the script ends; without it, what a script has launched ends with it. (Nothing that a test of
    /// `qhop test` has launched outlives the test.)
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.keep();
    /// assert(vm.kept, "it outlives the script");
    /// vm.quit();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn keep(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        Session::of(&ctx).pass(process(vm, "keep"))?;
        vm.keep();
        Session::of(&ctx).note(vm);
        Ok(())
    }

    /// The events that no wait has taken yet, oldest first; they count as taken now.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.stop();
    /// vm.cont();
    /// let names = vm.events().map(|event| event.event);
    /// assert("STOP" in names && "RESUME" in names, "both events were kept");
    /// assert_eq(vm.events(), []);
    /// ```
    #[rhai_fn(pure)]
    pub fn events(vm: &mut Vm) -> Array {
        vm.events().iter().map(to_dynamic).collect()
    }

    /// The last event of that name, whether a wait has taken it or not; `()` if there was none.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_eq(vm.last_event("STOP"), ());
    /// vm.stop();
    /// vm.wait_for_event("STOP");
    /// assert_eq(vm.last_event("STOP").event, "STOP");
    /// ```
    #[rhai_fn(pure)]
    pub fn last_event(vm: &mut Vm, name: &str) -> Dynamic {
        vm.last_event(name).map_or(Dynamic::UNIT, |event| to_dynamic(&event))
    }

    /// The name that errors use.
    ///
    /// ```rhai
    /// assert_eq(launch(#{ name: "source", guest: "heartbeat" }).name, "source");
    /// ```
    #[rhai_fn(get = "name", pure)]
    pub fn name(vm: &mut Vm) -> String {
        vm.name().to_owned()
    }

    /// The process id; `()` where only a monitor was found.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_eq(run("kill", ["-0", `${vm.pid}`]).status, 0);
    /// ```
    #[rhai_fn(get = "pid", pure)]
    pub fn pid(vm: &mut Vm) -> Dynamic {
        vm.pid().map_or(Dynamic::UNIT, |pid| i64::from(pid).into())
    }

    /// The QEMU binary, as it was given to `launch`.
    ///
    /// ```rhai
    /// let vm = launch(#{ qemu: "qemu-system-x86_64", guest: "heartbeat" });
    /// assert_eq(vm.qemu, "qemu-system-x86_64");
    /// ```
    #[rhai_fn(get = "qemu", pure)]
    pub fn qemu(vm: &mut Vm) -> String {
        vm.qemu().to_owned()
    }

    /// The version that QEMU itself gives: `10.0.2`.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert(vm.version.split(".").len() == 3, "major, minor, micro");
    /// ```
    #[rhai_fn(get = "version", pure)]
    pub fn version(vm: &mut Vm) -> String {
        vm.version().to_owned()
    }

    /// The machine type with aliases resolved: `pc-q35-10.0` for `-machine q35`.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-machine q35 -S" });
    /// assert(vm.machine.starts_with("pc-q35-"), vm.machine);
    /// ```
    #[rhai_fn(get = "machine", pure)]
    pub fn machine(vm: &mut Vm) -> String {
        vm.machine().to_owned()
    }

    /// QEMU's arguments as an array, with what `launch` added.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-m 64 -S" });
    /// assert("64" in vm.args, "as given");
    /// ```
    #[rhai_fn(get = "args", pure)]
    pub fn arguments_of(vm: &mut Vm) -> Array {
        vm.args().iter().map(|arg| arg.clone().into()).collect()
    }

    /// The tail (64 KiB) of what QEMU wrote to its standard error.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_eq(vm.stderr, "");
    /// ```
    #[rhai_fn(get = "stderr", pure)]
    pub fn stderr(vm: &mut Vm) -> String {
        vm.stderr()
    }

    /// The tail (64 KiB) of the guest's console.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.wait_for_output("beat");
    /// assert(vm.console.contains("beat"), "it says so again and again");
    /// ```
    #[rhai_fn(get = "console", pure)]
    pub fn console(vm: &mut Vm) -> String {
        vm.console()
    }

    /// A directory that only its owner can enter, gone when the `Vm` is: the place for sockets. `()` if somebody
    /// else started it.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_eq(run("stat", ["--format=%a", vm.directory]).stdout, "700\n");
    /// ```
    #[rhai_fn(get = "directory", pure)]
    pub fn directory(vm: &mut Vm) -> Dynamic {
        vm.directory().map_or(Dynamic::UNIT, Into::into)
    }

    /// Whether QEMU outlives the script.
    ///
    /// ```rhai
    /// assert_eq(launch(#{ guest: "heartbeat" }).kept, false);
    /// ```
    #[rhai_fn(get = "kept", pure)]
    pub fn kept(vm: &mut Vm) -> bool {
        vm.is_kept()
    }

    /// Stop its process, so that it cannot begin to run a guest that it has not begun to run; `false` if that cannot be had. For
    /// the standard library, which ends it then, or lets it go on by `_thaw`.
    #[rhai_fn(name = "_freeze", return_raw, pure)]
    pub fn freeze(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<bool> {
        let effect = Effect::Process { vm: vm.name().to_owned(), verb: "freeze" };
        Session::of(&ctx).perform(effect, async { Ok(vm.freeze().await) })
    }

    /// Let a process go on that `_freeze` has stopped.
    #[rhai_fn(name = "_thaw", return_raw, pure)]
    pub fn thaw(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Process { vm: vm.name().to_owned(), verb: "thaw" })?;
        Ok(vm.thaw()?)
    }

    /// Whether the QEMU process still runs.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert(vm.alive, "started");
    /// vm.kill();
    /// assert(!vm.alive, "ended");
    /// ```
    #[rhai_fn(get = "alive", pure)]
    pub fn alive(vm: &mut Vm) -> bool {
        vm.ended().is_none()
    }

    /// A `Vm` as text: its name and process.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(vm: &mut Vm) -> String {
        let process = vm.pid().map(|pid| format!("process {pid}, ")).unwrap_or_default();
        format!("vm `{}` ({process}QEMU {})", vm.name(), vm.version())
    }
}

fn process(vm: &Vm, verb: &'static str) -> Effect {
    Effect::Process { vm: vm.name().to_owned(), verb }
}
