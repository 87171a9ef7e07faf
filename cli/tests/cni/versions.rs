//! VERSION, and what is refused before the switch is asked.

use serde_json::{Value, json};

use crate::fake_daemon::FakeDaemon;
use crate::runtime::Call;

#[test]
fn the_versions_are_told_to_whoever_asks() {
    let daemon = FakeDaemon::absent();
    let known = json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
    let ask = |stdin: &str| {
        let call = Call::new("VERSION").without("CNI_PATH");
        call.run_with(&daemon, stdin.as_bytes())
    };
    for (stdin, version) in [
        (r#"{"cniVersion": "1.0.0"}"#, "1.0.0"),
        (r#"{"cniVersion": "7.0.0"}"#, "7.0.0"),
        ("{}", "1.1.0"),
        ("", "1.1.0"),
    ] {
        let answer = ask(stdin);
        assert_eq!(answer.code, 0, "{answer:?}");
        let expected = json!({"cniVersion": version, "supportedVersions": known});
        assert_eq!(answer.json, expected, "{stdin}");
    }
    ask("1.0.0").failed(6, "JSON");
}

#[test]
fn each_command_says_which_variables_it_misses() {
    let daemon = FakeDaemon::absent();
    for (command, needs) in [
        ("ADD", &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"][..]),
        ("CHECK", &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]),
        ("DEL", &["CNI_CONTAINERID", "CNI_IFNAME"]),
        ("GC", &["CNI_PATH"]),
    ] {
        for name in needs {
            Call::new(command)
                .without(name)
                .run(&daemon)
                .failed(4, name);
            Call::new(command)
                .env(name, "")
                .run(&daemon)
                .failed(4, name);
        }
    }
    Call::new("ADD")
        .without("CNI_COMMAND")
        .run(&daemon)
        .failed(4, "CNI_COMMAND");
    Call::new("REMOVE").run(&daemon).failed(4, "REMOVE");
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_before_anything_is_asked() {
    let daemon = FakeDaemon::absent();
    let add = || Call::new("ADD");
    add().run_with(&daemon, b"web").failed(6, "JSON");
    add()
        .with("cniVersion", json!("0.2.0"))
        .run(&daemon)
        .failed(1, "0.2.0");
    add()
        .with("cniVersion", Value::Null)
        .run(&daemon)
        .failed(1, "0.1.0");
    add()
        .with("isGateway", json!(true))
        .run(&daemon)
        .failed(2, "isGateway: true");
    add().with("name", json!("")).run(&daemon).failed(7, "name");
    add()
        .with("prevResult", json!({}))
        .run(&daemon)
        .failed(7, "prevResult");
    add().env("CNI_ARGS", "A=B").run(&daemon).failed(4, "A=B");
    add()
        .env("CNI_NETNS", "/no/such/file")
        .run(&daemon)
        .failed(3, "/no/such/file");
    add()
        .env("CNI_NETNS", "/proc/self/ns/net")
        .run(&daemon)
        .failed(4, "the host's own");
}

#[test]
fn an_error_is_told_in_the_version_of_the_configuration() {
    let daemon = FakeDaemon::absent();
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let call = Call::new("ADD").with("cniVersion", json!(version));
        let answer = call.run(&daemon);
        answer.failed(11, "is it running?");
        assert_eq!(
            (answer.code, &answer.json["cniVersion"]),
            (1, &json!(version))
        );
    }
}

#[test]
fn commands_are_unknown_to_versions_without_them() {
    let daemon = FakeDaemon::absent();
    for (command, version) in [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0")] {
        let call = Call::new(command).with("cniVersion", json!(version));
        call.run(&daemon).failed(1, command);
    }
}
