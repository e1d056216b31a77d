//! `live_patch` by `cpr-transfer` with real QEMUs: it moves what nothing else moves without a copy, and whatever goes wrong
//! on the way leaves the guest where it is.

use crate::test::{Test, new};

/// A guest whose memory has no name in a file system. `breaking` makes a QEMU of which the target of a `cpr-transfer` goes wrong.
fn recipe(text: &str) -> Test {
    let new = new();
    Test::new().recipe(&format!(
        r##"
        let newer = "{new}";
        let memfd = "-m 128 -object memory-backend-memfd,id=ram,size=128M,share=on -machine memory-backend=ram,aux-ram-share=on";
        fn guest(qemu, args) {{
            let vm = launch(#{{ name: "guest", qemu: qemu, guest: "heartbeat", args: args + " -device virtio-rng-pci,id=rng1" }});
            vm.wait_for_output("beat", 30.s);
            vm
        }}
        fn here() {{
            let count = run("sh", ["-c", "ls -d \"$XDG_RUNTIME_DIR\"/qhop-* | wc -l"]).stdout;
            count.trim();
            parse_int(count)
        }}
        fn breaking(qemu, how) {{
            let script = "#!/bin/bash\ncase \"$*\" in *channel-type*) " + how + ";; esac\nexec " + qemu + " \"$@\"\n";
            write_file("breaking", script);
            run("chmod", ["+x", "breaking"]);
            let path = run("realpath", ["breaking"]).stdout;
            path.trim();
            path
        }}
        {text}
        "##
    ))
}

#[test]
fn a_memfd_is_handed_over_again_and_again() {
    recipe(
        r#"
        let vm = guest(newer, memfd);
        for round in 0..3 {
            let outcome = live_patch(vm, #{ qemu: newer });
            assert_eq([outcome.mode, outcome.rehearsal.how], ["cpr-transfer", "view"]);
            assert_eq(outcome.findings.filter(|finding| finding.severity != "note"), []);
            assert(outcome.blackout_ms > 0.0, "there is a blackout");
            assert(!outcome.source.alive, "the source is retired");
            vm = outcome.target;
            vm.wait_for_output("beat", 30.s);
            vm.check_memory();
        }
        assert_eq(here(), 1);
        vm.stop();
        let outcome = live_patch(vm, #{ qemu: newer });
        assert_eq([outcome.mode, outcome.target.status()], ["cpr-transfer", "paused"]);
        outcome.target.cont();
        outcome.target.check_memory();
        "#,
    )
    .run();
}

/// Before it has the memory, with it but without its devices, and over the guest's state.
#[test]
fn whatever_goes_wrong_leaves_the_guest_where_it_is() {
    for failure in 0..3 {
        recipe(&(format!("let at = {failure};") + FAILURES)).run();
    }
}

const FAILURES: &str = r#"
        let vm = guest(newer, memfd);
        let failures = [
            ["echo it breaks >&2; exit 7", "gone", "it breaks"],
            ["set -- \"$@\" -device no-such-device", "gone", "'no-such-device' is not a valid device model name"],
            ["for one; do shift; [[ $one == virtio-rng* ]] && one=virtio-balloon-pci,id=rng1; set -- \"$@\" \"$one\"; done", "migration", "Unknown savevm section"],
        ];
        for failure in [failures[at]] {
            let qemu = breaking(newer, failure[0]);
            let error = assert_throws(|| live_patch(vm, #{ qemu: qemu, mode: "cpr-transfer" }), failure[1]);
            let said = if type_of(error) == "Error" { error.stderr } else { `${error}` };
            assert(said.contains(failure[2]), said);
            assert_eq([vm.status(), vm.qmp("query-migrate-parameters").mode, here()], ["running", "normal", 1]);
            vm.wait_for_output("beat", 30.s);
            vm.check_memory();
        }
        "#;
