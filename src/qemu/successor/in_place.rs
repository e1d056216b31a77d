//! What is left to be rewritten where the target runs in the source's own process, which has closed everything by then:
//! it must not wait for anybody, and it is to be where clients know it.
//!
//! Pure.

use super::Back;
use super::draft::Draft;
use super::options::is_ours;
use super::sockets::{Front, change, live_port};
use crate::qemu::arguments::{Argument, Value};
use crate::qemu::command_line::{escape, machine_monitor};

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let has_ours = list.iter().any(is_ours);
    let mut serials = 0;
    let mut list: Vec<Argument> = list
        .into_iter()
        .map(|argument| {
            serials += usize::from(argument.name() == "serial");
            if let Some(back) = moved_to_a_port(draft, &argument, serials) {
                draft.changed(&argument, Some(&argument), "it was moved to a port", Some(back));
            }
            let argument = known(draft, argument);
            let Some(new) = patient(&argument) else { return argument };
            draft.changed(&argument, Some(&new), WAIT, None);
            new
        })
        .collect();
    if !has_ours {
        let [_, chardev, _, qmp] = machine_monitor(&format!("{}/qmp", draft.facts.directory));
        for argument in [Argument::new("chardev", Some(&chardev)), Argument::new("qmp", Some(&qmp))] {
            draft.added(&argument, "by it the new program is found again");
            list.push(argument);
        }
    }
    list
}

const WAIT: &str = "the guest would wait for a client";

/// How a port is given back that a unix socket of the command line was exchanged for since the start.
fn moved_to_a_port(draft: &Draft, argument: &Argument, serials: usize) -> Option<Back> {
    let text = argument.text()?;
    let id = match argument.name() {
        "chardev" => argument.value().filter(|value| value.get("path").is_some())?.get("id")?,
        "serial" if text.trim_start_matches("mon:").starts_with("unix:") => format!("serial{}", serials - 1),
        _ => return None,
    };
    let (host, port, flavour) = live_port(draft, &id)?;
    Some(change(&Front { id, swap: true, flavour }, &host, &port))
}

/// An address that was given back after an earlier move is in its place from the start.
fn known(draft: &mut Draft, argument: Argument) -> Argument {
    let Some(old) = argument.text().map(str::to_owned) else { return argument };
    let mut text = old.clone();
    for (from, to) in &draft.facts.addresses {
        text = with_path(&text, &escape(from), &escape(to));
    }
    if text == old {
        return argument;
    }
    let new = argument.with(&text);
    draft.changed(&argument, Some(&new), "clients know it by this name", None);
    new
}

/// The text with the path `from` replaced, not that of which it is the beginning.
fn with_path(text: &str, from: &str, to: &str) -> String {
    let mut output = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let is_whole = after.is_empty() || after.starts_with([',', '"']);
        output.push_str(&rest[..at]);
        output.push_str(if is_whole { to } else { from });
        rest = after;
    }
    output + rest
}

/// The same socket without waiting for its first client, which is the default; `None` if it does not wait.
fn patient(argument: &Argument) -> Option<Argument> {
    let waits = |value: &Value| value.is_on("server") == Some(true) && value.is_on("wait").unwrap_or(true);
    if argument.name() == "chardev" {
        let mut value = argument.value()?;
        let is_socket = value.get("backend").as_deref() == Some("socket");
        return (is_socket && waits(&value)).then(|| {
            value.set("wait", "off");
            argument.with(&value)
        });
    }
    if !COMPATIBLE.contains(&argument.name()) {
        return None;
    }
    let text = argument.text()?;
    let (mux, plain) = text.strip_prefix("mon:").map_or(("", text), |plain| ("mon:", plain));
    let (kind, rest) = plain.split_once(':')?;
    if !["unix", "tcp", "telnet", "tn3270", "websocket"].contains(&kind) {
        return None;
    }
    let mut value = Value::parse(rest, "address");
    waits(&value).then(|| {
        value.set("wait", "off");
        argument.with(&format!("{mux}{kind}:{value}"))
    })
}

