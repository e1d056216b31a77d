//! Starting a QEMU.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::Map;
use rhai::plugin::*;

use crate::error::{Error, Result};
use crate::monitor::Address;
use crate::qemu::command_line::{self, default_program};
use crate::qemu::guest::Heartbeat;
use crate::script::gate::Effect;
use crate::script::options::Options;
use crate::script::session::{ScriptResult, Session};
use crate::vm::{Launch, Starting, Vm, Where};

#[export_module]
pub mod api {

    /// Start a QEMU and connect to its monitor. Options: `qemu` (the binary; the host's own
    /// architecture if not given), `args` (one string with shell quoting, or an array), `name`,
    /// `guest` (`"heartbeat"`, or `#{ name: "heartbeat", memory: 64.MiB, rate: 16.MiB, beats: 1000 }`: how much memory
    /// it writes to, how many bytes a second, 0 for as fast as it can, and how often it beats, 100 times a second if not
    /// given), `keep` (it outlives the script),
    /// `monitor` (the address of a human monitor to open and use in place of QMP: `"telnet:127.0.0.1:4321"`),
    /// `directory` (one of `private_directory`, for QEMU to have), `cwd` (where its relative paths lead), `bare` (add nothing
    /// to `args` but a monitor).
    ///
    /// ```rhai
    /// let vm = launch(#{ name: "guest", guest: "heartbeat" });
    /// assert_eq(vm.status(), "running");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn launch(ctx: NativeCallContext, options: Map) -> ScriptResult<Vm> {
        let session = Session::of(&ctx);
        let launch = prepared(&session, options)?;
        let vm = session.block_on(Vm::launch(launch))?;
        session.adopt(&vm);
        Ok(vm)
    }

    /// `launch`, for a target that has no monitor before its source has begun: it is a `Vm` by `_connect`. Until it takes
    /// part in a move, whoever recovers the run ends it.
    #[rhai_fn(name = "_begin_launch", return_raw)]
    pub fn begin_launch(ctx: NativeCallContext, options: Map) -> ScriptResult<Unborn> {
        let session = Session::of(&ctx);
        let launch = prepared(&session, options)?;
        // The process is watched by the runtime.
        let starting = session.block_on(async { Starting::begin(launch) })?;
        if let Some(record) = session.gate().record() {
            record.vm(&starting.description());
        }
        Ok(Arc::new(Mutex::new(Some(starting))))
    }

    /// The `Vm`, once its monitor answers.
    #[rhai_fn(name = "_connect", return_raw, pure)]
    pub fn connect(ctx: NativeCallContext, unborn: &mut Unborn) -> ScriptResult<Vm> {
        let session = Session::of(&ctx);
        let vm = session.block_on(async {
            match taken(unborn) {
                Some(starting) => starting.ready().await,
                None => Err(Error::Argument {
                    function: "_connect".to_owned(),
                    cause: "it was connected to, or ended, before".to_owned(),
                    hint: String::new(),
                }),
            }
        })?;
        session.adopt(&vm);
        Ok(vm)
    }

    /// End it, unless it is a `Vm` by now.
    #[rhai_fn(name = "_abandon", pure)]
    pub fn abandon(unborn: &mut Unborn) {
        drop(taken(unborn));
    }

    /// How it ended, `()` if it has not.
    #[rhai_fn(get = "_ended", pure)]
    pub fn ended(unborn: &mut Unborn) -> Dynamic {
        let starting = unborn.lock().unwrap_or_else(PoisonError::into_inner);
        starting.as_ref().and_then(Starting::ended).map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// A new directory that only its owner can enter, for the files and sockets of a QEMU that is to be launched with
    /// `directory`. It goes when that QEMU goes, or else when the script ends.
    ///
    /// ```rhai
    /// let directory = private_directory("guest");
    /// let vm = launch(#{ guest: "heartbeat", directory: directory, args: `-qmp unix:${directory}/second,server=on,wait=off` });
    /// assert_eq(vm.directory, directory);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn private_directory(ctx: NativeCallContext, name: &str) -> ScriptResult<String> {
        let session = Session::of(&ctx);
        session.pass(Effect::Create { what: format!("a private directory for `{name}`") })?;
        Ok(session.make_directory(name)?)
    }

    /// Take hold of a QEMU that somebody else started, by its process id (a number or digits), the address of a monitor
    /// (`"unix:/path"`, `"tcp:host:port"`, `"telnet:host:port"`), or `#{ pid, qmp, hmp }`. Whether it speaks QMP or
    /// HMP is found out. It lives on when the script ends.
    ///
    /// ```rhai
    /// let started = launch(#{ guest: "heartbeat", args: "-monitor unix:human,server=on,wait=off" });
    /// let vm = attach(started.pid);
    /// assert_eq(vm.status(), "running");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn attach(ctx: NativeCallContext, to: Dynamic) -> ScriptResult<Vm> {
        let session = Session::of(&ctx);
        let effect = Effect::Attach { to: to.to_string() };
        let vm = session.perform(effect, Vm::attach(session.next_name(), place(&to)?))?;
        session.adopt(&vm);
        Ok(vm)
    }
}

