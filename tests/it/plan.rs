//! `examine` on real pairs of QEMUs: each difference is found before anything happens to the guest.

use crate::test::{Test, new, old};

/// One source, and targets that differ from it, each with what is said about it; notes are left out.
struct Group<'a> {
    from: String,
    to: String,
    /// Arguments of both ends.
    base: &'a str,
    /// Arguments of the source alone.
    source: &'a str,
    /// What the script does to the source once it runs.
    before: &'a str,
    /// Arguments of a target alone, and the findings.
    targets: &'a [(&'a str, &'a [&'a str])],
}

impl Group<'_> {
    /// Each target waits for a guest before and after, and the source is never stopped.
    fn run(&self) {
        let args: Vec<&str> = self.targets.iter().map(|(args, _)| *args).collect();
        let recipe = format!(
            r##"
            let base = {:?};
            let source = launch(#{{ name: "source", qemu: {:?}, args: `${{base}} ` + {:?} }});
            {}
            let ours = inventory(source);
            for args in {args:?} {{
                let target = launch(#{{ name: "target", qemu: {:?}, args: `${{base}} ${{args}} -incoming defer` }});
                let plan = examine(source, target, #{{ inventory: ours, vmstate: false }});
                print("# " + args);
                for found in plan.findings {{
                    if found.severity != "note" {{ print(`${{found.severity}} ${{found.subject}}: ${{found.message}}`); }}
                    assert(found.cause != "" && found.remedy != "", found);
                }}
                assert_eq(target.status(), "inmigrate");
                target.kill();
            }}
            assert_eq(source.last_event("STOP"), ());"##,
            self.base, self.from, self.source, self.before, self.to,
        );
        let lines: Vec<String> = self
            .targets
            .iter()
            .flat_map(|(args, found)| {
                std::iter::once(format!("# {args}")).chain(found.iter().map(|line| (*line).to_owned()))
            })
            .collect();
        let disk = "\0".repeat(1 << 20);
        Test::new().file("a.img", &disk).file("b.img", &disk).recipe(&recipe).stdout(&lines.join("\n")).run();
    }
}

#[test]
fn other_machines() {
    Group {
        from: new(),
        to: new(),
        base: "-nodefaults -m 64",
        source: "-machine pc-q35-7.2",
        before: "",
        targets: &[
            ("-machine pc-q35-8.0", &["blocks machine: the machine is `pc-q35-7.2` at the source and `pc-q35-8.0` at the target"]),
            ("-machine q35", &["blocks machine: the machine is `pc-q35-7.2` at the source and `pc-q35-10.0` at the target"]),
            ("-machine pc-i440fx-7.2", &["blocks machine: the machine is `pc-q35-7.2` at the source and `pc-i440fx-7.2` at the target"]),
            ("-machine pc-q35-7.2,hpet=off", &["blocks machine: `hpet` of the machine is `on` at the source and `off` at the target", "blocks device hpet: the target lacks `hpet`"]),
            ("-machine pc-q35-7.2,vmport=off", &["blocks machine: `vmport` of the machine is `on` at the source and `off` at the target", "blocks device vmmouse: the target lacks `vmmouse,bus=isa.0`", "blocks device vmport: the target lacks `vmport,bus=isa.0`"]),
            ("-machine pc-q35-7.2,smm=off", &["blocks machine: `smm` of the machine is `auto` at the source and `off` at the target", "blocks device q35-pcihost: `smm-ranges` is `on` at the source and `off` at the target", "blocks device ICH9-LPC: `smm-enabled` is `on` at the source and `off` at the target"]),
            ("-machine pc-q35-7.2,sata=off", &["blocks machine: `sata` of the machine is `on` at the source and `off` at the target", "blocks device ich9-ahci: the target lacks `ich9-ahci,bus=pcie.0,addr=1f.2`"]),
            ("-machine pc-q35-7.2 -uuid 00000000-0000-0000-0000-000000000001", &["blocks uuid: the UUID is 00000000-0000-0000-0000-000000000000 at the source and 00000000-0000-0000-0000-000000000001 at the target"]),
            ("-machine pc-q35-7.2 -global ICH9-LPC.noreboot=off", &["blocks device ICH9-LPC: `noreboot` is `on` at the source and `off` at the target"]),
            ("-machine pc-q35-7.2 -global q35-pcihost.pci-hole64-size=1G", &["blocks device q35-pcihost: `pci-hole64-size` is `34359738368` at the source and `1073741824` at the target"]),
            ("-machine pc-q35-7.2 -device intel-iommu", &["blocks device intel-iommu: the target has `intel-iommu`, which the source has not"]),
        ],
    }
    .run();
}

#[test]
fn other_memory() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -smp 2",
        source: "-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128,slots=2,maxmem=1G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1",
        before: "",
        targets: &[
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128,slots=4,maxmem=1G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1", &["blocks memory: memory slots: 2 at the source and 4 at the target"]),
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128,slots=2,maxmem=2G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1", &["blocks memory: memory can grow to 1G at the source and 2G at the target"]),
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128 -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1", &["blocks memory: memory slots: 2 at the source and 0 at the target", "blocks memory: memory can grow to 1G at the source and 128M at the target"]),
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128,slots=2,maxmem=1G -numa node,cpus=0-1,memdev=m0 -numa node,memdev=m1", &["risk memory: the NUMA nodes differ: `node 0 cpus: 0` at the source, not so at the target"]),
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=m1,size=64M -m 128,slots=2,maxmem=1G -numa node,cpus=0,memdev=m1 -numa node,cpus=1,memdev=m0", &["blocks memory: node 0 is backed by `m0` at the source and by `m1` at the target", "blocks memory: node 1 is backed by `m1` at the source and by `m0` at the target"]),
            ("-object memory-backend-ram,id=m0,size=32M -object memory-backend-ram,id=m1,size=96M -m 128,slots=2,maxmem=1G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1", &["blocks memory: memory block `m0` has 64M at the source and 32M at the target", "blocks memory: memory block `m1` has 64M at the source and 96M at the target"]),
            ("-object memory-backend-ram,id=m0,size=128M -object memory-backend-ram,id=m1,size=128M -m 256,slots=2,maxmem=1G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=m1", &["blocks memory: the guest has memory of 128M at the source and 256M at the target"]),
            ("-object memory-backend-ram,id=m0,size=64M -object memory-backend-ram,id=other,size=64M -m 128,slots=2,maxmem=1G -numa node,cpus=0,memdev=m0 -numa node,cpus=1,memdev=other", &["blocks memory: the target has no memory block `m1` (64M)"]),
        ],
    }
    .run();
}

