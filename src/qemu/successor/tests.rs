use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Facts, Memory, Succession, rehearsal_args, succession};

fn facts() -> Facts {
    Facts { directory: "/t".into(), cwd: Some("/home".into()), ..Facts::default() }
}

fn words(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap()
}

fn derived(line: &str, facts: &Facts) -> Succession {
    succession(&words(line), facts)
}

/// The arguments as one line, without `-incoming defer` at the end.
fn args(line: &str, facts: &Facts) -> String {
    let args = derived(line, facts).args.join(" ");
    args.strip_suffix("-incoming defer").unwrap().trim_end().to_owned()
}

/// How addresses are given back: `rename /t/a /home/a`, `hmp …`, `qmp …`, `none`.
fn backs(line: &str, facts: &Facts) -> Vec<String> {
    let back = |rewrite: &super::Rewrite| {
        let back = serde_json::to_value(rewrite.back.as_ref()?).unwrap();
        let part = |key: &str| match &back[key] {
            Json::Null => String::new(),
            Json::String(text) => format!(" {text}"),
            other => format!(" {other}"),
        };
        let parts = ["how", "from", "to", "line", "command", "arguments"].map(part);
        Some(parts.concat().trim_start().to_owned())
    };
    derived(line, facts).rewrites.iter().filter_map(back).collect()
}

fn refused(line: &str, facts: &Facts) -> Vec<String> {
    let refused = derived(line, facts).refused;
    refused.into_iter().map(|refusal| format!("{}: {}", refusal.subject, refusal.cause)).collect()
}

