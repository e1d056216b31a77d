//! Files of the host, as far as moving a guest needs them.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use rhai::Map;
use rhai::plugin::*;

use crate::error::{Error, Result};
use crate::qemu::process::cause;
use crate::script::gate::Effect;
use crate::script::session::{ScriptResult, Session};

#[export_module]
pub mod api {
    /// Whether there is a file, directory or socket at a path. A link that leads nowhere is not there.
    ///
    /// ```rhai
    /// assert(file_exists("/proc/self") && !file_exists("/proc/selfish"), "one of the two");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn file_exists(ctx: NativeCallContext, path: &str) -> ScriptResult<bool> {
        Session::of(&ctx).pass(Effect::Read { path: path.to_owned() })?;
        Ok(Path::new(path).exists())
    }

    /// The text of a file.
    ///
    /// ```rhai
    /// assert(read_file("/proc/self/status").contains("VmRSS"), "that of qhop");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_file(ctx: NativeCallContext, path: &str) -> ScriptResult<String> {
        Session::of(&ctx).pass(Effect::Read { path: path.to_owned() })?;
        Ok(super::file("read", path, fs::read_to_string(path))?)
    }

    /// Let a file have this text and no other.
    ///
    /// ```rhai
    /// let path = private_directory("notes") + "/note";
    /// write_file(path, "by hand\n");
    /// assert_eq(read_file(path), "by hand\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write_file(ctx: NativeCallContext, path: &str, text: &str) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Write { path: path.to_owned() })?;
        Ok(super::file("write", path, fs::write(path, text))?)
    }

    /// Let a file be found at a second path: the same file by both, or a copy on another file system.
    ///
    /// ```rhai
    /// let path = private_directory("notes") + "/note";
    /// write_file(path, "one");
    /// link_file(path, path + "2");
    /// assert_eq(read_file(path + "2"), "one");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn link_file(ctx: NativeCallContext, path: &str, second: &str) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Write { path: second.to_owned() })?;
        let linked = fs::hard_link(path, second).or_else(|error| match error.kind() {
            ErrorKind::CrossesDevices | ErrorKind::PermissionDenied => fs::copy(path, second).map(drop),
            _ => Err(error),
        });
        Ok(super::file("write", second, linked)?)
    }

    /// Let a file or socket be found at another path, whatever was there. On another file system, a symbolic link
    /// leads to it: a socket that is copied has nobody behind it.
    ///
    /// ```rhai
    /// let directory = private_directory("notes");
    /// write_file(directory + "/a", "moved");
    /// move_file(directory + "/a", directory + "/b");
    /// assert_eq(read_file(directory + "/b"), "moved");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn move_file(ctx: NativeCallContext, path: &str, to: &str) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Write { path: to.to_owned() })?;
        let moved = fs::rename(path, to).or_else(|error| match error.kind() {
            ErrorKind::CrossesDevices => super::replace_by_link(path, to),
            _ => Err(error),
        });
        Ok(super::file("move", path, moved)?)
    }

    /// Who may use a file or socket: the numbers `uid`, `gid` and `mode`, for `set_file_access`.
    ///
    /// ```rhai
    /// let path = private_directory("notes") + "/note";
    /// write_file(path, "");
    /// set_file_access(path, file_access(path) + #{ mode: 0o640 });
    /// assert_eq(file_access(path).mode, 0o640);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn file_access(ctx: NativeCallContext, path: &str) -> ScriptResult<Map> {
        Session::of(&ctx).pass(Effect::Read { path: path.to_owned() })?;
        let found = super::file("read", path, fs::metadata(path))?;
        Ok([("uid", found.uid()), ("gid", found.gid()), ("mode", found.mode() & 0o7777)]
            .map(|(key, number)| (key.into(), i64::from(number).into()))
            .into())
    }

    /// Let those use a file or socket who could use the one that `file_access` was asked of. A file that cannot have that
    /// owner and group keeps its mode as well.
    ///
    /// ```rhai
    /// let path = private_directory("notes") + "/note";
    /// write_file(path, "");
    /// set_file_access(path, file_access("/dev/null") + file_access(path));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn set_file_access(ctx: NativeCallContext, path: &str, access: Map) -> ScriptResult<()> {
        Session::of(&ctx).pass(Effect::Write { path: path.to_owned() })?;
        let number =
            |key| access.get(key).and_then(|number: &Dynamic| u32::try_from(number.as_int().ok()?).ok());
        let changed = chown(path, number("uid"), number("gid")).and_then(|()| match number("mode") {
            Some(mode) => fs::set_permissions(path, Permissions::from_mode(mode)),
            None => Ok(()),
        });
        Ok(super::file("hand over", path, changed)?)
    }
}

/// At no time is there nothing at `to`, if there was something.
fn replace_by_link(path: &str, to: &str) -> io::Result<()> {
    let new = format!("{to}.qhop");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => symlink(path, &new)?,
    }
    fs::rename(&new, Path::new(to))
}

fn file<T>(operation: &'static str, path: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::File { operation, path: path.to_owned(), cause: cause(&error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_replaced_by_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (here, there) = (path("here"), path("there"));
        fs::write(&here, "new").unwrap();
        fs::write(&there, "old").unwrap();
        for _ in 0..2 {
            replace_by_link(&here, &there).unwrap();
            assert_eq!(fs::read_link(&there).unwrap(), Path::new(&here));
            assert_eq!(fs::read_to_string(&there).unwrap(), "new");
        }
        fs::write(format!("{there}.qhop"), "").unwrap();
        replace_by_link(&here, &there).unwrap();
    }
}
