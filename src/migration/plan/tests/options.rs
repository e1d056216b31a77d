//! What only the command line says.

use serde_json::json;

use super::{end, said, target};

#[test]
fn options_that_change_the_stream_must_be_the_same() {
    let found = |ours: &[&str], theirs: &[&str]| {
        let (mut source, mut other) = (end(), target());
        (source["args"], other["args"]) = (json!(ours), json!(theirs));
        said(&source, &other, &json!({}))
    };
    for (options, message) in [
        (["-icount", "shift=1"], "icount: `-icount`"),
        (["-global", "migration.send-section-footer=off"], "migration: `send-section-footer=off`"),
        (["-cpu", "qemu64,tsc-frequency=1000000000"], "cpu: `tsc-frequency=1000000000`"),
    ] {
        assert_eq!(found(&options, &options), [""; 0]);
        assert_eq!(
            found(&options, &["-S"]),
            [format!("blocks {message} at the source and not given at the target")]
        );
        assert_eq!(found(&options, &[]), [""; 0]);
    }
    let xhci = ["-device", "qemu-xhci,id=x,p3=8"];
    assert_eq!(found(&xhci, &["-device", "qemu-xhci,id=x,p2=4,p3=8"]), [""; 0]);
    assert_eq!(
        found(&xhci, &["-device", "qemu-xhci,id=x"]),
        ["blocks device x: its ports are `p2=4,p3=8` at the source and `p2=4,p3=4` at the target"]
    );
    assert_eq!(found(&["-S"], &xhci), [""; 0], "it was plugged in");
    let (mut source, mut other) = (end(), target());
    source["network"] = "n: index=0,type=user,net=10.0.2.0".into();
    other["network"] = "n: index=0,type=tap".into();
    assert_eq!(
        said(&source, &other, &json!({})),
        ["blocks network: the source has 1 networks of type `user`, the target 0"]
    );
}
