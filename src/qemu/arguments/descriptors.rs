//! The file descriptors that a command line names: those that QEMU's parent opened for it.
//!
//! Pure.

use super::{Argument, Arguments};

/// A descriptor that QEMU was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its number when QEMU started. QEMU moves those of `-add-fd` to another number and closes this one.
    pub fd: u32,
    /// The option that names it.
    pub option: String,
}

/// The descriptors, in the order of their options. A name, which a monitor's `getfd` has given, is none.
#[must_use]
pub fn passed(args: &Arguments) -> Vec<Passed> {
    args.as_slice().iter().flat_map(of_option).collect()
}

fn of_option(argument: &Argument) -> Vec<Passed> {
    let words = match argument.name() {
        "incoming" => {
            argument.text().and_then(|text| text.strip_prefix("fd:")).map(str::to_owned).into_iter().collect()
        }
        _ => of_keys(argument),
    };
    let numbers = words.iter().flat_map(|word| word.split(':')).filter_map(|word| word.parse().ok());
    numbers.map(|fd| Passed { fd, option: argument.line() }).collect()
}

/// `fd=3`, `fds=3:4`, `vhostfd=5`, `vhostfds=5:6`, `addr.type=fd,addr.str=7`, in every nesting.
fn of_keys(argument: &Argument) -> Vec<String> {
    let Some(value) = argument.value() else { return Vec::new() };
    let keys = value.keys();
    let names = keys.iter().filter(|key| {
        let (parent, last) =
            key.rsplit_once('.').map_or((None, key.as_str()), |(parent, last)| (Some(parent), last));
        match last {
            "fd" | "fds" | "vhostfd" | "vhostfds" => true,
            // `-smbios` and others have a `str`, too.
            "str" => {
                parent.is_some_and(|parent| value.get(&format!("{parent}.type")).as_deref() == Some("fd"))
            }
            _ => false,
        }
    });
    names.filter_map(|key| value.get(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fds(line: &str) -> Vec<u32> {
        let args = Arguments::parse(&shell_words::split(line).unwrap());
        passed(&args).iter().map(|passed| passed.fd).collect()
    }

    #[test]
    fn every_spelling_is_found() {
        assert_eq!(fds("-add-fd fd=3,set=1 -drive file=/dev/fdset/1"), [3]);
        assert_eq!(fds("-netdev tap,id=n,fds=4:5,vhost=on,vhostfds=6:7"), [4, 5, 6, 7]);
        assert_eq!(fds(r#"-netdev '{"type":"tap","fd":"8","vhostfd":"9"}'"#), [8, 9]);
        assert_eq!(fds("-chardev socket,id=c,fd=10,server=on -incoming fd:11"), [10, 11]);
        assert_eq!(
            fds("-netdev stream,id=s,addr.type=fd,addr.str=12 -device vhost-vsock-pci,vhostfd=13"),
            [12, 13]
        );
        assert_eq!(fds(r#"-netdev '{"type":"stream","addr":{"type":"fd","str":"14"}}'"#), [14]);
        assert_eq!(
            fds("-chardev socket,id=c,fd=by-name -append fd=3 -S -smbios addr.str=4 -incoming defer"),
            [0; 0]
        );
    }

    #[test]
    fn the_option_is_named() {
        let args = Arguments::parse(&["-add-fd".into(), "set=1,fd=3".into()]);
        assert_eq!(passed(&args), [Passed { fd: 3, option: "-add-fd set=1,fd=3".into() }]);
    }
}
