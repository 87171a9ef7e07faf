//! The way out and in, on each host of its own: the gateway is on all of them.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Echo, Host, Place, Underlay, ask, eventually};

use crate::fixture::{Node, PATIENCE, answers, at, inside, mac_text, no_ping, ping};

/// Two hosts with a container each, and a machine outside that knows nothing of containers.
struct Lab {
    nodes: [Node; 2],
    outside: Host,
    underlay: Underlay,
}

const OUTSIDE: u8 = 9;

impl Lab {
    fn new() -> Result<Self> {
        let underlay = Underlay::new()?;
        let outside = Host::new()?;
        underlay.plug(&outside, OUTSIDE)?;
        let node = |number: u8| -> Result<Node> {
            let host = Host::new()?;
            underlay.plug(&host, number)?;
            underlay.route_by(&host, Some(OUTSIDE))?;
            let node = Node::on(host, number)?;
            node.add_net(&[underlay.address(4, 3 - number)], "")?;
            node.attach(10 * number)?;
            Ok(node)
        };
        Ok(Self {
            nodes: [node(1)?, node(2)?],
            outside,
            underlay,
        })
    }

    fn containers(&self) -> [Place; 2] {
        [self.nodes[0].container(10), self.nodes[1].container(20)]
    }
}

#[test]
fn each_host_translates_for_its_own_containers() -> Result<()> {
    let lab = Lab::new()?;
    let _server = Echo::start(&lab.outside.place(), 7)?;
    for family in [4, 6] {
        let to = at(lab.underlay.address(family, OUTSIDE), 7);
        for (container, number) in lab.containers().iter().zip([1, 2]) {
            for transport in [Tcp, Udp] {
                let seen = ask(container, transport, to)?;
                ensure!(seen.ip() == lab.underlay.address(family, number), "{seen}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_port_is_published_on_the_host_of_its_container() -> Result<()> {
    let lab = Lab::new()?;
    let [first, second] = lab.containers();
    lab.nodes[1].ctl("publish net c20 -p 8080:80 -p 8080:80/udp")?;
    let _server = Echo::start(&second, 80)?;
    for family in [4, 6] {
        let to = at(lab.underlay.address(family, 2), 8080);
        for transport in [Tcp, Udp] {
            let seen = ask(&lab.outside.place(), transport, to)?;
            ensure!(seen.ip() == lab.underlay.address(family, OUTSIDE), "{seen}");
            // From another host's container, which goes out and comes in.
            let seen = ask(&first, transport, to)?;
            ensure!(seen.ip() == lab.underlay.address(family, 1), "{seen}");
            ask(&lab.nodes[0].host.place(), transport, to)?;
            ask(&lab.nodes[1].host.place(), transport, to)?;
        }
    }
    Ok(())
}

#[test]
fn the_gateway_is_the_same_everywhere() -> Result<()> {
    let lab = Lab::new()?;
    let mut macs = Vec::new();
    for container in &lab.containers() {
        for family in [4, 6] {
            let gateway = inside(family, 1);
            ping(container, gateway)?;
            let ip = container.program("ip");
            let shown = ip
                .args(["neigh", "show", "dev", "eth0", &gateway.to_string()])
                .output()?;
            let mut words = shown.split_whitespace();
            words.find(|word| *word == "lladdr").context("no lladdr")?;
            macs.push(words.next().context("no address")?.to_owned());
        }
    }
    macs.dedup();
    ensure!(macs.len() == 1, "{macs:?}");
    // Nobody learns it from the other side: the gateway is nobody's container.
    for node in &lab.nodes {
        let fdb = node.rows("fdb net")?;
        let rows: Vec<_> = fdb.iter().filter(|row| row["mac"] == macs[0]).collect();
        ensure!(rows.len() == 1 && rows[0]["origin"] != "learned", "{fdb:?}");
    }
    Ok(())
}

#[test]
fn a_host_reaches_its_own_containers_only() -> Result<()> {
    let lab = Lab::new()?;
    let [first, second] = lab.containers();
    for family in [4, 6] {
        for (node, own) in lab.nodes.iter().zip([10, 20]) {
            eventually("the host reaches its container", PATIENCE, || {
                answers(&node.host.place(), inside(family, own))
            })?;
        }
        ping(&first, inside(family, 20))?;
        ping(&second, inside(family, 10))?;
        no_ping(&lab.nodes[0].host.place(), inside(family, 20))?;
    }
    // Nor if it knows the container's MAC address.
    let host = &lab.nodes[0].host;
    let interfaces = host.interfaces()?;
    let gateway = interfaces.iter().find(|name| name.starts_with("br-"));
    let gateway = gateway.context("no host port")?;
    let (address, mac) = (inside(4, 20), mac_text(20));
    host.run(&format!(
        "ip neigh replace {address} lladdr {mac} dev {gateway} nud permanent"
    ))?;
    no_ping(&host.place(), address)?;
    // It says why.
    let stats = lab.nodes[0].rows("stats")?;
    let reasons: u64 = stats
        .iter()
        .filter_map(|row| row["drops"]["not_local"].as_u64())
        .sum();
    ensure!(reasons > 0, "{stats:?}");
    Ok(())
}
