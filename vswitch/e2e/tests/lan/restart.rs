//! The daemon ends, in whatever way, and begins again.

use anyhow::{Result, ensure};
use vswitch_e2e::{Conversation, Echo, Place, UNDERLAY_NIC, Underlay, eventually};

use crate::fixture::{Node, OUTSIDER, PATIENCE, at, in_vlan, on_wire, ping, plain, sandbox};

/// A network of each kind on one NIC: its options, and the container's number.
const NETWORKS: [(&str, &str, &str, u8); 4] = [
    ("mac", "macvlan", "", 17),
    ("nat", "macvlan", "-o mac_nat=true", 33),
    ("ip", "ipvlan", "", 49),
    ("near", "macvlan", "-o host_access=true", 65),
];

struct Lab {
    node: Node,
    places: Vec<(Place, u8)>,
    in_vlans: [Place; 2],
    other: Node,
    outsider: vswitch_e2e::Host,
    _wire: Underlay,
}

fn lab() -> Result<Lab> {
    let wire = Underlay::new()?;
    let outsider = plain(&wire, OUTSIDER)?;
    let [node, other] = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
    let mut places = Vec::new();
    for (net, driver, options, number) in NETWORKS {
        let first = number & 0xf0;
        let [v4, v6] = [on_wire(4, first), on_wire(6, first)];
        let ranges = format!("--ip-range {v4}/28 --ip-range {v6}/124");
        node.add_net(net, driver, &format!("{ranges} {options}"))?;
        places.push((node.attach(net, number)?, number));
    }
    let in_vlans = [(&node, 10), (&other, 20)].map(|(node, number)| -> Result<Place> {
        let (v4, v6) = (in_vlan(4, 100, 0), in_vlan(6, 100, 0));
        node.ctl(&format!(
            "add-net vlan -d macvlan --subnet {v4}/24 --ipv6 --subnet {v6}/64 -o parent=eth0.100"
        ))?;
        let (v4, v6) = (in_vlan(4, 100, number), in_vlan(6, 100, number));
        node.attach_with("vlan", number, &format!("--ip {v4} --ip6 {v6}"))
    });
    let [one, two] = in_vlans;
    Ok(Lab {
        node,
        places,
        in_vlans: [one?, two?],
        other,
        outsider,
        _wire: wire,
    })
}

impl Lab {
    fn works(&self) -> Result<()> {
        for (place, number) in &self.places {
            for family in [4, 6] {
                ping(place, on_wire(family, OUTSIDER))?;
                ping(&self.outsider.place(), on_wire(family, *number))?;
            }
        }
        for family in [4, 6] {
            ping(&self.in_vlans[0], in_vlan(family, 100, 20))?;
            ping(&self.node.host.place(), on_wire(family, 65))?;
        }
        Ok(())
    }

    fn identity(&self) -> Result<Vec<String>> {
        let mut lines = vec![
            self.node.ctl("list-nets")?,
            self.node.ctl("list-sandboxes")?,
        ];
        for (net, _, _, number) in NETWORKS {
            lines.push(self.node.ctl(&format!("inspect {net}"))?);
            let show = "ip -o address show dev eth0 scope global";
            lines.push(self.node.host.run_in(&sandbox(number), show)?);
        }
        Ok(lines)
    }
}

#[test]
fn all_is_as_it_was() -> Result<()> {
    let mut lab = lab()?;
    lab.works()?;
    let before = lab.identity()?;
    let _server = Echo::start(&lab.outsider.place(), 7)?;
    let mut open = Vec::new();
    for (place, _) in &lab.places {
        for family in [4, 6] {
            open.push(Conversation::start(
                place,
                at(on_wire(family, OUTSIDER), 7),
            )?);
        }
    }
    for kill in [true, false] {
        if kill {
            lab.node.daemon.kill()?;
        } else {
            lab.node.daemon.stop()?;
        }
        lab.node.daemon.start_again()?;
        assert_eq!(lab.identity()?, before);
        for conversation in &mut open {
            conversation.goes_on(PATIENCE)?;
        }
        lab.works()?;
    }

    // And it can still all be taken away.
    drop(open);
    for (net, _, _, number) in NETWORKS {
        let name = sandbox(number);
        lab.node.ctl(&format!("detach {net} {name}"))?;
        assert_eq!(lab.node.host.interfaces_in(&name)?, ["lo"]);
        lab.node.ctl(&format!("rm-net {net}"))?;
    }
    lab.node.ctl("rm-net --force vlan")?;
    assert_eq!(lab.node.host.interfaces()?, ["lo", UNDERLAY_NIC]);
    assert_eq!(lab.node.promiscuity(UNDERLAY_NIC)?, 0);
    // Packet sockets, as /proc/net/packet has them: none but those that were there before there was a network.
    let sockets = |node: &Node| -> Result<usize> {
        let listed = node.host.run("cat /proc/self/net/packet")?;
        Ok(listed.lines().count())
    };
    lab.other.ctl("rm-net --force vlan")?;
    let fresh = sockets(&lab.other)?;
    eventually(
        "as few packet sockets as where nothing was",
        PATIENCE,
        || Ok(sockets(&lab.node)? <= fresh),
    )
}

/// What changed meanwhile is found.
#[test]
fn a_parent_that_changed_meanwhile() -> Result<()> {
    let wire = Underlay::new()?;
    let outsider = plain(&wire, OUTSIDER)?;
    let mut node = Node::new(&wire, 1)?;
    node.add_net("net", "macvlan", "")?;
    let container = node.attach("net", 10)?;
    node.daemon.kill()?;
    node.host.run(&format!("ip link delete {UNDERLAY_NIC}"))?;
    node.daemon.start_again()?;
    ensure!(
        node.parent("net")?["State"] == "missing",
        "{}",
        node.parent("net")?
    );
    wire.plug(&node.host, 1)?;
    eventually("the parent is there", PATIENCE, || {
        Ok(node.parent("net")?["State"] == "up")
    })?;
    for family in [4, 6] {
        ping(&container, on_wire(family, OUTSIDER))?;
        ping(&outsider.place(), on_wire(family, 10))?;
    }
    Ok(())
}