#[test]
fn other_processors() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-smp 2,maxcpus=4,sockets=2,cores=2 -cpu Nehalem",
        before: "",
        targets: &[
            ("-smp 4,sockets=2,cores=2 -cpu Nehalem", &["blocks cpu: the target has 2 processors that the source has not, such as core-id=0,socket-id=1,thread-id=0"]),
            ("-smp 2 -cpu Nehalem", &["blocks cpu: `maxcpus` is 4 at the source and 2 at the target, `sockets` is 2 at the source and 1 at the target"]),
            ("-smp 2,maxcpus=8,sockets=4,cores=2 -cpu Nehalem", &["blocks cpu: `maxcpus` is 4 at the source and 8 at the target, `sockets` is 2 at the source and 4 at the target"]),
            ("-smp 2,maxcpus=4,sockets=1,cores=4 -cpu Nehalem", &["blocks cpu: `sockets` is 2 at the source and 1 at the target, `cores` is 2 at the source and 4 at the target"]),
            ("-smp 2,maxcpus=4,sockets=1,cores=2,threads=2 -cpu Nehalem", &["blocks cpu: `sockets` is 2 at the source and 1 at the target, `threads` is 1 at the source and 2 at the target"]),
            ("-smp 2,maxcpus=4,sockets=2,cores=2 -cpu qemu64", &["blocks cpu: the processor is `Nehalem` at the source and `qemu64` at the target"]),
            ("-smp 2,maxcpus=4,sockets=2,cores=2 -cpu max", &["blocks cpu: the processor is `Nehalem` at the source and `max` at the target"]),
            ("-smp 2,maxcpus=4,sockets=2,cores=2 -cpu Nehalem,popcnt=off", &["blocks cpu: the target's processor lacks `popcnt`"]),
            ("-smp 2,maxcpus=4,sockets=2,cores=2 -cpu Nehalem,aes=on", &["risk cpu: the target's processor has `aes` besides"]),
            ("-smp 2,maxcpus=4,sockets=2,cores=2 -cpu Nehalem,model=5", &["blocks cpu: `model` of the processor is `26` at the source and `5` at the target"]),
        ],
    }
    .run();
}

