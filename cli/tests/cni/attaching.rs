//! ADD, CHECK and STATUS with the switch's own addresses.

use serde_json::{Value, json};

use crate::fake_daemon::FakeDaemon;
use crate::runtime::{Call, NETNS};
use crate::switch::{ID, Scene, Switch, refusal};

fn body(request: &str) -> Value {
    let start = request.find('{').unwrap();
    serde_json::from_str(&request[start..]).unwrap()
}

#[test]
fn the_first_attachment_makes_the_network() {
    let switch = Switch::start(Scene::default());
    let call = Call::new("ADD")
        .with("options", json!({"com.docker.network.driver.mtu": 1450}))
        .with(
            "ipam",
            json!({"type": "vswitch", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1"}),
        );
    // The network of this daemon has no options, whoever asks for them.
    call.run(&switch.daemon)
        .failed(7, "option com.docker.network.driver.mtu");
    let changes = switch.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let created = body(&changes[0]);
    assert_eq!(created["name"], "web");
    assert_eq!(created["driver"], "bridge");
    assert_eq!(created["subnets"], json!(["10.1.0.0/16"]));
    assert_eq!(created["gateways"], json!(["10.1.0.1"]));
    assert_eq!(created["labels"], json!({"cni.network": "web"}));
    assert_eq!(
        created["options"],
        json!({"com.docker.network.driver.mtu": "1450"})
    );
}

#[test]
fn an_attachment_is_told_in_the_shape_of_the_version() {
    let switch = Switch::start(Scene {
        network: true,
        ..Scene::default()
    });
    let add = |version: &str| {
        let dns = json!({"nameservers": ["192.0.2.53"], "search": ["example"]});
        let call = Call::new("ADD")
            .with("cniVersion", json!(version))
            .with("dns", dns);
        let answer = call.run(&switch.daemon);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.json
    };
    let newest = json!({
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "eth0", "mac": "02:42:0a:01:00:02", "mtu": 1450, "sandbox": NETNS},
        ],
        "ips": [{"address": "10.1.0.2/16", "gateway": "10.1.0.1", "interface": 0}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}],
        "dns": {"nameservers": ["192.0.2.53"], "search": ["example"]},
    });
    assert_eq!(add("1.1.0"), newest);
    let mut older = newest;
    older["interfaces"][0]
        .as_object_mut()
        .unwrap()
        .remove("mtu");
    older["cniVersion"] = json!("1.0.0");
    assert_eq!(add("1.0.0"), older);
    older["ips"][0]["version"] = json!("4");
    for version in ["0.4.0", "0.3.1", "0.3.0"] {
        older["cniVersion"] = json!(version);
        assert_eq!(add(version), older);
    }
}

#[test]
fn what_the_runtime_wants_arrives() {
    let switch = Switch::start(Scene {
        network: true,
        ..Scene::default()
    });
    let runtime = json!({
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
        "ips": ["10.1.0.7"],
        "mac": "02:00:00:00:00:07",
        "aliases": {"web": ["www"]},
    });
    let call = Call::new("ADD")
        .with("runtimeConfig", runtime)
        .with(
            "args",
            json!({"cni": {"labels": [{"key": "app", "value": "x"}]}}),
        )
        .env("CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.1.0.8");
    assert_eq!(call.run(&switch.daemon).code, 0);
    let changes = switch.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].starts_with(&format!("POST /v1/networks/{ID}/endpoints ")));
    assert_eq!(
        body(&changes[0]),
        json!({
            "sandbox": NETNS, "ifname": "eth0", "gateway_priority": 0,
            "ip": "10.1.0.7", "mac": "02:00:00:00:00:07", "aliases": ["www"],
            "publish": ["8080:80/tcp"],
            "labels": {"app": "x", "cni.container": "abc", "cni.ifname": "eth0", "cni.network": "web"},
        })
    );
}

#[test]
fn a_network_that_another_attachment_made_in_between_is_taken() {
    let switch = Switch::start(Scene {
        rival: true,
        ..Scene::default()
    });
    assert_eq!(Call::new("ADD").run(&switch.daemon).code, 0);
    assert_eq!(switch.changes().len(), 2, "{:?}", switch.changes());
    // Made by somebody, and gone again.
    let switch = Switch::start(Scene {
        instead: vec![("GET /v1/networks", 200, json!([]))],
        rival: true,
        ..Scene::default()
    });
    Call::new("ADD").run(&switch.daemon).failed(11, "removed");
}

