//! Addresses from another CNI plugin.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::runtime::{Answer, Call};
use crate::switch::{ID, Scene, Switch, refusal};

/// An IPAM plugin: a shell script that notes each command and its input, and does what a test says.
struct Plugin {
    folder: TempDir,
}

const ANSWER: &str = r#"{"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}],
    "routes": [{"dst": "0.0.0.0/0"}], "dns": {"nameservers": ["10.1.0.53"]}}"#;

impl Plugin {
    /// `does` is a piece of shell script for some commands: `ADD) …;;`.
    fn new(does: &str) -> Self {
        let plugin = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let program = plugin.folder.path().join("addresses");
        let notes = plugin.notes();
        let script = format!(
            "#!/bin/sh\necho \"$CNI_COMMAND $CNI_CONTAINERID $(cat)\" >>{}\ncase $CNI_COMMAND in\n{does}\n\
             ADD) cat <<'END'\n{ANSWER}\nEND\n;;\nesac\n",
            notes.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        plugin
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    fn config() -> Value {
        json!({"type": "addresses", "subnet": "10.1.0.0/16"})
    }

    fn call(&self, command: &str) -> Call {
        let path = format!("/no/such/folder:{}", self.folder.path().display());
        let call = Call::new(command).with("ipam", Self::config());
        call.env("CNI_PATH", &path)
    }

    /// The commands it was started with.
    fn commands(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.notes()).unwrap_or_default();
        let commands = notes.lines().filter_map(|line| line.split(' ').next());
        commands.map(str::to_owned).collect()
    }
}

fn given() -> Scene {
    Scene {
        network: true,
        given: true,
        endpoints: vec![("abc", "eth0")],
        ..Scene::default()
    }
}

#[test]
fn the_switch_is_told_the_addresses() {
    let plugin = Plugin::new("");
    let switch = Switch::start(given());
    let answer = plugin.call("ADD").run(&switch.daemon);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.json["dns"], json!({"nameservers": ["10.1.0.53"]}));
    let changes = switch.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].contains(r#""ip":"10.1.0.5""#), "{changes:?}");
    // It had the environment and the whole configuration.
    let notes = fs::read_to_string(plugin.notes()).unwrap();
    let config = notes.strip_prefix("ADD abc ").unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    assert_eq!(
        (&config["name"], &config["ipam"]),
        (&json!("web"), &Plugin::config())
    );
}

#[test]
fn the_network_is_made_for_addresses_that_are_given() {
    let plugin = Plugin::new("");
    let switch = Switch::start(Scene {
        network: false,
        ..given()
    });
    assert_eq!(plugin.call("ADD").run(&switch.daemon).code, 0);
    let changes = switch.changes();
    for part in [
        r#""ipam":"given""#,
        r#""subnets":["10.1.0.0/16"]"#,
        r#""gateways":["10.1.0.1"]"#,
    ] {
        assert!(changes[0].contains(part), "{changes:?}");
    }
}

#[test]
fn what_was_given_is_taken_back_when_the_switch_refuses() {
    let plugin = Plugin::new("");
    let endpoints: &'static str = format!("POST /v1/networks/{ID}/endpoints").leak();
    let switch = Switch::start(Scene {
        instead: vec![(endpoints, 409, refusal("address_in_use", "taken"))],
        ..given()
    });
    plugin.call("ADD").run(&switch.daemon).failed(100, "taken");
    assert_eq!(plugin.commands(), ["ADD", "DEL"]);
}

