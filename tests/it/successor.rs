//! The successor of a QEMU, derived from its arguments and its inventory: it starts beside its source, disturbs nothing of
//! it, and can take the guest.

use std::net::TcpListener;

use crate::test::{Test, lab, new, old};

/// Ports that nobody has.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// `succeed(source, options)`: the derived arguments of the successor that `launched` starts; `give_back` does what
/// the account says.
const VERBS: &str = r#"
fn succeed(source, more) {
    let directory = private_directory("target");
    let inventory = inventory(source);
    inventory.hotplugged = hotplugged(source);
    let facts = #{ directory: directory, source_directory: source.directory, cwd: env("PWD"), pid: source.pid, machine: source.machine, inventory: inventory };
    let derived = succession(source.args, facts + more);
    derived.directory = directory;
    derived
}

fn launched(qemu, derived) {
    assert_eq(derived.refused, []);
    for link in derived.links { link_file(link.from, link.to); }
    launch(#{ name: "target", qemu: qemu, args: derived.args, directory: derived.directory, bare: true })
}

fn give_back(target, derived) {
    for rewrite in derived.rewrites {
        switch rewrite.back?.how {
            "hmp" => target.hmp(rewrite.back.line),
            "qmp" => target.qmp(rewrite.back.command, rewrite.back.arguments),
            "rename" => move_file(rewrite.back.from, rewrite.back.to),
            _ => ()
        }
    }
}
"#;

fn run(test: Test, recipe: &str) -> Test {
    let directory = test.directory().to_str().unwrap().to_owned();
    test.env("PWD", &directory).recipe(&format!("{VERBS}\n{recipe}"))
}

const UNREHEARSED: &str =
    "warning: `target` was not rehearsed: once a postcopy has switched there is no way back";

/// Two unix sockets, forwards, a pid file, a log, a serial file, VNC, gdb and a tcp character device, all at once.
fn clashes(from: &str, to: &str) {
    let [tcp, gdb, forward, added, vnc] = free_ports();
    // VNC counts from 5900.
    let display = i32::from(vnc) - 5900;
    run(
        Test::new(),
        &format!(
            r#"
let source = launch(#{{ name: "source", qemu: "{from}", args: "-machine q35,accel=tcg -m 64 -nodefaults -device virtio-serial-pci,id=vs "
    + "-serial chardev:s0 -chardev socket,id=s0,host=127.0.0.1,port={tcp},server=on,wait=off -serial file:serial "
    + "-chardev socket,id=qga,path=qga.sock,server=on,wait=off -device virtserialport,chardev=qga,name=agent "
    + "-monitor unix:human,server=on,wait=off -netdev user,id=u0,hostfwd=tcp:127.0.0.1:{forward}-:22 -device virtio-net-pci,netdev=u0 "
    + "-pidfile pid -D log -d guest_errors -gdb tcp:127.0.0.1:{gdb} -vnc 127.0.0.1:{display}" }});
source.hmp("hostfwd_add u0 tcp:127.0.0.1:{added}-:80");
write_file("serial", "from before\n");
let log = read_file("log");
let derived = succeed(source, #{{}});
let target = launched("{to}", derived);
assert_eq(target.status(), "inmigrate");
assert_eq(target.machine, source.machine);
assert_eq(attach("unix:human").status(), "running");
assert_eq(read_file("serial"), "from before\n");
assert_eq(read_file("log"), log);
assert(read_file("pid").contains(`${{source.pid}}`), "the source's");
migrate(source, target);
derived.directory = ();
give_back(target, derived);
assert(read_file("pid").contains(`${{target.pid}}`), "the target's");
assert_eq(attach("unix:human").status(), "running");
let forwards = target.hmp("info usernet");
for port in ["{forward}", "{added}"] {{ assert(forwards.contains(port), forwards); }}
let open = target.qmp("query-chardev").map(|chardev| chardev.filename);
assert(open.some(|name| name.contains("tcp:127.0.0.1:{tcp},server=on")), `${{open}}`);
assert(open.some(|name| name.contains("tcp:127.0.0.1:{gdb},server=on")), `${{open}}`);
assert_eq(target.qmp("query-vnc-servers")[0].server[0].service, "{vnc}");
// And once more: what was given back is found where it is now.
let addresses = #{{}};
for rewrite in derived.rewrites {{
    if rewrite.back?.how == "rename" {{ addresses[rewrite.back.from] = rewrite.back.to; }}
}}
let again = succeed(target, #{{ addresses: addresses }});
let next = launched("{to}", again);
let back = again.rewrites.filter(|rewrite| rewrite.back != () && rewrite.back.how != "none").map(|rewrite| rewrite.back.how);
back.sort();
print(back);
print(again.rewrites.filter(|rewrite| rewrite.back?.how == "rename").map(|rewrite| rewrite.back.to.split("/").pop()));
"#
        ),
    )
    .stdout(
        r#"["hmp", "hmp", "hmp", "qmp", "qmp", "rename", "rename", "rename"]
["qga.sock", "human", "pid"]
"#,
    )
    .run();
}

#[test]
fn a_newer_qemu_starts_beside_its_source() {
    clashes(&old(), &new());
}

#[test]
fn the_same_qemu_starts_beside_its_source() {
    clashes(&new(), &new());
}

/// Devices, memory, a processor, images, networks and character devices, all plugged in after the start, and one unplugged.
fn hotplugged(from: &str, to: &str) {
    let [forward] = free_ports();
    let test = Test::new().file("a.img", &"\0".repeat(1 << 20));
    run(
        test,
        &format!(
            r#"
let source = launch(#{{ name: "source", qemu: "{from}", guest: "heartbeat", args: "-machine q35 -m 128,slots=2,maxmem=512M -smp 1,maxcpus=2 "
    + "-device pcie-root-port,id=rp1,chassis=1,addr=5 -device pcie-root-port,id=rp2,chassis=2,addr=6 "
    + "-device pcie-root-port,id=rp3,chassis=3,addr=7 -device pcie-root-port,id=rp4,chassis=4,addr=8 -device virtio-rng-pci" }});
source.qmp("object-add", #{{ "qom-type": "memory-backend-ram", id: "m1", size: 64.MiB }});
source.qmp("device_add", #{{ driver: "pc-dimm", id: "d1", memdev: "m1" }});
source.qmp("netdev_add", #{{ type: "user", id: "n1", net: "10.5.0.0/24", hostfwd: [#{{ str: "tcp:127.0.0.1:{forward}-:22" }}] }});
source.qmp("device_add", #{{ driver: "virtio-net-pci", id: "net1", netdev: "n1", bus: "rp1", mac: "52:54:00:aa:bb:cc", rx_queue_size: 1024 }});
source.qmp("blockdev-add", #{{ driver: "raw", "node-name": "b1", file: #{{ driver: "file", filename: env("PWD") + "/a.img" }} }});
source.qmp("device_add", #{{ driver: "virtio-blk-pci", id: "blk1", drive: "b1", bus: "rp2", serial: "XX" }});
source.qmp("chardev-add", #{{ id: "c1", backend: #{{ type: "socket", data: #{{ addr: #{{ type: "unix", data: #{{ path: env("PWD") + "/c1" }} }}, server: true, wait: false }} }} }});
source.qmp("device_add", #{{ driver: "virtio-serial-pci", id: "vs", bus: "rp3" }});
source.qmp("device_add", #{{ driver: "virtserialport", id: "vp", chardev: "c1", name: "org.x", bus: "vs.0" }});
source.qmp("object-add", #{{ "qom-type": "rng-random", id: "r1", filename: "/dev/urandom" }});
source.qmp("device_add", #{{ driver: "virtio-rng-pci", bus: "rp4", rng: "r1" }});
source.qmp("device_add", #{{ driver: "qemu64-x86_64-cpu", id: "cpu1", "socket-id": 0, "core-id": 1, "thread-id": 0 }});
let derived = succeed(source, #{{}});
let target = launched("{to}", derived);
migrate(source, target, #{{ mode: "postcopy" }});
give_back(target, derived);
assert(target.console.contains("beat"), "the console goes on");
target.wait_for_output("beat", 30.s);
target.check_memory();
assert(target.hmp("info usernet").contains("{forward}"), "forwarded again");
let has = |reply, key| target.qmp(reply).map(|one| one[key]);
assert("c1" in has.call("query-chardev", "label"), "character device");
assert_eq(target.qmp("query-memory-devices")[0].data.id, "d1");
assert_eq(target.qmp("query-cpus-fast").len(), 2);
assert_eq(target.qmp("qom-get", #{{ path: "/machine/peripheral/net1", property: "rx_queue_size" }}), 1024);
"#
        ),
    )
    .stderr(UNREHEARSED)
    .run();
}

#[test]
fn what_was_plugged_in_moves_to_a_newer_qemu() {
    hotplugged(&old(), &new());
}

#[test]
fn what_was_plugged_in_moves_within_one_version() {
    hotplugged(&new(), &new());
}

#[test]
fn what_was_unplugged_is_left_out() {
    run(
        Test::new(),
        &format!(
            r#"
let source = launch(#{{ name: "source", qemu: "{}", guest: "heartbeat", args: "-machine pc -m 128 -S -device virtio-rng-pci,id=a -device virtio-balloon-pci,id=b -device virtio-rng-pci,id=c" }});
// It never answers to a guest that does not run: as if the guest had.
let stock = inventory(source);
stock.devices = stock.devices.filter(|device| device.id != "a");
let derived = succeed(source, #{{ inventory: stock }});
print(derived.args.filter(|word| word.starts_with("virtio-")));
"#,
            old()
        ),
    )
    .stdout(r#"["virtio-balloon-pci,id=b,addr=03.0", "virtio-rng-pci,id=c,addr=04.0"]"#)
    .run();
}

#[test]
fn the_image_that_counts_is_the_one_that_the_guest_has() {
    for (from, to) in [(old(), new()), (new(), new())] {
        let mut test = Test::new();
        for name in ["a.img", "b.img", "c.img"] {
            test = test.file(name, &"\0".repeat(1 << 20));
        }
        run(
            test,
            &format!(
                r#"
let source = launch(#{{ name: "source", qemu: "{from}", guest: "heartbeat", args: "-m 128 -drive file=a.img,format=raw,if=none,id=d0 -device virtio-blk-pci,drive=d0,id=v0 "
    + "-blockdev driver=raw,node-name=n1,file.driver=file,file.filename=b.img -device virtio-blk-pci,drive=n1,id=v1 "
    + "-drive file=c.img,format=raw,if=virtio" }});
source.qmp("blockdev-snapshot-sync", #{{ device: "d0", "snapshot-file": env("PWD") + "/a.qcow2" }});
source.qmp("blockdev-snapshot-sync", #{{ "node-name": "n1", "snapshot-file": env("PWD") + "/b.qcow2", "snapshot-node-name": "n2" }});
source.qmp("blockdev-snapshot-sync", #{{ device: "virtio0", "snapshot-file": env("PWD") + "/c.qcow2" }});
let target = launched("{to}", succeed(source, #{{}}));
migrate(source, target, #{{ mode: "postcopy" }});
for drive in target.qmp("query-block") {{
    let inserted = drive.get("inserted");
    if inserted != () {{ print(inserted.file.split("/").pop() + " on " + inserted.backing_file.split("/").pop()); }}
}}
target.check_memory();
"#
            ),
        )
        .stdout("a.qcow2 on a.img\nc.qcow2 on c.img\nb.qcow2 on b.img\n")
        .stderr(UNREHEARSED)
        .run();
    }
}

/// A throw-away target loads the guest's real state, over a copy of private memory or a view of shared memory.
fn rehearsed(architecture: &str, from: &str, to: &str, args: &str, block: &str) {
    let from = lab(&format!("bin/qemu-{from}-system-{architecture}"));
    let to = lab(&format!("bin/qemu-{to}-system-{architecture}"));
    run(
        Test::new(),
        &format!(
            r#"
let source = launch(#{{ name: "source", qemu: "{from}", args: "-nodefaults -accel tcg {args}" }});
let derived = succeed(source, #{{}});
let wanted = source.machine;
let machines = source.qmp("query-machines");
let name = machines.find(|machine| machine.name == wanted)["default-ram-id"];
assert_eq(name, "{block}");
let directory = private_directory("rehearsal");
let state = directory + "/state";
source.qmp("xen-save-devices-state", #{{ filename: state, live: true }});
let views = #{{}};
let copy = ();
if !source.args.some(|word| word.contains("share=on")) {{
    copy = source.copy_memory(source.qmp("query-memdev")[0].id);
    views[""] = copy.path;
}}
let args = rehearsal_args(derived.args, #{{ directory: directory, machine: source.machine, default_ram_id: name, views: views }});
let double = launch(#{{ name: "double", qemu: "{to}", args: args, directory: directory, bare: true }});
double.qmp("migrate-incoming", #{{ uri: `exec:cat ${{state}}` }});
double.wait_for_migration("completed", 20.s);
assert_eq(double.status(), "paused");
assert_eq(source.status(), "running");
"#
        ),
    )
    .run();
}

#[test]
fn a_rehearsal_loads_the_state_of_private_memory() {
    rehearsed("x86_64", "7.2", "10.0", "-machine q35 -m 128", "pc.ram");
    rehearsed(
        "x86_64",
        "10.0",
        "10.0",
        "-m 128 -object memory-backend-ram,id=pc.ram,size=128M -machine pc,memory-backend=pc.ram",
        "pc.ram",
    );
    rehearsed("ppc64", "10.0", "10.0", "-machine pseries -m 256", "ppc_spapr.ram");
}

#[test]
fn a_rehearsal_loads_the_state_of_shared_memory() {
    let args = "-m 128 -object memory-backend-file,id=m,size=128M,mem-path=ram,share=on -machine pc,memory-backend=m";
    rehearsed("x86_64", "7.2", "10.0", args, "pc.ram");
}

#[test]
fn private_memory_becomes_shared_memory() {
    run(
        Test::new(),
        &format!(
            r#"
let source = launch(#{{ name: "source", qemu: "{}", guest: "heartbeat", args: "-m 128" }});
source.wait_for_output("beat", 30.s);
let file = memory_file(128.MiB);
let target = launched("{}", succeed(source, #{{ memory: "shared", memory_paths: #{{ "pc.ram": file.path }}, default_ram_id: "pc.ram" }}));
migrate(source, target, #{{ mode: "postcopy" }});
let next = launched("{}", succeed(target, #{{ backing: target.backing() }}));
migrate(target, next, #{{ mode: "shared" }});
next.wait_for_output("beat", 30.s);
next.check_memory();
"#,
            old(),
            new(),
            new()
        ),
    )
    .stderr(UNREHEARSED)
    .run();
}