#[test]
fn a_refusal_of_the_switch_is_told_in_its_words() {
    let endpoints: &'static str = format!("POST /v1/networks/{ID}/endpoints").leak();
    for (status, refused, code) in [
        (409, "address_in_use", 100),
        (400, "bad_request", 7),
        (404, "sandbox_not_found", 3),
        (503, "busy", 11),
        (500, "kernel_refused", 100),
    ] {
        let switch = Switch::start(Scene {
            network: true,
            instead: vec![(endpoints, status, refusal(refused, "in its words"))],
            ..Scene::default()
        });
        Call::new("ADD")
            .run(&switch.daemon)
            .failed(code, "in its words");
    }
}

#[test]
fn an_attachment_that_cannot_be_told_of_is_undone() {
    let switch = Switch::start(Scene {
        network: true,
        instead: vec![("GET /v1/routes", 503, refusal("busy", "later"))],
        ..Scene::default()
    });
    Call::new("ADD").run(&switch.daemon).failed(11, "later");
    let changes = switch.changes();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[1].starts_with(&format!("DELETE /v1/networks/{ID}/endpoints?sandbox=")));
}

#[test]
fn a_network_that_is_not_as_configured_is_refused() {
    let scene = || Scene {
        network: true,
        ..Scene::default()
    };
    for command in ["ADD", "CHECK"] {
        let switch = Switch::start(scene());
        let mut call = Call::new(command).with("driver", json!("overlay"));
        if command == "CHECK" {
            call = call.with("prevResult", json!({}));
        }
        let answer = call.run(&switch.daemon);
        answer.failed(7, "driver is bridge and should be overlay");
        assert_eq!(switch.changes(), [""; 0]);
    }
    let switch = Switch::start(scene());
    let call = Call::new("STATUS").with("internal", json!(true));
    call.run(&switch.daemon)
        .failed(50, "internal is false and should be true");
}

#[test]
fn a_check_needs_the_attachment() {
    let result = json!({"interfaces": [{"name": "eth0", "sandbox": NETNS}]});
    let check = || Call::new("CHECK").with("prevResult", result.clone());
    let switch = Switch::start(Scene::default());
    check().run(&switch.daemon).failed(101, "no network web");
    let switch = Switch::start(Scene {
        network: true,
        endpoints: vec![("abc", "eth1"), ("abd", "eth0"), ("", "")],
        ..Scene::default()
    });
    check()
        .run(&switch.daemon)
        .failed(101, "abc is not attached to network web");
    Call::new("CHECK")
        .run(&switch.daemon)
        .failed(7, "prevResult");
    check()
        .run(&FakeDaemon::absent())
        .failed(11, "is it running?");
}

#[test]
fn a_check_tells_what_the_switch_has_otherwise() {
    let switch = Switch::start(Scene {
        network: true,
        endpoints: vec![("abc", "eth0")],
        ..Scene::default()
    });
    let check = |mac: &str, address: &str, sandbox: &str| {
        let result = json!({
            "cniVersion": "1.1.0",
            "interfaces": [{"name": "br0"}, {"name": "eth0", "mac": mac, "sandbox": sandbox}],
            "ips": [{"address": address, "interface": 1}, {"address": "192.0.2.1/24", "interface": 0}],
        });
        Call::new("CHECK")
            .with("prevResult", result)
            .run(&switch.daemon)
    };
    let (mac, address) = ("02:42:0A:01:00:02", "10.1.0.2/16");
    check("02:42:0a:01:00:03", address, NETNS).failed(101, "and was 02:42:0a:01:00:03");
    check(mac, "10.1.0.3/16", NETNS).failed(101, "eth0 had 10.1.0.3/16");
    check(mac, address, "").failed(101, "no interface eth0 in a sandbox");
    // The switch is content; the file that stands for the container is none.
    check(mac, address, NETNS).failed(101, "cannot look into /dev/null");
}

#[test]
fn the_status_is_that_of_the_switch() {
    let switch = Switch::start(Scene::default());
    let status = || Call::new("STATUS").without("CNI_PATH");
    status().run(&switch.daemon).succeeded();
    let switch = Switch::start(Scene {
        network: true,
        ..Scene::default()
    });
    status().run(&switch.daemon).succeeded();
    status()
        .run(&FakeDaemon::absent())
        .failed(51, "is it running?");
    let switch = Switch::start(Scene {
        instead: vec![("GET /v1/version", 503, refusal("busy", "starting"))],
        ..Scene::default()
    });
    status().run(&switch.daemon).failed(50, "starting");
}

#[test]
fn the_configuration_names_the_socket() {
    let switch = Switch::start(Scene::default());
    let socket = json!(switch.daemon.socket());
    let status = Call::new("STATUS").with("socket", socket);
    status.run(&FakeDaemon::absent()).succeeded();
}