#[test]
fn what_clashes_is_rewritten() {
    let same = |line: &'static str| (line, line);
    let table = [
        // Unix sockets, in every spelling.
        ("-qmp unix:/run/q,server=on,wait=off", "-qmp unix:/t/q,server=on,wait=off"),
        ("-qmp unix:q,server,nowait", "-qmp unix:/t/q,server=on,wait=off"),
        ("-monitor unix:/run/qmp,server=on", "-monitor unix:/t/qmp-2,server=on,wait=off"),
        ("-serial mon:unix:/a/s,server=on,logfile=/l", "-serial mon:unix:/t/s,server=on,wait=off,logfile=/l"),
        (
            "-qmp unix:/a/q,server=on -qmp unix:/b/q,server=on",
            "-qmp unix:/t/q,server=on,wait=off -qmp unix:/t/q-2,server=on,wait=off",
        ),
        (
            "-chardev socket,id=c,path=/a,,b,server=on,wait=off",
            "-chardev socket,id=c,path=/t/a-b,server=on,wait=off",
        ),
        (
            "-chardev socket,id=c,path=x,server,abstract=on",
            "-chardev socket,id=c,path=/t/x,server=on,wait=off",
        ),
        same("-chardev socket,id=c,path=/a,reconnect=1"),
        same("-qmp unix:/run/q"),
        // Ports.
        ("-qmp tcp:127.0.0.1:4444,server=on,wait=off", "-qmp unix:/t/qmp-2,server=on,wait=off"),
        ("-monitor telnet::4444,server,nowait,nodelay", "-monitor unix:/t/monitor,server=on,wait=off"),
        ("-serial websocket::4444,server=on", "-serial unix:/t/serial0,server=on,wait=off"),
        (
            "-chardev socket,id=c,host=::1,port=0,server=on,telnet=on,mux=on,to=9",
            "-chardev socket,id=c,mux=on,path=/t/c,server=on,wait=off",
        ),
        ("-serial udp:a:1@b:2", "-serial udp:a:1"),
        ("-chardev udp,id=c,port=1,localport=2", "-chardev udp,id=c,port=1,localport=0"),
        same("-serial tcp:host:4444 -parallel none -serial mon:stdio -monitor stdio -serial pty"),
        // Displays and the debugger.
        ("-vnc :1,password=on,to=9", "-vnc none,password=on"),
        ("-vnc unix:/run/vnc,share=force-shared", "-vnc unix:/t/vnc,share=force-shared"),
        ("-display vnc=:1", "-display vnc=none"),
        same("-vnc none -display none -display gtk,gl=on"),
        (
            "-spice port=5900,addr=127.0.0.1,disable-ticketing=on",
            "-spice addr=/t/spice,disable-ticketing=on,unix=on",
        ),
        ("-s", ""),
        ("-gdb tcp::1235,server=on", ""),
        same("-gdb none"),
        // Files.
        ("-pidfile /run/pid -D log -d int", "-pidfile /t/pid -D /t/log -d int"),
        same("-D /dev/stderr -D /tmp/log-%d"),
        (
            "-serial file:/a,b -serial file:c",
            "-chardev file,id=qhop-serial0,path=/a,,b,append=on -serial chardev:qhop-serial0 \
             -chardev file,id=qhop-serial1,path=c,append=on -serial chardev:qhop-serial1",
        ),
        ("-chardev file,id=f,path=/x", "-chardev file,id=f,path=/x,append=on"),
        same("-chardev file,id=f,path=/x,append=on -serial file:/dev/null"),
        ("-chardev null,id=n,logfile=/x", "-chardev null,id=n,logfile=/x,logappend=on"),
        ("-trace enable=x*,file=trace", "-trace enable=x*,file=/t/trace"),
        // Networks.
        (
            "-netdev user,id=n,hostfwd=tcp::1-:2,hostfwd=udp::3-:4,net=10.0.0.0/8",
            "-netdev user,id=n,net=10.0.0.0/8",
        ),
        (
            r#"-netdev '{"type":"user","id":"n","hostfwd":[{"str":"tcp::1-:2"}]}'"#,
            r#"-netdev {"type":"user","id":"n"}"#,
        ),
        ("-nic user,hostfwd=tcp::1-:2,model=e1000", "-nic user,model=e1000"),
        (
            "-netdev stream,id=s,server=on,addr.type=unix,addr.path=/s",
            "-netdev stream,id=s,server=on,addr.type=unix,addr.path=/t/s",
        ),
        same("-netdev tap,id=n,ifname=t,queues=2 -netdev tap,id=m -netdev bridge,id=b,br=br0"),
        // The process and its start.
        ("-daemonize -S -loadvm x -incoming tcp:0:4444 -writeconfig f -m 1G", "-m 1G"),
        (
            "-chardev socket,id=qhop-qmp,path=/x/qmp,server=on,wait=off -mon chardev=qhop-qmp,mode=control -S",
            "",
        ),
        same("disk.img -m 1G -sandbox on,spawn=deny -nographic"),
    ];
    for (from, to) in table {
        assert_eq!(args(from, &facts()), to, "{from}");
    }
}

