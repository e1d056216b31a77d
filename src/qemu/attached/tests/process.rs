//! What a process is, and what is known of it.

use std::os::fd::{IntoRawFd, OwnedFd};

use rustix::process::geteuid;

use super::*;

#[test]
fn everything_is_known_of_ones_own_process() {
    let mut command = Command::new(binary());
    let qemu =
        Qemu::spawn(command.args(BARE).args(["-name", "two\nlines,debug-threads=on"]).env("MARK", "a=b"));
    let attached = qemu.attach();
    assert_eq!(attached.words[1..], attached.args.words());
    assert_eq!(attached.args.get("name", "guest").as_deref(), Some("two\nlines"));
    assert_eq!(attached.program.path, binary().canonicalize().unwrap());
    assert!(!attached.program.deleted);
    assert_eq!(attached.directory.as_deref(), Some(qemu.directory.path()));
    assert!(attached.environment.as_ref().unwrap().contains(&"MARK=a=b".to_owned()));
    assert_eq!(attached.uid, geteuid().as_raw());
    assert!(attached.descriptors.as_ref().unwrap().contains_key(&0));
    assert!(attached.cgroup.as_ref().is_none_or(|path| path.starts_with('/')));
    assert!(attached.started > 0);
    assert_eq!(attached.unreadable, [""; 0]);
    assert!(attached.is_alive());
    assert_eq!(i64::from(attached.pid().as_raw_nonzero().get()), qemu.pid());
    let text = std::fs::read(attached.program.image.as_ref().unwrap()).unwrap();
    assert!(text == std::fs::read(binary()).unwrap());
    drop(qemu);
    assert!(!attached.is_alive());
}

#[test]
fn a_replaced_program_is_still_known() {
    let directory = tempfile::tempdir().unwrap();
    // Neither its name nor its place is that of a QEMU.
    let program = directory.path().join("hypervisor");
    std::fs::copy(binary(), &program).unwrap();
    let qemu = Qemu::spawn(
        Command::new(&program)
            .args(BARE)
            .env("LD_LIBRARY_PATH", libraries())
            .env("QEMU_MODULE_DIR", modules()),
    );
    assert!(!qemu.attach().program.deleted);
    let newer = directory.path().join("newer");
    std::fs::write(&newer, "a newer QEMU").unwrap();
    std::fs::rename(&newer, &program).unwrap();

    let attached = qemu.attach();
    assert_eq!((&attached.program.path, attached.program.deleted), (&program, true));
    let text = std::fs::read(attached.program.image.as_ref().unwrap()).unwrap();
    assert!(text == std::fs::read(binary()).unwrap());
}

#[test]
fn a_qemu_under_a_loader_is_found() {
    let libraries = libraries();
    let binary = binary().canonicalize().unwrap();
    let places = libraries.split(':').chain(["/lib64", "/lib"]);
    let loaders = places.filter_map(|path| Path::new(path).read_dir().ok()).flatten().flatten();
    let is_loader = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("ld-linux");
    let loader = loaders.map(|entry| entry.path()).find(is_loader).expect("programs here have a loader");
    let mut command = Command::new(&loader);
    let qemu = Qemu::spawn(
        command
            .args(["--library-path", &libraries])
            .arg(&binary)
            .args(BARE)
            .env("QEMU_MODULE_DIR", modules()),
    );
    let attached = qemu.attach();
    assert_eq!(attached.program.path, binary);
    assert_eq!(attached.args.words(), BARE);
    assert!(attached.words[0].ends_with(loader.file_name().unwrap().to_str().unwrap()));
}

#[test]
fn configuration_files_are_read_where_qemu_found_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vm.cfg");
    std::fs::write(&file, "[name]\n  guest = \"from a file\"\n").unwrap();
    let qemu = Qemu::start(&["-readconfig", file.to_str().unwrap()]);
    let attached = qemu.attach();
    assert_eq!(attached.args.get("name", "guest").as_deref(), Some("from a file"));
    assert!(attached.words.contains(&"-readconfig".to_owned()));
    std::fs::remove_file(&file).unwrap();
    assert!(qemu.attach().args.has("readconfig"));
}

