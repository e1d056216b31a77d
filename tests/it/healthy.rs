//! `examine` where nothing is wrong, and where something is that no comparison of options shows.

use crate::test::{Test, lab, new, old};

/// Most of what a PC can have.
const DEVICES: &str = "-device virtio-net-pci,id=n0 -device virtio-rng-pci -device virtio-scsi-pci,id=s \
    -drive if=none,file=/dev/null,format=raw,id=d0 -device virtio-blk-pci,id=b0,drive=d0,share-rw=on \
    -drive if=none,id=d1,file=/dev/zero,format=raw,readonly=on -device scsi-cd,drive=d1,bus=s.0 \
    -device virtio-serial -device virtio-balloon -device qemu-xhci,id=x -device usb-tablet,bus=x.0 -device e1000 \
    -device rtl8139 -device i6300esb -device pci-bridge,chassis_nr=1,id=br -device virtio-gpu-pci \
    -device ich9-intel-hda -device virtio-keyboard-pci -device pvpanic -device vmcoreinfo";

const Q35: &str = "-machine pc-q35-7.2 -m 64 -smp 2 -device pcie-root-port,id=rp,chassis=7 \
    -device virtio-net-pci,bus=rp -device intel-iommu";

const NODES: &str = "-machine pc-q35-6.2 -m 64,slots=2,maxmem=1G -smp 2,maxcpus=4 -cpu Nehalem \
    -object memory-backend-ram,id=m,size=64M -numa node,memdev=m";

