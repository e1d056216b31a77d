//! What Tab completes in a session, at a real terminal.

use std::time::{Duration, Instant};

use crate::terminal::Terminal;
use crate::test::{Test, old};

/// Press Tab until the line is `wanted`: what a QEMU offers is there a moment after its launch.
fn completes(terminal: &Terminal, typed: &str, wanted: &str) {
    terminal.types(typed);
    terminal.line_is(&format!("qhop> {typed}"));
    let start = Instant::now();
    let is_there =
        |screen: &str| screen.trim_end().lines().last() == Some(format!("qhop> {wanted}").trim_end());
    while !(terminal.types("\t").becomes(Duration::from_millis(100), is_there)) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "`{typed}` did not become `{wanted}`:\n{}",
            terminal.screen()
        );
    }
    terminal.clear();
}

#[test]
fn tab_completes_what_this_qemu_offers() {
    let terminal = Terminal::start(Test::new().file("disks/one.qcow2", ""));
    terminal.enters("let vm = launch(#{ args: \"-S -machine none\" });");
    terminal.enters(&format!("let old = launch(#{{ qemu: \"{}\", args: \"-S -machine none\" }});", old()));
    terminal.clear();
    completes(&terminal, "lau", "launch(");
    completes(&terminal, "vm.wait_for_st", "vm.wait_for_status(");
    completes(&terminal, "vm.qmp(\"query-migrate-c", "vm.qmp(\"query-migrate-capabilities");
    // Since QEMU 8.0.
    completes(&terminal, "vm.qmp(\"query-cryptod", "vm.qmp(\"query-cryptodev");
    completes(&terminal, "old.qmp(\"query-stat", "old.qmp(\"query-stat");
    terminal.types("old.qmp(\"query-cryptod\t").line_is("qhop> old.qmp(\"query-cryptod");
    terminal.clear();
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-capabilities\", #{ ca",
        "vm.qmp(\"migrate-set-capabilities\", #{ capabilities: ",
    );
    let list = "vm.qmp(\"migrate-set-capabilities\", #{ capabilities: [#{ capability: \"postcopy-r";
    completes(&terminal, list, &format!("{list}am"));
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-parameters\", #{ max-band",
        "vm.qmp(\"migrate-set-parameters\", #{ max-band",
    );
    completes(
        &terminal,
        "vm.qmp(\"migrate-set-parameters\", #{ max_",
        "vm.qmp(\"migrate-set-parameters\", #{ max_",
    );
    completes(&terminal, "vm.hmp(\"info migrate_c", "vm.hmp(\"info migrate_capabilities");
    completes(
        &terminal,
        "vm.hmp(\"migrate_set_capability postcopy-r",
        "vm.hmp(\"migrate_set_capability postcopy-ram",
    );
    completes(
        &terminal,
        "launch(#{ args: \"-drive file=disks/o",
        "launch(#{ args: \"-drive file=disks/one.qcow2",
    );
    completes(&terminal, ":load local_pre", ":load local_precopy");
    completes(&terminal, ":ev", ":events");
}

#[test]
fn tab_completes_what_a_human_monitor_offers() {
    let terminal = Terminal::start(Test::new().file("disks/one.qcow2", ""));
    terminal.enters("let vm = launch(#{ args: \"-S -machine none\", monitor: \"unix:human\" });");
    terminal.clear();
    completes(&terminal, "vm.hmp(\"info migrate_c", "vm.hmp(\"info migrate_capabilities");
    let capability = "vm.hmp(\"migrate_set_capability postcopy-r";
    completes(&terminal, capability, &format!("{capability}am"));
    let parameter = "vm.hmp(\"migrate_set_parameter multifd-comp";
    completes(&terminal, parameter, &format!("{parameter}ression"));
    completes(&terminal, "vm.hmp(\"migrate -d -", "vm.hmp(\"migrate -d -r");
    completes(&terminal, "vm.hmp(\"set_link net0 of", "vm.hmp(\"set_link net0 off");
    completes(&terminal, "vm.hmp(\"change ide0 disks/o", "vm.hmp(\"change ide0 disks/one.qcow2");
    completes(&terminal, "vm.wait_for_status(\"fini", "vm.wait_for_status(\"finish-migrate");
    // Where no file can stand, none is offered.
    terminal.types("vm.hmp(\"set_link d\t").line_is("qhop> vm.hmp(\"set_link d");
}

#[test]
fn ten_guests_do_not_slow_completion() {
    let terminal = Terminal::start(Test::new());
    terminal.enters("let vms = []; for n in 0..10 { vms.push(launch(#{ args: \"-S -machine none\" })); }");
    terminal.clear();
    completes(&terminal, "vms[9].qmp(\"query-statu", "vms[9].qmp(\"query-status");
    let took = (0..10).map(|_| {
        terminal.types("vms[9].qmp(\"query-statu").line_is("qhop> vms[9].qmp(\"query-statu");
        terminal.types("\t");
        let took = terminal.line_is("qhop> vms[9].qmp(\"query-status");
        terminal.clear();
        took
    });
    let fastest = took.min().unwrap();
    assert!(fastest < Duration::from_millis(20), "it took {fastest:?}");
}