#[test]
fn an_address_is_given_back() {
    let table: &[(&str, &[&str])] = &[
        ("-qmp unix:/run/q,server=on", &["rename /t/q /run/q"]),
        ("-qmp unix:q,server=on", &["rename /t/q /home/q"]),
        ("-chardev socket,id=c,path=x,server=on,abstract=on", &["none"]),
        ("-monitor tcp::1,server=on", &["none"]),
        (
            "-serial telnet:[::1]:4,server=on",
            &[concat!(
                r#"qmp chardev-change {"id":"serial0","backend":{"type":"socket","data":{"addr":{"type":"inet","#,
                r#""data":{"host":"::1","port":"4"}},"server":true,"wait":false,"telnet":true}}}"#
            )],
        ),
        ("-serial tcp::0,server=on", &["none"]),
        ("-chardev socket,id=c,port=4,host=,server=on -device virtserialport,chardev=c", &["none"]),
        (
            "-vnc :1",
            &[
                r#"qmp display-update {"type":"vnc","addresses":[{"type":"inet","host":"0.0.0.0","port":"5901"}]}"#,
            ],
        ),
        (
            "-vnc :1 -vnc 127.0.0.1:2,id=b -vnc unix:/v,id=c",
            &[
                "qmp display-update {\"type\":\"vnc\",\"addresses\":[{\"type\":\"inet\",\"host\":\"0.0.0.0\",\"port\":\"5901\"}]}",
                "none",
                "rename /t/v /v",
            ],
        ),
        ("-s", &["hmp gdbserver tcp::1234"]),
        ("-pidfile /run/pid", &["rename /t/pid /run/pid"]),
        ("-D log", &["log /t/log logfile /home/log"]),
        ("-D '/a b'", &["log /t/a-b logfile \"/a b\""]),
        ("-D log.%d", &[]),
        (
            "-netdev user,id=n,hostfwd=tcp::1-:2,hostfwd=udp::3-:4",
            &["hmp hostfwd_add n tcp::1-:2", "hmp hostfwd_add n udp::3-:4"],
        ),
        ("-nic user,hostfwd=tcp::1-:2", &["hmp hostfwd_add tcp::1-:2"]),
        ("-nic user,hostfwd=tcp::1-:2 -nic user", &["none"]),
        ("-chardev file,id=f,path=/x -serial file:y", &[]),
        ("-nographic", &["none"]),
        ("-nographic -nodefaults", &[]),
        ("-nographic -serial null -monitor none", &[]),
        ("-serial mon:stdio", &["none"]),
        ("-chardev stdio,id=c -monitor stdio", &["none", "none"]),
    ];
    for (line, wanted) in table {
        assert_eq!(&backs(line, &facts()), wanted, "{line}");
    }
}

#[test]
fn what_a_monitor_has_changed_wins() {
    let usernet = "Hub -1 (n):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                   TCP[HOST_FORWARD]  11               *  5555       10.0.2.15    22     0     0\r\n  \
                   TCP[ESTABLISHED]  12       127.0.0.1  5555       10.0.2.15    22     0     0\r\n";
    let live = Facts { forwards: Some(usernet.into()), ..facts() };
    assert_eq!(
        backs("-netdev user,id=n,hostfwd=tcp::1-:2", &live),
        ["hmp hostfwd_add n tcp::5555-10.0.2.15:22"]
    );
    let inventory = json!({
        "query-chardev": [
            { "label": "gdb", "filename": "disconnected:tcp:0.0.0.0:1234,server=on" },
            { "label": "serial0", "filename": "telnet:127.0.0.1:45,server=on <-> 127.0.0.1:99" },
        ],
        "query-vnc-servers": [{ "server": [{ "family": "ipv4", "host": "127.0.0.1", "service": "5907", "websocket": false }] }],
    });
    let live = Facts {
        inventory,
        addresses: [("/s/q".into(), "/run/q".into())].into(),
        source_directory: Some("/s".into()),
        ..facts()
    };
    assert_eq!(
        backs("-serial unix:/s/serial0,server=on -vnc none -qmp unix:/s/q,server=on", &live),
        [
            r#"qmp display-update {"type":"vnc","addresses":[{"type":"inet","host":"127.0.0.1","port":"5907"}]}"#,
            "hmp gdbserver tcp:0.0.0.0:1234",
            r#"qmp chardev-change {"id":"serial0","backend":{"type":"socket","data":{"addr":{"type":"inet","data":{"host":"127.0.0.1","port":"45"}},"server":true,"wait":false,"telnet":true}}}"#,
            "rename /t/q /run/q",
        ]
    );
}

