//! QEMU's options: which take a value, and what the first word of a value stands for.
//!
//! Pure: tables, checked against the programs of 7.2 and 10.0; what only 5.2 or 11.1 has is not.

/// Options without a value.
const FLAGS: &[&str] = &[
    "S",
    "alt-grab",
    "async-teardown",
    "audio-help",
    "ctrl-grab",
    "curses",
    "daemonize",
    "enable-fips",
    "enable-hax",
    "enable-kvm",
    "enable-sync-profile",
    "full-screen",
    "h",
    "help",
    "jitdump",
    "localtime",
    "mem-prealloc",
    "no-acpi",
    "no-fd-bootchk",
    "no-frame",
    "no-hpet",
    "no-kvm",
    "no-kvm-irqchip",
    "no-quit",
    "no-reboot",
    "no-shutdown",
    "no-user-config",
    "nodefaults",
    "nodefconfig",
    "nographic",
    "old-param",
    "only-migratable",
    "perfmap",
    "portrait",
    "preconfig",
    "s",
    "sdl",
    "semihosting",
    "show-cursor",
    "singlestep",
    "snapshot",
    "tdf",
    "usb",
    "version",
    "virtfs_synth",
    "win2k-hack",
    "xen-attach",
    "xen-domid-restrict",
];

/// Options whose value is plain text.
const TEXTS: &[&str] = &[
    "D",
    "L",
    "append",
    "balloon",
    "bios",
    "bootp",
    "cdrom",
    "chroot",
    "clock",
    "d",
    "debugcon",
    "dfilter",
    "dtb",
    "dump-vmstate",
    "echr",
    "fda",
    "fdb",
    "g",
    "gdb",
    "hda",
    "hdb",
    "hdc",
    "hdd",
    "incoming",
    "initrd",
    "k",
    "kernel",
    "loadvm",
    "mem-path",
    "monitor",
    "mtdblock",
    "parallel",
    "pflash",
    "pidfile",
    "prom-env",
    "qmp",
    "qmp-pretty",
    "qtest",
    "qtest-log",
    "readconfig",
    "redir",
    "rotate",
    "runas",
    "sd",
    "seed",
    "serial",
    "set",
    "shim",
    "smb",
    "soundhw",
    "startdate",
    "tb-size",
    "tftp",
    "usbdevice",
    "uuid",
    "vga",
    "virtioconsole",
    "watchdog",
    "watchdog-action",
    "writeconfig",
    "xen-domid",
];

/// Options whose value is a list, `key=value,…`, with the key that a first item without `=` stands for.
const LISTS: &[(&str, &str)] = &[
    ("M", "type"),
    ("accel", "accel"),
    ("acpitable", ""),
    ("action", ""),
    ("add-fd", ""),
    ("audio", "driver"),
    ("audiodev", "driver"),
    ("blockdev", "driver"),
    ("boot", "order"),
    ("chardev", "backend"),
    ("compat", ""),
    ("cpu", "model"),
    ("device", "driver"),
    ("display", "type"),
    ("drive", ""),
    ("fsdev", "fsdriver"),
    ("fw_cfg", "name"),
    ("global", "driver"),
    ("icount", "shift"),
    ("iscsi", ""),
    ("m", "size"),
    ("machine", "type"),
    ("mon", "chardev"),
    ("msg", ""),
    ("name", "guest"),
    ("net", "type"),
    ("netdev", "type"),
    ("nic", "type"),
    ("numa", "type"),
    ("object", "qom-type"),
    ("option-rom", "romfile"),
    ("overcommit", ""),
    ("plugin", "file"),
    ("realtime", ""),
    ("rtc", "base"),
    ("run-with", ""),
    ("sandbox", "enable"),
    ("semihosting-config", "enable"),
    ("smbios", ""),
    ("smp", "cpus"),
    ("spice", ""),
    ("tpmdev", "type"),
    ("trace", "enable"),
    ("virtfs", "fsdriver"),
    ("vnc", "vnc"),
];

/// Groups of a `-readconfig` file that are not called like their option.
const GROUPS: &[(&str, &str)] =
    &[("acpi", "acpitable"), ("boot-opts", "boot"), ("memory", "m"), ("smp-opts", "smp")];

/// Whether an option takes the next word as its value; `None` for an option that no QEMU known here has.
#[must_use]
pub fn takes_value(name: &str) -> Option<bool> {
    if FLAGS.contains(&name) {
        Some(false)
    } else {
        (TEXTS.contains(&name) || implied_key(name).is_some()).then_some(true)
    }
}

/// For an option whose value is a list: the key of a first item without `=`, or "" if there is none.
#[must_use]
pub fn implied_key(name: &str) -> Option<&'static str> {
    LISTS.iter().find(|(option, _)| *option == name).map(|(_, key)| *key)
}

/// The option that a group of a `-readconfig` file stands for.
#[must_use]
pub fn of_group(group: &str) -> &str {
    GROUPS.iter().find(|(name, _)| *name == group).map_or(group, |(_, option)| option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_is_in_two_tables() {
        let lists = LISTS.iter().map(|(name, _)| *name);
        let mut names: Vec<&str> = FLAGS.iter().chain(TEXTS).copied().chain(lists).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn options_are_known_by_their_name() {
        assert_eq!(takes_value("nographic"), Some(false));
        assert_eq!(takes_value("kernel"), Some(true));
        assert_eq!(takes_value("device"), Some(true));
        assert_eq!(takes_value("no-such"), None);
        assert_eq!(implied_key("object"), Some("qom-type"));
        assert_eq!(implied_key("drive"), Some(""));
        assert_eq!(implied_key("kernel"), None);
        assert_eq!(of_group("memory"), "m");
        assert_eq!(of_group("chardev"), "chardev");
    }
}
