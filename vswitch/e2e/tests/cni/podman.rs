//! podman with its CNI backend.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::Transport::Tcp;
use vswitch_e2e::{Echo, Place, Podman, ask, eventually, ping, reaches};

use crate::fixture::{Lab, PATIENCE};

struct Node {
    // Dropped in this order.
    podman: Podman,
    lab: Lab,
}

impl Node {
    /// With a network `web` of the switch.
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let podman = Podman::start(&lab.host, &lab.daemon)?;
        let ranges = json!([[{"subnet": "10.20.0.0/24"}], [{"subnet": "fd20::/64"}]]);
        podman.add_network(
            "web",
            json!({"ipam": {"type": "vswitch", "ranges": ranges}}),
        )?;
        Ok(Self { podman, lab })
    }

    fn address(&self, container: &str, network: &str) -> Result<IpAddr> {
        let inspected = self.podman.inspect(container)?;
        let address = &inspected["NetworkSettings"]["Networks"][network]["IPAddress"];
        Ok(address.as_str().context("no address")?.parse()?)
    }

    fn is_empty(&self) -> Result<()> {
        self.lab.is_empty("web", &[])?;
        assert_eq!(self.lab.daemon.json("ports")?, json!([]));
        assert_eq!(self.lab.daemon.json("list-sandboxes")?, json!([]));
        Ok(())
    }
}

fn interface(place: &Place) -> Result<Value> {
    let ip = place
        .program("ip")
        .args(["-json", "address", "show", "dev", "eth0"]);
    let links: Value = serde_json::from_str(&ip.output()?)?;
    Ok(links[0].clone())
}

#[test]
fn containers_talk_to_each_other_and_leave_nothing() -> Result<()> {
    let node = Node::new()?;
    let networks = node.podman.ctl("network ls --format {{.Name}}")?;
    ensure!(networks.lines().any(|name| name == "web"), "{networks}");
    let inspected: Value = serde_json::from_str(&node.podman.ctl("network inspect web")?)?;
    assert_eq!(
        (&inspected[0]["name"], &inspected[0]["driver"]),
        (&json!("web"), &json!("vswitch-cni"))
    );

    let one = node.podman.run("one", "--network web")?;
    let two = node.podman.run("two", "--network web")?;
    ping(&one, node.address("two", "web")?)?;
    ping(&two, "fd20::2".parse()?)?;
    ping(&two, node.lab.outside.address(4))?;
    // As those in the container see it.
    let to = node.address("one", "web")?;
    node.podman.ctl(&format!("exec two ping -c 1 {to}"))?;
    let endpoints = node.lab.endpoints("web")?;
    let id = node.podman.inspect("one")?["Id"].clone();
    ensure!(
        endpoints
            .values()
            .any(|endpoint| endpoint["Labels"]["cni.container"] == id),
        "{endpoints:?}"
    );
    node.podman.ctl("rm --force --time 0 one two")?;
    node.is_empty()
}

#[test]
fn what_the_user_chooses_is_had() -> Result<()> {
    let node = Node::new()?;
    let options = "--network web:ip=10.20.0.77,mac=02:00:00:00:00:77,alias=www -p 8080:80";
    let one = node.podman.run("one", options)?;
    let link = interface(&one)?;
    assert_eq!(link["address"], "02:00:00:00:00:77");
    assert_eq!(link["addr_info"][0]["local"], "10.20.0.77");
    let sandboxes = node.lab.daemon.json("list-sandboxes")?;
    let aliases = sandboxes[0]["endpoints"][0]["aliases"].to_string();
    ensure!(aliases.contains("www"), "{aliases}");

    let _echo = Echo::start(&one, 80)?;
    let published = SocketAddr::new(node.lab.outside.host_address(4), 8080);
    ask(node.lab.outside.place(), Tcp, published)?;
    ask(&node.lab.host.place(), Tcp, published)?;

    // Refusals are podman's own words, with ours in them.
    for (options, hint) in [
        ("--network web:ip=10.20.0.77", "10.20.0.77"),
        ("--network web -p 8080:80", "8080"),
    ] {
        let refused = node
            .podman
            .refused(&format!("run --rm {options} box true"))?;
        ensure!(
            refused.contains("vswitch-cni") && refused.contains(hint),
            "{refused}"
        );
    }
    node.podman.ctl("rm --force --time 0 one")?;
    ensure!(!reaches(node.lab.outside.place(), Tcp, published)?);
    node.is_empty()
}

#[test]
fn containers_come_and_go_on_several_networks() -> Result<()> {
    let node = Node::new()?;
    node.podman.add_network(
        "db",
        json!({"internal": true, "ipam": {"subnet": "10.30.0.0/24"}}),
    )?;
    node.podman.run("one", "--network web --network db")?;
    let two = node.podman.run("two", "--network db")?;
    ping(&two, node.address("one", "db")?)?;
    node.podman.ctl("network disconnect db one")?;
    assert_eq!(node.lab.endpoints("db")?.len(), 1);
    node.podman.ctl("network connect db one")?;
    ping(&two, node.address("one", "db")?)?;
    // Stopped and started, a container is attached anew.
    node.podman.ctl("stop --time 0 one")?;
    eventually("it is detached", PATIENCE, || {
        Ok(node.lab.endpoints("web")?.is_empty())
    })?;
    node.podman.ctl("start one")?;
    ping(&two, node.address("one", "db")?)?;
    node.podman.ctl("rm --force --time 0 one two")?;
    node.is_empty()?;
    assert_eq!(node.lab.endpoints("db")?.len(), 0);
    Ok(())
}

#[test]
fn containers_outlive_the_daemon() -> Result<()> {
    let mut node = Node::new()?;
    let one = node.podman.run("one", "--network web")?;
    node.podman.run("two", "--network web")?;
    let to = node.address("two", "web")?;
    node.lab.daemon.kill()?;
    let refused = node.podman.refused("run --rm --network web box true")?;
    ensure!(refused.contains("is it running?"), "{refused}");
    node.lab.daemon.start_again()?;
    ping(&one, to)?;
    node.podman.ctl("rm --force --time 0 one two")?;
    node.is_empty()
}

#[test]
fn host_local_gives_podman_its_addresses() -> Result<()> {
    let node = Node::new()?;
    let ipam = json!({
        "type": "host-local",
        "dataDir": node.lab.host.folder(),
        "subnet": "10.30.0.0/24",
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    node.podman.add_network("given", json!({"ipam": ipam}))?;
    let one = node.podman.run("one", "--network given")?;
    node.podman.run("two", "--network given:ip=10.30.0.77")?;
    ping(&one, "10.30.0.77".parse()?)?;
    node.podman.ctl("rm --force --time 0 one two")?;
    assert_eq!(node.lab.endpoints("given")?.len(), 0);
    let kept = std::fs::read_dir(node.lab.host.folder().join("given"))?;
    let mut kept = kept.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ensure!(!kept.any(|name| name.starts_with("10.")));
    Ok(())
}