#[test]
fn the_machine_type_is_pinned() {
    let pinned = |line: &str| args(line, &Facts { machine: "pc-q35-7.2".into(), ..facts() });
    assert_eq!(pinned("-M q35,accel=tcg -m 1G"), "-M pc-q35-7.2,accel=tcg -m 1G");
    assert_eq!(pinned("-machine accel=tcg,type=q35"), "-machine pc-q35-7.2,accel=tcg");
    assert_eq!(pinned("-machine accel=tcg"), "-machine pc-q35-7.2,accel=tcg");
    assert_eq!(pinned("-machine pc-q35-7.2,hpet=off"), "-machine pc-q35-7.2,hpet=off");
    assert_eq!(pinned("-machine hpet=off -machine q35"), "-machine hpet=off -machine pc-q35-7.2");
    assert_eq!(pinned("-machine pc -machine q35 -M smm=off"), "-machine pc -machine pc-q35-7.2 -M smm=off");
    assert_eq!(pinned("-m 1G"), "-m 1G -machine pc-q35-7.2");
}

#[test]
fn files_of_the_source_are_linked() {
    let facts = Facts { source_directory: Some("/s,1".into()), ..facts() };
    let line = "-chardev file,id=qhop-console,path=/s,,1/console,append=on -option-rom /s,,1/heartbeat.rom -kernel /s,1/k -initrd /s,1/k -serial file:/s,1/console";
    let derived = derived(line, &facts);
    assert_eq!(
        derived.args.join(" "),
        "-chardev file,id=qhop-console,path=/t/console,append=on -option-rom /t/heartbeat.rom -kernel /t/k -initrd /t/k \
         -chardev file,id=qhop-serial0,path=/t/console,append=on -serial chardev:qhop-serial0 -incoming defer"
    );
    let links: Vec<String> = derived.links.iter().map(|link| format!("{} {}", link.from, link.to)).collect();
    assert_eq!(links, ["/s,1/console /t/console", "/s,1/heartbeat.rom /t/heartbeat.rom", "/s,1/k /t/k"]);
}

#[test]
fn what_cannot_be_carried_over_is_refused_by_name() {
    let table = [
        ("-netdev tap,id=n,fd=3", "-netdev tap,id=n,fd=3: the descriptor 3 was opened for the source alone"),
        ("-netdev tap,id=n,ifname=t", "-netdev tap,id=n,ifname=t: the interface `t` has one owner"),
        ("-snapshot", "-snapshot: the guest's changes are in temporary files that only the source has"),
        ("-chroot /x", "-chroot /x: the sockets of a migration lie outside of its directory"),
        ("-serial pipe:/p", "-serial pipe:/p: what is written to a pipe would reach either QEMU"),
        ("-device vfio-pci,host=1:0.0", "-device vfio-pci,host=1:0.0: a device of the host has one owner"),
        (
            "-device vhost-vsock-pci,guest-cid=3",
            "-device vhost-vsock-pci,guest-cid=3: the host gives a guest-cid to one QEMU",
        ),
        (
            "-tpmdev emulator,id=t,chardev=c",
            "-tpmdev emulator,id=t,chardev=c: swtpm serves one QEMU at a time",
        ),
        (
            "-add-fd fd=4,set=1 -incoming fd:3",
            "-add-fd fd=4,set=1: the descriptor 4 was opened for the source alone",
        ),
        ("-readconfig f", "-readconfig f: what the file says is not known"),
        (
            "-netdev socket,id=s,listen=:1",
            "-netdev socket,id=s,listen=:1: a port has one listener, and its peers would have to connect again",
        ),
    ];
    for (line, wanted) in table {
        assert_eq!(refused(line, &facts()), [wanted], "{line}");
    }
    let export = Facts { inventory: json!({ "query-block-exports": [{ "id": "e" }] }), ..facts() };
    assert_eq!(
        refused("", &export),
        ["block export `e`: it was added after the start, and ends with the source"]
    );
    let config = Facts { readconfig: [("f".into(), "[memory]\n  size = \"1G\"\n".into())].into(), ..facts() };
    assert_eq!(args("-readconfig f", &config), "-m size=1G");
    assert_eq!(
        refused("-chardev socket,id=v,path=/v,server=on -netdev vhost-user,id=n,chardev=v", &facts()),
        [
            "-netdev vhost-user,id=n,chardev=v: its back end connects to QEMU, and would have to serve two at once"
        ]
    );
}

