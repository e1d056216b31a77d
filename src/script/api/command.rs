//! Commands as a script sends them: in QEMU's own names, as they are. One that could lose the guest is warned of.

use rhai::Map;
use rhai::plugin::*;
use serde_json::Value;

use crate::error::Error;
use crate::script::gate::Effect;
use crate::script::options::{arguments, duration};
use crate::script::session::{ScriptResult, Session};
use crate::script::slip::explained;
use crate::script::value::to_dynamic;
use crate::vm::Vm;

#[export_module]
pub mod api {
    /// Send one QMP command, in QEMU's own names, and return its reply.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_eq(vm.qmp("query-status").status, "running");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn qmp(ctx: NativeCallContext, vm: &mut Vm, name: &str) -> ScriptResult<Dynamic> {
        qmp_with(ctx, vm, name, Map::new())
    }

    /// Send one QMP command with its arguments.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let machine = vm.qmp("qom-get", #{ path: "/machine", property: "type" });
    /// assert_eq(machine, vm.machine + "-machine");
    /// ```
    #[rhai_fn(name = "qmp", return_raw, pure)]
    pub fn qmp_with(
        ctx: NativeCallContext,
        vm: &mut Vm,
        name: &str,
        arguments: Map,
    ) -> ScriptResult<Dynamic> {
        let arguments = super::arguments(name, arguments)?;
        let session = Session::of(&ctx);
        super::warn(&session, vm, name, &arguments)?;
        let reply = explained(vm, vm.qmp(name, arguments));
        session.perform(command(vm, name), reply).map(|reply| to_dynamic(&reply))
    }

    /// `qmp` without a warning: for the standard library, which has looked at both ends.
    #[rhai_fn(name = "_qmp", return_raw, pure)]
    pub fn qmp_unwarned(
        ctx: NativeCallContext,
        vm: &mut Vm,
        name: &str,
        arguments: Map,
    ) -> ScriptResult<Dynamic> {
        let arguments = super::arguments(name, arguments)?;
        Session::of(&ctx).perform(command(vm, name), vm.qmp(name, arguments)).map(|reply| to_dynamic(&reply))
    }

    /// From now on, an answer that takes longer than `limit` is an error; `()` waits for ever, as before: for the standard
    /// library, which must not wait for a QEMU that hangs.
    #[rhai_fn(name = "_patience", return_raw, pure)]
    pub fn patience(vm: &mut Vm, limit: Dynamic) -> ScriptResult<()> {
        vm.set_patience(if limit.is_unit() { None } else { Some(duration("_patience", &limit)?) });
        Ok(())
    }

    /// `qmp`, out of band: QEMU does it at once, even where its main loop hangs. Few commands can be sent so:
    /// `migrate-pause`, `migrate-recover`, `yank`, `query-yank`. Over a human monitor they are lines like all others.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let error = assert_throws(|| vm.qmp_oob("migrate-pause"), "qmp");
    /// assert(error.message.contains("postcopy"), "there is none that could pause");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn qmp_oob(ctx: NativeCallContext, vm: &mut Vm, name: &str) -> ScriptResult<Dynamic> {
        qmp_oob_with(ctx, vm, name, Map::new())
    }

    /// `qmp_oob` with arguments.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert_throws(|| vm.qmp_oob("migrate-recover", #{ uri: "tcp:127.0.0.1:0" }), "qmp");
    /// ```
    #[rhai_fn(name = "qmp_oob", return_raw, pure)]
    pub fn qmp_oob_with(
        ctx: NativeCallContext,
        vm: &mut Vm,
        name: &str,
        arguments: Map,
    ) -> ScriptResult<Dynamic> {
        let arguments = super::arguments(name, arguments)?;
        Session::of(&ctx)
            .perform(command(vm, name), vm.qmp_oob(name, arguments))
            .map(|reply| to_dynamic(&reply))
    }

    /// `qmp` for the commands that take a file descriptor along, `getfd` and `add-fd`: that of the file at `path`,
    /// opened for reading, and for writing where that is allowed. It needs a QMP monitor on a unix socket.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.qmp_fd("getfd", #{ fdname: "nothing" }, "/dev/null");
    /// vm.qmp("closefd", #{ fdname: "nothing" });
    /// let added = vm.qmp_fd("add-fd", #{ "fdset-id": 1 }, "/dev/null");
    /// assert_eq(added["fdset-id"], 1);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn qmp_fd(
        ctx: NativeCallContext,
        vm: &mut Vm,
        name: &str,
        arguments: Map,
        path: &str,
    ) -> ScriptResult<Dynamic> {
        let arguments = super::arguments(name, arguments)?;
        let session = Session::of(&ctx);
        session.pass(Effect::Open { path: path.to_owned(), vm: vm.name().to_owned() })?;
        session.perform(command(vm, name), vm.qmp_fd(name, arguments, path)).map(|reply| to_dynamic(&reply))
    }

    /// Send one line to the human monitor and return what it prints. A line that QEMU rejects is an error.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// assert(vm.hmp("info status").contains("running"), "the guest runs");
    /// assert_throws(|| vm.hmp("fly"), "hmp");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn hmp(ctx: NativeCallContext, vm: &mut Vm, line: &str) -> ScriptResult<String> {
        let session = Session::of(&ctx);
        super::warn_of_line(&session, vm, line)?;
        session.perform(command(vm, line), explained(vm, vm.hmp(line)))
    }
}