#[test]
fn a_plugin_that_fails_is_told_to_take_back_and_says_why() {
    let run = |does: &str| -> (Answer, Vec<String>) {
        let plugin = Plugin::new(does);
        let switch = Switch::start(given());
        let answer = plugin.call("ADD").run(&switch.daemon);
        assert_eq!(switch.changes(), [""; 0]);
        (answer, plugin.commands())
    };
    let (answer, commands) =
        run(r#"ADD) echo '{"code": 11, "msg": "full", "details": "no address left"}'; exit 1;;"#);
    answer.failed(11, "no address left");
    assert_eq!(answer.json["msg"], "addresses: full");
    assert_eq!(commands, ["ADD", "DEL"]);
    let (answer, commands) = run("ADD) echo oops; echo why >&2; exit 3;;");
    answer.failed(102, "\"oops\"");
    assert!(answer.stderr.contains("why"), "{answer:?}");
    assert_eq!(commands, ["ADD", "DEL"]);
    let (answer, commands) = run("ADD) echo oops;;");
    answer.failed(6, "the result of addresses");
    assert_eq!(commands, ["ADD", "DEL"]);
    // What fails on the way back is told beside.
    let (answer, _) = run("ADD) echo oops;;\nDEL) exit 1;;");
    answer.failed(6, "the result of addresses");
    assert!(answer.stderr.contains("keeps what it gave"), "{answer:?}");
}

#[test]
fn what_the_switch_cannot_do_is_refused_and_taken_back() {
    for (answer, code, hint) in [
        (
            r#"{"ips": [{"address": "10.1.0.5/16"}, {"address": "10.1.0.6/16"}]}"#,
            7,
            "another address of the same family",
        ),
        (
            r#"{"ips": [{"address": "10.1.0.5/16"}], "routes": [{"dst": "0.0.0.0/0", "table": 7}]}"#,
            2,
            "the IPAM plugin's routes.table: 7",
        ),
        (
            r#"{"ips": [{"address": "10.1.0.5/16"}], "routes": [{"dst": "10.9.0.0/16"}]}"#,
            7,
            "route to 10.9.0.0/16",
        ),
        (
            r#"{"ips": [{"address": "10.2.0.5/16"}]}"#,
            7,
            "no subnet 10.2.0.0/16",
        ),
    ] {
        let plugin = Plugin::new(&format!("ADD) echo '{answer}';;"));
        let switch = Switch::start(given());
        plugin.call("ADD").run(&switch.daemon).failed(code, hint);
        assert_eq!(plugin.commands(), ["ADD", "DEL"]);
        assert_eq!(switch.changes(), [""; 0]);
    }
}

#[test]
fn a_plugin_that_is_not_there_is_named() {
    let switch = Switch::start(given());
    let call = |command| Call::new(command).with("ipam", json!({"type": "addresses"}));
    call("ADD")
        .run(&switch.daemon)
        .failed(7, "no IPAM plugin addresses in /no/such/folder");
    call("STATUS")
        .run(&switch.daemon)
        .failed(50, "no IPAM plugin addresses");
    let add = call("ADD").without("CNI_PATH");
    add.run(&switch.daemon).failed(4, "CNI_PATH");
}

#[test]
fn an_address_is_given_back_only_after_the_switch_let_go_of_it() {
    let plugin = Plugin::new("");
    let switch = Switch::start(given());
    plugin.call("DEL").run(&switch.daemon).succeeded();
    assert_eq!(
        (switch.changes().len(), plugin.commands()),
        (1, vec!["DEL".to_owned()])
    );
    let plugin = Plugin::new("");
    let switch = Switch::start(Scene {
        instead: vec![("DELETE", 503, refusal("busy", "later"))],
        ..given()
    });
    plugin.call("DEL").run(&switch.daemon).failed(11, "later");
    assert_eq!(plugin.commands(), [""; 0]);
}

#[test]
fn the_other_commands_are_handed_on() {
    let failing =
        r#"GC|STATUS) echo '{"code": 50, "msg": "broken", "details": "it is"}'; exit 1;;"#;
    for command in ["GC", "STATUS"] {
        let call = |plugin: &Plugin| {
            let switch = Switch::start(given());
            let valid = json!([{"containerID": "abc", "ifname": "eth0"}]);
            let call = plugin
                .call(command)
                .with("cni.dev/valid-attachments", valid);
            call.run(&switch.daemon)
        };
        let plugin = Plugin::new("");
        call(&plugin).succeeded();
        assert_eq!(plugin.commands(), [command]);
        call(&Plugin::new(failing)).failed(50, "it is");
    }
}
