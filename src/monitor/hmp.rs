//! The human monitor: lines and replies in a stream of bytes, and what a reply says.
//!
//! Pure: [`Line`] says what can be sent, [`Decoder`] finds the replies, `info` and `migration` read those
//! of `info …`, [`rejection`] tells which of them mean that QEMU did not do what it was told. The human
//! monitor has no error flag, only text. The texts here were seen on QEMU 5.2, 7.2, 10.0 and 11.1, or
//! stand in their sources.

pub mod decoder;
pub mod info;
pub mod line;
pub mod migration;
pub mod tree;
#[cfg(test)]
#[path = "hmp/tests.rs"]
mod wire_tests;

pub use decoder::{Decoder, Message};
pub use line::Line;

/// Commands that answer with what they were asked for. Whatever such an answer
/// contains, it is no complaint, unless the monitor itself says so.
const QUERIES: &[&str] = &[
    "?",
    "help",
    "info",
    "p",
    "print",
    "x",
    "xp",
    "i",
    "sum",
    "gva2gpa",
    "gpa2hva",
    "gpa2hpa",
    "qom-get",
    "qom-list",
    "ringbuf_read",
    "qemu-io",
];

/// How a command that otherwise answers nothing complains, where it does not
/// put `Error:` in front. Compared without regard to upper and lower case.
const COMPLAINTS: &[&str] = &[
    "audiodev '",
    "bad ",
    "can't ",
    "cannot ",
    "could not ",
    "device '",
    "error opening logfile ",
    "failed to ",
    "id or pci device path is invalid ",
    "invalid ",
    "missing ",
    "mouse at index '",
    "multifd is not supported ",
    "must specify ",
    "no user mode network stack",
    "parameter '",
    "replay breakpoints are allowed only in play mode",
    "replay must be enabled to seek",
    "setting the breakpoint is allowed only in play mode",
    "too many keys",
    "unable to ",
    "unexpected option ",
    "unknown ",
    "unsupported ",
    "user mode network stack not in use",
];

/// QEMU's words, if `reply` means that it rejected `line`; none if it carried the line out.
///
/// In doubt it did: an unknown answer is handed on as text.
#[must_use]
pub fn rejection(line: &str, reply: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    // A format may follow the name without a space: `x/4i`.
    let command = words.next()?.split('/').next()?;
    let reply = without_warnings(reply.trim_end());
    let first = reply.lines().next()?;
    // The line could not even be read: QEMU says why, and where to read more.
    if let Some((cause, last)) = reply.rsplit_once('\n')
        && last.starts_with("Try \"help ")
        && last.ends_with("\" for more information")
    {
        return Some(cause.trim_end().to_owned());
    }
    if first.starts_with("unknown command: '") || is_unavailable(first) {
        return Some(first.to_owned());
    }
    if let Some(cause) = reply.strip_prefix("Error: ") {
        // What the guest wrote may look like an error. An error of the command itself names the device.
        let says_guest = command == "ringbuf_read"
            && !words.next().is_some_and(|device| cause.contains(&format!("'{device}'")));
        return (!says_guest).then(|| cause.to_owned());
    }
    if QUERIES.contains(&command) {
        return None;
    }
    if command == "log" && first.starts_with("Log items ") && words.next() != Some("help") {
        return Some("it is no log item: `log help` lists them".to_owned());
    }
    let lower = first.to_lowercase();
    let complains = COMPLAINTS.iter().any(|start| lower.starts_with(start))
        // `gdbserver` and `chardev-add` complain about the device in two lines.
        || first.ends_with("' is not a valid char driver");
    complains.then(|| reply.to_owned())
}

/// `Command 'x' not available with -preconfig …`, `Command "info usbhost" is not available.`
fn is_unavailable(first: &str) -> bool {
    first.starts_with("Command ") && first.contains(" not available")
}

