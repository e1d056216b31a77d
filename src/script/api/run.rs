//! How a script is called, how it ends, and what else its host offers.

use std::time::{Duration, SystemTime};

use rhai::plugin::*;
use rhai::{Array, FnPtr, Map};

use crate::error::Error;
use crate::host;
use crate::script::gate::Effect;
use crate::script::options::duration;
use crate::script::parameters::Kind;
use crate::script::session::{Ending, ScriptResult, Session};
use crate::script::usage;
use crate::units::{parse_duration, parse_size};

#[export_module]
pub mod api {
    /// The value of `--name` on the command line. Without it, the recipe does not start, and says so with `help`.
    ///
    /// ```rhai
    /// assert_throws(|| param("name", "who is to be greeted"), "usage");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn param(ctx: NativeCallContext, name: &str, help: &str) -> ScriptResult<Dynamic> {
        let session = Session::of(&ctx);
        let value = session.parameter(name).ok_or_else(|| usage::missing(name, help))?;
        Ok(value.into())
    }

    /// The value of `--name` on the command line, or `default`. Text becomes a value of `default`'s
    /// type: a number, `true`/`false`, a duration.
    ///
    /// ```rhai
    /// assert_eq(param("timeout", "how long it may take", 30.s), 30.s);
    /// ```
    #[rhai_fn(name = "param", return_raw)]
    pub fn param_or(
        ctx: NativeCallContext,
        name: &str,
        help: &str,
        default: Dynamic,
    ) -> ScriptResult<Dynamic> {
        let _ = help;
        match Session::of(&ctx).parameter(name) {
            Some(text) => Ok(super::value_like(name, &text, &default)?),
            None => Ok(default),
        }
    }

    /// Run `closure` when the script ends, however it ends; the last one deferred runs first.
    ///
    /// ```rhai
    /// let file = run("mktemp", []).stdout;
    /// file.trim();
    /// defer(|| run("rm", ["-f", file]));
    /// ```
    pub fn defer(ctx: NativeCallContext, closure: FnPtr) {
        Session::of(&ctx).defer(closure);
    }

    /// End the script with this exit code; the deferred closures run.
    ///
    /// ```rhai
    /// if now() < 0.s { exit(3); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exit(code: i64) -> ScriptResult<()> {
        match u8::try_from(code) {
            Ok(code) => Err(Ending::Exit(code).into()),
            Err(_) => Err(Error::Argument {
                function: "exit".to_owned(),
                cause: format!("`{code}` is no exit code"),
                hint: "exit codes are 0 to 255".to_owned(),
            }
            .into()),
        }
    }

    /// End the script with exit code 0.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_0() -> ScriptResult<()> {
        exit(0)
    }

    /// End the script because what it needs is not here; it counts neither as passed nor as failed.
    ///
    /// ```rhai
    /// if env("NO_SUCH_VARIABLE") != () { skip("not on this machine"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn skip(reason: &str) -> ScriptResult<()> {
        Err(Ending::Skip(reason.to_owned()).into())
    }

    /// Run a host command to its end and return `status` (its exit code, or 128 + the signal that killed
    /// it), `stdout` and `stderr`.
    ///
    /// ```rhai
    /// let listing = run("ls", ["/"]);
    /// assert_eq(listing.status, 0);
    /// assert(listing.stdout.contains("proc"), listing.stdout);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn run(ctx: NativeCallContext, program: &str, arguments: Array) -> ScriptResult<Map> {
        let args: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let effect = Effect::Start { program: program.to_owned(), args: args.clone() };
        Session::of(&ctx).perform(effect, host::run(program, &args)).map(super::left_behind)
    }

    /// An environment variable, or `()` if it is not set.
    ///
    /// ```rhai
    /// assert(env("PATH") != (), "there is a PATH");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn env(ctx: NativeCallContext, name: &str) -> ScriptResult<Dynamic> {
        Session::of(&ctx).pass(Effect::Environment { name: name.to_owned() })?;
        Ok(std::env::var_os(name).map_or(Dynamic::UNIT, |value| value.to_string_lossy().into_owned().into()))
    }

    /// Do nothing for a while. To wait for something, use the `wait_*` functions.
    ///
    /// ```rhai
    /// sleep(1.ms);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sleep(ctx: NativeCallContext, time: Dynamic) -> ScriptResult<()> {
        let time = duration("sleep", &time)?;
        Session::of(&ctx).block_on(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    /// `sleep` with a number: an error that asks for its unit, in place of Rhai's own, which nothing could interrupt.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_int(ctx: NativeCallContext, time: i64) -> ScriptResult<()> {
        sleep(ctx, time.into())
    }

    /// `sleep` with a number: an error that asks for its unit, in place of Rhai's own, which nothing could interrupt.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_float(ctx: NativeCallContext, time: f64) -> ScriptResult<()> {
        sleep(ctx, time.into())
    }

    /// The time since 1970, as a duration: subtract two to measure.
    ///
    /// ```rhai
    /// let start = now();
    /// sleep(2.ms);
    /// assert((now() - start).ms >= 2.0, "time passes");
    /// ```
    pub fn now() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// A line for people, on standard error.
    ///
    /// ```rhai
    /// log("half way through");
    /// ```
    pub fn log(ctx: NativeCallContext, text: &str) {
        Session::of(&ctx).log(text);
    }
}

/// What a host command left behind, as a script sees it.
pub(super) fn left_behind(output: host::Output) -> Map {
    Map::from([
        ("status".into(), i64::from(output.status).into()),
        ("stdout".into(), output.stdout.into()),
        ("stderr".into(), output.stderr.into()),
    ])
}

/// A parameter's text as a value of the type that its default has.
fn value_like(name: &str, text: &str, default: &Dynamic) -> crate::error::Result<Dynamic> {
    let kind = match () {
        () if default.is_int() => Kind::Integer,
        () if default.is_float() => Kind::Float,
        () if default.is_bool() => Kind::Bool,
        () if default.is::<Duration>() => Kind::Duration,
        () => Kind::Text,
    };
    let unreadable = |cause| Error::Usage { message: format!("`--{name}`: {cause}"), hint: String::new() };
    // `4GiB` for a default of `1.GiB`, which is a number when the script runs.
    if kind == Kind::Integer
        && let Ok(Ok(size)) = parse_size(text).map(i64::try_from)
    {
        return Ok(size.into());
    }
    usage::check(kind, text).map_err(unreadable)?;
    Ok(match kind {
        Kind::Integer => text.parse::<i64>().unwrap_or_default().into(),
        Kind::Float => text.parse::<f64>().unwrap_or_default().into(),
        Kind::Bool => (text == "true").into(),
        Kind::Duration => Dynamic::from(parse_duration(text).unwrap_or_default()),
        _ => text.to_owned().into(),
    })
}