#[test]
fn a_tap_is_known_by_the_name_that_qemu_made_up() {
    let network = "hub 0\r\n \\ hub0port0: #net1: index=0,type=tap,ifname=tap1,script=no,downscript=no\r\n\
                   n.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\r\n \
                   \\ n: index=0,type=tap,ifname=tap0,script=no,downscript=no\r\n";
    let live = Facts { inventory: json!({ "network": network }), ..facts() };
    let table = [
        ("-netdev tap,id=n,script=no", "the interface `tap0` has one owner"),
        ("-netdev tap,id=n,ifname=tap%d", "the interface `tap0` has one owner"),
        ("-nic tap,queues=2", "the interface `tap1` has one owner"),
    ];
    for (line, cause) in table {
        assert_eq!(refused(line, &live), [format!("{line}: {cause}")]);
    }
    let shared = "-netdev tap,id=n,queues=2";
    assert_eq!(args(shared, &live), format!("{shared},ifname=tap0"));
    assert_eq!(args(&format!("{shared},ifname=tap%d"), &live), format!("{shared},ifname=tap0"));
    assert_eq!(refused(&format!("{shared} -nic tap,helper=/h"), &live), [""; 0]);
}

#[test]
fn a_usb_device_goes_into_its_port() {
    let device = |id: &str, kind: &str| {
        let properties = json!({ "parent_bus": "/machine/peripheral/x/x.0", "attached": true, "port": "" });
        let defaults = json!([{ "name": "attached", "type": "bool" }, { "name": "port", "type": "str" }]);
        json!({ "path": format!("/machine/peripheral/{id}"), "type": kind, "hotplugged": true, "properties": properties, "defaults": defaults })
    };
    let place = |id: &str, port: &str| json!({ "path": format!("/machine/peripheral/{id}"), "properties": { "port": port } });
    let drive = json!({ "device": "", "inserted": { "node-name": "n" }, "qdev": "/machine/peripheral/s/s.0/legacy[0]" });
    let inventory = json!({
        "hotplugged": [device("s", "usb-storage"), device("h", "usb-hub")],
        "devices": [place("s", "1.2"), place("h", "1")],
        "query-block": [drive],
    });
    assert_eq!(
        args("", &Facts { inventory, ..facts() }),
        "-device usb-hub,id=h,bus=x.0,port=1 -device usb-storage,id=s,bus=x.0,port=1.2,drive=n"
    );
}

#[test]
fn a_medium_that_was_put_in_or_taken_out_is_there_or_not() {
    let medium =
        |node: &str, file: &str| json!({ "node-name": node, "file": file, "drv": "raw", "ro": true });
    let drive = |name: &str, qdev: &str, inserted: Json| json!({ "device": name, "qdev": qdev, "removable": true, "inserted": inserted });
    let empty = |qdev: &str| json!({ "device": "", "qdev": qdev, "removable": true });
    let anonymous = "/machine/peripheral-anon/device[0]";
    let put_in = "-drive if=none,id=qhop-c,file=/b,format=raw,readonly=on -device ide-cd,id=c,drive=qhop-c";
    let table = [
        (
            drive("d", "c", medium("#1", "/b")),
            "-drive if=none,id=d,media=cdrom -device ide-cd,id=c,drive=d",
            "-drive if=none,id=d,media=cdrom,file=/b,format=raw -device ide-cd,id=c,drive=d",
        ),
        (drive("", "c", medium("#1", "/b")), "-device ide-cd,id=c", put_in),
        (drive("", "c", medium("#1", "/b")), "-device ide-cd,id=c,drive=n", put_in),
        (drive("", "c", medium("n", "/b")), "-device ide-cd,id=c,drive=n", "-device ide-cd,id=c,drive=n"),
        (
            drive("", anonymous, medium("#1", "/b")),
            "-device ide-cd",
            "-drive if=none,id=qhop-ide-cd,file=/b,format=raw,readonly=on -device ide-cd,drive=qhop-ide-cd",
        ),
        (empty("c"), "-device ide-cd,id=c,drive=n", "-device ide-cd,id=c"),
        (empty("c"), "-device ide-cd,id=c", "-device ide-cd,id=c"),
    ];
    let devices = json!([{ "path": anonymous, "type": "ide-cd" }]);
    let with = |drive: &Json| Facts {
        inventory: json!({ "query-block": [drive], "devices": if drive["qdev"] == anonymous { devices.clone() } else { Json::Null } }),
        ..facts()
    };
    for (drive, from, to) in table {
        assert_eq!(args(from, &with(&drive)), to, "{drive}");
    }
    let unnamed = with(&drive("ide0-cd0", "/machine/unattached/device[9]", medium("#1", "/b")));
    assert_eq!(
        refused("-drive media=cdrom,if=ide", &unnamed),
        ["drive `ide0-cd0`: `/b` was put in after the start"]
    );
    for known in ["-cdrom /b", "-drive file.filename=/b,media=cdrom"] {
        assert_eq!(refused(known, &unnamed), [""; 0]);
    }
}

