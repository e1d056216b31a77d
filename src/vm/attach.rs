//! Taking hold of a QEMU that somebody else started.
//!
//! Nothing is disturbed: a monitor that has its one client already is left alone, and said to have it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::sleep;

use super::start::machine_type;
use super::{Control, Inner, Vm};
use crate::error::{Error, Result};
use crate::monitor::Address;
use crate::qemu::attached::{Attached, Holder, listener};
use crate::qemu::command_line;
use crate::qemu::directory::Directory;
use crate::qemu::monitors::{Place, Protocol};
use crate::qemu::process::{Process, pidfd};

/// Where a running QEMU is: the argument of a script's `attach`. At least one of the two is given.
#[derive(Debug, Clone, Default)]
pub struct Where {
    /// Its process id.
    pub pid: Option<i64>,
    /// Its monitors, the preferred one first; those of its command line if none are given.
    pub monitors: Vec<Address>,
    /// Whether it is called as the caller says, and not as it calls itself.
    pub as_named: bool,
}

impl Vm {
    /// Take hold of a running QEMU. `name` is what errors call it, unless its command line says `-name`
    /// and that counts.
    ///
    /// # Errors
    /// `Attach` if there is no such process, it is no QEMU, or none of its monitors can be reached;
    /// `Connect` or `Protocol` if only an address was given and no monitor answers there.
    pub async fn attach(name: String, given: Where) -> Result<Self> {
        let attached = match given.pid {
            Some(pid) => Some(Attached::to(pid)?),
            None => given.monitors.first().and_then(listener).and_then(|pid| {
                // Whose process it is, is worth knowing, and no condition.
                Attached::to(pid.as_raw_nonzero().get().into()).ok()
            }),
        };
        let own_name = attached.as_ref().and_then(|attached| {
            attached.args.get("name", "guest").or_else(|| attached.args.text("name").map(str::to_owned))
        });
        let name = own_name.filter(|_| !given.as_named).unwrap_or(name);
        let (attached, control) = match (attached, &given.monitors[..]) {
            (Some(attached), monitors) => {
                let control = reach(&name, &attached, monitors).await?;
                (Some(attached), control)
            }
            (None, [address, ..]) => {
                let control = Control::connect(&name, address).await?;
                // The path of a socket that was renamed is in no table; who listens knows it.
                (control.listener().and_then(|pid| Attached::to(pid.into()).ok()), control)
            }
            (None, []) => return Err(nowhere(0, "neither a process nor a monitor is given".to_owned())),
        };
        let machine = machine_type(&name, &control).await?;
        let mut directory = None;
        let (process, qemu, args) = match attached {
            Some(attached) => {
                directory =
                    command_line::own_directory(&attached.args).and_then(|path| Directory::adopt(&path));
                let pid = attached.pid();
                let qemu = attached.program.path.display().to_string();
                let args = attached.args.words();
                (Some(Process::attach(pid, attached.into_pidfd(), pidfd(pid)?)), qemu, args)
            }
            None => (None, String::new(), Vec::new()),
        };
        let console_seen = directory.as_ref().map_or(0, |directory: &Directory| directory.length("console"));
        let console_seen = std::sync::Mutex::new(console_seen);
        let (process, directory) = (process.map(Arc::new), directory.map(Arc::new));
        let became = OnceLock::new();
        Ok(Self(Arc::new(Inner {
            name,
            qemu,
            args,
            machine,
            console_seen,
            process,
            control,
            directory,
            became,
        })))
    }

    /// What the system knows of its process, as it is now.
    ///
    /// # Errors
    /// `Argument` if its process is not known, `Gone` if that has ended.
    pub fn attached(&self) -> Result<Attached> {
        let Some(pid) = self.pid() else { return Err(self.no_process("process", "attach to its pid")) };
        let attached = Attached::to(pid.into());
        match self.ended() {
            // What was looked at may be another process, which has its number by now.
            Some(ended) => Err(Error::Gone {
                vm: self.name().to_owned(),
                operation: "process".to_owned(),
                ended,
                stderr: self.stderr(),
            }),
            None => attached,
        }
    }

