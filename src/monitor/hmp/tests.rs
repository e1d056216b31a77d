//! The decoder on what QEMU really sent, and on what it never would.

use std::path::Path;

use proptest::prelude::*;

use super::{Decoder, Line, Message, rejection};
use crate::monitor::telnet::Telnet;

/// The lines behind the recordings, which are numbered from 1.
const LINES: [&str; 18] = [
    "info status",
    "info migrate",
    "migrate_set_capability postcopy-ram on",
    "migrate -d tcp:localhost:4444",
    "info migrate",
    "frobnicate",
    "migrate_set_capability postcopy-ram maybe",
    "migrate_set_capability",
    "help migrate",
    "help",
    "",
    "info version",
    "qom-get /machine type",
    "info migrate_parameters",
    "migrate_set_parameter tls-hostname \"a\\\"b\"",
    "stop",
    "migrate_start_postcopy",
    "migrate \"exec:cat>/dev/null\"",
];

/// Every recording: its name, the line (none for a greeting), its bytes.
fn recorded() -> Vec<(String, Option<&'static str>, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hmp");
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let number: usize = name.split('-').nth(2).unwrap().parse().unwrap();
            let line = number.checked_sub(1).map(|at| LINES[at]);
            (name, line, std::fs::read(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// `migrate` without `-d`, recorded before its prompt came.
fn is_cut_off(name: &str) -> bool {
    name.contains("-18-") && name.starts_with("7.2")
}

fn decoder(line: Option<&str>) -> Decoder {
    let mut decoder = Decoder::default();
    if let Some(line) = line {
        decoder.expect(&Line::new(line).unwrap());
    }
    decoder
}

/// The message that these pieces make. A reply is not complete before the last of them; of a greeting, the
/// prompt is left over.
fn message<'a>(
    line: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Message>, String> {
    let (mut decoder, mut telnet) = (decoder(line), Telnet::default());
    let mut message = None;
    for piece in pieces {
        assert_eq!(message, None, "{line:?} is over before {piece:?}");
        decoder.feed(&telnet.text(piece));
        message = decoder.next_message()?;
        if matches!(message, Some(Message::Greeting(_))) {
            break;
        }
    }
    Ok(message)
}

fn reply(name: &str, line: Option<&str>, bytes: &[u8]) -> String {
    match message(line, [bytes]) {
        Ok(Some(Message::Greeting(text) | Message::Reply(text))) => text,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_recording_is_understood() {
    let mut seen = 0;
    for (name, line, bytes) in recorded() {
        seen += 1;
        let kind = name.split('-').nth(2).unwrap();
        if is_cut_off(&name) {
            assert_eq!(message(line, [&bytes[..]]), Ok(None), "{name}");
            continue;
        }
        let text = reply(&name, line, &bytes);
        assert!(!text.contains(['\r', '\x1b']) && !text.contains("(qemu)"), "{name}: {text:?}");
        assert!(line.is_none() || text.is_empty() || text.ends_with('\n'), "{name}: {text:?}");
        let rejected = line.and_then(|line| rejection(line, &text));
        match kind {
            "00" => {
                assert!(
                    text.starts_with("QEMU ") && text.ends_with("for more information"),
                    "{name}: {text}"
                );
            }
            "01" => assert_eq!(text, "VM status: paused (prelaunch)\n", "{name}"),
            "06" => assert_eq!(rejected.as_deref(), Some("unknown command: 'frobnicate'"), "{name}"),
            "07" => assert_eq!(rejected.as_deref(), Some("Expected 'on' or 'off'"), "{name}"),
            "08" => {
                assert_eq!(rejected.as_deref(), Some("migrate_set_capability: string expected"), "{name}");
            }
            "10" => assert!(text.lines().count() > 100, "{name}: {text}"),
            "03" | "04" | "11" | "15" | "16" | "17" => assert_eq!(text, "", "{name}"),
            // Without a migration, 11.1 has nothing to say about one.
            "02" => assert!(text.is_empty() == name.starts_with("11.1"), "{name}: {text}"),
            "18" => assert_eq!((&*text, rejected), ("", None), "{name}"),
            _ => assert!(!text.is_empty() && rejected.is_none(), "{name}: {text}"),
        }
    }
    assert_eq!(seen, 76);
}

#[test]
fn a_recording_may_be_cut_anywhere() {
    for (name, line, bytes) in recorded() {
        let whole = message(line, [&bytes[..]]);
        for cut in 1..bytes.len() {
            assert_eq!(message(line, [&bytes[..cut], &bytes[cut..]]), whole, "{name}, cut at {cut}");
        }
        assert_eq!(message(line, bytes.chunks(1)), whole, "{name}, byte by byte");
    }
}

#[test]
fn replies_follow_each_other() {
    let mut decoder = Decoder::default();
    decoder.feed(b"QEMU 9.1.0 monitor - type 'help' for more information\r\n(qemu) ");
    let Ok(Some(Message::Greeting(_))) = decoder.next_message() else { panic!() };
    for (name, line, bytes) in recorded() {
        let (Some(line), false) = (line, is_cut_off(&name)) else { continue };
        decoder.expect(&Line::new(line).unwrap());
        decoder.feed(&bytes);
        assert!(matches!(decoder.next_message(), Ok(Some(Message::Reply(_)))), "{name}");
        assert_eq!(decoder.next_message(), Ok(None));
        assert_eq!(decoder.rest(), "");
    }
}

fn answered(line: &str, reply: &str) -> Vec<u8> {
    let echo: Vec<u8> = Line::new(line).unwrap().echo().collect();
    [&echo[..], reply.as_bytes()].concat()
}

#[test]
fn a_second_prompt_may_come_first() {
    // The last client's `migrate` still ran when this one was greeted.
    for aside in ["(qemu) ", "Completed 10 %\rCompleted 100 %\r\r\n(qemu) ", "(qemu) (qemu) "] {
        let bytes = [aside.as_bytes(), &answered("stop", "(qemu) ")].concat();
        for cut in 1..bytes.len() {
            let pieces = [&bytes[..cut], &bytes[cut..]];
            assert_eq!(
                message(Some("stop"), pieces),
                Ok(Some(Message::Reply(String::new()))),
                "{aside}, {cut}"
            );
        }
    }
}

#[test]
fn a_prompt_in_a_reply_is_not_its_end() {
    let text = "one (qemu) two\r\n(qemu) info status\r\n";
    let bytes = answered("ringbuf_read log 99", &format!("{text}(qemu) "));
    let wanted = Message::Reply(text.replace("\r\n", "\n"));
    assert_eq!(message(Some("ringbuf_read log 99"), [&bytes[..]]), Ok(Some(wanted)));
}

#[test]
fn a_reply_without_a_line_end_takes_a_silence() {
    let mut decoder = decoder(Some("x"));
    decoder.feed(&answered("x", "no end(qemu) "));
    assert_eq!(decoder.next_message(), Ok(None));
    assert!(decoder.is_doubtful());
    assert_eq!(decoder.settle(), Ok(Some(Message::Reply("no end".into()))));
    assert_eq!((decoder.is_doubtful(), decoder.settle()), (false, Ok(None)));
}

#[test]
fn a_busy_monitor_leaves_no_doubt() {
    let mut decoder = decoder(Some("info status"));
    assert!(!decoder.is_doubtful());
    for byte in answered("info status", "VM status: running\r\n(qemu)") {
        decoder.feed(&[byte]);
        assert_eq!(decoder.next_message(), Ok(None));
        assert!(!decoder.is_doubtful(), "{}", decoder.rest());
        assert_eq!(decoder.settle(), Ok(None));
    }
}

#[test]
fn what_is_no_human_monitor_is_explained() {
    let told = |line: Option<&str>, bytes: &[u8]| message(line, [bytes]).unwrap_err();
    assert_eq!(told(None, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "it sent `SSH-2.0-OpenSSH_9.2p1 Debian-2`");
    assert_eq!(told(None, b"{\"QMP\": {}}\r\n"), "it sent `{\"QMP\": {}}`");
    assert_eq!(told(None, &[7; 200]), format!("it sent `{}…`", "\u{fffd}".repeat(64)));
    assert_eq!(told(None, &b"QEMU ".repeat(100)[..]), format!("it sent `{}QEMU…`", "QEMU ".repeat(12)));
    assert_eq!(told(Some("stop"), b"s\x1b[K\x1b[Dsxyz\r\n"), "it sent `xyz` instead of an echo");
    let mut decoder = decoder(Some("stop"));
    decoder.feed(b"stop\r\nsh: stop: not found\r\n$ ");
    assert_eq!(decoder.next_message(), Ok(None));
    assert!(decoder.is_doubtful());
    assert_eq!(decoder.settle().unwrap_err(), "it sent `stop` instead of an echo");
    assert_eq!(
        told(Some("stop"), "x".repeat(70_000).as_bytes()),
        format!("it sent `{}…` instead of an echo", "x".repeat(64))
    );
}

/// Cut bytes at the given places.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).filter(|piece| !piece.is_empty()).collect()
}

proptest! {
    #[test]
    fn any_line_and_any_reply_are_told_apart(
        line in "[ -~äß]{0,40}",
        lines in prop::collection::vec("[^\r\n\u{1}-\u{8}]{0,60}", 0..10),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        // A line that starts with a prompt may look like the end, cut in the right place.
        let lines: Vec<String> = lines.iter().map(|line| line.replace("(qemu)", "qemu") + "\r\n").collect();
        let reply = lines.concat();
        let bytes = answered(&line, &format!("{reply}(qemu) "));
        let wanted = Message::Reply(reply.replace("\r\n", "\n"));
        prop_assert_eq!(message(Some(&line), cut(&bytes, &cuts)), Ok(Some(wanted)));
    }

    #[test]
    fn no_bytes_are_too_strange(
        line in prop::option::of("[ -~]{0,10}"),
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                prop::sample::select(vec![&b"(qemu) "[..], b"\r\n", b"QEMU 1 monitor", b"\x1b[K", b"\x1b[D", b"s\x1b[K"])
                    .prop_map(<[u8]>::to_vec),
            ],
            0..20,
        ),
    ) {
        let (mut decoder, mut telnet) = (decoder(line.as_deref()), Telnet::default());
        for piece in pieces {
            decoder.feed(&telnet.text(&piece));
            if decoder.next_message().is_err() || decoder.settle().is_err() {
                break;
            }
            prop_assert!(!decoder.is_doubtful());
        }
    }

    #[test]
    fn any_text_is_a_line_or_refused(text in any::<String>()) {
        if let Ok(line) = Line::new(&text) {
            prop_assert_eq!(line.bytes(), format!("{text}\n").into_bytes());
        }
    }
}