/// The options that take a whole character device in one word.
const COMPATIBLE: [&str; 8] =
    ["serial", "monitor", "qmp", "qmp-pretty", "parallel", "debugcon", "virtioconsole", "qtest"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::qemu::successor::{Back, Facts, succession};

    fn derived(line: &str, addresses: &[(&str, &str)]) -> String {
        let addresses = addresses.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let facts = Facts { directory: "/d".into(), in_place: true, addresses, ..Facts::default() };
        let args = succession(&shell_words::split(line).unwrap(), &facts).args.join(" ");
        args.strip_suffix(" -incoming defer").unwrap().replace(OURS, "OURS")
    }

    const OURS: &str = "-chardev socket,id=qhop-qmp,path=/d/qmp,server=on,wait=off -qmp chardev:qhop-qmp";

    #[test]
    fn addresses_stay_and_nobody_is_waited_for() {
        for (from, to) in [
            ("-qmp unix:/run/q,server=on,wait=off", "-qmp unix:/run/q,server=on,wait=off OURS"),
            ("-qmp unix:/run/q,server=on", "-qmp unix:/run/q,server=on,wait=off OURS"),
            ("-qmp unix:/run/q,server,nowait", "-qmp unix:/run/q,server,nowait OURS"),
            ("-monitor telnet::4444,server=on,wait=on", "-monitor telnet::4444,server=on,wait=off OURS"),
            ("-serial mon:tcp:[::1]:5,server", "-serial mon:tcp:[::1]:5,server,wait=off OURS"),
            (
                "-chardev socket,id=c,host=,port=1,server=on",
                "-chardev socket,id=c,host=,port=1,server=on,wait=off OURS",
            ),
            ("-chardev socket,id=c,path=/c", "-chardev socket,id=c,path=/c OURS"),
            ("-pidfile /run/pid -spice port=1", "-pidfile /run/pid -spice port=1 OURS"),
            ("-D /log -trace file=/t", "-D /d/log -trace file=/d/t OURS"),
            ("-D /d/log", "-D /d/log-2 OURS"),
            ("-S -incoming tcp::1 -m 1", "-m 1 OURS"),
            ("-chardev file,id=c,path=/c", "-chardev file,id=c,path=/c,append=on OURS"),
            (
                "-object memory-backend-memfd,id=m,size=1M,share=on",
                "-object memory-backend-memfd,id=m,size=1M,share=on OURS",
            ),
            (&format!("-m 1 {OURS}"), "-m 1 OURS"),
        ] {
            assert_eq!(derived(from, &[]), to, "{from}");
        }
    }

    #[test]
    fn what_was_given_back_is_in_its_place_from_the_start() {
        let addresses = [("/d/q", "/run/q"), ("/d/pid", "/run/p,1")];
        assert_eq!(
            derived("-qmp unix:/d/q,server=on,wait=off -qmp unix:/d/q-2,server=on,wait=off", &addresses),
            "-qmp unix:/run/q,server=on,wait=off -qmp unix:/d/q-2,server=on,wait=off OURS"
        );
        assert_eq!(
            derived("-chardev file,id=c,path=/d/q,append=on", &addresses),
            "-chardev file,id=c,path=/run/q,append=on OURS"
        );
    }

    #[test]
    fn a_port_that_can_be_given_back_later_is_no_danger_to_the_start() {
        assert_eq!(
            derived("-netdev user,id=n,hostfwd=tcp::5555-:22 -vnc :1", &[]),
            "-netdev user,id=n -vnc none OURS"
        );
    }

    #[test]
    fn a_port_that_came_in_the_place_of_a_socket_comes_again() {
        let given = "-chardev socket,id=c,path=/d/c,server=on,wait=off -serial unix:/d/s,server=on,wait=off -serial null";
        let live = |label: &str, port: u16| json!({ "label": label, "filename": format!("disconnected:telnet:127.0.0.1:{port},server=on") });
        let facts = Facts {
            directory: "/d".into(),
            in_place: true,
            inventory: json!({ "query-chardev": [live("c", 1), live("serial0", 2)] }),
            ..Facts::default()
        };
        let derived = succession(&shell_words::split(given).unwrap(), &facts);
        assert!(derived.args.join(" ").starts_with(given));
        let backs: Vec<String> = derived
            .rewrites
            .iter()
            .filter_map(|rewrite| match rewrite.back.as_ref()? {
                Back::Qmp { arguments, .. } => Some(format!(
                    "{} {} {}",
                    arguments["id"],
                    arguments["backend"]["data"]["addr"]["data"]["port"],
                    arguments["backend"]["data"]["telnet"]
                )),
                _ => None,
            })
            .collect();
        assert_eq!(backs, ["\"c\" \"1\" true", "\"serial0\" \"2\" true"]);
    }

    #[test]
    fn a_qemu_in_the_background_is_refused() {
        let facts = Facts { directory: "/d".into(), in_place: true, ..Facts::default() };
        let refused = succession(&["-daemonize".to_owned()], &facts).refused;
        assert_eq!(refused.len(), 1);
    }
}