#[test]
fn a_guest_keeps_its_generation() {
    let device = json!({ "path": "/machine/peripheral-anon/device[0]", "type": "vmgenid", "properties": { "guid": "1-2" } });
    let live = Facts { inventory: json!({ "devices": [device] }), ..facts() };
    assert_eq!(args("-device vmgenid", &live), "-device vmgenid,guid=1-2");
    assert_eq!(args("-device vmgenid,guid=auto", &live), "-device vmgenid,guid=1-2");
    assert_eq!(args("-device vmgenid,guid=3-4", &live), "-device vmgenid,guid=3-4");
}

#[test]
fn memory_stays_is_shared_or_becomes_private() {
    let keep = Facts { backing: [("m".into(), "/proc/1/fd/2".into())].into(), ..facts() };
    let mapped = "-object memory-backend-file,id=m,size=1G,share=on,mem-path=/proc/1/fd/2";
    assert_eq!(args("-object memory-backend-memfd,id=m,size=1G,share=on", &keep), mapped);
    assert_eq!(
        args("-object memory-backend-memfd,id=m,size=1G,seal=on", &keep),
        "-object memory-backend-file,id=m,size=1G,mem-path=/proc/1/fd/2,share=on"
    );
    let handed = Facts { memory: Memory::Handed, ..keep.clone() };
    let memfd = "-object memory-backend-memfd,id=m,size=1G,share=on";
    assert_eq!(args(memfd, &handed), memfd);
    assert_eq!(args("-object memory-backend-file,id=m,size=1G,share=on,mem-path=/gone", &handed), mapped);
    let said = Facts { backing: [("m".into(), json!({ "path": "/f", "share": true }))].into(), ..facts() };
    assert_eq!(
        args("-object memory-backend-file,id=m,size=1G,mem-path=/gone,share=on", &said),
        "-object memory-backend-file,id=m,size=1G,mem-path=/f,share=on"
    );
    for same in [
        "-object memory-backend-ram,id=m,size=1G",
        "-object memory-backend-file,id=x,size=1G,mem-path=/x,share=on",
    ] {
        assert_eq!(args(same, &keep), same);
    }
    let shared = Facts {
        memory: Memory::Shared,
        memory_paths: ["pc.ram", "a", "b"].map(|id| (id.into(), format!("/dev/shm/{id}"))).into(),
        default_ram_id: Some("pc.ram".into()),
        ..facts()
    };
    assert_eq!(
        args("-M q35 -m 512,slots=2,maxmem=1G -mem-prealloc", &shared),
        "-M q35,memory-backend=pc.ram -m 512,slots=2,maxmem=1G -object memory-backend-file,id=pc.ram,size=536870912,\
         mem-path=/dev/shm/pc.ram,share=on,x-use-canonical-path-for-ramblock-id=off"
    );
    assert_eq!(
        args(
            "-object memory-backend-ram,id=a,size=1G -object memory-backend-ram,id=b,size=1G -numa node,memdev=a -numa node,memdev=b",
            &shared
        ),
        "-object memory-backend-file,id=a,size=1G,mem-path=/dev/shm/a,share=on,x-use-canonical-path-for-ramblock-id=off \
         -object memory-backend-file,id=b,size=1G,mem-path=/dev/shm/b,share=on,x-use-canonical-path-for-ramblock-id=off \
         -numa node,memdev=a -numa node,memdev=b"
    );
    assert_eq!(refused("-m 1G", &Facts { default_ram_id: None, ..shared }).len(), 1);
    let private = Facts { memory: Memory::Private, ..facts() };
    assert_eq!(
        args("-object memory-backend-file,id=m,size=1G,mem-path=/x,share=on", &private),
        "-object memory-backend-ram,id=m,size=1G,share=off"
    );
}

