//! What a script can ask of the built-in guest.

use rhai::plugin::*;

#[export_module]
pub mod api {
    use rhai::Map;

    use crate::script::gate::Effect;
    use crate::script::session::{ScriptResult, Session};
    use crate::vm::Vm;

    /// Verify the memory of the built-in guest, page by page; a page that is lost, stale, torn or misplaced
    /// is an error that names it. The guest is stopped for the time of the reading. Returns how
    /// many `pages` were verified, which pass (`passes`, from 1 on) the guest was in and how many
    /// `beats` it had counted.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// vm.wait_for_output("beat");
    /// assert(vm.check_memory().beats > 0, "the guest is alive");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn check_memory(ctx: NativeCallContext, vm: &mut Vm) -> ScriptResult<Map> {
        let effect = Effect::Command { vm: vm.name().to_owned(), command: "pmemsave".to_owned() };
        let report = Session::of(&ctx).perform(effect, vm.check_memory())?;
        Ok(Map::from([
            ("pages".into(), i64::try_from(report.checked).unwrap_or(i64::MAX).into()),
            ("passes".into(), i64::from(report.pass).into()),
            ("beats".into(), i64::from(report.beats).into()),
        ]))
    }
}
