//! Host commands that run beside the script.

use rhai::plugin::*;
use rhai::{Array, Map};

use crate::host::Job;
use crate::script::gate::Effect;
use crate::script::session::{ScriptResult, Session};

#[export_module]
pub mod api {
    /// Run a host command beside the script. It is killed when the script lets go of it before its end.
    ///
    /// ```rhai
    /// let jobs = ["a", "b"].map(|word| begin("echo", [word]));
    /// assert_eq(jobs.map(|job| job.wait().stdout), ["a\n", "b\n"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn begin(ctx: NativeCallContext, program: &str, arguments: Array) -> ScriptResult<Job> {
        let args: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let effect = Effect::Start { program: program.to_owned(), args: args.clone() };
        Session::of(&ctx).perform(effect, async { Ok(Job::begin(program.to_owned(), args)) })
    }

    /// Wait until a command has ended, and return what `run` would have: `status`, `stdout`, `stderr`. One that could
    /// not be started is an error only here.
    ///
    /// ```rhai
    /// assert_eq(begin("sh", ["-c", "exit 3"]).wait().status, 3);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait(ctx: NativeCallContext, job: &mut Job) -> ScriptResult<Map> {
        Session::of(&ctx).block_on(job.wait()).map(super::super::run::left_behind)
    }
}