#[test]
fn what_is_no_qemu_is_refused() {
    let cat = Ended::start(Command::new("cat").stdin(Stdio::piped()));
    let (cause, hint) = refused(cat.0.id().into());
    assert!(
        cause.starts_with("it is `/") && cause.ends_with("`, which is no QEMU system emulator"),
        "{cause}"
    );
    assert_eq!(hint, "");
    // This program searches for QEMU's version line, and is none.
    assert!(refused(std::process::id().into()).0.ends_with("which is no QEMU system emulator"));
    for pid in [0, -1, i64::from(i32::MAX) + 1, i64::MIN] {
        assert_eq!(refused(pid).0, "that is no process id");
    }
    assert_eq!(refused(i32::MAX.into()).0, "there is no such process");
    let thread = std::thread::spawn(|| {
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        let (cause, hint) = refused(link.file_name().unwrap().to_str().unwrap().parse().unwrap());
        let own = std::process::id();
        assert_eq!(cause, format!("that is a thread of process {own}"));
        assert_eq!(hint, format!("attach to the process: `attach({own})`"));
    });
    thread.join().unwrap();
    let error = Attached::to(0).unwrap_err();
    assert_eq!(error.to_string(), "cannot attach to process 0: that is no process id");
    assert_eq!(error.kind(), "attach");
}

#[test]
fn a_process_that_has_ended_is_refused() {
    let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    let pid = i64::from(child.id());
    let id = Pid::from_child(&child);
    // It stays a zombie as long as nobody waits for it.
    rustix::process::waitid(
        rustix::process::WaitId::Pid(id),
        rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
    )
    .unwrap();
    assert_eq!(refused(pid).0, "it has ended, and waits for its parent to notice (a zombie)");
    child.wait().unwrap();
    assert_eq!(refused(pid).0, "there is no such process");
}

#[test]
fn a_shell_names_the_qemu_that_it_started() {
    // A shell gives a program in the background no input of its own.
    let script = format!("exec 3<&0; {} {} <&3 & wait", binary().display(), BARE.join(" "));
    let qemu = Qemu::spawn(Command::new("sh").args(["-c", &script]));
    let (cause, hint) = refused(qemu.pid());
    assert!(cause.ends_with("which is no QEMU system emulator"), "{cause}");
    let child = hint.strip_prefix("it has started a QEMU: `attach(").unwrap().strip_suffix(")`").unwrap();
    let attached = Attached::to(child.parse().unwrap()).unwrap();
    assert_eq!(attached.args.words(), BARE);
}

/// Run in a process of another user by the test below.
#[test]
fn as_another_user() {
    let Some(pid) = std::env::var_os("QHOP_TEST_OTHERS_QEMU") else { return };
    let attached = Attached::to(pid.to_str().unwrap().parse().unwrap()).unwrap();
    assert_eq!(attached.unreadable, ["exe", "cwd", "environ", "fd"]);
    assert_eq!(attached.program.path, binary());
    assert_eq!(attached.args.words()[..BARE.len()], *BARE);
    assert_eq!((attached.uid, attached.user.as_deref()), (0, Some("root")));
    let (cause, _) = refused(attached.entry.status("PPid").unwrap().parse().unwrap());
    assert!(
        cause.contains("`, whose program may not be looked at, and its command line is not that of a QEMU"),
        "{cause}"
    );
}

#[test]
fn another_users_qemu_shows_its_command_line_only() {
    const NOBODY: u32 = 65534;
    if !geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let qemu = Qemu::start(&[]);
    // The test program itself may be in a directory that nobody else can enter: it is opened before.
    let program = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let mut command = Command::new(format!("/proc/self/fd/{}", inheritable(&program.into())));
    let output = command
        .args(["--exact", "qemu::attached::tests::process::as_another_user"])
        .env("QHOP_TEST_OTHERS_QEMU", qemu.pid().to_string())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A descriptor that a child process keeps.
fn inheritable(fd: &OwnedFd) -> i32 {
    rustix::io::dup(fd).unwrap().into_raw_fd()
}