/// A command as an effect.
pub(super) fn command(vm: &Vm, command: &str) -> Effect {
    Effect::Command { vm: vm.name().to_owned(), command: command.to_owned() }
}

/// A raw command is sent as it is; that it could lose the guest is said before.
fn warn(session: &Session, vm: &Vm, command: &str, arguments: &Value) -> ScriptResult<()> {
    // Nearly all commands are harmless, and are not to pay for those that are not.
    let guarded = match command {
        "cont" => session.block_on(async { Ok(vm.may_cont(&session.others(vm)).await) }),
        "quit" => session.block_on(async { Ok(vm.may_quit().await) }),
        "migrate_cancel" => session.block_on(async { Ok(vm.may_cancel().await) }),
        // To resume is to go on with what was begun.
        "migrate" if arguments["resume"] != true => {
            let uri = arguments["uri"].as_str().unwrap_or_default();
            session.block_on(async { Ok(vm.may_migrate(uri, &session.others(vm)).await) })
        }
        "migrate-start-postcopy" => session.block_on(async { Ok(vm.may_switch().await) }),
        "human-monitor-command" => {
            return warn_of_line(session, vm, arguments["command-line"].as_str().unwrap_or_default());
        }
        _ => return Ok(()),
    };
    if let Err(Error::Refused { vm, operation, reason, .. }) = guarded? {
        session.log(&format!("warning: `{operation}` of vm `{vm}`: {reason}"));
    }
    Ok(())
}

/// The same for a line of the human monitor, which has short names for two of them, and abbreviates no other.
fn warn_of_line(session: &Session, vm: &Vm, line: &str) -> ScriptResult<()> {
    let mut words = line.split_whitespace();
    let none = Value::Null;
    match words.next() {
        Some("cont" | "c") => warn(session, vm, "cont", &none),
        Some("quit" | "q") => warn(session, vm, "quit", &none),
        Some("migrate_cancel") => warn(session, vm, "migrate_cancel", &none),
        Some("migrate_start_postcopy") => warn(session, vm, "migrate-start-postcopy", &none),
        Some("migrate") => {
            let (switches, rest): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with('-'));
            let uri = rest.first().unwrap_or(&"").trim_matches('"');
            let resume = switches.iter().any(|switch| switch.contains('r'));
            warn(session, vm, "migrate", &serde_json::json!({ "uri": uri, "resume": resume }))
        }
        _ => Ok(()),
    }
}