/// A warning comes in front of the answer, and says nothing about it.
fn without_warnings(reply: &str) -> &str {
    let mut rest = reply;
    while rest.starts_with("warning: ") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, QEMU's answers, and QEMU's words in them.
    const REJECTED: &[(&str, &str, &str)] = &[
        ("frobnicate", "unknown command: 'frobnicate'\r\n", "unknown command: 'frobnicate'"),
        ("info frobnicate", "unknown command: 'info frobnicate'\r\n", "unknown command: 'info frobnicate'"),
        (
            "migrate_set_speed 1g",
            "unknown command: 'migrate_set_speed'\r\n",
            "unknown command: 'migrate_set_speed'",
        ),
        (
            "migrate_set_capability postcopy-ram maybe",
            "Expected 'on' or 'off'\r\nTry \"help migrate_set_capability\" for more information\r\n",
            "Expected 'on' or 'off'",
        ),
        (
            "migrate_set_capability",
            "migrate_set_capability: string expected\r\nTry \"help migrate_set_capability\" for more information\r\n",
            "migrate_set_capability: string expected",
        ),
        (
            "stop extra",
            "stop|s: extraneous characters at the end of line\r\nTry \"help stop\" for more information\r\n",
            "stop|s: extraneous characters at the end of line",
        ),
        (
            "xp /4q 0",
            "invalid char in format: 'q'\r\nTry \"help xp\" for more information\r\n",
            "invalid char in format: 'q'",
        ),
        (
            "info qtree x",
            "qtree: extraneous characters at the end of line\r\nTry \"help info qtree\" for more information\r\n",
            "qtree: extraneous characters at the end of line",
        ),
        (
            "migrate_set_capability nosuch on",
            "Error: invalid parameter value: nosuch\r\n",
            "invalid parameter value: nosuch",
        ),
        (
            "info balloon",
            "Error: No balloon device has been activated\r\n",
            "No balloon device has been activated",
        ),
        (
            "set_password vnc x",
            "Error: No VNC display is present\r\nTo enable it, use '-vnc ...'",
            "No VNC display is present\r\nTo enable it, use '-vnc ...'",
        ),
        (
            "stopcapture 9",
            "warning: 'stopcapture' is deprecated\r\nError: no such capture\r\n",
            "no such capture",
        ),
        (
            "info usbhost",
            "Command \"info usbhost\" is not available.\r\n",
            "Command \"info usbhost\" is not available.",
        ),
        (
            "cont",
            "Command 'cont' not available until machine initialization has been completed.\r\n",
            "Command 'cont' not available until machine initialization has been completed.",
        ),
        ("device_add nosuch,help", "Device 'nosuch' not found\r\n", "Device 'nosuch' not found"),
        ("drive_add 0 if=nosuch", "unsupported bus type 'nosuch'\r\n", "unsupported bus type 'nosuch'"),
        ("drive_add 0 file=/x", "Could not open '/x': No such file\r\n", "Could not open '/x': No such file"),
        (
            "hostfwd_add tcp::1-:1",
            "user mode network stack not in use\r\n",
            "user mode network stack not in use",
        ),
        ("cpu 99", "invalid CPU index\r\n", "invalid CPU index"),
        ("sendkey nosuch", "invalid parameter: nosuch\r\n", "invalid parameter: nosuch"),
        ("trace-event nosuch on", "unknown event \"nosuch\"\r\n", "unknown event \"nosuch\""),
        ("boot_set nosuch", "Invalid boot device 's'\r\n", "Invalid boot device 's'"),
        ("watchdog_action x", "Unknown watchdog action 'x'\r\n", "Unknown watchdog action 'x'"),
        ("singlestep maybe", "unexpected option maybe\r\n", "unexpected option maybe"),
        (
            "gdbserver x:",
            "'x:' is not a valid char driver\r\nCould not open gdbserver on device 'x:'\r\n",
            "'x:' is not a valid char driver\r\nCould not open gdbserver on device 'x:'",
        ),
        (
            "migrate tcp:h:1",
            "Failed to connect to 'h:1': Connection refused\r\n",
            "Failed to connect to 'h:1': Connection refused",
        ),
        (
            "migrate -d exec:false",
            "multifd is not supported by current protocol\r\n",
            "multifd is not supported by current protocol",
        ),
        (
            "logfile /no/x",
            "Error opening logfile /no/x: No such file or directory\r\n",
            "Error opening logfile /no/x: No such file or directory",
        ),
        ("wavcapture x y", "Audiodev 'y' not found\r\n", "Audiodev 'y' not found"),
        ("mouse_set 9", "Mouse at index '9' not found\r\n", "Mouse at index '9' not found"),
        (
            "drive_add 0 if=none",
            "Must specify either driver or file\r\n",
            "Must specify either driver or file",
        ),
        (
            "pcie_aer_inject_error nosuch x",
            "id or pci device path is invalid or device not found. nosuch\r\n",
            "id or pci device path is invalid or device not found. nosuch",
        ),
        ("replay_seek 1", "replay must be enabled to seek\r\n", "replay must be enabled to seek"),
        (
            "replay_delete_break",
            "replay breakpoints are allowed only in play mode\r\n",
            "replay breakpoints are allowed only in play mode",
        ),
        // A word that it does not know makes QEMU print the help of `log`.
        (
            "log nosuch",
            "Log items (comma separated):\r\nnone remove all logs\r\n",
            "it is no log item: `log help` lists them",
        ),
        ("ringbuf_read nosuch 9", "Error: Device 'nosuch' not found\r\n", "Device 'nosuch' not found"),
    ];

    const CARRIED_OUT: &[(&str, &str)] = &[
        ("", ""),
        ("stop", ""),
        ("migrate -d tcp:127.0.0.1:4444", ""),
        ("migrate tcp:127.0.0.1:1", "terminal does not allow synchronous migration, continuing detached\r\n"),
        ("info status", "VM status: paused (prelaunch)\r\n"),
        (
            "info migrate",
            "Status: \t\tfailed (Failed to connect to 'localhost:4444': Connection refused)\r\n",
        ),
        (
            "info migrate",
            "globals:\r\nstore-global-state: on\r\nMigration status: failed (Failed to connect to 'localhost:4444')\r\n",
        ),
        (
            "info block",
            "d0 (#block161): null-co:// (raw)\r\n    Removable device: not locked, tray closed\r\n",
        ),
        ("info block nosuch", ""),
        ("info snapshots", "no block device can store vmstate for snapshot\r\n"),
        ("info replay", "Record/replay is not active\r\n"),
        ("info registers", "\r\nCPU#0\r\nEAX=00000000\r\n"),
        ("help migrate", "migrate [-d] uri -- migrate to URI\r\n\t\t\t -r to resume\r\n"),
        ("log help", "Log items (comma separated):\r\nunimp  log unimplemented functionality\r\n"),
        ("qom-get /machine type", "\"pc-i440fx-7.2-machine\"\r\n"),
        ("x/4i 0", "Cannot access memory at address 0x0\r\n"),
        ("stopcapture 9", "warning: 'stopcapture' is deprecated since v10.2, to be removed\r\n"),
        (
            "calc_dirty_rate 1",
            "Starting dirty rate measurement with period 1 seconds\r\n[Please use 'info dirty_rate']\r\n",
        ),
        ("boot_set c", "boot device list now set to c\r\n"),
        ("gdbserver none", "Disabled gdbserver\r\n"),
        ("ringbuf_read log 100", "Error: the guest wrote this about 'sda'\r\n"),
    ];

    #[test]
    fn a_complaint_is_a_rejection() {
        for (line, reply, words) in REJECTED {
            assert_eq!(rejection(line, reply).as_deref(), Some(*words), "{line}");
        }
    }

    #[test]
    fn an_answer_is_no_rejection() {
        for (line, reply) in CARRIED_OUT {
            assert_eq!(rejection(line, reply), None, "{line}");
        }
    }
}
