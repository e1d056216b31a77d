//! Command lines as they are seen in the field.

use proptest::prelude::*;

use super::*;

fn words(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap()
}

fn parse(line: &str) -> Arguments {
    Arguments::parse(&words(line))
}

fn shown(line: &str) -> Vec<String> {
    parse(line)
        .as_slice()
        .iter()
        .map(|argument| format!("{}|{}", argument.name(), argument.text().unwrap_or("-")))
        .collect()
}

/// What libvirt starts, shortened in number, not in kind.
const LIBVIRT: &str = r#"-name guest=web,debug-threads=on -S
 -object '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-3-web/master-key.aes"}'
 -machine pc-q35-7.2,usb=off,vmport=off,dump-guest-core=off,memory-backend=pc.ram,hpet=off,acpi=on -accel kvm
 -cpu host,migratable=on,+vmx,-svm -m size=4194304k -overcommit mem-lock=off -smp 4,sockets=4,cores=1,threads=1
 -object '{"qom-type":"memory-backend-ram","id":"pc.ram","size":4294967296}'
 -uuid 7d5f2a52-5fa2-4c25-8e8b-2a8d5a4ecf6b -display none -no-user-config -nodefaults
 -chardev socket,id=charmonitor,fd=35,server=on,wait=off -mon chardev=charmonitor,id=monitor,mode=control
 -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay -no-shutdown -global ICH9-LPC.disable_s3=1 -boot strict=on
 -device '{"driver":"pcie-root-port","port":16,"chassis":1,"id":"pci.1","bus":"pcie.0","multifunction":true,"addr":"0x2"}'
 -blockdev '{"driver":"file","filename":"/images/web.qcow2","node-name":"libvirt-1-storage","auto-read-only":true,"discard":"unmap"}'
 -blockdev '{"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2","file":"libvirt-1-storage","backing":null}'
 -device '{"driver":"virtio-blk-pci","bus":"pci.4","addr":"0x0","drive":"libvirt-1-format","id":"virtio-disk0","bootindex":1}'
 -netdev '{"type":"tap","fds":"36:37","vhost":true,"vhostfds":"38:39","id":"hostnet0"}'
 -add-fd set=0,fd=40,opaque=serial0-log -chardev pty,id=charserial0,logfile=/dev/fdset/0,logappend=on
 -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -msg timestamp=on"#;

const PSERIES: &str = "--nographic -vga none -machine pseries -m 4G,slots=32,maxmem=32G -smp 16,maxcpus=32 \
 -device virtio-blk-pci,drive=rootdisk -drive file=/images/disk.qcow2,if=none,cache=none,format=qcow2,id=rootdisk \
 -monitor telnet:127.0.0.1:1234,server,nowait -net nic,model=virtio -net user -redir tcp:2000::22";

const MICROVM: &str = "-M microvm,x-option-roms=off,isa-serial=off,rtc=off -no-acpi -enable-kvm -cpu host -nodefaults \
 -no-user-config -nographic -no-reboot -device virtio-serial-device -chardev stdio,id=virtiocon0 \
 -device virtconsole,chardev=virtiocon0 -kernel vmlinux -append 'console=hvc0 root=/dev/vda -x' -qmp unix:qmp.sock,server";

#[test]
fn libvirt_is_read() {
    let args = parse(LIBVIRT);
    assert_eq!(args.get("name", "guest").as_deref(), Some("web"));
    assert_eq!(args.get("machine", "type").as_deref(), Some("pc-q35-7.2"));
    assert_eq!(args.get("m", "size").as_deref(), Some("4194304k"));
    assert_eq!(args.get("smp", "cpus").as_deref(), Some("4"));
    assert!(args.has("S") && args.has("nodefaults") && !args.has("nographic"));
    let devices: Vec<_> =
        args.all("device").map(|device| device.value().unwrap().get("driver").unwrap()).collect();
    assert_eq!(devices, ["pcie-root-port", "virtio-blk-pci"]);
    let root = args.all("device").next().unwrap().value().unwrap();
    assert_eq!(root.is_on("multifunction"), Some(true));
    assert_eq!(args.get("netdev", "vhostfds").as_deref(), Some("38:39"));
    assert!(args.as_slice().iter().all(|argument| matches!(argument, Argument::Option { .. })));
    assert_eq!(args.words(), words(LIBVIRT));
}

#[test]
fn an_old_command_line_is_read() {
    let args = parse(PSERIES);
    assert!(args.has("nographic"));
    assert_eq!(args.get("m", "maxmem").as_deref(), Some("32G"));
    assert_eq!(args.get("smp", "maxcpus").as_deref(), Some("32"));
    assert_eq!(args.text("redir"), Some("tcp:2000::22"));
    assert_eq!(args.text("monitor"), Some("telnet:127.0.0.1:1234,server,nowait"));
    assert_eq!(args.all("net").count(), 2);
    assert_eq!(args.words(), words(PSERIES));
}

