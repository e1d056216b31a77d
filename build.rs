//! The recipes and the standard library are embedded: a new file among them means another program.

fn main() {
    println!("cargo::rerun-if-changed=scripts");
    println!("cargo::rerun-if-changed=stdlib");
}