#[test]
fn other_devices() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4",
        before: "",
        targets: &[
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01", &["blocks device r0: the target lacks `virtio-rng-pci,id=r0,bus=pcie.0,addr=04.0`"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4 -device virtio-balloon-pci,addr=6", &["blocks device virtio-balloon-pci: the target has `virtio-balloon-pci,bus=pcie.0,addr=06.0`, which the source has not"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4 -device i6300esb,id=dog,addr=6", &["blocks device dog: the target has `i6300esb,id=dog,bus=pcie.0,addr=06.0`, which the source has not"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=5", &["blocks device r0: it is `virtio-rng-pci,id=r0,bus=pcie.0,addr=04.0` at the source and `virtio-rng-pci,id=r0,bus=pcie.0,addr=05.0` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device pcie-root-port,id=p0,addr=5,chassis=1 -device virtio-rng-pci,id=r0,bus=p0", &["blocks device r0: it is `virtio-rng-pci,id=r0,bus=pcie.0,addr=04.0` at the source and `virtio-rng-pci,id=r0,bus=p0,addr=00.0` at the target", "blocks device p0: the target has `pcie-root-port,id=p0,bus=pcie.0,addr=05.0,port=0,slot=0`, which the source has not"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=other,addr=4", &[]),
            ("-device e1000e,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: it is a `virtio-net-pci` at the source and a `e1000e` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:02 -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `mac` is `52:54:00:00:00:01` at the source and `52:54:00:00:00:02` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,rx_queue_size=512 -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `rx_queue_size` is `256` at the source and `512` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,mq=on -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `mq` is `off` at the source and `on` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,vectors=8 -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `vectors` is `4` at the source and `8` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,csum=off -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `csum` is `on` at the source and `off` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,romfile= -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `romsize` is `262144` at the source and `-1` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,romsize=524288 -device virtio-rng-pci,id=r0,addr=4", &["blocks memory: memory block `0000:00:03.0/virtio-net-pci.rom` has 256K at the source and 512K at the target", "blocks device n0: `romsize` is `262144` at the source and `524288` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,disable-legacy=on -device virtio-rng-pci,id=r0,addr=4", &["blocks device n0: `disable-legacy` is `off` at the source and `on` at the target"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01,x-txburst=128 -device virtio-rng-pci,id=r0,addr=4", &[]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4 -serial null -serial null", &["blocks device isa-serial: the target has `isa-serial,bus=isa.0,iobase=760,index=1`, which the source has not"]),
            ("-device virtio-net-pci,id=n0,addr=3,mac=52:54:00:00:00:01 -device virtio-rng-pci,id=r0,addr=4 -vga std", &["blocks device VGA: the target has `VGA,bus=pcie.0,addr=01.0`, which the source has not"]),
        ],
    }
    .run();
}

#[test]
fn other_disks() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-drive if=none,id=d0,format=raw,file=a.img -device virtio-blk-pci,id=b0,drive=d0,addr=5",
        before: "",
        targets: &[
            ("-drive if=none,id=d0,format=raw,file=b.img -device virtio-blk-pci,id=b0,drive=d0,addr=5", &["blocks disk d0: it is `a.img` at the source and `b.img` at the target"]),
            ("-drive if=none,id=other,format=raw,file=b.img -device virtio-blk-pci,id=b0,drive=other,addr=5", &["blocks disk d0: it is `a.img` at the source and `b.img` at the target"]),
            ("-blockdev raw,node-name=n,file.driver=file,file.filename=b.img -device virtio-blk-pci,id=b0,drive=n,addr=5", &["blocks disk d0: it is `a.img` at the source and `b.img` at the target"]),
            ("-drive if=none,id=d0,format=raw,file=./a.img -device virtio-blk-pci,id=b0,drive=d0,addr=5", &[]),
            ("-drive if=none,id=d0,format=raw,file=a.img,readonly=on -device virtio-blk-pci,id=b0,drive=d0,addr=5", &["blocks disk d0: read-only is `off` at the source and `on` at the target"]),
            ("-drive if=none,id=d0,format=raw,file=a.img,snapshot=on -device virtio-blk-pci,id=b0,drive=d0,addr=5", &["blocks disk d0: it is `a.img` at the source and `json:[..]` at the target"]),
            ("-drive if=none,id=d0,format=raw,file=a.img,cache=unsafe,aio=threads -device virtio-blk-pci,id=b0,drive=d0,addr=5", &[]),
            ("-drive if=none,id=d0,format=raw,file=a.img -device virtio-blk-pci,id=b0,drive=d0,addr=5,num-queues=2", &["blocks device b0: `num-queues` is `1` at the source and `2` at the target", "blocks device b0: `vectors` is `2` at the source and `3` at the target"]),
            ("-drive if=none,id=d0,format=raw,file=a.img -device virtio-blk-pci,id=b0,drive=d0,addr=5,serial=other", &["blocks device b0: `serial` is `` at the source and `other` at the target"]),
            ("-drive if=none,id=d0,format=raw,file=a.img -device ide-hd,id=b0,drive=d0", &["blocks device b0: it is a `virtio-blk-pci` at the source and a `ide-hd` at the target"]),
        ],
    }
    .run();
}

#[test]
fn an_image_without_a_lock() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-drive if=none,id=d0,format=raw,file=a.img,file.locking=off -device virtio-blk-pci,id=b0,drive=d0",
        before: "",
        targets: &[
            ("-drive if=none,id=d0,format=raw,file=a.img,file.locking=off -device virtio-blk-pci,id=b0,drive=d0", &["risk disk d0: its image is opened without a lock: `-drive if=none,id=d0,format=raw,file=a.img,file.locking=off`"]),
        ],
    }
    .run();
}

