//! What the human monitor says about a QEMU: `info status`, `info version`, `info migrate_capabilities`.
//!
//! Pure: a reply to the value that QMP would give. `info migrate` has a file of its own.

use serde_json::{Map, Value, json};

/// The run state in `info status`, in QMP's word: `running`, `paused`, `inmigrate`, `postmigrate`, …
///
/// # Errors
/// A clause about the peer, such as "it sent `x` for `info status`".
pub fn status(reply: &str) -> Result<String, String> {
    let state = reply.trim().strip_prefix("VM status: ").unwrap_or_default();
    // Where QEMU has a `singlestep` command.
    let state = state.replace(" (single step mode)", "");
    match state.strip_prefix("paused (").and_then(|rest| rest.strip_suffix(')')) {
        Some(word) => Ok(word.to_owned()),
        None if state == "running" || state == "paused" => Ok(state),
        None => Err(unreadable("info status", reply)),
    }
}

/// Version and package in `info version`: `10.0.2` and `Debian 1:10.0.2+ds-2`; the package is often empty.
///
/// # Errors
/// As [`status`].
pub fn version(reply: &str) -> Result<(&str, &str), String> {
    let line = reply.trim();
    // Debian's package follows without a space.
    let end = line.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(line.len());
    let (version, package) = line.split_at(end);
    if version.split('.').count() != 3 || version.split('.').any(str::is_empty) {
        return Err(unreadable("info version", reply));
    }
    Ok((version, package.trim()))
}

/// The version in the banner that a human monitor greets with: `7.2.22`.
#[must_use]
pub fn banner_version(banner: &str) -> Option<&str> {
    banner.strip_prefix("QEMU ")?.split_once(" monitor").map(|(version, _)| version)
}

/// `info migrate_capabilities` as `query-migrate-capabilities` would answer it.
///
/// # Errors
/// As [`status`].
pub fn capabilities(reply: &str) -> Result<Value, String> {
    reply
        .lines()
        .map(|line| match line.trim().split_once(": ") {
            Some((name, "on")) => Ok(json!({ "capability": name, "state": true })),
            Some((name, "off")) => Ok(json!({ "capability": name, "state": false })),
            _ => Err(unreadable("info migrate_capabilities", line)),
        })
        .collect()
}

/// `info migrate_parameters` as `query-migrate-parameters` would answer it: numbers without their units, in QMP's own.
///
/// # Errors
/// As [`status`].
pub fn parameters(reply: &str) -> Result<Value, String> {
    let value = |text: &str| match text.trim() {
        "on" => json!(true),
        "off" => json!(false),
        text => {
            let first = text.split(' ').next().unwrap_or_default();
            first.parse::<u64>().map_or_else(|_| json!(text.trim_matches('\'')), Value::from)
        }
    };
    // The last one of 10.2 and later, a list, stands without a space.
    let line = |line: &str| match line.trim().split_once(':') {
        Some((name, text)) if !name.contains(' ') => Ok((name.to_owned(), value(text))),
        _ => Err(unreadable("info migrate_parameters", line)),
    };
    reply
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(line)
        .collect::<Result<Map<_, _>, _>>()
        .map(Value::Object)
}

/// What is said of a reply that is none.
pub(super) fn unreadable(line: &str, reply: &str) -> String {
    format!("it sent `{}` for `{line}`", crate::monitor::qmp::excerpt(reply.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_state_has_qmp_s_word() {
        assert_eq!(status("VM status: running\n").as_deref(), Ok("running"));
        assert_eq!(status("VM status: paused\r\n").as_deref(), Ok("paused"));
        assert_eq!(status("VM status: paused (inmigrate)\n").as_deref(), Ok("inmigrate"));
        assert_eq!(status("VM status: paused (finish-migrate)").as_deref(), Ok("finish-migrate"));
        assert_eq!(status("VM status: running (single step mode)\n").as_deref(), Ok("running"));
        assert_eq!(status("VM status: paused (single step mode) (prelaunch)\n").as_deref(), Ok("prelaunch"));
        assert_eq!(status("VM status: paused (single step mode)\n").as_deref(), Ok("paused"));
        assert_eq!(
            status("unknown command: 'info status'\n").unwrap_err(),
            "it sent `unknown command: 'info status'` for `info status`"
        );
        assert_eq!(status("VM status: \n").unwrap_err(), "it sent `VM status:` for `info status`");
    }

    #[test]
    fn a_version_has_three_numbers() {
        assert_eq!(version("11.1.3Debian 1:11.1.3+ds-1\n"), Ok(("11.1.3", "Debian 1:11.1.3+ds-1")));
        assert_eq!(version("9.1.0\n"), Ok(("9.1.0", "")));
        assert_eq!(version("5.2.0 (v5.2.0)\n"), Ok(("5.2.0", "(v5.2.0)")));
        assert_eq!(version("1..2\n").unwrap_err(), "it sent `1..2` for `info version`");
        assert_eq!(banner_version("QEMU 7.2.22 monitor - type 'help' for more information"), Some("7.2.22"));
        assert_eq!(banner_version("login:"), None);
    }

    #[test]
    fn capabilities_are_on_or_off() {
        let reply = "xbzrle: off\r\npostcopy-ram: on\r\n";
        let wanted = json!([{ "capability": "xbzrle", "state": false }, { "capability": "postcopy-ram", "state": true }]);
        assert_eq!(capabilities(reply), Ok(wanted));
        assert_eq!(capabilities(""), Ok(json!([])));
        assert_eq!(
            capabilities("xbzrle off\n").unwrap_err(),
            "it sent `xbzrle off` for `info migrate_capabilities`"
        );
    }

    #[test]
    fn parameters_are_numbers_switches_and_words() {
        let reply = "announce-initial: 50 ms\r\ncompress-wait-thread: on\r\ncpu-throttle-tailslow: off\r\ntls-creds: ''\r\n\
                     max-bandwidth: 134217728 bytes/second\r\nmultifd-compression: none\r\nmax-postcopy-bandwidth: 0\r\n\
                     cpr-exec-command:\r\n";
        let wanted = json!({
            "announce-initial": 50, "compress-wait-thread": true, "cpu-throttle-tailslow": false, "tls-creds": "",
            "max-bandwidth": 134_217_728, "multifd-compression": "none", "max-postcopy-bandwidth": 0, "cpr-exec-command": "",
        });
        assert_eq!(parameters(reply), Ok(wanted));
        assert_eq!(
            parameters("unknown command: 'info migrate_parameters'\n").unwrap_err(),
            "it sent `unknown command: 'info migrate_parameters'` for `info migrate_parameters`"
        );
    }
}
