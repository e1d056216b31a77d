//! QMP commands in the words of the human monitor, for a QEMU that offers nothing else: what the waits, `migrate`
//! and the recipes send.
//!
//! Pure: a command becomes lines, and what QEMU prints becomes the reply that QMP would give. What the human
//! monitor does not say is absent from the reply, never guessed.

use serde_json::{Value, json};

use super::hmp::info;
use super::hmp::line::{in_quotes, quoted};
use super::hmp::migration::migration;

/// A QMP command as lines, to be sent in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The lines.
    pub lines: Vec<String>,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Nothing,
    Status,
    Migration,
    Capabilities,
    Parameters,
    Version,
    Backends,
    Property,
}

/// The commands that have a translation.
pub const COMMANDS: [&str; 22] = [
    "cont",
    "migrate",
    "migrate-continue",
    "migrate-incoming",
    "migrate-pause",
    "migrate-recover",
    "migrate-set-capabilities",
    "migrate-set-parameters",
    "migrate-start-postcopy",
    "migrate_cancel",
    "pmemsave",
    "qom-get",
    "query-memdev",
    "query-migrate",
    "query-migrate-capabilities",
    "query-migrate-parameters",
    "query-status",
    "query-version",
    "quit",
    "stop",
    "system_powerdown",
    "system_reset",
];

/// Sizes that the human monitor would take for MiB, or that it takes in bytes only with their unit.
const SIZES: [&str; 4] =
    ["max-bandwidth", "avail-switchover-bandwidth", "max-postcopy-bandwidth", "xbzrle-cache-size"];

impl Translation {
    /// The lines for a command and its arguments.
    ///
    /// # Errors
    /// A sentence, for a command or an argument that has no translation.
    pub fn new(command: &str, arguments: &Value) -> Result<Self, String> {
        let text = |name: &str| match &arguments[name] {
            Value::String(text) => Ok(quoted(text)),
            _ => Err(format!("`{command}` needs `{name}`")),
        };
        let (lines, answer) = match command {
            "query-status" => (vec!["info status".to_owned()], Answer::Status),
            "query-migrate" => (vec!["info migrate".to_owned()], Answer::Migration),
            "query-migrate-capabilities" => {
                (vec!["info migrate_capabilities".to_owned()], Answer::Capabilities)
            }
            "query-migrate-parameters" => (vec!["info migrate_parameters".to_owned()], Answer::Parameters),
            "query-memdev" => (vec!["info memdev".to_owned()], Answer::Backends),
            "query-version" => (vec!["info version".to_owned()], Answer::Version),
            "qom-get" => (vec![format!("qom-get {} {}", text("path")?, text("property")?)], Answer::Property),
            "migrate-set-capabilities" => (capabilities(&arguments["capabilities"])?, Answer::Nothing),
            "migrate-set-parameters" => (parameters(arguments)?, Answer::Nothing),
            // Without `-d` the monitor would be busy until the end.
            "migrate" if arguments["resume"] == true => {
                (vec![format!("migrate -d -r {}", text("uri")?)], Answer::Nothing)
            }
            "migrate" => (vec![format!("migrate -d {}", text("uri")?)], Answer::Nothing),
            "migrate-incoming" => (vec![format!("migrate_incoming {}", text("uri")?)], Answer::Nothing),
            "migrate-recover" => (vec![format!("migrate_recover {}", text("uri")?)], Answer::Nothing),
            "migrate-continue" => (vec![format!("migrate_continue {}", text("state")?)], Answer::Nothing),
            "pmemsave" => {
                // Without quotes the file's slashes would divide the size.
                let file = arguments["filename"].as_str().unwrap_or_default();
                let line = format!("pmemsave {} {} {}", arguments["val"], arguments["size"], in_quotes(file));
                (vec![line], Answer::Nothing)
            }
            "migrate-start-postcopy"
            | "migrate-pause"
            | "migrate_cancel"
            | "stop"
            | "cont"
            | "quit"
            | "system_reset"
            | "system_powerdown" => (vec![command.replace('-', "_")], Answer::Nothing),
            _ => return Err(format!("`{command}` is a QMP command, and this QEMU has only a human monitor")),
        };
        Ok(Self { lines, answer })
    }

    /// The reply that QMP would give, from what QEMU printed after each line.
    ///
    /// # Errors
    /// A sentence, for a text that cannot be read.
    pub fn reply(&self, printed: &[String]) -> Result<Value, String> {
        let text = printed.first().map(String::as_str).unwrap_or_default();
        match self.answer {
            Answer::Nothing => Ok(json!({})),
            Answer::Status => {
                let status = info::status(text)?;
                Ok(json!({ "status": status, "running": status == "running" }))
            }
            Answer::Migration => migration(text),
            Answer::Capabilities => info::capabilities(text),
            Answer::Parameters => info::parameters(text),
            Answer::Version => Ok(json!({ "qemu": info::version(text)?.0 })),
            Answer::Backends => Ok(backends(text)),
            Answer::Property => serde_json::from_str(text.trim())
                .map_err(|_| format!("`{}` is no property's value", text.trim())),
        }
    }
}

