//! What Docker says, written down, and said again without Docker.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{Exchange, Host, IMAGE, Outside, Recorder, Reply, WAN0};
use vswitch_plugin::Method;

use crate::fixture::{Node, PLUGIN};
use crate::plugin::Plugin;

/// Exchanges of a dockerd of this version, one file a version.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/recorded");
/// If it is set, what Docker says is written down there.
const RECORD: &str = "VSWITCH_RECORD";
/// Where the daemon listens while somebody else listens where Docker asks.
const BEHIND: &str = "/run/vswitch-plugin.sock";

/// Asked by managers of a swarm only, or by Docker 28 and later.
const NOT_ASKED: [Method; 5] = [
    Method::GwAllocCheck,
    Method::AllocateNetwork,
    Method::FreeNetwork,
    Method::DiscoverNew,
    Method::DiscoverDelete,
];

/// Every method that Docker calls at all, and errors.
#[test]
fn docker_calls_each_method() -> Result<()> {
    let host = recorded_host()?;
    let mut recorder = None;
    let node = Node::behind(host, BEHIND, |host| {
        fs::create_dir_all(host.path("/run/docker/plugins"))?;
        recorder = Some(Recorder::start(&host.path(PLUGIN), &host.path(BEHIND))?);
        Ok(())
    })?;
    let recorder = recorder.context("no recorder")?;
    speak(&node)?;
    node.tidy()?;
    let exchanges = recorder.exchanges();
    let called: BTreeSet<_> = exchanges
        .iter()
        .map(|exchange| exchange.request.called())
        .collect();
    let expected: BTreeSet<_> = Method::ALL
        .iter()
        .filter(|method| !NOT_ASKED.contains(method))
        .map(|method| method.as_str())
        .collect();
    assert_eq!(called, expected);
    if std::env::var_os(RECORD).is_some() {
        let version = node.docker.ctl("version --format {{.Server.Version}}")?;
        let mut text = String::from("[\n");
        for (at, exchange) in exchanges.iter().enumerate() {
            let comma = if at == 0 { "" } else { ",\n" };
            text.push_str(&format!("{comma}{}", exchange.to_json()));
        }
        text.push_str("\n]\n");
        fs::write(
            Path::new(RECORDED).join(format!("docker-{version}.json")),
            text,
        )?;
    }
    Ok(())
}

/// With all that answers depend on: routes, and a parent of ipvlan networks, which have its MAC address.
fn recorded_host() -> Result<Host> {
    let host = Host::new()?;
    Outside::new(&host, WAN0)?;
    host.run("ip link set wan0 address 02:00:00:00:00:01")?;
    Ok(host)
}

/// One thing after the other, and nothing that another host would decide otherwise.
fn speak(node: &Node) -> Result<()> {
    let docker = &node.docker;
    node.create(
        "one",
        "--subnet 10.20.0.0/24 --ip-range 10.20.0.64/26 --aux-address x=10.20.0.65 \
         --ipv6 --subnet fd20::/64 --opt com.docker.network.driver.mtu=1400 --label of=nobody",
    )?;
    node.create(
        "two",
        "--ipam-driver vswitch --subnet 10.21.0.0/24 --ip-range 10.21.0.128/25",
    )?;
    node.create(
        "three",
        "--ipam-driver vswitch --ipv6 --subnet fd22::/64 --subnet 10.22.0.0/24",
    )?;
    node.create("four", "--ipam-driver null")?;
    node.create("five", "--internal --subnet 10.23.0.0/24")?;
    node.create(
        "six",
        "--opt driver=overlay --opt peers=192.0.2.9 --subnet 10.24.0.0/24",
    )?;
    node.create(
        "seven",
        "--opt driver=macvlan --opt parent=wan0.5 --subnet 10.25.0.0/24",
    )?;
    node.create(
        "eight",
        "--opt driver=ipvlan --opt parent=wan0 --opt ipvlan_mode=l3 --subnet 10.26.0.0/24",
    )?;
    docker.refused("network create -d vswitch --opt colour=blue --subnet 10.27.0.0/24 nine")?;
    docker.refused("network create -d vswitch --ipam-driver vswitch --subnet 10.21.0.0/25 ten")?;
    docker.run(
        "c1",
        "--network one --network-alias shop -p 8080:80 -p 127.0.0.1:5353:53/udp -p 9000-9003:9000-9003",
    )?;
    docker.refused("run --name c2 --network two -p 8080:80 box true")?;
    let body = json!({
        "Image": IMAGE,
        "Cmd": ["sleep", "infinity"],
        "StopSignal": "KILL",
        "MacAddress": "02:00:00:00:00:11",
        "HostConfig": {"NetworkMode": "two"},
        "NetworkingConfig": {"EndpointsConfig": {"two": {"IPAMConfig": {
            "IPv4Address": "10.21.0.9",
        }}}},
    });
    docker.api("POST", "/containers/create?name=c3", &body)?;
    docker.ctl("start c3")?;
    docker.ctl("network connect --alias guest --driver-opt vswitch.anti-spoof=false three c3")?;
    docker.ctl("network connect --ip 10.23.0.7 five c3")?;
    docker.ctl("network connect one c3")?;
    docker.inspect("network", "one")?;
    docker.ctl("network disconnect one c3")?;
    docker.ctl("network disconnect two c3")?;
    for (name, net) in [
        ("c4", "four"),
        ("c5", "six"),
        ("c6", "seven"),
        ("c7", "eight"),
    ] {
        docker.run(name, &format!("--network {net}"))?;
    }
    docker.ctl("stop c1")?;
    docker.ctl("start c1")?;
    Ok(())
}

/// The same requests in the same order have the same answers.
#[test]
fn what_docker_said_is_answered_as_then() -> Result<()> {
    let files: Result<Vec<PathBuf>, _> = fs::read_dir(RECORDED)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let files = files?;
    ensure!(!files.is_empty(), "nothing was recorded");
    for file in files {
        let text = fs::read_to_string(&file)?;
        let recorded: Vec<Value> = serde_json::from_str(&text)?;
        let host = recorded_host()?;
        let plugin = Plugin::on(&host)?;
        for (at, kept) in recorded.iter().enumerate() {
            let exchange = Exchange::from_json(kept)?;
            let reply = plugin.ask(&exchange.request)?;
            ensure!(
                is_same(&reply, &exchange.reply),
                "{}, number {at}: {} is answered by\n{} {}\ninstead of\n{} {}",
                file.display(),
                exchange.request.called(),
                reply.status,
                reply.json(),
                exchange.reply.status,
                exchange.reply.json()
            );
        }
        plugin.is_empty(&host)?;
    }
    Ok(())
}

/// In all that it says; of errors, that there is one.
fn is_same(one: &Reply, other: &Reply) -> bool {
    let what = |reply: &Reply| match reply.status {
        200 => reply.json(),
        _ => Value::from(reply.json()["Err"].is_string()),
    };
    (one.status, what(one)) == (other.status, what(other))
}