#[test]
fn what_was_plugged_in() {
    Group {
        from: new(),
        to: new(),
        base: "",
        source: "-machine pc-i440fx-7.2 -nodefaults -m 128,slots=2,maxmem=1G -smp 1,maxcpus=2",
        before: r#"source.qmp("device_add", #{ driver: "virtio-rng-pci", id: "r1", addr: "0x7" });
                source.qmp("object-add", #{ "qom-type": "memory-backend-ram", id: "more", size: 134217728 });
                source.qmp("device_add", #{ driver: "pc-dimm", id: "dimm", memdev: "more" });
                source.qmp("device_add", #{ driver: "qemu64-x86_64-cpu", id: "cpu1", "socket-id": 0, "core-id": 1, "thread-id": 0 });"#,
        targets: &[
            ("-machine pc-i440fx-7.2 -nodefaults -m 128,slots=2,maxmem=1G -smp 1,maxcpus=2", &["blocks cpu: the target lacks 1 of the source's processors, such as core-id=1,socket-id=0,thread-id=0", "blocks memory: the target has no memory block `more` (128M)", "blocks device r1: the target lacks `virtio-rng-pci,id=r1,bus=pci.0,addr=07.0`", "blocks device dimm: the target lacks `pc-dimm,id=dimm,addr=4294967296,slot=0`"]),
            ("-machine pc-i440fx-7.2 -nodefaults -m 128,slots=2,maxmem=1G -smp 1,maxcpus=2 -device virtio-rng-pci,id=r1,addr=7 -object memory-backend-ram,id=more,size=128M -device pc-dimm,id=dimm,memdev=more -device qemu64-x86_64-cpu,id=cpu1,socket-id=0,core-id=1,thread-id=0", &[]),
            ("-machine pc-i440fx-7.2 -nodefaults -m 128,slots=2,maxmem=1G -smp 1,maxcpus=2 -device virtio-rng-pci,id=r1,addr=7 -object memory-backend-ram,id=more,size=256M -device pc-dimm,id=dimm,memdev=more -device qemu64-x86_64-cpu,id=cpu1,socket-id=0,core-id=1,thread-id=0", &["blocks memory: memory block `more` has 128M at the source and 256M at the target", "blocks device dimm: `size` is `134217728` at the source and `268435456` at the target"]),
        ],
    }
    .run();
}

#[test]
fn what_was_told_while_it_ran() {
    let args = "-drive if=none,id=d0,format=raw,file=a.img -device virtio-blk-pci,id=b0,drive=d0";
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: args,
        before: r#"source.qmp("block-dirty-bitmap-add", #{ node: "d0", name: "backup" });
                source.qmp("block_set_io_throttle", #{ device: "d0", bps: 0, bps_rd: 0, bps_wr: 0, iops: 9, iops_rd: 0, iops_wr: 0 });
                source.qmp("object-add", #{ "qom-type": "secret", id: "secret", data: "x" });
                source.qmp("chardev-add", #{ id: "extra", backend: #{ type: "null", data: #{} } });"#,
        targets: &[(args, &["risk disk d0: its limit `iops` is 9 at the source and 0 at the target", "risk bitmap backup: it is in the memory of the source, on node `#block[..]`", "risk object secret: the target has no such `secret`", "risk chardev extra: the target has no such character device"])],
    }
    .run();
}

#[test]
fn what_was_unplugged() {
    Group {
        from: old(),
        to: new(),
        base: "",
        source: "-machine pc-i440fx-7.2 -nodefaults -m 64 -device piix3-usb-uhci,id=usb -device usb-tablet,id=tablet",
        before: r#"source.qmp("device_del", #{ id: "tablet" });"#,
        targets: &[
            ("-machine pc-i440fx-7.2 -nodefaults -m 64 -device piix3-usb-uhci,id=usb -device usb-tablet,id=tablet", &["blocks device tablet: the target has `usb-tablet,id=tablet,bus=usb.0,port=1`, which the source has not"]),
            ("-machine pc-i440fx-7.2 -nodefaults -m 64 -device piix3-usb-uhci,id=usb", &[]),
        ],
    }
    .run();
}

#[test]
fn a_capability_on_one_side() {
    Group {
        from: new(),
        to: old(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "",
        before: r#"source.qmp("migrate-set-capabilities", #{ capabilities: [#{ capability: "multifd", state: true }, #{ capability: "switchover-ack", state: true }, #{ capability: "return-path", state: true }] });"#,
        targets: &[
            ("", &["blocks capability switchover-ack: `switchover-ack` is on at the source, and the target (QEMU 7.2.22) does not know it", "risk capability multifd: `multifd` is on at the source and off at the target"]),
        ],
    }
    .run();
}

#[test]
fn a_device_that_blocks() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-drive if=none,id=d0,format=raw,file=a.img -device nvme,id=disk,drive=d0,serial=1,addr=5",
        before: "",
        targets: &[(
            "-drive if=none,id=d0,format=raw,file=a.img -device nvme,id=disk,drive=d0,serial=1,addr=5",
            &["blocks migration: QEMU says: non-migratable device: 0000:00:05.0/nvme"],
        )],
    }
    .run();
}

#[test]
fn sockets_and_files_that_both_have() {
    Group {
        from: new(),
        to: new(),
        base: "-machine pc-q35-7.2 -nodefaults -m 64",
        source: "-chardev socket,id=agent,path=agent.sock,server=on,wait=off -serial file:out.log",
        before: "",
        targets: &[
            (
                "-chardev socket,id=agent,path=agent.sock,server=on,wait=off -serial file:out.log",
                &[
                    "risk socket agent.sock: both ends listen at it",
                    "risk file out.log: both ends write to it",
                ],
            ),
            ("-chardev socket,id=agent,path=other.sock,server=on,wait=off -serial file:other.log", &[]),
        ],
    }
    .run();
}
