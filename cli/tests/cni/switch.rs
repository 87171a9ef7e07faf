//! A daemon with at most one network and one endpoint, that notes what it is asked.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, Question};
use crate::runtime::NETNS;

/// The daemon and what it was asked, a line each.
pub(crate) struct Switch {
    pub(crate) daemon: FakeDaemon,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What the daemon has and does.
#[derive(Default)]
pub(crate) struct Scene {
    /// The network is there.
    pub(crate) network: bool,
    /// Somebody else makes it just before it is made.
    pub(crate) rival: bool,
    /// It is `given`, in 10.1.0.0/16 as otherwise.
    pub(crate) given: bool,
    /// Attachments of it: container and interface; those without are of others.
    pub(crate) endpoints: Vec<(&'static str, &'static str)>,
    /// Answers to some requests, by their beginning, in the place of the usual ones.
    pub(crate) instead: Vec<(&'static str, u16, Value)>,
}

pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) fn refusal(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

impl Switch {
    pub(crate) fn start(scene: Scene) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let there = Mutex::new(scene.network);
        let daemon = FakeDaemon::start(move |question| {
            let Question { line, body } = question;
            notes.lock().unwrap().push(format!("{line} {body}"));
            let (status, json) = scene.answer(line, &mut there.lock().unwrap());
            (status, json.to_string())
        });
        Self { daemon, asked }
    }

    /// The requests that change something.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.retain(|line| !line.starts_with("GET"));
        asked
    }
}

impl Scene {
    fn answer(&self, line: &str, there: &mut bool) -> (u16, Value) {
        let mut instead = self.instead.iter();
        if let Some((_, status, json)) = instead.find(|(request, ..)| line.starts_with(request)) {
            return (*status, json.clone());
        }
        if line == "GET /v1/networks" {
            let network = json!({"id": ID, "name": "web", "driver": "bridge", "scope": "local",
                "subnets": ["10.1.0.0/16"], "ports": 0});
            let networks = if *there { vec![network] } else { Vec::new() };
            return (200, networks.into());
        }
        if line == "POST /v1/networks" {
            *there = true;
            return match self.rival {
                true => (409, refusal("network_exists", "web already exists")),
                false => (201, json!({"id": ID})),
            };
        }
        if line == format!("GET /v1/networks/{ID}") {
            return (200, self.network());
        }
        if line == format!("POST /v1/networks/{ID}/endpoints") {
            return (201, endpoint());
        }
        match line {
            "GET /v1/routes" => (
                200,
                json!([
                    route(NETNS, "web", "gateway", "0.0.0.0/0", "10.1.0.1"),
                    route(NETNS, "db", "gateway", "::/0", "fd01::1"),
                    route("/other", "web", "gateway", "0.0.0.0/0", "10.1.0.1"),
                    route(NETNS, "web", "connected", "10.1.0.0/16", "10.1.0.1"),
                ]),
            ),
            "GET /v1/version" => (200, json!({"version": "1", "commit": "x"})),
            _ if line.starts_with("GET /v1/sandboxes/") => (
                200,
                json!({"name": NETNS, "owned": false, "netns": null, "endpoints": [endpoint()]}),
            ),
            _ if line.starts_with("DELETE") => (204, Value::Null),
            _ => (404, refusal("not_found", line)),
        }
    }

    fn network(&self) -> Value {
        let mut containers = json!({});
        for (place, (container, ifname)) in self.endpoints.iter().enumerate() {
            let name = format!("/run/netns/{place}");
            let labels = match *container {
                "" => json!({"some": "label"}),
                _ => json!({"cni.container": container, "cni.ifname": ifname}),
            };
            containers[&name] = json!({"Name": name, "EndpointID": ID, "MacAddress": "",
                "IPv4Address": "10.1.0.2/16", "IPv6Address": "", "Labels": labels});
        }
        json!({
            "Name": "web", "Id": ID, "Created": "2026-01-02T03:04:05Z", "Scope": "local",
            "Driver": "bridge", "EnableIPv6": false, "Internal": false, "Options": {}, "Labels": {},
            "IPAM": {"Driver": if self.given { "given" } else { "default" }, "Options": {},
                     "Config": [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1"}]},
            "Containers": containers,
        })
    }
}

fn endpoint() -> Value {
    json!({
        "id": ID, "network": "web", "sandbox": NETNS, "ifname": "eth0",
        "mac": "02:42:0a:01:00:02", "mtu": 1450, "addresses": ["10.1.0.2/16"],
        "gateway": "10.1.0.1", "gateway6": null,
    })
}

fn route(sandbox: &str, network: &str, origin: &str, to: &str, by: &str) -> Value {
    json!({"sandbox": sandbox, "destination": to, "gateway": by, "network": network,
           "interface": "eth0", "metric": null, "age": null, "origin": origin})
}
