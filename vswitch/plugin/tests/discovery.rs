//! Where plugins are found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;
use vswitch_plugin::discovery::{Address, Discovery, FindError};

/// Folders of a host: `run` for sockets, `etc` and `lib` for specs.
fn folders() -> (TempDir, Discovery) {
    let root = TempDir::new().unwrap();
    let folder = |name| {
        let path = root.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let discovery = Discovery {
        sockets: folder("run"),
        specs: vec![folder("etc"), folder("lib")],
    };
    (root, discovery)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The file stays a socket when nobody listens any more.
fn socket(path: &Path) -> Address {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    UnixListener::bind(path).unwrap();
    Address::Unix(path.to_owned())
}

fn tcp(port: u16) -> Address {
    Address::Tcp("10.0.0.1".into(), port)
}

fn spec(port: u16) -> String {
    format!("tcp://10.0.0.1:{port}\n")
}

#[test]
fn each_place_is_looked_into_in_dockers_order() {
    let (_root, discovery) = folders();
    let [etc, lib] = [&discovery.specs[0], &discovery.specs[1]];
    // From the last to the first: each is found before those that are there already.
    write(&lib.join("net/net.json"), "{}");
    assert!(
        matches!(discovery.find("net"), Err(FindError::Tls { path, .. }) if path.ends_with("net/net.json"))
    );
    write(&lib.join("net.json"), "{}");
    assert!(
        matches!(discovery.find("net"), Err(FindError::Tls { path, .. }) if path.ends_with("lib/net.json"))
    );
    write(&lib.join("net/net.spec"), &spec(4));
    assert_eq!(discovery.find("net").unwrap(), tcp(4));
    write(&lib.join("net.spec"), &spec(3));
    assert_eq!(discovery.find("net").unwrap(), tcp(3));
    write(&etc.join("net/net.spec"), &spec(2));
    assert_eq!(discovery.find("net").unwrap(), tcp(2));
    write(&etc.join("net.spec"), &spec(1));
    assert_eq!(discovery.find("net").unwrap(), tcp(1));
    let address = socket(&discovery.sockets.join("net/net.sock"));
    assert_eq!(discovery.find("net").unwrap(), address);
    let address = socket(&discovery.sockets.join("net.sock"));
    assert_eq!(discovery.find("net").unwrap(), address);
    assert_eq!(discovery.list(), ["net"]);
}

#[test]
fn a_json_file_hides_the_specs_of_later_folders_and_is_refused() {
    let (_root, discovery) = folders();
    write(
        &discovery.specs[0].join("net.json"),
        r#"{"Addr":"https://x"}"#,
    );
    write(&discovery.specs[1].join("net.spec"), &spec(1));
    let error = discovery.find("net").unwrap_err().to_string();
    assert!(
        error.contains("reached by TLS, which is not spoken"),
        "{error}"
    );
    assert!(error.contains("etc/net.json"), "{error}");
}

#[test]
fn what_is_not_there_is_listed_where_it_was_looked_for() {
    let (root, discovery) = folders();
    let Err(FindError::NotFound { looked, .. }) = discovery.find("net") else {
        panic!("found")
    };
    let expected = [
        "run/net.sock",
        "run/net/net.sock",
        "etc/net.spec",
        "etc/net/net.spec",
        "etc/net.json",
        "etc/net/net.json",
        "lib/net.spec",
        "lib/net/net.spec",
        "lib/net.json",
        "lib/net/net.json",
    ];
    assert_eq!(looked, expected.map(|path| root.path().join(path)));
    let error = discovery.find("net").unwrap_err().to_string();
    assert!(
        error.starts_with("no plugin \"net\": looked for /"),
        "{error}"
    );
    assert!(!error.contains("not a socket"), "{error}");
    // Folders that are not there either.
    let nowhere = Discovery {
        sockets: root.path().join("a"),
        specs: vec![root.path().join("b")],
    };
    assert!(matches!(
        nowhere.find("net"),
        Err(FindError::NotFound { .. })
    ));
    assert!(nowhere.list().is_empty());
}

#[test]
fn a_file_that_is_no_socket_is_passed_over_and_named() {
    let (_root, discovery) = folders();
    write(&discovery.sockets.join("net.sock"), "");
    let error = discovery.find("net").unwrap_err().to_string();
    assert!(
        error.ends_with("net.sock is there and is not a socket"),
        "{error}"
    );
    assert!(discovery.list().is_empty());
    write(&discovery.specs[0].join("net.spec"), &spec(1));
    assert_eq!(discovery.find("net").unwrap(), tcp(1));
}

#[test]
fn a_name_is_that_of_a_file() {
    let (root, discovery) = folders();
    socket(&root.path().join("outside.sock"));
    for name in ["", ".", "..", "../outside", "a/b", "/etc/passwd", "a\0b"] {
        let error = discovery.find(name).unwrap_err();
        assert!(matches!(error, FindError::Name { .. }), "{name:?}: {error}");
    }
    let long = discovery.find(&"x".repeat(300)).unwrap_err();
    assert!(matches!(long, FindError::NotFound { .. }), "{long}");
}

#[test]
fn a_spec_says_an_address() {
    let (_root, discovery) = folders();
    let path = discovery.specs[0].join("net.spec");
    for (text, address) in [
        ("unix:///run/x.sock", Address::Unix("/run/x.sock".into())),
        ("  unix:///a b \n", Address::Unix("/a b".into())),
        ("tcp://localhost:80/", Address::Tcp("localhost".into(), 80)),
        (
            "tcp://[fd00::1]:8080\r\n",
            Address::Tcp("fd00::1".into(), 8080),
        ),
    ] {
        write(&path, text);
        let found = discovery.find("net").unwrap();
        assert_eq!(found, address);
        assert_eq!(found.to_string().parse(), Ok(found), "{text}");
    }
    for text in [
        "",
        "/run/x.sock",
        "unix://x.sock",
        "http://10.0.0.1:80",
        "https://10.0.0.1:80",
        "tcp://10.0.0.1",
        "tcp://:80",
        "tcp://10.0.0.1:0",
        "tcp://10.0.0.1:65536",
        "tcp://fd00::1:80",
        "tcp://[fd00::1:80",
        "tcp://user@host:80",
        "tcp://host:80/path",
        "tcp://a:1\ntcp://b:2",
    ] {
        write(&path, text);
        let error = discovery.find("net").unwrap_err();
        assert!(
            matches!(error, FindError::Address { .. }),
            "{text:?}: {error}"
        );
        assert!(error.to_string().contains("net.spec: "), "{error}");
        assert_eq!(discovery.list(), ["net"]);
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = discovery.find("net").unwrap_err();
    assert!(matches!(error, FindError::Unreadable { .. }), "{error}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = discovery.find("net").unwrap_err();
    assert!(matches!(error, FindError::Unreadable { .. }), "{error}");
}

#[test]
fn all_plugins_are_listed_once() {
    let (_root, discovery) = folders();
    socket(&discovery.sockets.join("b.sock"));
    socket(&discovery.sockets.join("c/c.sock"));
    socket(&discovery.sockets.join("dotted.name.sock"));
    write(&discovery.sockets.join("pid"), "7");
    fs::create_dir(discovery.sockets.join("empty")).unwrap();
    write(&discovery.specs[0].join("b.spec"), &spec(1));
    write(&discovery.specs[0].join("d/d.spec"), &spec(1));
    write(&discovery.specs[1].join("a.json"), "{}");
    write(&discovery.specs[1].join("README"), "");
    assert_eq!(discovery.list(), ["a", "b", "c", "d", "dotted.name"]);
}
