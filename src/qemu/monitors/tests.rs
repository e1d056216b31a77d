//! Every spelling of a monitor.

use proptest::prelude::*;

use super::*;

fn parse(line: &str) -> Arguments {
    Arguments::parse(&shell_words::split(line).unwrap())
}

/// Protocol and place, as one word each.
fn shown(line: &str) -> Vec<String> {
    monitors(&parse(line), Path::new("/cwd")).iter().map(show).collect()
}

fn show(opened: &Opened) -> String {
    let place = match &opened.place {
        Place::At(address) => address.to_string(),
        Place::Ports { address, last } => format!("{address}-{last}"),
        Place::Descriptor { fd, telnet } => format!("fd {fd} {telnet}"),
        Place::Shared { address, with } => {
            format!("{} shared with {with}", address.as_ref().map(Address::to_string).unwrap_or_default())
        }
        Place::Unreachable(reason) => reason.clone(),
    };
    format!("{:?} {place}", opened.protocol)
}

#[test]
fn short_forms() {
    assert_eq!(shown("-qmp unix:/q,server=on,wait=off"), ["Qmp unix:/q"]);
    assert_eq!(shown("--qmp-pretty unix:q.sock,server,nowait"), ["Qmp unix:/cwd/q.sock"]);
    assert_eq!(shown("-monitor unix:./a,,b,server"), ["Hmp unix:/cwd/./a,,b"]);
    assert_eq!(shown("-monitor telnet:127.0.0.1:1234,server,nowait"), ["Hmp telnet:127.0.0.1:1234"]);
    assert_eq!(shown("-monitor tcp::4444,server=on,telnet=on"), ["Hmp telnet:localhost:4444"]);
    assert_eq!(shown("-qmp tcp:0.0.0.0:4444,server"), ["Qmp tcp:localhost:4444"]);
    assert_eq!(shown("-qmp tcp:[fe80::1]:4444,server"), ["Qmp tcp:[fe80::1]:4444"]);
    assert_eq!(shown("-qmp tcp:h:4444,server,to=4450"), ["Qmp tcp:h:4444-4450"]);
    assert_eq!(shown("-qmp tcp:h:0,server"), ["Qmp tcp:h:0-65535"]);
    assert_eq!(shown("-qmp unix:/a,server -monitor unix:/b,server"), ["Qmp unix:/a", "Hmp unix:/b"]);
    assert_eq!(shown("-monitor none -nographic"), Vec::<String>::new());
}

#[test]
fn long_forms() {
    let chardev = |options: &str| shown(&format!("-mon m,mode=control -chardev socket,id=m,{options}"));
    assert_eq!(chardev("path=/q,server=on,wait=off"), ["Qmp unix:/q"]);
    assert_eq!(chardev("path=q,server"), ["Qmp unix:/cwd/q"]);
    assert_eq!(chardev("host=::1,port=4,server=on,telnet=on"), ["Qmp telnet:[::1]:4"]);
    assert_eq!(chardev("port=4,server=on"), ["Qmp tcp:localhost:4"]);
    assert_eq!(chardev("fd=35,server=on,wait=off"), ["Qmp fd 35 false"]);
    assert_eq!(chardev("path=name,abstract=on,server=on"), ["Qmp unix:@name"]);
    let loose = monitors(
        &parse("-mon m -chardev socket,id=m,path=name,abstract=on,tight=off,server=on"),
        Path::new("/"),
    );
    let Place::At(Address::Unix(path)) = &loose[0].place else { panic!("{loose:?}") };
    assert_eq!((path.as_os_str().len(), loose[0].protocol), (108, Protocol::Hmp));
    assert_eq!(loose[0].from, "-mon m");
    assert_eq!(shown("-chardev socket,id=x,path=/q,server -monitor chardev:x"), ["Hmp unix:/q"]);
    // Since 11.1.
    let object = "-chardev socket,id=x,path=/q,server=on -object";
    assert_eq!(shown(&format!("{object} monitor-qmp,id=m,chardev=x")), ["Qmp unix:/q"]);
    let json = r#"'{"qom-type":"monitor-hmp","id":"m","chardev":"x"}'"#;
    assert_eq!(shown(&format!("{object} {json}")), ["Hmp unix:/q"]);
}

#[test]
fn configuration_files() {
    let text = "[chardev \"c\"]\n  backend = \"socket\"\n  path = \"q\"\n  server = \"on\"\n\
                [mon \"m\"]\n  chardev = \"c\"\n  mode = \"control\"\n";
    let args = parse("-readconfig file").expanded(|_| Some(text.to_owned())).unwrap();
    let found: Vec<String> = monitors(&args, Path::new("/cwd")).iter().map(show).collect();
    assert_eq!(found, ["Qmp unix:/cwd/q"]);
}

#[test]
fn some_cannot_be_reached() {
    assert_eq!(shown("-nographic"), ["Hmp is on QEMU's standard input and output"]);
    assert_eq!(shown("-m 512"), ["Hmp is a console in QEMU's window"]);
    assert_eq!(shown("-nodefaults"), Vec::<String>::new());
    assert_eq!(shown("-nodefaults -serial mon:stdio"), ["Hmp  shared with the guest's `-serial`"]);
    assert_eq!(
        shown("-nodefaults -parallel mon:telnet:h:1,server,nowait"),
        ["Hmp telnet:h:1 shared with the guest's `-parallel`"]
    );
    assert_eq!(shown("-monitor stdio"), ["Hmp is on QEMU's standard input and output"]);
    assert_eq!(shown("-monitor vc:80Cx24C"), ["Hmp is a console in QEMU's window"]);
    assert_eq!(shown("-qmp pty"), ["Qmp is on a pseudo terminal"]);
    assert_eq!(shown("-qmp pipe:/tmp/p"), ["Qmp is on a character device of type `pipe`"]);
    assert_eq!(shown("-qmp unix:/q"), ["Qmp connects to its client by itself (no `server=on`)"]);
    assert_eq!(shown("-monitor websocket:h:1,server"), ["Hmp speaks websocket"]);
    assert_eq!(shown("-qmp tcp:h:1,server,tls-creds=t"), ["Qmp speaks TLS"]);
    assert_eq!(shown("-qmp tcp:h:http,server"), ["Qmp listens on the port `http`, which is no number"]);
    assert_eq!(shown("-mon m"), ["Hmp is on a `-chardev` with the id `m`, which there is not"]);
    assert_eq!(
        shown("-chardev socket,id=m,path=/q,server,mux=on -mon m -serial chardev:m"),
        ["Hmp unix:/q shared with others (`mux=on`)"]
    );
}

proptest! {
    #[test]
    fn no_value_breaks_it(option in "-(qmp|monitor|mon|chardev|object|serial)", text in "(unix|tcp|telnet|chardev|mon|[a-z]{0,2})?[a-z:,=\\[\\]{}0-9\"-]{0,20}|.{0,10}") {
        let words = [option, text, "-chardev".into(), "socket,id=a,server=on,port=".into()];
        let _ = monitors(&Arguments::parse(&words), Path::new("/"));
    }
}