/// A QEMU that is no `Vm` yet, for as long as a script holds it.
pub type Unborn = Arc<Mutex<Option<Starting>>>;

fn taken(unborn: &Unborn) -> Option<Starting> {
    unborn.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What is to be started, once the gate has let it pass.
fn prepared(session: &Session, options: Map) -> ScriptResult<Launch> {
    let mut launch = launch_options(session, options)?;
    session.pass(Effect::Start { program: launch.qemu.clone(), args: launch.args.clone() })?;
    if launch.directory.is_none() {
        // On record before the QEMU exists: by its directory, it is found again.
        let path = session.make_directory(&launch.name)?;
        launch.directory = session.take_directory(&path);
    }
    Ok(launch)
}

fn address(text: &str, function: &str) -> Result<Address> {
    text.parse().map_err(|cause| Error::Argument {
        function: function.to_owned(),
        cause,
        hint: String::new(),
    })
}

fn place(to: &Dynamic) -> Result<Where> {
    if let Ok(pid) = to.as_int() {
        return Ok(Where { pid: Some(pid), monitors: Vec::new(), as_named: false });
    }
    if let Ok(text) = to.as_immutable_string_ref() {
        return match text.parse() {
            Ok(pid) => Ok(Where { pid: Some(pid), monitors: Vec::new(), as_named: false }),
            Err(_) => Ok(Where { pid: None, monitors: vec![address(&text, "attach")?], as_named: false }),
        };
    }
    let Ok(map) = to.as_map_ref() else {
        return Err(Error::Argument {
            function: "attach".to_owned(),
            cause: format!("a pid or a monitor address is wanted, not a value of type `{}`", to.type_name()),
            hint: "such as `attach(4711)`, `attach(\"unix:/path\")`, `attach(#{ pid: 4711, hmp: \"telnet:127.0.0.1:1234\" })`".to_owned(),
        });
    };
    let mut options = Options::new("attach", map.clone(), PLACE)?;
    let pid = match options.take("pid") {
        Some(pid) => Some(
            pid.as_int()
                .or_else(|_| pid.to_string().parse())
                .map_err(|_| options.wrong("pid", "a number", pid.type_name()))?,
        ),
        None => None,
    };
    let mut monitors = Vec::new();
    for name in ["qmp", "hmp"] {
        if let Some(text) = options.string(name)? {
            monitors.push(address(&text, "attach")?);
        }
    }
    Ok(Where { pid, monitors, as_named: false })
}

/// The options of `attach`.
pub const PLACE: &[&str] = &["pid", "qmp", "hmp"];
/// The options of the built-in guest.
pub const GUEST: &[&str] = &["name", "memory", "rate", "beats"];
/// The options of `launch`.
pub const KNOWN: &[&str] = &["qemu", "args", "name", "guest", "keep", "monitor", "directory", "cwd", "bare"];

fn launch_options(session: &Session, options: Map) -> Result<Launch> {
    let mut options = Options::new("launch", options, KNOWN)?;
    let mut args = match options.take("args") {
        Some(args) => words(&args, &options)?,
        None => Vec::new(),
    };
    if command_line::has(&args, &["daemonize"]) {
        return Err(Error::Argument {
            function: "launch".to_owned(),
            cause: "`-daemonize` would take QEMU out of sight".to_owned(),
            hint: "leave it out; `keep: true` lets QEMU outlive the script".to_owned(),
        });
    }
    let guest = guest(&options.take("guest").unwrap_or_default(), &args, &options)?;
    let qemu = options.string("qemu")?.unwrap_or_else(default_program);
    if guest.is_some() {
        if !command_line::may_emulate_x86(&qemu) {
            return Err(Error::Argument {
                function: "launch".to_owned(),
                cause: format!(
                    "the built-in guest is a program for x86, and `{qemu}` emulates something else"
                ),
                hint: "leave out `guest`: the firmware, or an image in `args`, is a guest, too".to_owned(),
            });
        }
        args = command_line::with_guest(&args);
    }
    let directory = options.string("directory")?.map(|path| {
        session.take_directory(&path).ok_or_else(|| Error::Argument {
            function: "launch".to_owned(),
            cause: format!("`{path}` is no directory that waits for a QEMU"),
            hint: "make one by `private_directory(name)`, for each QEMU its own".to_owned(),
        })
    });
    Ok(Launch {
        directory: directory.transpose()?,
        cwd: options.string("cwd")?.map(PathBuf::from),
        bare: options.flag("bare")?,
        name: options.string("name")?.unwrap_or_else(|| session.next_name()),
        qemu,
        keep: options.flag("keep")?,
        monitor: options.string("monitor")?.map(|text| address(&text, "launch")).transpose()?,
        args,
        guest,
    })
}

fn words(args: &Dynamic, options: &Options) -> Result<Vec<String>> {
    if let Ok(line) = args.as_immutable_string_ref() {
        return shell_words::split(&line)
            .map_err(|_| options.error("`args` has a quote that is not closed".to_owned()));
    }
    let Ok(array) = args.as_array_ref() else {
        return Err(options.wrong("args", "a string or an array of strings", args.type_name()));
    };
    let word = |word: &Dynamic| match word.as_int() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => word
            .clone()
            .into_string()
            .map_err(|found| options.wrong("args", "a string or an array of strings", found)),
    };
    array.iter().map(word).collect()
}

