//! Migrations with real QEMUs: every mode, between versions and within one, with the built-in guest and with
//! Linux; the memory is verified after each.

use crate::test::{Test, lab, new, old};

/// What a migration is tried with.
struct Case {
    from: String,
    to: String,
    mode: &'static str,
}

impl Case {
    /// Moves the built-in guest and verifies it. TCG precopy corrupts a busy guest of a QEMU before 8, so
    /// from the old one a precopy moves a guest that is paused, and goes on paused.
    fn heartbeat(&self) {
        let Self { from, to, mode } = self;
        let paused = *mode == "precopy" && *from == old();
        let recipe = format!(
            r#"
            let memory = {memory};
            let source = launch(#{{ name: "source", qemu: "{from}", guest: "heartbeat", args: memory }});
            let target = launch(#{{
                name: "target", qemu: "{to}", guest: "heartbeat",
                args: `${{memory}} -machine ${{source.machine}} -incoming defer`,
            }});
            source.wait_for_output("beat", 30.s);
            if {paused} {{ source.stop(); }}
            let outcome = migrate(source, target, #{{ mode: "{mode}" }});
            assert_eq(outcome.mode, "{mode}");
            assert(!source.alive, "the source is retired");
            if {paused} {{
                assert_eq(target.status(), "paused");
                assert_eq(outcome.blackout_ms, ());
                target.cont();
            }} else {{
                assert(outcome.blackout_ms > 0.0, "there is a blackout");
                assert(outcome.downtime_ms >= 0, "QEMU gives a figure");
            }}
            target.wait_for_output("beat", 30.s);
            target.wait_for_output("beat", 30.s);
            assert(target.check_memory().pages > 0, "pages were verified");
            "#,
            memory = if *mode == "shared" { "shared_memory(128.MiB)" } else { "\"-m 128\"" },
        );
        let warned = if *mode == "postcopy" {
            "warning: `target` was not rehearsed: once a postcopy has switched there is no way back"
        } else {
            ""
        };
        Test::new().recipe(&recipe).stderr(warned).run();
    }

