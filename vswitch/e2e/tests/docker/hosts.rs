//! Containers of Docker on networks that are more than one host's.

use anyhow::{Result, ensure};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, Host, Place, UNDERLAY_NIC, Underlay, ask, ping};

use crate::fixture::{Node, SUBNET6, at, inside, run};

fn node(wire: &Underlay, number: u8) -> Result<Node> {
    let host = Host::new()?;
    wire.plug(&host, number)?;
    Node::on(host)
}

#[test]
fn two_dockers_share_an_overlay() -> Result<()> {
    let wire = Underlay::new()?;
    let nodes = [node(&wire, 1)?, node(&wire, 2)?];
    let mut containers = Vec::new();
    for (node, number, other) in [(&nodes[0], 1, 2), (&nodes[1], 2, 1)] {
        let peer = wire.address(4, other);
        // Each Docker gives addresses on its own: of a part of the subnet.
        node.create(
            "net",
            &format!(
                "--subnet 10.20.0.0/24 --gateway 10.20.0.1 --ip-range 10.20.0.{}/28 {SUBNET6} \
                 --opt driver=overlay --opt peers={peer}",
                16 * number
            ),
        )?;
        let options = format!("--network net --ip6 fd20::{number}0");
        containers.push(node.docker.run("c1", &options)?);
    }
    let (one, two) = (&containers[0], &containers[1]);
    let address = nodes[1].address("c1", "net")?;
    assert_eq!(address, inside(4, 32));
    let sixth = "fd20::20".parse()?;
    let _echo = Echo::start(two, 7)?;
    for to in [address, sixth] {
        ping(one, to)?;
        ask(one, Udp, at(to, 7))?;
        let seen = ask(one, Tcp, at(to, 7))?;
        ensure!(
            [inside(4, 16), "fd20::10".parse()?].contains(&seen.ip()),
            "{seen}"
        );
        Conversation::start(one, at(to, 7))?.exchange(1 << 20)?;
    }
    // 50 octets are for headers.
    ensure!(run(one, "ip link show dev eth0")?.contains("mtu 1450 "));
    let fdb = nodes[0].daemon.ctl("fdb net")?;
    ensure!(fdb.contains("02:42:0a:14:00:20"), "{fdb}");
    ping(one, inside(4, 1))?;
    for node in &nodes {
        node.tidy()?;
    }
    Ok(())
}

#[test]
fn containers_are_on_the_physical_network() -> Result<()> {
    let wire = Underlay::new()?;
    let machine = Host::new()?;
    wire.plug(&machine, 9)?;
    let plain = machine.place();
    let node = node(&wire, 1)?;
    let _far = Echo::start(&plain, 7)?;
    for driver in ["macvlan", "ipvlan"] {
        node.create(
            "lan",
            &format!(
                "--subnet 192.0.2.0/24 --ip-range 192.0.2.64/28 --gateway 192.0.2.9 \
                 --ipv6 --subnet 2001:db8::/64 --gateway 2001:db8::9 \
                 --opt driver={driver} --opt parent={UNDERLAY_NIC}"
            ),
        )?;
        let one = run_on_wire(&node, &wire, "c1", 70)?;
        run_on_wire(&node, &wire, "c2", 71)?;
        let near = Echo::start(&one, 7)?;
        for family in [4, 6] {
            let [own, other, outsider] = [70, 71, 9].map(|number| wire.address(family, number));
            ping(&one, other)?;
            ping(&plain, own)?;
            // Under its own address, both ways.
            assert_eq!(ask(&one, Tcp, at(outsider, 7))?.ip(), own);
            assert_eq!(ask(&plain, Tcp, at(own, 7))?.ip(), outsider);
            Conversation::start(&plain, at(own, 7))?.exchange(1 << 20)?;
        }
        node.docker.exec("c1", "ping -c 1 -w 5 c2")?;
        let routes = run(&one, "ip route")?;
        ensure!(
            routes.contains("default via 192.0.2.9"),
            "{driver}: {routes}"
        );
        // Docker has not helped with a network of its own.
        ensure!(run(&one, "ip -o link")?.lines().count() == 2);
        drop(near);
        node.tidy()?;
    }
    Ok(())
}

/// A container on network `lan`, with the addresses of a number on the wire.
fn run_on_wire(node: &Node, wire: &Underlay, name: &str, number: u8) -> Result<Place> {
    let (v4, v6) = (wire.address(4, number), wire.address(6, number));
    let options = format!("--network lan --ip {v4} --ip6 {v6}");
    node.docker.run(name, &options)
}
