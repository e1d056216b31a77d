//! The built-in guest: that damage to its memory is found and named, and that its options are checked.

use crate::test::Test;

/// A guest whose memory is a file in the test's directory, stopped once it has written all of it.
const STOPPED: &str = r#"
let vm = launch(#{ name: "guest", guest: #{ name: "heartbeat", rate: 0 }, args:
    "-m 64 -object memory-backend-file,id=ram,size=64M,mem-path=ram,share=on -machine memory-backend=ram" });
vm.wait_for_output("beat");
while vm.check_memory().passes < 2 { vm.wait_for_output("beat"); }
vm.stop();
"#;

fn damaged(damage: &str, said: &str) {
    let output = Test::new().recipe(&format!("{STOPPED}{damage}\nvm.check_memory();")).output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = stderr.lines().next().unwrap_or_default();
    let wanted = format!("error: the memory of vm `guest` is damaged: {said}");
    snapbox::assert_data_eq!(message.to_owned(), wanted);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn whole_memory_is_called_whole() {
    Test::new().recipe(&format!("{STOPPED}print(vm.check_memory().pages);")).stdout("4096").run();
}

#[test]
fn a_lost_page_is_named() {
    damaged(
        r#"run("dd", ["if=/dev/zero", "of=ram", "bs=4096", "seek=300", "count=1", "conv=notrunc"]);"#,
        "1 of 4096 pages damaged: 0x0012c000 (zeros, not pass [..])",
    );
}

#[test]
fn a_torn_page_is_named() {
    damaged(
        r#"run("dd", ["if=ram", "of=ram", "bs=1024", "skip=1600", "seek=1201", "count=1", "conv=notrunc"]);"#,
        "1 of 4096 pages damaged: 0x0012c000 ([..])",
    );
}

#[test]
fn a_page_of_another_place_is_named() {
    damaged(
        r#"run("dd", ["if=ram", "of=ram", "bs=4096", "skip=400", "seek=300", "count=1", "conv=notrunc"]);"#,
        "1 of 4096 pages damaged: 0x0012c000 (what belongs to 0x00190000, not pass [..])",
    );
}

#[test]
fn a_stale_page_is_named() {
    damaged(
        r#"let old = run("dd", ["if=ram", "of=page", "bs=4096", "skip=300", "count=1"]);
        let pass = vm.check_memory().passes;
        vm.cont();
        while vm.check_memory().passes < pass + 3 { vm.wait_for_output("beat"); }
        vm.stop();
        run("dd", ["if=page", "of=ram", "bs=4096", "seek=300", "count=1", "conv=notrunc"]);"#,
        "1 of 4096 pages damaged: 0x0012c000 (pass [..], not pass [..])",
    );
}

#[test]
fn what_the_guest_comes_across_stays_known() {
    damaged(
        r#"run("dd", ["if=/dev/zero", "of=ram", "bs=4096", "seek=300", "count=1", "conv=notrunc"]);
        vm.cont();
        vm.wait_for_output("fail");
        vm.wait_for_output("beat");"#,
        "the guest itself noticed 1 page damaged, first in pass [..] at 0x0012c000 (zeros, not pass [..])",
    );
}

#[test]
fn another_guest_has_no_memory_to_check() {
    Test::new()
        .recipe("launch(#{ name: \"guest\", args: \"-S\" }).check_memory();")
        .stderr(
            "error: `check_memory`: vm `guest` does not run the built-in guest
 ——▶ test.rhai:1:40
  │
1 │ launch(#{ name: \"guest\", args: \"-S\" }).check_memory();
  │                                        ^
hint: launch it with `guest: \"heartbeat\"`",
        )
        .code(1)
        .run();
}

#[test]
fn the_guests_options_are_checked() {
    let error = |options: &str| {
        let recipe =
            format!("try {{ launch(#{{ {options} }}); }} catch (e) {{ print(e.message); print(e.hint); }}");
        String::from_utf8_lossy(&Test::new().recipe(&recipe).output().stdout).into_owned()
    };
    assert_eq!(
        error("guest: \"linux\""),
        "`launch`: there is no built-in guest `linux`\nthe built-in guest is \"heartbeat\"; any other guest is a matter of `args`\n"
    );
    assert_eq!(
        error("guest: #{ name: \"heartbeat\", memory: 200.MiB }"),
        "`launch`: `guest`: `memory` of 204800 KiB does not fit: a guest with 128 MiB of RAM can rewrite 129024 KiB (not the first and the last MiB, and nothing beyond 2 GiB)\n\n"
    );
    assert_eq!(
        error("guest: #{ name: \"heartbeat\", speed: 1 }"),
        "`launch`: there is no option `speed`\nthe options are `name`, `memory`, `rate`, `beats`\n"
    );
    assert_eq!(
        error("guest: #{ name: \"heartbeat\", beats: 1001 }"),
        "`launch`: `guest`: `beats` must be 19 to 1000 a second, not 1001\n\n"
    );
    assert_eq!(error("args: \"-name 'open\""), "`launch`: `args` has a quote that is not closed\n\n");
    assert_eq!(
        error("args: 5"),
        "`launch`: `args` must be a string or an array of strings, not of type `i64`\n\n"
    );
}