/// The memory backends in `info memdev`: their `id`, and whether they `share`, which is said since 6.1.
fn backends(text: &str) -> Value {
    let mut backends = Vec::new();
    for line in text.lines() {
        match (line.trim().split_once(": "), backends.last_mut()) {
            (Some(("memory backend", id)), _) => backends.push(json!({ "id": id })),
            (Some(("share", share)), Some(backend)) => backend["share"] = json!(share == "true"),
            _ => {}
        }
    }
    Value::Array(backends)
}

fn capabilities(list: &Value) -> Result<Vec<String>, String> {
    let line = |entry: &Value| {
        let (name, on) = (entry["capability"].as_str()?, entry["state"].as_bool()?);
        Some(format!("migrate_set_capability {name} {}", if on { "on" } else { "off" }))
    };
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(|entry| line(entry).ok_or_else(|| format!("`{entry}` is no capability"))).collect()
}

fn parameters(map: &Value) -> Result<Vec<String>, String> {
    let line = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Number(number) if SIZES.contains(&name.as_str()) => format!("{number}B"),
            Value::Number(number) => number.to_string(),
            Value::String(text) => quoted(text),
            Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
            other => return Err(format!("`{name}` cannot be `{other}` on a human monitor")),
        };
        Ok(format!("migrate_set_parameter {name} {value}"))
    };
    map.as_object().into_iter().flatten().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(command: &str, arguments: &Value) -> Vec<String> {
        Translation::new(command, arguments).unwrap().lines
    }

    #[test]
    fn what_migrate_sends_has_a_translation() {
        assert_eq!(lines("migrate", &json!({ "uri": "unix:/a b" })), ["migrate -d \"unix:/a b\""]);
        assert_eq!(
            lines("migrate-incoming", &json!({ "uri": "tcp:0:4444" })),
            ["migrate_incoming tcp:0:4444"]
        );
        assert_eq!(lines("migrate-start-postcopy", &json!({})), ["migrate_start_postcopy"]);
        assert_eq!(lines("migrate_cancel", &json!({})), ["migrate_cancel"]);
        let capabilities = json!([
            { "capability": "return-path", "state": true },
            { "capability": "postcopy-ram", "state": false },
        ]);
        assert_eq!(
            lines("migrate-set-capabilities", &json!({ "capabilities": capabilities })),
            ["migrate_set_capability return-path on", "migrate_set_capability postcopy-ram off"]
        );
        assert_eq!(
            lines(
                "migrate-set-parameters",
                &json!({ "max-bandwidth": 1_099_511_627_776_u64, "downtime-limit": 30 })
            ),
            ["migrate_set_parameter max-bandwidth 1099511627776B", "migrate_set_parameter downtime-limit 30"]
        );
    }

    #[test]
    fn the_list_names_what_has_a_translation() {
        let arguments = json!({ "uri": "", "path": "", "property": "", "state": "", "capabilities": [] });
        for command in COMMANDS {
            let given = if command == "migrate-set-parameters" { &json!({}) } else { &arguments };
            let translated = Translation::new(command, given);
            assert!(translated.is_ok(), "{translated:?}");
        }
    }

    #[test]
    fn what_has_none_is_refused() {
        let refused = |command: &str, arguments: Value| Translation::new(command, &arguments).unwrap_err();
        assert_eq!(
            refused("query-qmp-schema", json!({})),
            "`query-qmp-schema` is a QMP command, and this QEMU has only a human monitor"
        );
        assert_eq!(refused("migrate", json!({})), "`migrate` needs `uri`");
        assert_eq!(
            refused("migrate-set-parameters", json!({ "x": [] })),
            "`x` cannot be `[]` on a human monitor"
        );
    }

    #[test]
    fn replies_have_the_shape_of_qmp() {
        let reply = |command: &str, printed: &str| {
            let arguments = json!({ "path": "/machine", "property": "type" });
            Translation::new(command, &arguments).unwrap().reply(&[printed.to_owned()])
        };
        assert_eq!(
            reply("query-status", "VM status: paused (inmigrate)\n"),
            Ok(json!({ "status": "inmigrate", "running": false }))
        );
        assert_eq!(reply("qom-get", "\"pc-i440fx-7.2-machine\"\n"), Ok(json!("pc-i440fx-7.2-machine")));
        assert_eq!(reply("stop", ""), Ok(json!({})));
        assert_eq!(
            reply(
                "query-memdev",
                "memory backend: ram\n  size:  67108864\n  share: true\nmemory backend: b\n  share: false\n\n"
            ),
            Ok(json!([{ "id": "ram", "share": true }, { "id": "b", "share": false }]))
        );
    }
}