    pub(super) fn no_process(&self, function: &str, hint: &str) -> Error {
        Error::Argument {
            function: function.to_owned(),
            cause: format!("the process of vm `{}` is not known", self.name()),
            hint: hint.to_owned(),
        }
    }
}

/// Connect to the first monitor of a process that can be had, a QMP one if there is one.
async fn reach(name: &str, attached: &Attached, given: &[Address]) -> Result<Control> {
    let mut obstacles = Vec::new();
    let addresses = if given.is_empty() { listed(attached, &mut obstacles) } else { given.to_vec() };
    let monitors = attached.monitors();
    for address in addresses {
        let shared = monitors.iter().find_map(|monitor| match &monitor.place {
            Place::Shared { address: Some(other), with } if attached.is_same(other, &address) => Some(with),
            _ => None,
        });
        if let Some(with) = shared {
            obstacles.push(format!("`{address}` {}", shares(with)));
            continue;
        }
        // Two halves of two QEMUs would be one `Vm`.
        if let Some(other) = listener(&address).filter(|pid| *pid != attached.pid()) {
            obstacles.push(format!("`{address}` is where process {} listens", other.as_raw_nonzero()));
            continue;
        }
        if let Some(holder) = holder(attached, &address).await {
            obstacles.push(format!("`{address}` is held by {holder}"));
            continue;
        }
        match Control::connect(name, &address).await {
            Ok(control) => return Ok(control),
            Err(Error::Connect { cause, .. } | Error::Protocol { cause, .. }) => {
                obstacles.push(format!("`{address}`: {cause}"));
            }
            Err(error) => return Err(error),
        }
    }
    let pid = attached.pid().as_raw_nonzero().get().into();
    Err(nowhere(pid, format!("none of its monitors can be reached: {}", obstacles.join("; "))))
}

/// Who holds a monitor, and not only for the moment that another qhop takes to look at it (`qhop ps`).
async fn holder(attached: &Attached, address: &Address) -> Option<Holder> {
    const MOMENT: Duration = Duration::from_millis(50);
    for _ in 0..5 {
        let holder = attached.holder(address)?;
        if holder.command.as_deref() != Some("qhop") {
            return Some(holder);
        }
        sleep(MOMENT).await;
    }
    attached.holder(address)
}

/// The addresses in its command line, QMP first; what cannot be reached is noted.
fn listed(attached: &Attached, obstacles: &mut Vec<String>) -> Vec<Address> {
    let mut monitors = attached.monitors();
    monitors.sort_by_key(|monitor| monitor.protocol == Protocol::Hmp);
    let mut addresses = Vec::new();
    for monitor in monitors {
        let from = if monitor.from.is_empty() {
            "the default one".to_owned()
        } else {
            format!("`{}`", monitor.from)
        };
        match monitor.place {
            Place::At(address) => addresses.push(address),
            Place::Unreachable(reason) => obstacles.push(format!("{from} {reason}")),
            Place::Shared { with, .. } => obstacles.push(format!("{from} {}", shares(&with))),
            Place::Ports { .. } | Place::Descriptor { .. } => {
                obstacles.push(format!("where {from} listens is not known"));
            }
        }
    }
    if addresses.is_empty() && obstacles.is_empty() {
        obstacles.push("it was started without any".to_owned());
    }
    addresses
}

fn shares(with: &str) -> String {
    format!("shares its connection with {with}, whose output could pass for its answers")
}

fn nowhere(pid: i64, cause: String) -> Error {
    let hint = if cause.contains(&format!("is held by `qhop` (pid {})", std::process::id())) {
        "this script holds it already: use the `Vm` that it got first"
    } else if cause.contains("is held by") || cause.contains("does another client") {
        "let the other client go"
    } else if cause.contains("ermission denied") {
        "become the user that may connect to it"
    } else if cause.contains("nsenter") {
        "run qhop in there"
    } else if cause.contains("No such file") {
        // The file was removed, or the path is a relative one and leads elsewhere.
        return Error::Attach {
            pid,
            cause,
            hint: format!("name the path that it has now: `attach(#{{ pid: {pid}, qmp: \"unix:/path\" }})`"),
        };
    } else {
        "start QEMU with a monitor on a socket: `-qmp unix:/path,server=on,wait=off`"
    };
    Error::Attach { pid, cause, hint: hint.to_owned() }
}
