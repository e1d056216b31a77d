//! Whether a process is a QEMU system emulator, and which file it runs.
//!
//! The rule, in this order; the first that holds decides:
//! 1. The file that runs (`/proc/PID/exe`) is called `qemu-system-…`, `qemu-kvm`, `kvm` or `qemu`.
//! 2. That file holds QEMU's version line, whatever it is called. The version line of `qemu-img`,
//!    `qemu-nbd`, `qemu-storage-daemon` or the user-mode emulators is another one.
//! 3. A program that the file has loaded passes 1 or 2: a QEMU started through a dynamic loader.
//! 4. The file cannot be seen (another user's process): the first word of the command line passes 1, or every
//!    option is one of QEMU's and one of them is QEMU's own.
//!
//! A shell that waits for QEMU is none, nor is a `sudo`; the error names the QEMU that it started.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::qemu::arguments::{Arguments, options};

/// What `-version` prints, in every version seen (5.2 to 11.1), up to the number. In two parts, so that the
/// program that searches is not found.
const VERSION_LINE: [&str; 2] = ["QEMU emulator", " version "];

/// Options of QEMU that a word list of another program would hardly have by chance.
const OWN: &[&str] =
    &["machine", "accel", "nodefaults", "enable-kvm", "qmp", "chardev", "blockdev", "drive", "nographic"];

/// The file that a QEMU runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it was when it was started. Another file, a newer QEMU, may be there by now.
    pub path: PathBuf,
    /// Whether the file was replaced or removed since.
    pub deleted: bool,
    /// Opens that very file even then, as long as the process lives; `None` if it may not be read.
    pub image: Option<PathBuf>,
    /// How many words of the process's command line come before QEMU's own arguments.
    pub words: usize,
}

/// Find the QEMU in a process; the error is what the process is instead.
pub(super) fn identify(entry: &Entry, words: &[String]) -> Result<Program, String> {
    let Some(link) = entry.link("exe") else { return by_words(entry, words) };
    let (path, deleted) = undeleted(&link);
    let image = entry.path("exe");
    if is_named(&path) || has_version_line(&image) {
        return Ok(Program { path, deleted, image: Some(image), words: 1 });
    }
    for (range, link) in entry.programs() {
        let (path, deleted) = undeleted(&link);
        // `map_files` opens the file itself, but only for the administrator.
        let image = [entry.path("map_files").join(range), path.clone()]
            .into_iter()
            .find(|file| File::open(file).is_ok());
        if is_named(&path) || image.as_deref().is_some_and(has_version_line) {
            let image = image.filter(|image| !deleted || *image != path);
            return Ok(Program { path, deleted, image, words: after_loader(words) });
        }
    }
    Err(format!("it is `{}`, which is no QEMU system emulator", path.display()))
}

/// Rule 4.
fn by_words(entry: &Entry, words: &[String]) -> Result<Program, String> {
    let Some((first, rest)) = words.split_first() else {
        let what = if entry.is_kernel_thread() { "is a thread of the kernel" } else { "has no command line" };
        return Err(format!("it {what}"));
    };
    let args = Arguments::parse(rest);
    let known = args.as_slice().iter().all(|argument| options::takes_value(argument.name()).is_some());
    if is_named(Path::new(first)) || (known && OWN.iter().any(|option| args.has(option))) {
        return Ok(Program { path: first.into(), deleted: false, image: None, words: 1 });
    }
    let command = entry.command().unwrap_or_else(|| first.clone());
    Err(format!(
        "it is `{command}`, whose program may not be looked at, and its command line is not that of a QEMU"
    ))
}

fn is_named(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    matches!(&*name, "qemu" | "qemu-kvm" | "kvm") || name.starts_with("qemu-system-")
}

/// A link of `/proc` to a file that has lost its name ends in a remark.
pub(super) fn undeleted(link: &Path) -> (PathBuf, bool) {
    match link.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        // A file can be called so.
        Some(_) if link.exists() => (link.to_owned(), false),
        Some(path) => (path.into(), true),
        None => (link.to_owned(), false),
    }
}

fn has_version_line(file: &Path) -> bool {
    const CHUNK: usize = 1 << 20;
    let Ok(mut file) = File::open(file) else { return false };
    let line = VERSION_LINE.concat();
    let mut bytes = Vec::with_capacity(CHUNK + line.len());
    loop {
        let overlap = bytes.len().min(line.len());
        bytes.drain(..bytes.len() - overlap);
        match file.by_ref().take(CHUNK as u64).read_to_end(&mut bytes) {
            Ok(0) | Err(_) => return false,
            Ok(_) if contains(&bytes, line.as_bytes()) => return true,
            Ok(_) => {}
        }
    }
}

/// Whether `line` is there with a digit after it.
fn contains(mut bytes: &[u8], line: &[u8]) -> bool {
    while let Some(at) = bytes.iter().position(|byte| *byte == line[0]) {
        bytes = &bytes[at..];
        if bytes.strip_prefix(line).and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit) {
            return true;
        }
        bytes = &bytes[1..];
    }
    false
}

/// How many words come before QEMU's arguments in `ld.so --library-path DIRS qemu-system-x86_64 -m 512`.
fn after_loader(words: &[String]) -> usize {
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|word| word.starts_with("--")) {
        let takes_value = matches!(
            word.as_str(),
            "--library-path"
                | "--glibc-hwcaps-prepend"
                | "--glibc-hwcaps-mask"
                | "--inhibit-rpath"
                | "--audit"
                | "--preload"
                | "--argv0"
        );
        at += if takes_value { 2 } else { 1 };
    }
    (at + 1).min(words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_system_emulators() {
        for name in [
            "qemu-system-x86_64",
            "/usr/libexec/qemu-kvm",
            "/usr/bin/kvm",
            "qemu",
            "/x/qemu-system-ppc64.old",
        ] {
            assert!(is_named(Path::new(name)), "{name}");
        }
        for name in
            ["/bin/sh", "qemu-img", "qemu-nbd", "qemu-x86_64", "qemu-storage-daemon", "qemu-ga", "", "/"]
        {
            assert!(!is_named(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn the_version_line_is_found_across_chunks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = vec![b'Q'; (1 << 20) - 5];
        bytes.extend_from_slice(VERSION_LINE.concat().as_bytes());
        std::fs::write(file.path(), &bytes).unwrap();
        assert!(!has_version_line(file.path()));
        for shift in (0..30).step_by(5) {
            let mut shifted = bytes[shift..].to_vec();
            shifted.push(b'7');
            std::fs::write(file.path(), &shifted).unwrap();
            assert!(has_version_line(file.path()), "{shift}");
        }
        assert!(!has_version_line(Path::new("/no/such/file")));
    }

    #[test]
    fn a_loader_has_words_of_its_own() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(after_loader(&words("ld.so qemu -m 1")), 2);
        assert_eq!(after_loader(&words("ld.so --inhibit-cache --library-path a:b --argv0 x qemu -m 1")), 7);
        assert_eq!(after_loader(&words("ld.so --library-path")), 2);
    }

    #[test]
    fn a_remark_is_no_part_of_a_path() {
        assert_eq!(undeleted(Path::new("/no/qemu (deleted)")), ("/no/qemu".into(), true));
        assert_eq!(undeleted(Path::new("/no/qemu")), ("/no/qemu".into(), false));
    }
}
