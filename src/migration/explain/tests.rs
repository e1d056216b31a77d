//! What real QEMUs said, and the form of the table.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write;

use super::*;

/// Each block: `== versions and side: what was done`, the text, `-> ` and the cause.
const SEEN: &str = include_str!("seen.txt");

fn blocks() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SEEN.split("\n\n").filter(|block| block.starts_with("== ")).map(|block| {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, cause) = rest.rsplit_once("\n-> ").unwrap();
        (title, text, cause.trim())
    })
}

#[test]
fn every_text_that_was_seen_has_its_cause() {
    let mut wrong = String::new();
    for (title, text, cause) in blocks() {
        let found = explain(text);
        let found = found.as_ref().map_or("nothing", |found| &found.cause);
        if found != cause {
            writeln!(wrong, "{title}\n-> {found}\n   {cause}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(blocks().count() > 100);
}

#[test]
fn an_explanation_is_complete() {
    let text = "qemu-system-x86_64: Size mismatch: pc.ram: 0x10000000 != 0x20000000: Invalid argument\n\
                qemu-system-x86_64: error while loading state for instance 0x0 of device 'ram'\n\
                qemu-system-x86_64: load of migration failed: Invalid argument\n";
    assert_eq!(
        explain(text).unwrap().to_string(),
        "Size mismatch: pc.ram: 0x10000000 != 0x20000000: Invalid argument\n\
         cause: the target has another memory size: `-m 256M` on the source, `-m 512M` on the target\n\
         hint: start the target with `-m 256M`"
    );
    let text =
        "Unknown savevm section or instance '0000:00:1c.0:03.1/e1000e' 0. Make sure that your current VM";
    assert_eq!(
        explain(text).unwrap().to_string(),
        "Unknown savevm section or instance '0000:00:1c.0:03.1/e1000e' 0. Make sure that your current VM\n\
         cause: the target has no `e1000e` in PCI slot 0000:00:1c.0:03.1: not given, plugged in after the start, \
         or in another slot\n\
         hint: start the target with the same `-device …,addr=0x3.0x1` and id (`successor()` does)"
    );
}

#[test]
fn of_two_ends_the_target_goes_first() {
    let source = "qemu-system-x86_64: failed to save SaveStateEntry with id(name): 2(ram): -5\n\
                  qemu-system-x86_64: Detected IO failure for postcopy. Migration paused.\n";
    let target = "qemu-system-x86_64: UUID received is 1 and local is 2\n\
                  qemu-system-x86_64: load of migration failed: Invalid argument\n";
    let cause = "the source has the UUID 1, the target 2";
    assert_eq!(explain(&format!("{target}{source}")).unwrap().cause, cause);
    assert_eq!(explain(&format!("{source}{target}")).unwrap().cause, cause);
}

#[test]
fn a_warning_is_no_reason_where_there_is_a_better_one() {
    let warning =
        "qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]";
    let echo = "qemu-system-x86_64: load of migration failed: Invalid argument";
    assert!(explain(warning).unwrap().cause.starts_with("the CPU model has `CPUID.07H:EBX.avx2 [bit 5]`"));
    assert_eq!(
        explain(&format!("{warning}\n{echo}")).unwrap().cause,
        "the target could not load what it was sent (Invalid argument)"
    );
}

#[test]
fn what_is_not_known_is_not_explained() {
    assert_eq!(explain(""), None);
    assert_eq!(explain("qemu-system-x86_64: the moon is in the wrong quarter"), None);
    assert_eq!(explain("qemu-system-x86_64: terminating on signal 15 from pid 4711 (init)"), None);
}

#[test]
fn the_tail_is_what_says_something() {
    let text = "qemu-system-x86_64: warning: Machine type 'pc-i440fx-5.2' is deprecated: machines more than 3 years\n\
                2026-01-31T12:00:00.123456Z qemu-system-x86_64: warning: nic e1000.0 has no peer\n\
                qemu-system-x86_64: the moon is in the wrong quarter\n\
                \n\
                qemu-system-x86_64: Expected vmdescription section, but got 0\n\
                qemu-system-x86_64: VQ 0 size 0x100 Guest index 0x1 inconsistent with Host index 0x2: delta 0xffff\n\
                qemu-system-x86_64: Unable to read from socket: Bad file descriptor\r\n\
                qemu-system-x86_64: Unable to read from socket: Bad file descriptor\n\
                qemu-system-x86_64: terminating on signal 15 from pid 4711 (init)\n";
    assert_eq!(
        tail(text, 5),
        "the moon is in the wrong quarter\nUnable to read from socket: Bad file descriptor"
    );
    assert_eq!(tail(text, 1), "Unable to read from socket: Bad file descriptor");
    assert_eq!(tail("", 5), "");
}

#[test]
fn what_qemu_puts_in_front_is_left_out() {
    for line in [
        "no luck",
        "  no luck\r",
        "Error: no luck",
        "qemu-system-x86_64: no luck",
        "qemu-system-ppc64:qemu-system-ppc64: no luck",
        "qemu-kvm: no luck",
        "kvm: no luck",
        "qemu-8.2: no luck",
        "2025-09-23T07:06:14.915708Z qemu-kvm: no luck",
        "2025-09-23T07:06:14.915708Z vm1 qemu-system-x86_64: no luck",
    ] {
        assert_eq!(message(line), "no luck");
    }
    assert_eq!(message("qemu-system-x86_64: -vnc :0: no luck"), "-vnc :0: no luck");
    assert_eq!(message("what about qemu: no luck"), "what about qemu: no luck");
}

#[test]
fn patterns_capture() {
    let found = |pattern, line| find(pattern, line);
    assert_eq!(found("A '{}' and '{}'", "so A 'x' and 'y z'."), Some(vec!["x", "y z"]));
    assert_eq!(found("{}: too new {}", "a b: too new for you."), Some(vec!["b", "for you"]));
    assert_eq!(found("plain", "it is plain to see"), Some(vec![]));
    assert_eq!(found("A '{}' and '{}'", "A 'x'"), None);
    assert_eq!(found("x {}: é {}", "x ä: é ö"), Some(vec!["ä", "ö"]));
}

#[test]
fn filters_read_well() {
    let sizes =
        ["0x10000000", "0x20000000: Invalid argument", "0x40000000", "0x1400000", "0x1001", "0", "many"];
    assert_eq!(sizes.map(size), ["256M", "512M", "1G", "20M", "4097 bytes", "0 bytes", "many"]);
    assert_eq!(
        ["00:02.0", "00:01.3", "1c.0:0a.0", "what"].map(address),
        ["addr=0x2", "addr=0x1.0x3", "addr=0xa", "addr=…"]
    );
    assert_eq!(["mapped-ram", "compress", "nosuch"].map(since), [" (since 9.0)", " (removed in 9.1)", ""]);
    assert_eq!(
        missing_bits("0000000000000001000000000000000f", "000000000000000000000000000000f5"),
        "1, 3, 64"
    );
}

/// Every row can be reached, and everything in its templates can be filled in.
#[test]
fn the_table_is_sound() {
    for row in MESSAGES {
        let count = row.pattern.matches("{}").count();
        let line = row.pattern.replace("{}", "x");
        let found = explain(&line).unwrap_or_else(|| panic!("`{line}` is not explained"));
        let captures = vec!["x"; count];
        assert_eq!(found.cause, fill(row.cause, &captures, &[&line]), "another row hides `{}`", row.pattern);
        assert_eq!(
            found.remedy,
            fill(row.remedy, &captures, &[&line]),
            "another row hides `{}`",
            row.pattern
        );
        for template in [row.cause, row.remedy] {
            assert!(!template.ends_with('.') && !template.is_empty(), "{template}");
            assert!(
                !template.starts_with(|c: char| c.is_ascii_lowercase() != c.is_alphabetic())
                    || template.starts_with("KVM"),
                "{template}"
            );
            for key in template.split('{').skip(1).map(|part| part.split_once('}').unwrap().0) {
                let (index, filter) = key.split_once(':').unwrap_or((key, ""));
                let subject = SUBJECTS.iter().any(|(name, ..)| *name == key);
                let capture = index.parse().is_ok_and(|index: usize| index < count);
                let known = ["", "size", "name", "addr", "since", "missing"].contains(&filter);
                assert!(subject || capture && known, "`{{{key}}}` in {template}");
            }
        }
    }
}
