//! QEMU's command line: what it says, and what `launch` adds to it.
//!
//! Pure: lists of words in, lists of words out; never looks at the host.

use std::path::{Path, PathBuf};

use super::arguments::{Argument, Arguments};
use crate::monitor::Address;
use crate::units::parse_size;

/// The host architecture's system emulator, as distributions name it: `qemu-system-x86_64`.
#[must_use]
pub fn default_program() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86" => "i386",
        "powerpc64" => "ppc64",
        other => other,
    };
    format!("qemu-system-{architecture}")
}

/// Whether a program may be an emulator of x86, by its name: `kvm` and `qemu` can be anything.
#[must_use]
pub fn may_emulate_x86(program: &str) -> bool {
    let architecture = program.rsplit('/').next().and_then(|name| name.split("-system-").nth(1));
    architecture.is_none_or(|name| ["x86_64", "i386"].iter().any(|ours| name.starts_with(ours)))
}

/// Whether one of the options is there, with one dash or two, as QEMU takes them.
#[must_use]
pub fn has(args: &[String], options: &[&str]) -> bool {
    args.iter().any(|arg| option(arg).is_some_and(|name| options.contains(&name)))
}

/// The value of an option's last appearance: QEMU's later one wins.
#[must_use]
pub fn value<'a>(args: &'a [String], wanted: &str) -> Option<&'a str> {
    let at = args.iter().rposition(|arg| option(arg) == Some(wanted))?;
    args.get(at + 1).map(String::as_str)
}

fn option(arg: &str) -> Option<&str> {
    arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|name| !name.is_empty())
}

/// A value inside a `key=value` list: QEMU reads `,,` as one comma.
#[must_use]
pub fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

/// What QEMU gives a guest if `-m` does not say: 128 MiB.
const DEFAULT_MEMORY: u64 = 128 << 20;

/// The guest's memory in bytes, from `-m 512`, `-m 4G,slots=4` or `-m size=1G`.
///
/// # Errors
/// A sentence that says what cannot be read.
pub fn memory(args: &[String]) -> Result<u64, String> {
    let Some(value) = value(args, "m") else { return Ok(DEFAULT_MEMORY) };
    let mut parts = value.split(',');
    let first = parts.next().unwrap_or_default();
    let size = match first.split_once('=') {
        Some(("size", size)) => size,
        Some(_) => match parts.find_map(|part| part.strip_prefix("size=")) {
            Some(size) => size,
            None => return Ok(DEFAULT_MEMORY),
        },
        None => first,
    };
    // A plain number counts MiB.
    let bytes = parse_size(size).map_err(|cause| format!("`-m {value}`: {cause}"))?;
    Ok(if size.ends_with(|c: char| c.is_ascii_digit()) { bytes.saturating_mul(1 << 20) } else { bytes })
}

/// The caller's words plus what the built-in guest needs: no devices that it would have to wait for, and TCG,
/// because a /dev/kvm that opens may still run nothing.
#[must_use]
pub fn with_guest(args: &[String]) -> Vec<String> {
    let mut words = args.to_vec();
    let mut add = |added: &[&str]| words.extend(added.iter().map(|&word| word.to_owned()));
    if !has(args, &["nodefaults"]) {
        add(&["-nodefaults"]);
    }
    let machine = value(args, "machine").or_else(|| value(args, "M")).unwrap_or_default();
    if !has(args, &["accel", "enable-kvm"]) && !machine.contains("accel=") {
        add(&["-accel", "tcg"]);
    }
    words
}

/// The caller's words plus what `launch` needs and the caller has not decided: a name, no window,
/// and a console that is kept in a file.
#[must_use]
pub fn complete(args: &[String], name: &str, console: &str) -> Vec<String> {
    let mut words = args.to_vec();
    let mut add = |added: &[&str]| words.extend(added.iter().map(|&word| word.to_owned()));
    if !has(args, &["name"]) {
        add(&["-name", &escape(name)]);
    }
    if !has(args, &["display", "nographic", "vnc", "spice", "curses", "sdl", "gtk"]) {
        add(&["-display", "none"]);
    }
    if !has(args, &["serial", "nographic"]) {
        let file = format!("file,id=qhop-console,path={},append=on", escape(console));
        add(&["-chardev", &file, "-serial", "chardev:qhop-console"]);
    }
    words
}