#[test]
fn a_file_that_outlives_the_guest_is_never_exchanged() {
    let private = Facts { memory: Memory::Private, ..facts() };
    for driver in ["nvdimm", "virtio-pmem-pci", "ivshmem-plain"] {
        let line = format!(
            "-object memory-backend-file,id=m,size=1G,mem-path=/x,share=on -device {driver},memdev=m"
        );
        assert_eq!(args(&line, &private), line);
    }
}

#[test]
fn a_target_never_has_the_memory_that_it_would_empty() {
    let keep = Facts { emptied: vec!["m".into()], ..facts() };
    let args = args("-object memory-backend-file,id=m,size=1G,mem-path=/x,share=on", &keep);
    assert_eq!(args, "-object memory-backend-ram,id=m,size=1G,share=off");
}

#[test]
fn a_rehearsal_leaves_no_trace() {
    let facts = Facts {
        directory: "/r".into(),
        default_ram_id: Some("pc.ram".into()),
        views: [(String::new(), "/v".into()), ("m".into(), "/w".into())].into(),
        ..facts()
    };
    let rehearsed = |line: &str| {
        let args = rehearsal_args(&words(line), &facts).join(" ");
        let end = "-S -global migration.send-configuration=off -incoming defer";
        args.strip_suffix(end).unwrap().trim_end().to_owned()
    };
    assert_eq!(
        rehearsed(
            "-M q35 -m 64 -chardev file,id=c,path=/t/console,append=on -serial chardev:c -D /t/log -pidfile /t/p \
             -sandbox on,spawn=deny -incoming defer"
        ),
        "-M q35 -m 64 -chardev null,id=c -serial chardev:c -object memory-backend-file,id=pc.ram,size=67108864,mem-path=/v,share=off,\
         x-use-canonical-path-for-ramblock-id=off -machine memory-backend=pc.ram"
    );
    let backend = "-machine memory-backend=m -object memory-backend";
    assert_eq!(
        rehearsed(&format!("{backend}-ram,id=m,size=1G,prealloc=on")),
        format!("{backend}-file,id=m,size=1G,mem-path=/w,share=off,x-use-canonical-path-for-ramblock-id=off")
    );
    assert_eq!(
        rehearsed(&format!("{backend}-file,id=x,size=1G,mem-path=/x,share=on")),
        format!("{backend}-file,id=x,size=1G,mem-path=/x,share=off")
    );
    assert_eq!(
        rehearsed(
            "-machine memory-backend=m -qmp unix:/t/q,server=on,wait=off -chardev socket,id=a,path=/agent -serial tcp:h:1 -monitor stdio"
        ),
        "-machine memory-backend=m -qmp unix:/r/q,server=on,wait=off -chardev null,id=a -serial null -monitor null"
    );
}

