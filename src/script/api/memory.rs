//! A guest's memory as seen from the host: what another QEMU could map, and copies of what it could not.

use rhai::Map;
use rhai::plugin::*;

use crate::qemu::backing::Mapping;
use crate::qemu::memory_file::MemoryFile;
use crate::script::gate::Effect;
use crate::script::options;
use crate::script::session::{ScriptResult, Session};
use crate::vm::{Backend, Vm};

#[export_module]
pub mod api {
    /// Memory that several QEMUs can map, without a name in any file system. It is there for as long as a script holds
    /// the value, or a QEMU has it mapped.
    ///
    /// ```rhai
    /// let memory = memory_file(128.MiB);
    /// let ram = `-object memory-backend-file,id=ram,size=128M,mem-path=${memory.path},share=on -machine memory-backend=ram`;
    /// let vm = launch(#{ guest: "heartbeat", args: ram });
    /// assert(vm.backing().ram.share, "others can map it");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn memory_file(ctx: NativeCallContext, size: Dynamic) -> ScriptResult<MemoryFile> {
        let size = options::bytes("memory_file", &size)?;
        Session::of(&ctx).pass(Effect::Create { what: format!("a memory file of {size} bytes") })?;
        Ok(MemoryFile::new(size)?)
    }

    /// Where a QEMU of this user finds the memory.
    ///
    /// ```rhai
    /// assert(memory_file(1.MiB).path.starts_with("/proc/"), "it has no name of its own");
    /// ```
    #[rhai_fn(get = "path", pure)]
    pub fn path(file: &mut MemoryFile) -> String {
        file.path()
    }

    /// How large it is, in bytes.
    ///
    /// ```rhai
    /// assert_eq(memory_file(1.MiB).size, 1.MiB);
    /// ```
    #[rhai_fn(get = "size", pure)]
    pub fn size(file: &mut MemoryFile) -> i64 {
        i64::try_from(file.size()).unwrap_or(i64::MAX)
    }

    /// What backs the guest's memory, by the id of the memory backend (QEMU's own name for memory that the command line
    /// did not ask for): `size` in bytes, `share`, `path` (the file that another QEMU can map to have the same
    /// memory, or `()`), `unknown` (why it was not found in the process, or `()`), `sent` (whether a migration sends it:
    /// QEMU leaves a `virtio-pmem` to its file).
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat", args: "-machine pc -m 64" });
    /// let ram = vm.backing()["pc.ram"];
    /// assert_eq(ram.size, 64.MiB);
    /// assert(!ram.share && ram.path == (), "it is QEMU's own");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn backing(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<Map> {
        let effect = Effect::Read { path: format!("the memory map of `{}`", vm.name()) };
        let backends = Session::of(&ctx).perform(effect, vm.backing())?;
        Ok(backends.iter().map(|backend| (backend.id.as_str().into(), super::described(backend))).collect())
    }

    /// A copy of the guest's memory in one memory backend, made while it runs: what it writes meanwhile may be there
    /// or not. Only pages that QEMU has populated take space.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat", args: "-machine pc -m 64" });
    /// assert_eq(vm.copy_memory("pc.ram").size, 64.MiB);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn copy_memory(ctx: NativeCallContext, vm: &mut Vm, id: &str) -> ScriptResult<MemoryFile> {
        let effect = Effect::Read { path: format!("memory `{id}` of `{}`", vm.name()) };
        Session::of(&ctx).perform(effect, vm.copy_memory(id))
    }
}

fn described(backend: &Backend) -> Dynamic {
    let text = |text: Option<String>| text.map_or(Dynamic::UNIT, Into::into);
    let path = backend.path.as_ref().map(|path| path.display().to_string());
    Map::from([
        ("size".into(), i64::try_from(backend.size).unwrap_or(i64::MAX).into()),
        ("share".into(), backend.mapping.as_ref().is_ok_and(Mapping::is_shared).into()),
        ("path".into(), text(path)),
        ("sent".into(), backend.sent.into()),
        ("unknown".into(), text(backend.mapping.as_ref().err().cloned())),
    ])
    .into()
}
