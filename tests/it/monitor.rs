//! Commands that go another way than the others: out of band, or with a descriptor.

use crate::test::Test;

#[test]
fn a_guest_is_saved_to_a_descriptor_and_loaded_from_the_file() {
    Test::new()
        .file("saved", "")
        .recipe(
            r#"
            let source = launch(#{ guest: "heartbeat" });
            source.wait_for_output("beat");
            source.stop();
            source.qmp_fd("getfd", #{ fdname: "state" }, "saved");
            source.qmp("migrate", #{ uri: "fd:state" });
            source.wait_for_migration("completed");
            source.quit();
            let target = launch(#{ guest: "heartbeat", args: ["-incoming", "exec:cat saved"] });
            target.wait_for_status("paused");
            target.cont();
            target.wait_for_output("beat");
            target.check_memory();
            "#,
        )
        .run();
}

#[test]
fn what_cannot_take_a_descriptor_says_so() {
    Test::new()
        .recipe(
            r#"
            let machine = launch(#{ name: "machine", args: "-machine none" });
            let human = launch(#{ name: "human", args: "-machine none", monitor: "unix:human" });
            let tell = |error| print(`${error.message}; ${error.hint}`);
            tell.call(assert_throws(|| machine.qmp_fd("getfd", #{ fdname: "a" }, "no/such"), "file"));
            tell.call(assert_throws(|| human.qmp_fd("getfd", #{ fdname: "a" }, "/dev/null"), "argument"));
            machine.qmp_fd("getfd", #{ fdname: "directory" }, "/");
            "#,
        )
        .stdout(
            "cannot open `no/such`: no such file or directory; 
`getfd`: vm `human` has only a human monitor, and qhop passes descriptors to a QMP one; [..]-qmp unix:[..]",
        )
        .run();
}

#[test]
fn few_commands_are_out_of_band() {
    Test::new()
        .recipe(
            r#"
            let vm = launch(#{ args: "-machine none" });
            print(assert_throws(|| vm.qmp_oob("query-status"), "qmp").message);
            print(assert_throws(|| vm.qmp_oob("migrate-recover", #{ uri: "unix:there" }), "qmp").message);
            "#,
        )
        .stdout(
            "`query-status`: The command query-status does not support OOB
`migrate-recover`: Migrate recover can only be run when postcopy is paused.",
        )
        .run();
}

/// QEMU cuts it without a word, and carries out the rest.
#[test]
fn a_word_that_the_human_monitor_would_cut_is_refused() {
    Test::new()
        .recipe(
            r#"
            let word = "";
            word.pad(1023, "x");
            let tell = |vm, line| try { print(vm.hmp(line)); } catch (e) { print(`${e.kind} ${e.message.sub_string(e.message.index_of(": "))}`); };
            for vm in [launch(#{ args: "-machine none" }), launch(#{ args: "-machine none", monitor: "unix:human" })] {
                tell.call(vm, `info block ${word}`);
                tell.call(vm, `info block ${word}x`);
                tell.call(vm, `info block "${word} x"`);
            }
            "#,
        )
        .stdout(
            &"
argument : it has a word of 1024 bytes, and the human monitor cuts a word at 1023
argument : it has a word of 1025 bytes, and the human monitor cuts a word at 1023
"
            .repeat(2),
        )
        .run();
}
