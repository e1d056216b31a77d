//! Recipes on the monitors' own commands, and what they are told when those fail.

use crate::test::{Test, old};

/// What a recipe on the monitors' own commands is told when they fail: as much as `migrate` would tell.
#[test]
fn a_migration_by_hand_that_fails_tells_of_both_ends() {
    for monitors in [["unix:one", "unix:two"], ["", ""]] {
        let [source, target] =
            monitors.map(|at| if at.is_empty() { "()".to_owned() } else { format!("{at:?}") });
        Test::new()
            .recipe(&format!(
                r#"let source = launch(#{{ name: "source", guest: "heartbeat", args: "-m 128", monitor: {source} }});
let target = launch(#{{ name: "target", guest: "heartbeat", args: "-m 256 -incoming unix:in", monitor: {target} }});
for vm in [source, target] {{ vm.hmp("migrate_set_capability return-path on"); }}
source.hmp("migrate -d unix:in");
source.wait_for_migration("completed", 10.s);"#
            ))
            .stderr(
                "error: the migration of vm `source` is `failed`, wanted `completed`: [..]
 ——▶ test.rhai:5:8
  │
5 │ source.wait_for_migration(\"completed\", 10.s);
  │        ^
target said:
  Size mismatch: pc.ram: 0x8000000 != 0x10000000: Invalid argument
  error while loading state for instance 0x0 of device 'ram'
  load of migration failed: Invalid argument
source said:
...
cause: the target has another memory size: `-m 128M` on the source, `-m 256M` on the target
hint: start the target with `-m 128M`
the guest is safe: `source` is running",
            )
            .code(1)
            .run();
    }
}

/// Nothing checks what is typed into two windows: then it must be said what it has cost. Two threads of QEMU's notice the
/// broken link, and complain of it in either order.
#[test]
fn a_classic_recipe_that_loses_the_guest_says_so() {
    Test::new()
        .recipe(
            &r#"let source = launch(#{ name: "source", qemu: QEMU, guest: "heartbeat", args: "-device virtio-rng-pci", monitor: "unix:one" });
let target = launch(#{ name: "target", qemu: QEMU, guest: "heartbeat", args: "-incoming unix:in", monitor: "unix:two" });
for vm in [source, target] { vm.hmp("migrate_set_capability postcopy-ram on"); }
source.hmp("migrate_set_parameter max-bandwidth 1M");
source.hmp("migrate -d unix:in");
source.wait_for_migration("active", 10.s);
source.hmp("migrate_start_postcopy");
source.wait_for_migration("completed", 10.s);"#
                .replace("QEMU", &format!("{:?}", old())),
        )
        .stderr(
            "error: the migration of vm `source` is `postcopy-paused`, wanted `completed`
 ——▶ test.rhai:8:8
  │
8 │ source.wait_for_migration(\"completed\", 10.s);
  │        ^
target said:
  Unknown savevm section or instance '0000:00:02.0/virtio-rng' 0. [..]
...
source said:
...
  Detected IO failure for postcopy. Migration paused.
...
cause: the target has no `virtio-rng` in PCI slot 0000:00:02.0: not given, plugged in after the start, or in another slot
hint: start the target with the same `-device …,addr=0x2` and id (`successor()` does)
the guest is lost: it had switched to `target`, which is gone; what is left is a part of its memory on `source`",
        )
        .code(1)
        .run();
}

#[test]
fn what_a_newer_version_has_removed_is_explained() {
    Test::new()
        .recipe("launch(#{ args: \"-machine none\", monitor: \"unix:one\" }).hmp(\"migrate_set_speed 1g\");")
        .stderr(
            "error: `migrate_set_speed 1g`: unknown command: 'migrate_set_speed'
 ——▶ test.rhai:1:57
  │
1 │ [..]hmp(\"migrate_set_speed 1g\");
  │ [..]^
cause: `migrate_set_speed` was removed in QEMU 6.0
hint: `migrate_set_parameter max-bandwidth …` or `migrate_set_parameter downtime-limit …`",
        )
        .code(1)
        .run();
}