/// Words that QEMU's options are made of, in any order.
fn any_words() -> impl Strategy<Value = Vec<String>> {
    let option = prop::sample::select(vec![
        "-qmp",
        "-monitor",
        "-serial",
        "-chardev",
        "-mon",
        "-vnc",
        "-spice",
        "-gdb",
        "-s",
        "-netdev",
        "-nic",
        "-drive",
        "-blockdev",
        "-device",
        "-object",
        "-machine",
        "-M",
        "-m",
        "-numa",
        "-pidfile",
        "-D",
        "-display",
        "-hda",
        "-S",
        "-incoming",
        "-trace",
        "-tpmdev",
        "-",
        "--",
    ]);
    let value = prop::sample::select(vec![
        "unix:/a/b,server=on",
        "tcp::1,server,nowait",
        "socket,id=c,path=/p,server=on",
        "socket,id=d,port=1,host=h,server=on",
        ":1,to=3",
        "unix:/v",
        "none",
        "user,id=n,hostfwd=tcp::1-:2",
        "file:/x",
        "file,id=e,path=/x",
        "/s/console",
        "q35,accel=tcg",
        "memory-backend-file,id=m,size=1G,mem-path=/x,share=on",
        "memory-backend-memfd,id=m,size=1",
        "file=/a,if=virtio,id=d0",
        "node-name=b,driver=raw",
        "virtio-blk-pci,drive=b,id=v",
        "mon:",
        "unix:",
        ",",
        "",
        "{",
        r#"{"type":"user","hostfwd":3}"#,
        "=",
    ]);
    let arbitrary = any::<String>();
    prop::collection::vec(
        prop_oneof![3 => option.prop_map(str::to_owned), 3 => value.prop_map(str::to_owned), 1 => arbitrary],
        0..12,
    )
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-z/:=,.]{0,12}".prop_map(Json::from)
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let key = prop::sample::select(vec![
            "devices",
            "hotplugged",
            "objects",
            "query-block",
            "query-named-block-nodes",
            "query-chardev",
            "network",
            "usernet",
            "path",
            "type",
            "properties",
            "inserted",
            "file",
            "node-name",
            "device",
            "label",
            "filename",
            "hotplugged",
            "drive",
            "addr",
            "parent_bus",
            "query-hotpluggable-cpus",
            "props",
            "qom-path",
            "defaults",
            "name",
            "default-value",
            "query-memdev",
            "id",
            "size",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((key, inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_words_and_no_reply_make_it_panic(words in any_words(), inventory in any_json(), shared in any::<bool>()) {
        let facts = Facts {
            inventory,
            machine: "m".into(),
            source_directory: Some("/s".into()),
            memory: if shared { Memory::Shared } else { Memory::Keep },
            memory_paths: [("ram".into(), "/dev/shm/x".into())].into(),
            default_ram_id: Some("ram".into()),
            ..facts()
        };
        let derived = succession(&words, &facts);
        prop_assert!(derived.args.ends_with(&["-incoming".to_owned(), "defer".to_owned()]));
        prop_assert!(rehearsal_args(&derived.args, &facts).contains(&"-S".to_owned()));
    }

    /// A successor's successor has its own paths, and nothing is lost on the way to it.
    #[test]
    fn a_successor_has_a_successor(mut words in any_words()) {
        prop_assume!(!words.iter().any(|word| word.contains("/t/")));
        // An option without its value has never started.
        words.push("-S".into());
        let first = succession(&words, &facts());
        let next = Facts { directory: "/u".into(), source_directory: Some("/t".into()), ..facts() };
        let second = succession(&first.args, &next);
        prop_assert!(!second.args.iter().any(|word| word.contains("/t/")), "{:?} of {:?}", second.args, first.args);
        prop_assert_eq!(first.args.len(), second.args.len(), "{:?} of {:?}", second.args, first.args);
    }
}
