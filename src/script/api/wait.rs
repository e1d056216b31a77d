//! The waits: each takes a timeout (60 s if none is given), and says on failure what it last saw.

use rhai::plugin::*;

/// What the waits without a timeout allow.
const DEFAULT: std::time::Duration = std::time::Duration::from_secs(60);

#[export_module]
pub mod api {
    use super::DEFAULT;
    use crate::script::options::duration;
    use crate::script::session::{ScriptResult, Session};
    use crate::script::value::to_dynamic;
    use crate::vm::Vm;

    /// Wait until the guest's run state is `status`: `running`, `paused`, `inmigrate`, `postmigrate`, …
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.wait_for_status("running", 10.s);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait_for_status(
        ctx: NativeCallContext,
        vm: &mut Vm,
        status: &str,
        timeout: Dynamic,
    ) -> ScriptResult<()> {
        let timeout = duration("wait_for_status", &timeout)?;
        Session::of(&ctx).block_on(vm.wait_for_status(status, timeout))
    }

    /// `wait_for_status` with a timeout of 60 s.
    #[rhai_fn(name = "wait_for_status", return_raw, pure)]
    pub fn wait_for_status_60s(ctx: NativeCallContext, vm: &mut Vm, status: &str) -> ScriptResult<()> {
        Session::of(&ctx).block_on(vm.wait_for_status(status, DEFAULT))
    }

    /// Wait until the migration's state is `status`: `active`, `completed`, … An end state that is not
    /// the one waited for is an error at once, with QEMU's reason, what both ends said, and in whose hands the
    /// guest is.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.qmp("migrate", #{ uri: "exec:cat >/dev/null" });
    /// vm.wait_for_migration("completed", 30.s);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait_for_migration(
        ctx: NativeCallContext,
        vm: &mut Vm,
        status: &str,
        timeout: Dynamic,
    ) -> ScriptResult<()> {
        let timeout = duration("wait_for_migration", &timeout)?;
        let session = Session::of(&ctx);
        session.block_on(vm.wait_for_migration_beside(&session.others(vm), status, timeout))
    }

    /// `wait_for_migration` with a timeout of 60 s.
    #[rhai_fn(name = "wait_for_migration", return_raw, pure)]
    pub fn wait_for_migration_60s(ctx: NativeCallContext, vm: &mut Vm, status: &str) -> ScriptResult<()> {
        let session = Session::of(&ctx);
        session.block_on(vm.wait_for_migration_beside(&session.others(vm), status, DEFAULT))
    }

    /// `wait_for_migration` for whoever knows both ends, and tells of them: nothing is asked of the other one.
    #[rhai_fn(name = "_wait_for_migration", return_raw, pure)]
    pub fn wait_for_migration_alone(
        ctx: NativeCallContext,
        vm: &mut Vm,
        status: &str,
        timeout: Dynamic,
    ) -> ScriptResult<()> {
        let timeout = duration("wait_for_migration", &timeout)?;
        Session::of(&ctx).block_on(vm.wait_for_migration(status, timeout))
    }

    /// Wait for the next event of that name that no wait has taken yet, and return it as QEMU sent it:
    /// `event`, `data`, `timestamp`. Events are kept from the moment of connection, so none is missed
    /// between a command and its wait.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.stop();
    /// assert_eq(vm.wait_for_event("STOP", 5.s).event, "STOP");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait_for_event(
        ctx: NativeCallContext,
        vm: &mut Vm,
        name: &str,
        timeout: Dynamic,
    ) -> ScriptResult<Dynamic> {
        let timeout = duration("wait_for_event", &timeout)?;
        Session::of(&ctx).block_on(vm.wait_for_event(name, timeout)).map(|event| to_dynamic(&event))
    }

    /// `wait_for_event` with a timeout of 60 s.
    #[rhai_fn(name = "wait_for_event", return_raw, pure)]
    pub fn wait_for_event_60s(ctx: NativeCallContext, vm: &mut Vm, name: &str) -> ScriptResult<Dynamic> {
        Session::of(&ctx).block_on(vm.wait_for_event(name, DEFAULT)).map(|event| to_dynamic(&event))
    }

    /// Wait until `text` appears on the guest's console, behind what the last such wait has found.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.wait_for_output("beat", 10.s);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait_for_output(
        ctx: NativeCallContext,
        vm: &mut Vm,
        text: &str,
        timeout: Dynamic,
    ) -> ScriptResult<()> {
        let timeout = duration("wait_for_output", &timeout)?;
        Session::of(&ctx).block_on(vm.wait_for_output(text, timeout))
    }

    /// `wait_for_output` with a timeout of 60 s.
    #[rhai_fn(name = "wait_for_output", return_raw, pure)]
    pub fn wait_for_output_60s(ctx: NativeCallContext, vm: &mut Vm, text: &str) -> ScriptResult<()> {
        Session::of(&ctx).block_on(vm.wait_for_output(text, DEFAULT))
    }

    /// Wait until the QEMU process has ended, and say how: `ended with exit status 0`.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.qmp("quit");
    /// assert_eq(vm.wait_for_end(10.s), "ended with exit status 0");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait_for_end(ctx: NativeCallContext, vm: &mut Vm, timeout: Dynamic) -> ScriptResult<String> {
        let timeout = duration("wait_for_end", &timeout)?;
        Session::of(&ctx).block_on(vm.wait_for_end(timeout))
    }

    /// `wait_for_end` with a timeout of 60 s.
    #[rhai_fn(name = "wait_for_end", return_raw, pure)]
    pub fn wait_for_end_60s(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<String> {
        Session::of(&ctx).block_on(vm.wait_for_end(DEFAULT))
    }
}
