//! The program as scripts see it: exit codes, standard output, standard error.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fake_daemon;

use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use fake_daemon::FakeDaemon;

/// The program under test.
trait Vsctl {
    fn vsctl(&self, arguments: &[&str]) -> Command;

    /// Exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.vsctl(arguments).output().unwrap();
        (
            status.code().unwrap(),
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    }
}

impl Vsctl for FakeDaemon {
    fn vsctl(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_vsctl"));
        command.args(arguments);
        command
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const NETWORK: &str = r#"{"Name":"web","Id":"0123456789abcdef","Created":"2026-01-02T03:04:05Z",
    "Scope":"local","Driver":"bridge","EnableIPv6":false,
    "IPAM":{"Driver":"default","Options":{},"Config":[{"Subnet":"10.1.0.0/16"}]},
    "Internal":false,"Options":{},"Labels":{},"Containers":{}}"#;

fn refusal(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#)
}

#[test]
fn a_new_network_is_its_id_on_a_line() {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let daemon = FakeDaemon::start(move |question| {
        *seen.lock().unwrap() = format!("{} {}", question.line, question.body);
        (201, format!(r#"{{"id":"{ID}"}}"#))
    });
    assert_eq!(
        daemon.run(&["add-net", "web", "--subnet", "10.1.0.0/16"]),
        (0, format!("{ID}\n"), String::new())
    );
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.starts_with(r#"POST /v1/networks {"name":"web","#),
        "{asked}"
    );
    assert!(asked.contains(r#""subnets":["10.1.0.0/16"]"#), "{asked}");

    let (code, stdout, _) = daemon.run(&["add-net", "web", "--json"]);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("{{\n  \"id\": \"{ID}\"\n}}\n"));
}

#[test]
fn warnings_stand_beside_the_id() {
    let daemon = FakeDaemon::start(|_| {
        (
            201,
            format!(r#"{{"id":"{ID}","warnings":["no route to 192.0.2.2","slow"]}}"#),
        )
    });
    let overlay = ["add-net", "wide", "-d", "overlay", "-o", "peers=192.0.2.2"];
    let warnings = "warning: no route to 192.0.2.2\nwarning: slow\n".to_owned();
    assert_eq!(daemon.run(&overlay), (0, format!("{ID}\n"), warnings));
    let (code, stdout, _) = daemon.run(&[&overlay[..], &["--json"]].concat());
    let created: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &created["warnings"][1]), (0, &"slow".into()));
}

#[test]
fn a_list_in_a_pipe_is_a_heading_and_aligned_columns() {
    let daemon = FakeDaemon::start(|_| {
        (
            200,
            format!(
                r#"[{{"id":"{ID}","name":"web","driver":"bridge","scope":"local",
                     "subnets":["10.1.0.0/16","fd00::/64"],"ports":2}}]"#
            ),
        )
    });
    let (code, stdout, stderr) = daemon.run(&["ls"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "ID             NAME   DRIVER   SCOPE   SUBNET                  PORTS\n\
         0123456789ab   web    bridge   local   10.1.0.0/16,fd00::/64       2\n"
    );
    assert_eq!(daemon.run(&["list-nets", "-q"]).1, "0123456789ab\n");
    assert!(daemon.run(&["ls", "--json"]).1.contains(ID));
}

#[test]
fn a_refusal_is_one_line_and_exit_code_1() {
    let daemon = FakeDaemon::start(|_| (409, refusal("subnet_overlaps", "taken: choose another")));
    assert_eq!(
        daemon.run(&["add-net", "web"]),
        (
            1,
            String::new(),
            "error: taken: choose another\n".to_owned()
        )
    );
}

#[test]
fn without_a_daemon_the_error_says_how_to_get_one() {
    let daemon = FakeDaemon::absent();
    let socket = daemon.socket();
    for arguments in [
        &["ls"][..],
        &["rm-net", "a", "b"],
        &["inspect", "a"],
        &["stats", "-w"],
    ] {
        let (code, stdout, stderr) = daemon.run(arguments);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert_eq!(
            stderr,
            format!(
                "error: cannot reach vswitchd at {}: there is no such socket; is it running? start it \
                 with `vswitchd`, or point --socket or VSWITCH_SOCKET at it\n",
                socket.display()
            )
        );
    }
}

#[test]
fn the_flag_overrides_the_environment() {
    let daemon = FakeDaemon::start(|_| (200, "[]".to_owned()));
    let elsewhere = FakeDaemon::absent();
    let socket = elsewhere.socket();
    symlink(daemon.socket(), &socket).unwrap();
    let mut command = FakeDaemon::absent().vsctl(&["ls", "--socket"]);
    assert!(command.arg(&socket).output().unwrap().status.success());
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let daemon = FakeDaemon::absent();
    for arguments in [&["add-net"][..], &["frobnicate"], &[], &["attach", "web"]] {
        let (code, stdout, stderr) = daemon.run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains("Usage: vsctl"), "{stderr}");
    }
    let (code, stdout, _) = daemon.run(&["attach", "--help"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("vsctl attach web blue"), "{stdout}");
}

#[test]
fn a_network_that_stays_does_not_keep_the_others() {
    let daemon = FakeDaemon::start(|question| {
        if question.line.contains("busy") {
            (403, refusal("network_in_use", "busy has endpoints"))
        } else {
            (204, String::new())
        }
    });
    assert_eq!(
        daemon.run(&["rm-net", "a", "busy", "b"]),
        (
            1,
            "a\nb\n".to_owned(),
            "error: busy has endpoints\n".to_owned()
        )
    );
    let (code, stdout, _) = daemon.run(&["rm-net", "--json", "a", "busy", "b"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, json),
        (1, serde_json::json!({"removed": ["a", "b"]}))
    );
}

#[test]
fn force_is_passed_on() {
    let daemon = FakeDaemon::start(|question| {
        if question.line == "DELETE /v1/networks/web?force=true" {
            (204, String::new())
        } else {
            (500, refusal("wrong", &question.line))
        }
    });
    assert_eq!(daemon.run(&["rm-net", "--force", "web"]).0, 0);
}

#[test]
fn inspect_prints_an_array_of_those_there_are() {
    let daemon = FakeDaemon::start(|question| {
        if question.line.ends_with("/web") {
            (200, NETWORK.to_owned())
        } else {
            (404, refusal("network_not_found", "no network nope"))
        }
    });
    let (code, stdout, stderr) = daemon.run(&["inspect", "web", "nope", "web"]);
    assert_eq!((code, stderr.as_str()), (1, "error: no network nope\n"));
    let networks: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(networks.as_array().unwrap().len(), 2);
    assert_eq!(networks[0]["IPAM"]["Config"][0]["Subnet"], "10.1.0.0/16");
    assert_eq!(daemon.run(&["inspect", "web"]).0, 0);
}

#[test]
fn paths_go_over_the_wire_in_one_piece() {
    let daemon = FakeDaemon::start(|question| match question.line.as_str() {
        "DELETE /v1/networks/web/endpoints?sandbox=%2Fproc%2F7%2Fns%2Fnet" => (204, String::new()),
        line => (500, refusal("wrong", line)),
    });
    assert_eq!(
        daemon.run(&["detach", "web", "/proc/7/ns/net"]),
        (0, String::new(), String::new())
    );
}

#[test]
fn an_attached_sandbox_is_an_id_or_all_that_a_script_wants_to_know() {
    let daemon = FakeDaemon::start(|_| {
        (
            201,
            format!(
                r#"{{"id":"{ID}","network":"web","sandbox":"blue","ifname":"eth0",
                     "mac":"02:42:0a:01:00:02","addresses":["10.1.0.2/16"],
                     "gateway":"10.1.0.1","gateway6":null}}"#
            ),
        )
    });
    assert_eq!(daemon.run(&["attach", "web", "blue"]).1, format!("{ID}\n"));
    let (_, stdout, _) = daemon.run(&["--json", "attach", "web", "blue"]);
    let endpoint: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(endpoint["id"], ID);
    assert_eq!(endpoint["ifname"], "eth0");
    assert_eq!(endpoint["mac"], "02:42:0a:01:00:02");
    assert_eq!(endpoint["addresses"][0], "10.1.0.2/16");
}