#[test]
fn a_value_may_look_like_an_option() {
    let args = parse(MICROVM);
    assert_eq!(args.get("machine", "type").as_deref(), Some("microvm"));
    assert_eq!(args.text("append"), Some("console=hvc0 root=/dev/vda -x"));
    assert_eq!(shown("-append -x -S"), ["append|-x", "S|-"]);
    assert_eq!(args.words(), words(MICROVM));
}

#[test]
fn images_and_unknown_options_are_kept_apart() {
    assert_eq!(shown("-m 512 disk.img -S"), ["m|512", "|disk.img", "S|-"]);
    assert_eq!(
        shown("-no-such -S -no-such value -no-such"),
        ["no-such|-", "S|-", "no-such|value", "no-such|-"]
    );
    assert_eq!(shown("-S -m"), ["S|-", "m|-"]);
    assert_eq!(shown("- -- ''"), ["|-", "|"]);
}

#[test]
fn repeated_options_add_up() {
    let args = parse("-machine q35 -M accel=tcg --machine usb=off -m 1G -m 2G");
    assert_eq!(args.get("machine", "type").as_deref(), Some("q35"));
    assert_eq!(args.get("machine", "accel").as_deref(), Some("tcg"));
    assert_eq!(args.text("m"), Some("2G"));
}

#[test]
fn an_option_is_changed_in_its_place() {
    let mut args = parse("-M pc,usb=off -S --chardev socket,id=a,port=1 disk.img");
    for argument in args.list() {
        if argument.name() == "chardev" {
            let mut value = argument.value().unwrap();
            value.set("port", "2");
            *argument = argument.with(&value);
        }
    }
    args.list().retain(|argument| argument.name() != "S");
    args.list().push(Argument::new("incoming", Some("defer")));
    assert_eq!(args.words().join(" "), "-M pc,usb=off --chardev socket,id=a,port=2 disk.img -incoming defer");
}

#[test]
fn configuration_files_are_expanded_in_their_place() {
    let args = parse("-S -readconfig a.cfg -m 1G -readconfig gone.cfg");
    let read = |file: &str| (file == "a.cfg").then(|| "[machine]\n  type = \"q35\"\n".to_owned());
    let expanded = args.expanded(read).unwrap();
    assert_eq!(expanded.words().join(" "), "-S -machine type=q35 -m 1G -readconfig gone.cfg");
    let error = args.expanded(|_| Some("[machine]\nq35\n".to_owned())).unwrap_err();
    assert_eq!(error, "`-readconfig a.cfg`: line 2 is neither a group nor `key = \"value\"`: `q35`");
}

/// Words that command lines are made of, and arbitrary ones.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("-S".to_owned()),
        "-{1,2}(m|M|machine|device|append|chardev|nodefaults|no-such|readconfig)",
        "[a-z{}'\"\\\\=,.:/-]{0,12}",
        ".{0,8}",
    ]
}

proptest! {
    #[test]
    fn what_is_read_is_printed_again(words in prop::collection::vec(word(), 0..12)) {
        prop_assert_eq!(Arguments::parse(&words).words(), words);
    }

    #[test]
    fn a_list_is_printed_as_it_was_read(text in "[a-z=,.{'\"]{0,20}|.{0,12}") {
        let value = Value::parse(&text, "type");
        if matches!(value, Value::List { .. }) {
            prop_assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn what_is_set_is_read(text in "[a-z=,.]{0,20}|\\{\"a\":(1|true|\"x\"|\\{\"b\":2\\})\\}", key in "[a-m]{1,3}(\\.[a-m])?", word in "[a-z,=0-9]{0,6}") {
        let mut value = Value::parse(&text, "");
        value.set(&key, &word);
        let same = value.get(&key);
        prop_assert_eq!(same.as_deref(), Some(&*word));
        prop_assert_eq!(Value::parse(&value.to_string(), "").get(&key), same);
        value.remove(&key);
        prop_assert_eq!(value.get(&key), None);
    }

    #[test]
    fn no_configuration_file_breaks_the_parser(
        text in prop_oneof![
            "([\\[\\]a-z \"=#]|\n){0,60}",
            "(\\[(machine|chardev|device|x)( \"[a-z,=.]{0,4}\")?\\]\n|  [a-m.]{1,3} ?= ?\"[a-z,=. ]{0,6}\"\n|#.{0,3}\n){0,8}",
            ".{0,20}",
        ],
    ) {
        if let Ok(options) = readconfig::parse(&text) {
            let arguments: Arguments = options.into_iter().collect();
            prop_assert_eq!(Arguments::parse(&arguments.words()).words(), arguments.words());
        }
    }
}