/// Both ends get the same options; the source's firmware has run by the time it is looked at.
fn is_healthy(from: &str, to: &str, args: &str) {
    let recipe = format!(
        r#"
        let source = launch(#{{ name: "source", qemu: {from:?}, args: {args:?} }});
        let target = launch(#{{ name: "target", qemu: {to:?}, args: {args:?} + " -incoming defer" }});
        if {args:?}.contains("vmlinuz") {{ source.wait_for_output("memory ok", 60.s); }}
        let plan = examine(source, target);
        for found in plan.findings {{
            if found.severity != "note" {{ print(found); }}
        }}
        assert_eq(plan.mode, "postcopy");
        assert_eq(source.last_event("STOP"), ());
        assert_eq(target.status(), "inmigrate");"#
    );
    Test::new().recipe(&recipe).run();
}

macro_rules! healthy {
    ($($name:ident: $from:expr, $to:expr, $args:expr;)*) => {
        $(#[test]
        fn $name() {
            is_healthy(&$from, &$to, &$args);
        })*
    };
}

healthy! {
    pc_to_newer: old(), new(), format!("-machine pc-i440fx-7.2 -m 64 {DEVICES}");
    pc_to_older: new(), old(), format!("-machine pc-i440fx-7.2 -m 64 {DEVICES}");
    pc_within_old: old(), old(), format!("-m 64 {DEVICES}");
    pc_within_new: new(), new(), format!("-m 64 {DEVICES}");
    q35_to_newer: old(), new(), format!("{Q35} {DEVICES}");
    q35_to_older: new(), old(), format!("{Q35} {DEVICES}");
    q35_within_new: new(), new(), format!("{Q35} {DEVICES}");
    nodes_to_newer: old(), new(), NODES;
    nodes_to_older: new(), old(), NODES;
    pseries_within_old: ppc64("7.2"), ppc64("7.2"), PSERIES;
    pseries_within_new: ppc64("10.0"), ppc64("10.0"), PSERIES;
    microvm_within_new: new(), new(), "-machine microvm -m 64";
    linux_to_newer: old(), new(), linux();
}

const PSERIES: &str = "-machine pseries -nodefaults -m 512,slots=4,maxmem=4G -smp 2,maxcpus=4 \
    -device virtio-net-pci,id=n0 -device spapr-vscsi -device virtio-rng-pci";

fn ppc64(version: &str) -> String {
    lab(&format!("bin/qemu-{version}-system-ppc64"))
}

fn linux() -> String {
    let (kernel, initrd) = (lab("linux/vmlinuz"), lab("linux/initramfs"));
    format!(
        "-machine pc-q35-7.2 -m 256 -kernel {kernel} -initrd {initrd} -append 'console=ttyS0 quiet idle mib=16' {DEVICES}"
    )
}

#[test]
fn pseries_to_a_version_that_has_another_machine_of_that_name() {
    let args = "-machine pseries-7.2 -nodefaults -m 512";
    let recipe = format!(
        r#"
        let source = launch(#{{ name: "source", qemu: {:?}, args: {args:?} }});
        let target = launch(#{{ name: "target", qemu: {:?}, args: {args:?} + " -incoming defer" }});
        print(findings_table(examine(source, target)));"#,
        ppc64("7.2"),
        ppc64("10.0"),
    );
    Test::new()
        .recipe(&recipe)
        .stdout(
            "\
blocks  machine       `cap-sbbc` of the machine is `workaround` at the source and `broken` at the target
                      cause: the guest started on another machine; the target refuses its state, or takes it
                        and the guest finds other hardware
                      hint: start the target with `-machine pseries-7.2,cap-sbbc=workaround`
blocks  cpu           the processor is `power9_v2.0` at the source and `power9_v2.2` at the target
                      cause: QEMU may say that all is well, and the guest crash on the first instruction that
                        it misses
                      hint: start the target with `-cpu power9_v2.0`
mode    postcopy      it ends however busy the guest is, and what the guest waits for overtakes the rest; not
                      `shared`: memory backend `ppc_spapr.ram` is private at the source
not     cpr-exec      the source is QEMU 7.2.[..], and it begins with 10.2
not     cpr-transfer  the source is QEMU 7.2.[..], and it begins with 10.0
not     shared        memory backend `ppc_spapr.ram` is private at the source

",
        )
        .run();
}

#[test]
fn the_mode_follows_from_the_memory() {
    let recipe = format!(
        r#"
        fn mode_of(from, to, ours, theirs) {{
            let source = launch(#{{ name: "source", qemu: from, guest: "heartbeat", args: ours }});
            let target = launch(#{{ name: "target", qemu: to, guest: "heartbeat", args: theirs + " -incoming defer" }});
            let plan = examine(source, target, #{{ vmstate: false }});
            let found = plan.findings.filter(|found| found.severity != "note").map(|found| found.message);
            print(`${{plan.mode}} ${{plan.modes["shared"].why}} ${{found}}`);
            source.kill();
            target.kill();
        }}
        let older = {:?};
        let newer = {:?};
        let pc = "-machine pc-i440fx-7.2 ";
        let ours = pc + shared_memory(64.MiB);
        let other = pc + shared_memory(64.MiB);
        let alone = pc + "-m 64";
        mode_of(older, newer, ours, ours);
        mode_of(newer, newer, ours, ours);
        mode_of(newer, newer, ours, other);
        mode_of(newer, newer, alone, alone);
        mode_of(older, newer, alone, pc + "-m 64 -object memory-backend-memfd,id=pc.ram,size=64M,share=on,x-use-canonical-path-for-ramblock-id=off -machine memory-backend=pc.ram");
        let source = launch(#{{ name: "source", qemu: older, guest: "heartbeat", args: alone }});
        source.stop();
        let target = launch(#{{ name: "target", qemu: newer, guest: "heartbeat", args: alone + " -incoming defer" }});
        let plan = examine(source, target, #{{ vmstate: false }});
        print(`${{plan.mode}} ${{plan.findings.map(|found| found.message)}}`);"#,
        old(),
        new(),
    );
    Test::new()
        .recipe(&recipe)
        .stdout(
            r#"shared  []
shared  []
postcopy memory backend `ram` of the target is not the source's memory []
postcopy memory backend `pc.ram` is private at the source []
postcopy memory backend `pc.ram` is private at the source []
precopy ["a precopy from QEMU 7.2.[..] under TCG"]"#,
        )
        .run();
}

#[test]
fn a_human_monitor_says_enough_about_devices() {
    let recipe = format!(
        r#"
        let args = "-machine pc-q35-7.2 -nodefaults -m 64 -device virtio-net-pci,id=n0,addr=3";
        let source = launch(#{{ name: "source", qemu: {:?}, args: args, monitor: "unix:human" }});
        let healthy = launch(#{{ name: "healthy", qemu: {:?}, args: args + " -incoming defer" }});
        let other = launch(#{{ name: "other", qemu: {:?}, args: args + ",mq=on -device virtio-rng-pci -incoming defer" }});
        for target in [healthy, other] {{
            for found in examine(source, target).findings {{ print(`${{found.severity}} ${{found.subject}}: ${{found.message}}`); }}
        }}"#,
        old(),
        new(),
        new(),
    );
    Test::new()
        .recipe(&recipe)
        .stdout(
            "note monitor: the source has only a human monitor
blocks device n0: `mq` is `off` at the source and `on` at the target
blocks device virtio-rng-pci: the target has `virtio-rng-pci,bus=pcie.0,addr=01.0`, which the source has not
note monitor: the source has only a human monitor",
        )
        .run();
}

#[test]
fn a_target_that_does_not_start_is_a_finding() {
    let recipe = format!(
        r#"
        let old = {:?};
        let taken = launch(#{{ qemu: old, args: "-S -pidfile taken.pid" }});
        for args in ["-machine pc-q35-8.0", "-pidfile taken.pid", "-device fly", "-m 64,slots=300,maxmem=1G"] {{
            try {{
                launch(#{{ name: "target", qemu: old, args: args + " -incoming defer" }});
            }} catch (error) {{
                let found = plan_without_target(error).findings[0];
                print(`${{found.severity}} ${{found.subject}}: ${{found.message}}`);
                assert(found.cause != "", found);
            }}
        }}"#,
        old(),
    );
    Test::new().recipe(&recipe).stdout(
            "blocks target: the target does not start: unsupported machine type
blocks target: the target does not start: cannot create PID file: Cannot lock pid file: Resource temporarily unavailable
blocks target: the target does not start: -device fly: 'fly' is not a valid device model name
blocks target: the target does not start: unsupported amount of memory slots: 300",
        ).run();
}

#[test]
fn a_guest_that_is_elsewhere_or_on_its_way() {
    let recipe = r#"
        let source = launch(#{ name: "source", guest: "heartbeat" });
        let target = launch(#{ name: "target", guest: "heartbeat" });
        let next = launch(#{ name: "next", guest: "heartbeat", args: "-incoming defer" });
        let said = |plan| plan.findings.map(|found| `${found.severity} ${found.subject}: ${found.message}`);
        print(said.call(examine(source, target)));
        print(said.call(examine(next, target)));
        migrate(source, next, #{ keep_source: true });
        let last = launch(#{ name: "last", guest: "heartbeat", args: "-incoming defer" });
        print(said.call(examine(source, last)));"#;
    Test::new()
        .recipe(recipe)
        .stdout(
            r#"["blocks target: the target is `running`, it does not wait for a guest"]
["blocks guest: the guest is `inmigrate` at the source", "blocks target: the target is `running`, it does not wait for a guest"]
["blocks guest: the guest is `postmigrate` at the source"]"#,
        )
        .run();
}

#[test]
fn the_memory_of_a_device_may_be_more_than_the_guests() {
    let recipe = format!(
        r#"
        fn judge(from, to, memory, device) {{
            run("rm", ["-f", "main", "other"]);
            let file = "-object memory-backend-file,id=other,size=64M,mem-path=other,share=on -device ";
            let args = "-nodefaults -machine pc-q35-7.2,nvdimm=on -m 128,slots=2,maxmem=1G " + memory + file + device;
            let source = launch(#{{ name: "source", qemu: from, guest: "heartbeat", args: args }});
            run("sh", ["-c", "printf kept | dd of=other conv=notrunc status=none"]);
            let plan = plan(source, #{{ qemu: to }});
            let proof = rehearse(source, #{{ qemu: to }});
            let mode = if plan.mode == "shared" {{ "shared" }} else {{ "other" }};
            print(`${{mode}} ${{plan.modes.precopy.why}} (${{proof.how}}, ${{run("head", ["-c", "4", "other"]).stdout}})`);
            source.kill();
        }}
        let older = {:?};
        let newer = {:?};
        let alone = "";
        let mapped = "-object memory-backend-file,id=main,size=128M,mem-path=main,share=on -machine memory-backend=main ";
        judge(older, newer, alone, "ivshmem-plain,memdev=other,master=on");
        judge(newer, newer, mapped, "nvdimm,memdev=other");
        judge(older, newer, alone, "virtio-pmem-pci,memdev=other");
        judge(newer, newer, mapped, "virtio-mem-pci,memdev=other");
        judge(older, older, mapped, "virtio-mem-pci,memdev=other");"#,
        old(),
        new(),
    );
    let both = "both ends map the same memory";
    let fresh = "and what arrives would overwrite what the guest has written since";
    let file = format!("other {both} (`other`), {fresh} (copy, kept)");
    let all = format!("shared {both} (`main`), {fresh} (view, kept)");
    let rest =
        format!("other  (copy, kept)\nshared {both} (`main`), {fresh} (copy, kept)\nother  (copy, kept)");
    Test::new().recipe(&recipe).stdout(&format!("{file}\n{all}\n{rest}")).run();
}

#[test]
fn memory_that_is_not_found_cannot_be_rehearsed_beside_the_guest() {
    let recipe = format!(
        r#"
        for kinds in [["memfd", "memfd"], ["memfd", "ram"]] {{
            let args = "-nodefaults -machine pc-q35-7.2 -m 128 -smp 2";
            for at in 0..2 {{
                args += ` -object memory-backend-${{kinds[at]}},id=m${{at}},size=64M -numa node,cpus=${{at}},memdev=m${{at}}`;
            }}
            let source = launch(#{{ name: "source", qemu: {:?}, guest: "heartbeat", args: args }});
            let found = plan(source, #{{ qemu: {:?} }}).findings.filter(|found| found.subject == "rehearsal");
            print(found.map(|found| found.message));
            source.kill();
        }}"#,
        old(),
        old(),
    );
    let message = "it is not possible beside the running guest: which memory is that of `m0` is not certain";
    Test::new().recipe(&recipe).stdout(&format!("[\"{message}\"]\n[]")).run();
}