const PORT: &str = r#"{"network":"web","sandbox":"blue","endpoint":"ab","protocol":"tcp",
    "host_ip":"0.0.0.0","host_port":"49153","container_ip":"10.1.0.2","container_port":"80"}"#;

#[test]
fn published_ports_say_where_they_are_reached() {
    let daemon = FakeDaemon::start(|question| {
        let known = [
            (
                "POST /v1/networks/web/endpoints/blue/publish",
                r#"{"ports":["80","53/udp"]}"#,
            ),
            (
                "POST /v1/networks/web/endpoints/blue/unpublish",
                r#"{"ports":["80"]}"#,
            ),
            ("GET /v1/ports?network=web", ""),
        ];
        match known.contains(&(question.line.as_str(), question.body.as_str())) {
            true => (200, format!("[{PORT}]")),
            false => (500, refusal("wrong", &question.line)),
        }
    });
    let line = "80/tcp -> 0.0.0.0:49153\n".to_owned();
    let publish = ["publish", "web", "blue", "-p", "80", "-p", "53/udp"];
    assert_eq!(daemon.run(&publish), (0, line.clone(), String::new()));
    let unpublish = ["unpublish", "web", "blue", "-p", "80"];
    assert_eq!(daemon.run(&unpublish), (0, line, String::new()));
    assert_eq!(
        daemon.run(&["ports", "web"]),
        (
            0,
            "NETWORK   SANDBOX   PROTOCOL   HOST            CONTAINER\n\
             web       blue      tcp        0.0.0.0:49153   10.1.0.2:80\n"
                .to_owned(),
            String::new()
        )
    );
    let (_, stdout, _) = daemon.run(&["ports", "web", "--json"]);
    let ports: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&format!("[{PORT}]")).unwrap();
    assert_eq!(ports, expected);
}