    /// Moves Linux while it verifies its own memory, and looks for any complaint of its.
    fn linux(&self) {
        let Self { from, to, mode } = self;
        let load = if *mode == "precopy" && *from == old() { "idle" } else { "busy" };
        let recipe = format!(
            r#"
            let memory = {memory};
            let args = `${{memory}} -nodefaults -accel tcg -kernel {kernel} -initrd {initramfs} -append "console=ttyS0 quiet {load} mib=16"`;
            let source = launch(#{{ name: "source", qemu: "{from}", args: args }});
            source.wait_for_output("memory ok", 60.s);
            let target = launch(#{{ name: "target", qemu: "{to}", args: `${{args}} -machine ${{source.machine}} -incoming defer` }});
            migrate(source, target, #{{ mode: "{mode}" }});
            for round in 0..3 {{ target.wait_for_output("memory ok", 60.s); }}
            for complaint in ["BAD", "Oops", "BUG", "segfault", "panic"] {{
                assert(!target.console.contains(complaint), target.console);
            }}
            "#,
            memory = if *mode == "shared" { "shared_memory(256.MiB)" } else { "\"-m 256\"" },
            kernel = lab("linux/vmlinuz"),
            initramfs = lab("linux/initramfs"),
        );
        let warned = if *mode == "postcopy" {
            "warning: `target` was not rehearsed: once a postcopy has switched there is no way back"
        } else {
            ""
        };
        Test::new().recipe(&recipe).stderr(warned).run();
    }
}

/// `source` with the built-in guest running, and `target` that waits for it.
const PAIR: &str = r#"let source = launch(#{ name: "source", guest: "heartbeat" });
source.wait_for_output("beat", 30.s);
let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
"#;

#[test]
fn a_migration_that_pauses_before_the_switch_goes_on() {
    Test::new()
        .recipe(&format!(
            r#"{PAIR}
            migrate(source, target, #{{ capabilities: #{{ "pause-before-switchover": true }} }});
            target.wait_for_output("beat", 30.s);
            target.check_memory();
            assert(!source.alive, "the source is retired");"#
        ))
        .run();
}

/// What is said of a migration, before and after.
const SETTINGS: &str = r#"fn settings(vm) {
    [vm.qmp("query-migrate-capabilities"), vm.qmp("query-migrate-parameters")]
}
"#;

#[test]
fn a_move_that_fails_leaves_the_settings_of_its_source_as_they_were() {
    for (mode, monitor) in
        [("precopy", ""), ("shared", ""), ("postcopy", ""), ("precopy", ", monitor: \"unix:human\"")]
    {
        let memory = if mode == "shared" { "shared_memory(128.MiB)" } else { "\"-m 128\"" };
        // A target that refuses the guest's devices; before a postcopy, a parameter that QEMU refuses.
        let fault = if mode == "postcopy" { "" } else { " -device virtio-rng-pci" };
        Test::new()
            .recipe(&format!(
                r#"{SETTINGS}
                let memory = {memory};
                let source = launch(#{{ name: "source", guest: "heartbeat", args: memory + "{fault}"{monitor} }});
                source.wait_for_output("beat", 30.s);
                source.qmp("migrate-set-parameters", #{{ "downtime-limit": 123, "max-bandwidth": 5.MiB }});
                let before = settings(source);
                let target = launch(#{{ name: "target", guest: "heartbeat", args: memory + " -incoming defer" }});
                let options = #{{ mode: "{mode}", parameters: #{{ "downtime-limit": 456 }} }};
                if "{mode}" == "postcopy" {{ options.parameters["multifd-channels"] = 0; }}
                assert_throws(|| migrate(source, target, options), if "{mode}" == "postcopy" {{ "qmp" }} else {{ "migration" }});
                assert_eq(source.status(), "running");
                assert_eq(settings(source), before);"#
            ))
            .run();
    }
}

#[test]
fn what_makes_a_migration_safe_cannot_be_switched_off() {
    Test::new()
        .recipe(&format!(
            r#"{PAIR}
            let refused = |options| print(assert_throws(|| migrate(source, target, options), "migration").message);
            refused.call(#{{ capabilities: #{{ "return-path": false }} }});
            refused.call(#{{ mode: "postcopy", capabilities: #{{ "postcopy-ram": false }} }});
            refused.call(#{{ mode: "shared" }});
            refused.call(#{{ uri: "exec:cat >/dev/null" }});
            print(assert_throws(|| migrate(source, source), "migration").message);
            assert_throws(|| migrate(source, target, #{{ timeout: 5 }}), "argument");
            assert_eq(source.status(), "running");
            migrate(source, target);
            target.check_memory();"#
        ))
        .stdout(
            "a migration by `precopy` cannot do with `return-path` off
a migration by `postcopy` cannot do with `postcopy-ram` off
the memory of vm `source` is private, and cannot be shared
a safe migration cannot use `exec:cat >/dev/null`: the target must be able to answer
vm `source` cannot be migrated into itself",
        )
        .run();
}

#[test]
fn what_fails_before_the_start_says_where_the_guest_is() {
    Test::new()
        .recipe(&format!(
            r#"{PAIR}
            let tell = |kind, options| {{
                let error = assert_throws(|| migrate(source, target, options), kind);
                print(error.message);
                print(error.outlook);
            }};
            tell.call("argument", #{{ mode: "bogus" }});
            tell.call("migration", #{{ capabilities: #{{ "no-such": true }} }});
            tell.call("qmp", #{{ parameters: #{{ "no-such": 1 }} }});"#
        ))
        .stdout(
            "`migrate`: there is no mode `bogus`
nothing has moved
vm `source` (QEMU 10.0.[..]) has no migration capability `no-such`
nothing was changed
`migrate-set-parameters`: Parameter 'no-such' is unexpected
the guest is safe: `source` is running",
        )
        .run();
}

#[test]
fn a_guest_moves_on_from_its_target_after_a_failure() {
    Test::new()
        .recipe(&format!(
            r#"{PAIR}
            migrate(source, target);
            // Its own name counts, and not what it once was.
            let source = launch(#{{ name: "source", guest: "heartbeat", args: "-m 256 -incoming defer" }});
            print(assert_throws(|| migrate(target, source), "migration").outlook);
            let next = launch(#{{ name: "next", guest: "heartbeat", args: "-incoming defer" }});
            let outcome = migrate(target, next);
            assert(outcome.blackout_ms > 0.0, "of this migration");
            next.wait_for_output("beat", 30.s);
            next.check_memory();"#
        ))
        .stdout("the guest is safe: `target` is running")
        .run();
}

macro_rules! cases {
    ($($name:ident: $from:ident, $to:ident, $mode:literal;)*) => {
        $(mod $name {
            #[test]
            fn heartbeat() {
                super::Case { from: super::$from(), to: super::$to(), mode: $mode }.heartbeat();
            }

            #[test]
            fn linux() {
                super::Case { from: super::$from(), to: super::$to(), mode: $mode }.linux();
            }
        })*
    };
}

cases! {
    precopy_to_newer: old, new, "precopy";
    postcopy_to_newer: old, new, "postcopy";
    shared_to_newer: old, new, "shared";
    precopy_within_one: new, new, "precopy";
    postcopy_within_one: new, new, "postcopy";
    shared_within_one: new, new, "shared";
}
