//! Three hosts, each with a daemon, and tunnels from each to each.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, Place, Underlay, ask, eventually};

use crate::fixture::{Node, PATIENCE, answers, at, inside, mac_text, no_ping, ping};

/// Hosts 1, 2, …, with container 10 times its number on each.
pub(crate) struct Mesh {
    pub(crate) nodes: Vec<Node>,
    pub(crate) underlay: Underlay,
}

impl Mesh {
    pub(crate) fn of(hosts: u8) -> Result<Self> {
        Self::with(hosts, 4, "")
    }

    pub(crate) fn with(hosts: u8, family: u8, options: &str) -> Result<Self> {
        let mesh = Self::unpopulated(hosts, family, options)?;
        for node in &mesh.nodes {
            node.attach(10 * node.number)?;
        }
        Ok(mesh)
    }

    pub(crate) fn unpopulated(hosts: u8, family: u8, options: &str) -> Result<Self> {
        let underlay = Underlay::new()?;
        let mut nodes = Vec::new();
        for number in 1..=hosts {
            let node = Node::new(&underlay, number)?;
            let peers = others(&underlay, hosts, family, number);
            node.add_net(&peers, options)?;
            nodes.push(node);
        }
        Ok(Self { nodes, underlay })
    }

    /// The container of a host.
    pub(crate) fn container(&self, number: u8) -> Place {
        self.node(number).container(10 * number)
    }

    pub(crate) fn node(&self, number: u8) -> &Node {
        &self.nodes[usize::from(number) - 1]
    }

    pub(crate) fn node_mut(&mut self, number: u8) -> &mut Node {
        &mut self.nodes[usize::from(number) - 1]
    }