#[test]
fn a_port_in_use_is_refused_by_name() {
    let message = "port 0.0.0.0:80/tcp is already in use by the host; choose another host port";
    let daemon = FakeDaemon::start(|_| (409, refusal("port_in_use", message)));
    for arguments in [
        &["attach", "web", "blue", "-p", "80:80"][..],
        &["publish", "web", "blue", "-p", "80:80"],
    ] {
        assert_eq!(
            daemon.run(arguments),
            (1, String::new(), format!("error: {message}\n"))
        );
    }
}

#[test]
fn each_peer_is_tried_and_a_refusal_says_which() {
    let daemon = FakeDaemon::start(|question| {
        let known = [
            ("POST /v1/networks/wide/vteps", r#"{"address":"192.0.2.2"}"#),
            (
                "POST /v1/networks/wide/vteps",
                r#"{"address":"2001:db8::2"}"#,
            ),
            ("DELETE /v1/networks/wide/vteps/192.0.2.2", ""),
            ("DELETE /v1/networks/wide/vteps/2001%3Adb8%3A%3A2", ""),
        ];
        match known.contains(&(question.line.as_str(), question.body.as_str())) {
            true => (204, String::new()),
            false => (409, refusal("vtep_refused", "of the other family")),
        }
    });
    let peers = ["wide", "192.0.2.2", "198.51.100.9", "2001:db8::2"];
    for (command, word) in [("add", "added"), ("del", "removed")] {
        let arguments = [&["vtep", command], &peers[..]].concat();
        assert_eq!(
            daemon.run(&arguments),
            (
                1,
                "192.0.2.2\n2001:db8::2\n".to_owned(),
                "error: 198.51.100.9: of the other family\n".to_owned()
            )
        );
        let (code, stdout, _) = daemon.run(&[&arguments[..], &["--json"]].concat());
        let done: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let expected = serde_json::json!({word: ["192.0.2.2", "2001:db8::2"]});
        assert_eq!((code, done), (1, expected));
    }
    let fine = ["vtep", "add", "wide", "192.0.2.2"];
    assert_eq!(
        daemon.run(&fine),
        (0, "192.0.2.2\n".to_owned(), String::new())
    );
}

#[test]
fn the_hosts_of_an_overlay_are_listed() {
    let vteps = r#"[
        {"network":"wide","vni":4096,"address":"192.0.2.3","port":4789,"origin":"learned",
         "mtu":1450,"macs":1,"heard":7},
        {"network":"wide","vni":4096,"address":"192.0.2.2","port":4789,"origin":"configured",
         "mtu":1450,"macs":0,"heard":null}]"#;
    let daemon = FakeDaemon::start(move |question| match question.line.as_str() {
        "GET /v1/vteps?network=wide" => (200, vteps.to_owned()),
        "GET /v1/vteps" => (200, "[]".to_owned()),
        line => (500, refusal("wrong", line)),
    });
    assert_eq!(
        daemon.run(&["vtep", "list", "wide"]),
        (
            0,
            "NETWORK    VNI   VTEP        UDP-PORT   ORIGIN        MTU   MACS   HEARD\n\
             wide      4096   192.0.2.2       4789   configured   1450      0       -\n\
             wide      4096   192.0.2.3       4789   learned      1450      1      7s\n"
                .to_owned(),
            String::new()
        )
    );
    let (_, stdout, _) = daemon.run(&["vtep", "ls", "wide", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(listed[0]["address"], "192.0.2.2");
    assert_eq!(listed[0]["heard"], serde_json::Value::Null);
    assert_eq!(listed[1]["heard"], 7);
    assert_eq!(daemon.run(&["vtep", "list", "--json"]).1, "[]\n");
}

#[test]
fn addresses_on_other_hosts_are_added_listed_and_removed() {
    const MAC: &str = "02:42:0a:14:00:80";
    let remote = r#"{"mac":"02:42:0a:14:00:80","vtep":"192.0.2.2","addresses":["10.20.0.128"]}"#;
    let daemon = FakeDaemon::start(move |question| match question.line.as_str() {
        "POST /v1/networks/wide/remotes" if question.body == remote => (204, String::new()),
        "GET /v1/remotes?network=wide" => {
            let listed = remote.replacen('{', r#"{"network":"wide","#, 1);
            (200, format!("[{listed}]"))
        }
        "DELETE /v1/networks/wide/remotes/02%3A42%3A0a%3A14%3A00%3A80" => (204, String::new()),
        line => (404, refusal("remote_not_found", line)),
    });
    let add = [
        "remote",
        "add",
        "wide",
        MAC,
        "192.0.2.2",
        "--ip",
        "10.20.0.128",
    ];
    assert_eq!(daemon.run(&add), (0, format!("{MAC}\n"), String::new()));
    let (_, stdout, _) = daemon.run(&[&add[..], &["--json"]].concat());
    let added: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let expected: serde_json::Value = serde_json::from_str(remote).unwrap();
    assert_eq!(added, expected);
    assert_eq!(
        daemon.run(&["remote", "list", "wide"]),
        (
            0,
            "NETWORK   MAC                 VTEP        ADDRESSES\n\
             wide      02:42:0a:14:00:80   192.0.2.2   10.20.0.128\n"
                .to_owned(),
            String::new()
        )
    );
    let (code, stdout, stderr) = daemon.run(&["remote", "del", "wide", "02:00:00:00:00:01", MAC]);
    assert_eq!((code, stdout), (1, format!("{MAC}\n")));
    assert!(stderr.starts_with("error: 02:00:00:00:00:01: "), "{stderr}");
}

#[test]
fn addresses_from_a_dhcp_server_are_asked_for_and_listed() {
    let leases = r#"[
        {"network":"lan","sandbox":"red","ifname":"eth0","mac":"02:42:00:00:00:08","address":null,
         "router":null,"server":null,"state":"asking","expires_in":null},
        {"network":"lan","sandbox":"blue","ifname":"eth0","mac":"02:42:00:00:00:07",
         "address":"192.0.2.7/24","router":"192.0.2.254","server":"192.0.2.1","state":"bound",
         "expires_in":3600}]"#;
    let daemon = FakeDaemon::start(move |question| match question.line.as_str() {
        "POST /v1/networks" if question.body.contains(r#""ipam":"dhcp""#) => {
            (201, format!(r#"{{"id":"{ID}"}}"#))
        }
        "GET /v1/leases?network=lan" => (200, leases.to_owned()),
        "GET /v1/leases" => (200, "[]".to_owned()),
        line => (500, refusal("wrong", line)),
    });
    let lan = [
        "add-net",
        "lan",
        "-d",
        "macvlan",
        "-o",
        "parent=eth0",
        "--ipam",
        "dhcp",
    ];
    assert_eq!(daemon.run(&lan), (0, format!("{ID}\n"), String::new()));
    assert_eq!(
        daemon.run(&["leases", "lan"]),
        (
            0,
            "NETWORK   SANDBOX   INTERFACE   MAC                 ADDRESS        ROUTER        SERVER      STATE    EXPIRES-IN\n\
             lan       blue      eth0        02:42:00:00:00:07   192.0.2.7/24   192.0.2.254   192.0.2.1   bound         3600s\n\
             lan       red       eth0        02:42:00:00:00:08   -              -             -           asking            -\n"
                .to_owned(),
            String::new()
        )
    );
    let (_, stdout, _) = daemon.run(&["leases", "lan", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(listed[0]["expires_in"], 3600);
    assert_eq!(listed[1]["address"], serde_json::Value::Null);
    assert_eq!(daemon.run(&["leases", "--json"]).1, "[]\n");
}

#[test]
fn conversations_are_filtered_watched_and_flushed() {
    let session = r#"{"network":"web","sandbox":"blue","protocol":"udp","state":"unreplied",
        "inside":"10.1.0.2:5000","external":"192.0.2.1:5000","remote":"198.51.100.1:53",
        "idle":1,"left":299}"#;
    let stats = r#"{"sessions":1,"mappings":1,"held_fragments":0,"lost_fragments":2,"created":9,"expired":8,
        "evicted":0,"refused":0}"#;
    let daemon = FakeDaemon::start(move |question| match question.line.as_str() {
        "GET /v1/conntrack?network=web&sandbox=blue&protocol=udp&state=unreplied" => {
            (200, format!("[{session}]"))
        }
        "GET /v1/conntrack" => (200, "[]".to_owned()),
        "GET /v1/conntrack/stats" => (200, stats.to_owned()),
        "DELETE /v1/conntrack?network=web&sandbox=blue" | "DELETE /v1/conntrack?all=true" => {
            (204, String::new())
        }
        line => (500, refusal("wrong", line)),
    });
    let filters = [
        "--sandbox",
        "blue",
        "--protocol",
        "udp",
        "--state",
        "unreplied",
    ];
    let (code, stdout, stderr) = daemon.run(&[&["conntrack", "web"], &filters[..]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "NETWORK   SANDBOX   PROTOCOL   STATE       INSIDE          EXTERNAL         REMOTE            IDLE   LEFT\n\
         web       blue      udp        unreplied   10.1.0.2:5000   192.0.2.1:5000   198.51.100.1:53     1s   299s\n"
    );
    assert_eq!(
        daemon.run(&["conntrack", "--stats"]).1,
        "SESSIONS   MAPPINGS   HELD-FRAGMENTS   LOST-FRAGMENTS   CREATED   EXPIRED   EVICTED   REFUSED\n\
         \x20      1          1                0                2         9         8         0         0\n"
    );
    for flush in [
        &["conntrack", "web", "--sandbox", "blue", "--flush"][..],
        &["conntrack", "--flush", "--all"],
    ] {
        assert_eq!(daemon.run(flush), (0, String::new(), String::new()));
    }
    assert_eq!(daemon.run(&["conntrack", "--flush"]).0, 2);

    let mut child = daemon
        .vsctl(&["conntrack", "--watch", "--json"])
        .spawn()
        .unwrap();
    let mut lines = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut lines).unwrap();
    assert_eq!(&lines, b"[]\n[]\n");
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn the_version_is_told_with_and_without_a_daemon() {
    let daemon = FakeDaemon::start(|_| {
        (
            200,
            r#"{"version":"9.9.9","commit":"fedcba987654"}"#.to_owned(),
        )
    });
    let (code, stdout, _) = daemon.run(&["version"]);
    assert_eq!(code, 0);
    let rows: Vec<Vec<&str>> = stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1][..2], ["vsctl", env!("CARGO_PKG_VERSION")]);
    assert_eq!(rows[2], ["vswitchd", "9.9.9", "fedcba987654"]);

    let (code, stdout, stderr) = FakeDaemon::absent().run(&["version"]);
    assert_eq!(code, 1);
    assert!(
        stdout.contains("vsctl") && !stdout.contains("vswitchd"),
        "{stdout}"
    );
    assert!(
        stderr.starts_with("error: cannot reach vswitchd"),
        "{stderr}"
    );
}

#[test]
fn another_program_at_the_socket_is_told_so() {
    let daemon = FakeDaemon::start(|_| (200, "<html>hello</html>".to_owned()));
    let (code, _, stderr) = daemon.run(&["ls"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("did not answer as vswitchd does"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let row = format!(
        r#"{{"id":"{ID}","name":"web","driver":"bridge","scope":"local","subnets":[],"ports":0}}"#
    );
    // More than a pipe holds.
    let list = format!("[{}]", vec![row; 5000].join(","));
    let daemon = FakeDaemon::start(move |_| (200, list.clone()));
    for arguments in [&["ls"][..], &["ls", "--json"]] {
        let mut child = daemon.vsctl(arguments).spawn().unwrap();
        let mut begin = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
    let mut child = daemon.vsctl(&["completions", "bash"]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn watching_goes_on_until_the_reader_leaves() {
    let daemon = FakeDaemon::start(|question| {
        assert_eq!(question.line, "GET /v1/stats?of=blue%2Feth0");
        (200, "[]".to_owned())
    });
    let mut child = daemon
        .vsctl(&["stats", "--watch", "--json", "blue/eth0"])
        .spawn()
        .unwrap();
    let mut lines = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut lines).unwrap();
    assert_eq!(&lines, b"[]\n[]\n");
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn completions_are_a_script() {
    let daemon = FakeDaemon::absent();
    for shell in ["bash", "zsh", "fish"] {
        let (code, stdout, stderr) = daemon.run(&["completions", shell]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        for word in ["add-net", "leases", "dhcp"] {
            assert!(stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn exec_cannot_enter_what_is_not_there_or_no_namespace() {
    let daemon = FakeDaemon::absent();
    for (sandbox, reason) in [
        ("no-such-sandbox", "error: no sandbox named no-such-sandbox"),
        ("/no/such/file", "error: no namespace at /no/such/file"),
        ("/dev/null", "error: /dev/null is not a network namespace"),
        ("pid:x", "error: \"pid:x\" names no process"),
        ("host", "error: cannot reach vswitchd"),
    ] {
        let (code, stdout, stderr) = daemon.run(&["exec", sandbox, "--", "echo", "inside"]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{sandbox}");
        assert!(stderr.starts_with(reason), "{sandbox}: {stderr}");
    }
}

/// Needs CAP_SYS_ADMIN, as `setns` asks for it even to stay where one is.
#[test]
fn exec_becomes_the_command() {
    let daemon = FakeDaemon::start(|_| (500, String::new()));
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    let here = format!("{}\n", here.display());
    let own = format!("pid:{}", std::process::id());
    for sandbox in ["/proc/self/ns/net", own.as_str(), "host"] {
        let link = ["exec", sandbox, "--", "readlink", "/proc/self/ns/net"];
        assert_eq!(
            daemon.run(&link),
            (0, here.clone(), String::new()),
            "{sandbox}"
        );
    }
    let exit = ["exec", own.as_str(), "sh", "-c", "exit 42"];
    assert_eq!(daemon.run(&exit).0, 42);

    let (code, _, stderr) = daemon.run(&["exec", &own, "--", "no-such-command"]);
    assert_eq!(code, 127);
    assert!(
        stderr.starts_with("error: cannot run no-such-command"),
        "{stderr}"
    );
    let (code, _, stderr) = daemon.run(&["exec", &own, "--", "/dev/null"]);
    assert_eq!(code, 126);
    assert!(
        stderr.starts_with("error: cannot run /dev/null"),
        "{stderr}"
    );
}
