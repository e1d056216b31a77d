//! What could lose the guest, or make two of it, is refused by the verbs, and warned of when it is sent raw.

use crate::test::Test;

/// The guest has moved, and both QEMUs live.
const MOVED: &str = r#"
let source = launch(#{ name: "source", guest: "heartbeat" });
let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
source.wait_for_output("beat");
migrate(source, target, #{ keep_source: true });
"#;

#[test]
fn a_guest_that_has_moved_is_not_continued_in_its_source() {
    Test::new()
        .recipe(&format!(
            r#"{MOVED}
            let refused = assert_throws(|| source.cont(), "refused");
            print(refused.message);
            print(refused.hint);
            assert_eq(source.status(), "postmigrate");
            target.kill();
            source.cont();
            print(source.status());"#
        ))
        .stdout(
            "`cont` of vm `source` is refused: its guest has moved away, and vm `target` lives
end the QEMU that has the guest first; `vm.qmp(\"cont\")` asks nobody
running",
        )
        .run();
}

#[test]
fn a_raw_command_goes_out_with_a_warning() {
    Test::new()
        .recipe(&format!("{MOVED} target.stop(); source.qmp(\"cont\"); print(source.status());"))
        .stdout("running")
        .stderr("warning: `cont` of vm `source`: its guest has moved away, and vm `target` lives")
        .run();
}

#[test]
fn a_postcopy_is_neither_quit_nor_cancelled() {
    Test::new()
        .recipe(
            r#"
            let guest = #{ name: "heartbeat", memory: 64.MiB, rate: 0 };
            let source = launch(#{ name: "source", guest: guest });
            let target = launch(#{ name: "target", guest: guest, args: "-incoming tcp:127.0.0.1:0" });
            source.wait_for_output("beat");
            let port = target.qmp("query-migrate")["socket-address"][0].port;
            for vm in [source, target] { vm.hmp("migrate_set_capability postcopy-ram on"); }
            for name in ["max-bandwidth", "max-postcopy-bandwidth"] { source.hmp(`migrate_set_parameter ${name} 1M`); }
            source.hmp(`migrate -d tcp:127.0.0.1:${port}`);
            source.wait_for_migration("active");
            source.hmp("migrate_start_postcopy");
            source.wait_for_migration("postcopy-active");
            print(assert_throws(|| source.quit(), "refused").message);
            print(assert_throws(|| target.quit(), "refused").message);
            try { source.qmp("migrate_cancel"); } catch (e) { print(e.kind); }
            "#,
        )
        .stdout(
            "`quit` of vm `source` is refused: in a postcopy each end has memory of the guest that the other lacks
`quit` of vm `target` is refused: in a postcopy each end has memory of the guest that the other lacks
qmp",
        )
        .stderr(
            "warning: `migrate_cancel` of vm `source`: in a postcopy each end has memory of the guest that the other lacks",
        )
        .run();
}

#[test]
fn a_raw_migration_that_would_hang_or_lose_the_guest_is_warned_of() {
    Test::new()
        .recipe(
            r#"
            let source = launch(#{ name: "source", guest: "heartbeat", args: "-m 128" });
            let target = launch(#{ name: "target", guest: "heartbeat", args: "-m 128 -incoming defer" });
            source.hmp("migrate_set_capability multifd on");
            // Nobody listens there: the warnings are what counts.
            source.hmp("migrate -d \"unix:nowhere\"");
            source.wait_for_migration("failed");
            target.hmp("migrate_set_capability multifd on");
            source.hmp("migrate -d unix:nowhere");
            source.wait_for_migration("failed");
            for vm in [source, target] { vm.hmp("migrate_set_capability multifd off"); }
            target.hmp("migrate_set_capability postcopy-ram on");
            source.qmp("migrate", #{ uri: "unix:nowhere" });
            source.wait_for_migration("failed");
            source.hmp("migrate_set_capability postcopy-ram on");
            source.hmp("migrate_set_parameter max-bandwidth 1");
            source.stop();
            source.qmp("human-monitor-command", #{ "command-line": "migrate -d exec:cat>/dev/null" });
            source.wait_for_migration("active");
            try { source.hmp("migrate_start_postcopy"); } catch { }
            "#,
        )
        .stderr(
            "warning: `migrate` of vm `source`: `multifd` is on, and off in vm `target`, which waits
warning: `migrate` of vm `source`: `postcopy-ram` is off, and on in vm `target`, which waits
warning: `migrate` of vm `source`: `postcopy-ram` is on, and nobody answers at `exec:cat>/dev/null`: a postcopy would hang
warning: `migrate-start-postcopy` of vm `source`: the guest stands still, and a postcopy starts it",
        )
        .run();
}

#[test]
fn the_short_names_of_the_human_monitor_are_warned_of_too() {
    Test::new()
        .recipe(&format!(
            r#"{MOVED}
            target.stop();
            source.hmp("c");
            source.qmp("human-monitor-command", #{{ "command-line": " cont" }});
            print(source.status());"#
        ))
        .stdout("running")
        .stderr("warning: `cont` of vm `source`: its guest has moved away, and vm `target` lives")
        .run();
}
