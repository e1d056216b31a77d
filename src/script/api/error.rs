//! An error that a script has caught.

use rhai::plugin::*;

use crate::error::Error;
use crate::script::diagnostic::Failure;

#[export_module]
pub mod api {
    /// What kind of error it is: `"qmp"`, `"hmp"`, `"timeout"`, `"migration"`, `"gone"`, `"start"`, `"argument"`, …
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// try { vm.qmp("fly"); } catch (e) { assert_eq(e.kind, "qmp"); }
    /// ```
    #[rhai_fn(get = "kind", pure)]
    pub fn kind(error: &mut Error) -> String {
        error.kind().to_owned()
    }

    /// What went wrong, in one sentence.
    ///
    /// ```rhai
    /// try { sleep("soon"); } catch (e) { assert_eq(e.message, "`sleep`: `soon` does not start with a number"); }
    /// ```
    #[rhai_fn(get = "message", pure)]
    pub fn message(error: &mut Error) -> String {
        error.to_string()
    }

    /// The name of the `Vm` that it is about, or `()`.
    ///
    /// ```rhai
    /// let vm = launch(#{ name: "guest", guest: "heartbeat" });
    /// try { vm.qmp("fly"); } catch (e) { assert_eq(e.vm, "guest"); }
    /// ```
    #[rhai_fn(get = "vm", pure)]
    pub fn vm(error: &mut Error) -> Dynamic {
        error.vm().map_or(Dynamic::UNIT, Into::into)
    }

    /// What can be done about it, by the message of QEMU's that it is about, too; empty if there is nothing to say.
    ///
    /// ```rhai
    /// try { launch(#{ qmeu: "x" }); } catch (e) { assert_eq(e.hint, "did you mean `qemu`?"); }
    /// ```
    #[rhai_fn(get = "hint", pure)]
    pub fn hint(error: &mut Error) -> String {
        Failure::from(&*error).hint
    }

    /// What the program that failed wrote to its standard error last; empty if it wrote nothing, or none is involved.
    ///
    /// ```rhai
    /// try { launch(#{ args: "-machine none -fly" }); } catch (e) { assert(e.stderr.contains("-fly"), e.stderr); }
    /// ```
    #[rhai_fn(get = "stderr", pure)]
    pub fn stderr(error: &mut Error) -> String {
        error.stderr().to_owned()
    }

    /// An error as text: its message.
    #[rhai_fn(name = "to_string", pure)]
    pub fn to_string(error: &mut Error) -> String {
        error.to_string()
    }

    /// An error as text: its kind and message.
    #[rhai_fn(name = "to_debug", pure)]
    pub fn to_debug(error: &mut Error) -> String {
        format!("{}: {error}", error.kind())
    }
}
