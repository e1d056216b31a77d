//! The command `qhop`: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    qhop::run()
}