fn guest(given: &Dynamic, args: &[String], options: &Options) -> Result<Option<Heartbeat>> {
    let mut details = match given.as_map_ref() {
        Ok(map) => Options::new("launch", map.clone(), GUEST)?,
        Err(_) if given.is_unit() => return Ok(None),
        Err(_) => {
            let named = Map::from([("name".into(), given.clone())]);
            Options::new("launch", named, &["name"])?
        }
    };
    match details.string("name")?.as_deref() {
        Some("heartbeat") => {}
        other => {
            return Err(Error::Argument {
                function: "launch".to_owned(),
                cause: format!("there is no built-in guest `{}`", other.unwrap_or_default()),
                hint: "the built-in guest is \"heartbeat\"; any other guest is a matter of `args`".to_owned(),
            });
        }
    }
    let memory = details.size("memory")?.unwrap_or(Heartbeat::MEMORY);
    let rate = details.size("rate")?.unwrap_or(Heartbeat::RATE);
    let ram = command_line::memory(args).map_err(|cause| options.error(cause))?;
    let beats = match details.take("beats") {
        Some(beats) => {
            let wrong = || details.wrong("beats", "a number", beats.type_name());
            beats.as_int().ok().and_then(|beats| u64::try_from(beats).ok()).ok_or_else(wrong)?
        }
        None => Heartbeat::BEATS,
    };
    let guest = Heartbeat::new(memory, rate, ram).and_then(|guest| guest.with_beats(beats));
    guest.map(Some).map_err(|cause| options.error(format!("`guest`: {cause}")))
}
