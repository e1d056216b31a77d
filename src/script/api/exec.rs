//! A QEMU that becomes another program in its own process.

use std::path::PathBuf;

use rhai::Map;
use rhai::plugin::*;
use serde_json::json;

use crate::error::Result;
use crate::script::gate::Effect;
use crate::script::options::{Options, duration};
use crate::script::session::{ScriptResult, Session};
use crate::vm::{Exec, Vm};

#[export_module]
pub mod api {
    /// Let a QEMU become another program: it saves its guest to `uri`, and executes `qemu` with `args` in its own process
    /// (`migrate-set-parameters` has told it to). Returns the `Vm` that it has become, when that answers; `()` if it has
    /// not become anything, and goes on. Without `uri`, what was begun is seen to its end.
    ///
    /// Options besides: `name`, `directory` (with its monitor; the QEMU's own if not given), `timeout`.
    #[rhai_fn(name = "_exec", return_raw, pure)]
    pub fn exec(ctx: NativeCallContext, vm: &mut Vm, options: Map) -> ScriptResult<Dynamic> {
        let session = Session::of(&ctx);
        let (uri, exec) = super::exec_options(options)?;
        if let Some(uri) = &uri {
            session.pass(Effect::Start { program: exec.qemu.clone(), args: exec.args.clone() })?;
            if let Some(directory) = exec.directory.as_ref().map(|path| path.to_string_lossy()) {
                // From here on it is the new program's, whatever becomes of this run.
                if let Some(directory) = session.take_directory(&directory) {
                    directory.set_kept(true);
                }
            }
            session.block_on(vm.qmp("migrate", json!({ "uri": uri })))?;
        }
        if let Some(next) = vm.became() {
            return Ok(Dynamic::from(next));
        }
        let next = session.block_on(async {
            Ok(if vm.gives_way(exec.limit).await? { Some(vm.become_next(exec).await?) } else { None })
        })?;
        let Some(next) = next else { return Ok(Dynamic::UNIT) };
        session.adopt(&next);
        Ok(Dynamic::from(next))
    }
}

fn exec_options(options: Map) -> Result<(Option<String>, Exec)> {
    let mut options = Options::new("_exec", options, KNOWN)?;
    let text = |options: &mut Options, name: &str| {
        options.string(name)?.ok_or_else(|| options.error(format!("`{name}` is missing")))
    };
    let args = options.take("args").and_then(|args| args.into_typed_array().ok()).unwrap_or_default();
    let limit = duration("_exec", &options.take("timeout").unwrap_or_default())?;
    let exec = Exec {
        name: text(&mut options, "name")?,
        qemu: text(&mut options, "qemu")?,
        args,
        directory: options.string("directory")?.map(PathBuf::from),
        limit,
    };
    Ok((options.string("uri")?, exec))
}

const KNOWN: &[&str] = &["uri", "name", "qemu", "args", "directory", "timeout"];