/// The arguments for a QMP monitor of qhop's own, on a unix socket.
#[must_use]
pub fn machine_monitor(path: &str) -> [String; 4] {
    let socket = format!("socket,id=qhop-qmp,path={},server=on,wait=off", escape(path));
    // Not by `-mon`, which 11.1 deprecates.
    ["-chardev".into(), socket, "-qmp".into(), "chardev:qhop-qmp".into()]
}

/// The private directory of a QEMU that was started with [`machine_monitor`].
#[must_use]
pub fn own_directory(args: &Arguments) -> Option<PathBuf> {
    let chardevs = args.all("chardev").filter_map(Argument::value);
    let monitor = chardevs.into_iter().find(|chardev| chardev.get("id").as_deref() == Some("qhop-qmp"))?;
    Some(Path::new(&monitor.get("path")?).parent()?.to_owned())
}

/// The arguments for a human monitor at an address.
#[must_use]
pub fn human_monitor(address: &Address) -> [String; 2] {
    ["-monitor".into(), format!("{},server=on,wait=off", address.to_option())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn an_emulator_of_another_architecture_is_known_by_its_name() {
        for name in [
            "qemu-system-x86_64",
            "/opt/qemu-10.0-system-i386",
            "kvm",
            "/usr/libexec/qemu-kvm",
            "a-system-x86_64.old",
        ] {
            assert!(may_emulate_x86(name), "{name}");
        }
        for name in ["qemu-system-ppc64", "/opt/qemu-7.2-system-aarch64", "qemu-system-s390x"] {
            assert!(!may_emulate_x86(name), "{name}");
        }
    }

    #[test]
    fn options_have_one_dash_or_two() {
        let args = words("-m 512 --machine q35 -m 1G");
        assert!(has(&args, &["machine"]));
        assert!(!has(&args, &["512", "q35"]));
        assert_eq!(value(&args, "m"), Some("1G"));
        assert_eq!(value(&words("-S -incoming"), "incoming"), None);
    }

    #[test]
    fn memory_has_several_spellings() {
        let of = |line: &str| memory(&words(line));
        assert_eq!(of("-S"), Ok(128 << 20));
        assert_eq!(of("-m 512"), Ok(512 << 20));
        assert_eq!(of("-m 4G,slots=4,maxmem=8G"), Ok(4 << 30));
        assert_eq!(of("-m slots=4,size=1G,maxmem=8G"), Ok(1 << 30));
        assert_eq!(of("-m size=96"), Ok(96 << 20));
        assert_eq!(of("-m maxmem=8G"), Ok(128 << 20));
        assert_eq!(of("-m lots"), Err("`-m lots`: `lots` does not start with a number".into()));
    }

    #[test]
    fn the_built_in_guest_runs_under_tcg_unless_told_otherwise() {
        assert_eq!(with_guest(&words("-m 64")).join(" "), "-m 64 -nodefaults -accel tcg");
        assert_eq!(with_guest(&words("-nodefaults -accel kvm")).join(" "), "-nodefaults -accel kvm");
        assert_eq!(
            with_guest(&words("-machine pc,accel=kvm")).join(" "),
            "-machine pc,accel=kvm -nodefaults"
        );
    }

    #[test]
    fn the_directory_of_a_qemu_of_ours_is_found_again() {
        let args = Arguments::parse(&machine_monitor("/run/a,b/qhop-vm-1/qmp"));
        assert_eq!(own_directory(&args), Some("/run/a,b/qhop-vm-1".into()));
        assert_eq!(own_directory(&Arguments::parse(&words("-qmp unix:/run/qmp,server=on"))), None);
    }

    #[test]
    fn what_the_caller_decided_stays() {
        let added = complete(&words("-nographic -name mine"), "vm", "/d/console");
        assert_eq!(added.join(" "), "-nographic -name mine");
    }

    #[test]
    fn what_the_caller_left_open_is_added() {
        let added = complete(&words("-m 64"), "a,b", "/d/console");
        assert_eq!(
            added.join(" "),
            "-m 64 -name a,,b -display none \
             -chardev file,id=qhop-console,path=/d/console,append=on -serial chardev:qhop-console"
        );
    }
}
