//! What an error has to tell beside its message: what to do, who said what, and where the guest is.
//!
//! Pure.

use super::Error;

impl Error {
    /// What the reader can do about it; empty where there is nothing to say.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Start { hint, .. }
            | Self::Qmp { hint, .. }
            | Self::Hmp { hint, .. }
            | Self::Attach { hint, .. }
            | Self::Argument { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Environment { hint, .. }
            | Self::Usage { hint, .. } => hint,
            Self::Connect { cause, .. } => reachable(cause),
            Self::Protocol { protocol: "QMP or HMP", .. } => MONITORS,
            Self::Record { .. } => {
                "make room there, or set `XDG_STATE_HOME` to a directory that can be written to; \
                 `--no-record` does without, and then nothing can be recovered if qhop dies"
            }
            _ => "",
        }
    }

    /// The tail of the standard error of the program that failed; empty where there is none.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            Self::Gone { stderr, .. } => stderr,
            _ => "",
        }
    }

    /// Who said what: QEMUs on their standard error, monitors, guests.
    #[must_use]
    pub fn said(&self) -> Vec<(String, String)> {
        match self {
            Self::Timeout { said, .. } | Self::Migration { said, .. } => said.clone(),
            Self::Gone { vm, stderr, .. } if !stderr.is_empty() => vec![(vm.clone(), stderr.clone())],
            _ => Vec::new(),
        }
    }

    /// In whose hands the guest is; empty where that is not known.
    #[must_use]
    pub fn outlook(&self) -> &str {
        match self {
            Self::Timeout { outlook, .. } | Self::Migration { outlook, .. } => outlook,
            _ => "",
        }
    }

    /// What QEMU said of it, in lines: its standard error, and its answer.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Gone { stderr, .. } => stderr.clone(),
            Self::Qmp { description, .. } | Self::Hmp { description, .. } => description.clone(),
            Self::Migration { cause, said, .. } => {
                let said = said.iter().map(|(_, words)| words);
                said.chain([cause]).map(String::as_str).collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }
}

const MONITORS: &str =
    "a QEMU's monitors are on its command line (`-qmp`, `-monitor`, `-mon`): `attach` to its pid finds them";

/// What to do about a monitor that cannot be connected to, by the system's words.
fn reachable(cause: &str) -> &'static str {
    if cause.contains("ermission denied") {
        "become the user that may connect to it"
    } else if cause.contains("another client") {
        "let the other client go"
    } else {
        MONITORS
    }
}