    /// Each container pings each other one.
    fn all_talk(&self) -> Result<()> {
        for from in &self.nodes {
            for to in &self.nodes {
                if from.number != to.number {
                    for family in [4, 6] {
                        ping(&self.container(from.number), inside(family, 10 * to.number))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn others(underlay: &Underlay, hosts: u8, family: u8, number: u8) -> Vec<IpAddr> {
    (1..=hosts)
        .filter(|other| *other != number)
        .map(|other| underlay.address(family, other))
        .collect()
}

#[test]
fn every_container_reaches_every_other() -> Result<()> {
    for family in [4, 6] {
        let mesh = Mesh::with(3, family, "")?;
        mesh.node(1).attach(11)?;
        let servers: Result<Vec<_>> = (1..=3)
            .map(|n| Echo::start(&mesh.container(n), 7))
            .collect();
        let _servers = servers?;
        mesh.all_talk()?;
        for from in 1..=3 {
            for to in 1..=3 {
                for inner in [4, 6] {
                    let to = at(inside(inner, 10 * to), 7);
                    let place = mesh.container(from);
                    ask(&place, Udp, to)?;
                    let seen = ask(&place, Tcp, to)?;
                    // Nobody is in between.
                    assert_eq!(seen.ip(), inside(inner, 10 * from));
                    Conversation::start(&place, to)?.exchange(1 << 20)?;
                }
            }
        }
        // On the same host and on another, side by side.
        let neighbour = mesh.node(1).container(11);
        ping(&neighbour, inside(4, 10))?;
        ping(&neighbour, inside(4, 30))?;
    }
    Ok(())
}

#[test]
fn hosts_with_a_range_each_give_addresses_of_their_own() -> Result<()> {
    let underlay = Underlay::new()?;
    let mut nodes = Vec::new();
    let mut containers = Vec::new();
    for (number, range) in [
        (1, "10.20.0.64/26"),
        (2, "10.20.0.128/26"),
        (3, "10.20.0.192/26"),
    ] {
        let node = Node::new(&underlay, number)?;
        let peers = others(&underlay, 3, 4, number);
        let peers: Vec<_> = peers.iter().map(IpAddr::to_string).collect();
        let (subnet, peers) = ("10.20.0.0/24", peers.join(","));
        node.ctl(&format!(
            "add-net net -d overlay --subnet {subnet} --ip-range {range} -o peers={peers}"
        ))?;
        for name in ["x", "y"] {
            node.daemon.populate("net", &[name])?;
            let inspected = node.daemon.json("inspect net")?;
            let address = inspected[0]["Containers"][name]["IPv4Address"].as_str();
            let address = address.context("not attached")?.trim_end_matches("/24");
            containers.push((node.host.sandbox(name), address.parse::<IpAddr>()?));
        }
        nodes.push(node);
    }
    for (place, _) in &containers {
        for (_, address) in &containers {
            ping(place, *address)?;
        }
    }
    let mut addresses: Vec<_> = containers.iter().map(|(_, address)| address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 6);
    Ok(())
}

#[test]
fn a_host_dies_and_comes_back() -> Result<()> {
    let mut mesh = Mesh::of(3)?;
    let _server = Echo::start(&mesh.container(2), 7)?;
    let mut open = Conversation::start(&mesh.container(1), at(inside(4, 20), 7))?;
    mesh.all_talk()?;

    mesh.node_mut(3).daemon.kill()?;
    mesh.underlay.set_link(3, false)?;
    no_ping(&mesh.container(1), inside(4, 30))?;
    // The two others, with what they already said to each other and with more.
    open.goes_on(PATIENCE)?;
    open.exchange(4 << 20)?;
    ping(&mesh.container(2), inside(6, 10))?;

    mesh.underlay.set_link(3, true)?;
    mesh.node_mut(3).daemon.start_again()?;
    for from in [1, 2] {
        eventually("the host that was away answers", PATIENCE, || {
            answers(&mesh.container(from), inside(4, 30))
        })?;
    }
    mesh.all_talk()?;
    open.exchange(1 << 20)
}

/// What must not change when a daemon ends and comes back.
fn identity(node: &Node) -> Result<Vec<Value>> {
    let mut identity = node.rows("remote list")?;
    for mut row in node.rows("vtep list")? {
        for changing in ["heard", "macs"] {
            row[changing] = Value::Null;
        }
        identity.push(row);
    }
    identity.push(node.daemon.json("inspect net")?);
    Ok(identity)
}

#[test]
fn a_daemon_that_comes_back_knows_what_it_was_told() -> Result<()> {
    let mut mesh = Mesh::unpopulated(2, 4, "-o vni=777")?;
    for number in [1, 2] {
        mesh.node(number).attach(10 * number)?;
    }
    let (peer, late) = (mesh.underlay.address(4, 2), mesh.underlay.address(4, 99));
    mesh.node(1).ctl(&format!("vtep add net {late}"))?;
    let somebody = mac_text(99);
    mesh.node(1)
        .ctl(&format!("remote add net {somebody} {peer} --ip 10.20.0.99"))?;
    let _server = Echo::start(&mesh.container(2), 7)?;
    let mut open = Vec::new();
    for family in [4, 6] {
        let server = at(inside(family, 20), 7);
        open.push(Conversation::start(&mesh.container(1), server)?);
    }
    let before = identity(mesh.node(1))?;
    ensure!(before.len() == 4, "{before:?}");
    for kill in [true, false, true] {
        for number in [1, 2] {
            let daemon = &mut mesh.node_mut(number).daemon;
            if kill {
                daemon.kill()?;
            } else {
                daemon.stop()?;
            }
        }
        for conversation in &mut open {
            assert!(conversation.goes_on(Duration::from_millis(30)).is_err());
        }
        sleep(Duration::from_millis(300));
        for number in [1, 2] {
            mesh.node_mut(number).daemon.start_again()?;
        }
        for conversation in &mut open {
            conversation.goes_on(PATIENCE)?;
        }
        assert_eq!(identity(mesh.node(1))?, before, "kill -9: {kill}");
        let fdb = mesh.node(1).rows("fdb net")?;
        let entry = fdb.iter().find(|row| row["mac"] == somebody);
        let entry = entry.context("the programmed address is gone")?;
        assert_eq!(entry["origin"], "programmed");
    }
    for conversation in &mut open {
        conversation.exchange(1 << 20)?;
    }
    mesh.node(1).ctl(&format!("remote del net {somebody}"))?;
    mesh.node(1).ctl(&format!("vtep del net {late}"))?;
    mesh.all_talk()?;
    // And it can still all be taken away.
    mesh.node(1).ctl("detach net c10")?;
    mesh.node(1).ctl("rm-net net")?;
    assert_eq!(mesh.node(1).host.interfaces()?, ["lo", "eth0"]);
    Ok(())
}

#[test]
fn peers_come_and_go() -> Result<()> {
    let mesh = Mesh::unpopulated(2, 4, "")?;
    for number in [1, 2] {
        mesh.node(number).attach(10 * number)?;
    }
    mesh.all_talk()?;
    let peer = mesh.underlay.address(4, 2);
    mesh.node(1).ctl(&format!("vtep del net {peer}"))?;
    no_ping(&mesh.container(1), inside(4, 20))?;
    no_ping(&mesh.container(2), inside(4, 10))?;
    ensure!(!mesh.node(1).ctl("fdb net")?.contains(&mac_text(20)));
    ensure!(mesh.node(1).tunnel_drops("unknown_vtep")? > 0);
    mesh.node(1).ctl(&format!("vtep add net {peer}"))?;
    mesh.all_talk()?;

    // The same host with another address.
    let moved: IpAddr = mesh.underlay.address(4, 22);
    let host = &mesh.node(2).host;
    host.run(&format!("ip address del {peer}/24 dev eth0"))?;
    host.run(&format!("ip address add {moved}/24 dev eth0"))?;
    mesh.node(1).ctl(&format!("vtep del net {peer}"))?;
    mesh.node(1).ctl(&format!("vtep add net {moved}"))?;
    eventually("the host is reached by its new address", PATIENCE, || {
        answers(&mesh.container(1), inside(4, 20))
    })?;
    mesh.all_talk()
}

#[test]
fn overlays_nest() -> Result<()> {
    let mesh = Mesh::of(2)?;
    for number in [1, 2] {
        let place = mesh.container(number);
        let (local, remote) = (inside(4, 10 * number), inside(4, 30 - 10 * number));
        for line in [
            // The number of the network that carries it.
            format!("link add inner type vxlan id 4096 dstport 4789 local {local} remote {remote}"),
            format!("address add 10.99.0.{number}/24 dev inner"),
            "link set inner mtu 1400 up".to_owned(),
        ] {
            place.program("ip").args(line.split(' ')).output()?;
        }
    }
    let _server = Echo::start(&mesh.container(2), 7)?;
    let to = at(IpAddr::from([10, 99, 0, 2]), 7);
    ping(&mesh.container(1), to.ip())?;
    Conversation::start(&mesh.container(1), to)?.exchange(4 << 20)
}
