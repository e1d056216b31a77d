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
