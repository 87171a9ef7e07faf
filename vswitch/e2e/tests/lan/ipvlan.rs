//! Who reaches whom in each mode of ipvlan. This kernel has none to compare with; the tables follow
//! its documentation (Documentation/networking/ipvlan.rst) and its driver.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Host, Packets, Party, Place, Underlay, Way};

use crate::fixture::{Node, OUTSIDER, mac_of, on_wire, ping, plain};
use crate::table::{Maker, Table, is_as};

/// Two containers of a network, one on another host, a machine that knows nothing of containers, and the host of
/// the two.
const PARTIES: [&str; 5] = ["here", "sibling", "there", "outsider", "host"];

/// Siblings reach each other.
const TOGETHER: Table<5> = [
    "-xxx.", // here
    "x-xx.", // sibling
    "xx-xx", // there
    "xxx-x", // outsider
    "..xx-", // host
];

/// They do not.
const APART: Table<5> = [
    "-.xx.", // here
    ".-xx.", // sibling
    "xx-xx", // there
    "xxx-x", // outsider
    "..xx-", // host
];

const TOGETHER_WITHOUT_HOST: Table<4> = ["-xxx", "x-xx", "xx-x", "xxx-"];
const APART_WITHOUT_HOST: Table<4> = ["-.xx", ".-xx", "xx-x", "xxx-"];

/// The number on the wire of each of [`PARTIES`] in mode l2.
const NUMBERS: [u8; 5] = [10, 11, 20, OUTSIDER, 1];

struct Topology {
    parties: Vec<Party>,
    // Dropped in this order: daemons first.
    nodes: [Node; 2],
    outsider: Host,
    wire: Underlay,
}

impl Topology {
    /// The network is made by `add_net` on each host, and joined by `attach` by each container.
    fn new(
        add_net: impl Fn(&Node) -> Result<()>,
        attach: impl Fn(&Node, u8) -> Result<Place>,
        addresses: impl Fn(u8) -> [IpAddr; 2],
    ) -> Result<Self> {
        let wire = Underlay::new()?;
        let outsider = plain(&wire, OUTSIDER)?;
        let nodes = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
        nodes.iter().try_for_each(add_net)?;
        let places = [
            attach(&nodes[0], 10)?,
            attach(&nodes[0], 11)?,
            attach(&nodes[1], 20)?,
            outsider.place(),
            nodes[0].host.place(),
        ];
        let party = |((name, place), number): ((&str, Place), u8)| Party {
            name: name.to_owned(),
            place,
            addresses: addresses(number),
        };
        let parties = PARTIES
            .into_iter()
            .zip(places)
            .zip(NUMBERS)
            .map(party)
            .collect();
        Ok(Self {
            parties,
            nodes,
            outsider,
            wire,
        })
    }

    fn is_as(&self, what: &str, way: Way, table: &Table<5>) -> Result<()> {
        is_as(&self.parties, Maker::Switch, what, way, table)
    }
}

fn l2(flag: &str) -> Result<Topology> {
    Topology::new(
        |node| {
            node.add_net(
                "net",
                "ipvlan",
                &format!("-o dad=false -o ipvlan_flag={flag}"),
            )
        },
        |node, number| node.attach("net", number),
        |number| [on_wire(4, number), on_wire(6, number)],
    )
}

/// That all that was seen came from these, and that one of them was seen at all.
fn sources_are(packets: &Packets, of: &str, wanted: &[String]) -> Result<()> {
    let rows = packets.dissect(of, &["eth.src"])?;
    let mut seen: Vec<_> = rows.iter().map(|row| row[0][0].clone()).collect();
    seen.sort_unstable();
    seen.dedup();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    ensure!(seen == wanted, "{of}: {seen:?}, not {wanted:?}");
    Ok(())
}

/// And behind a switch that reflects: what goes out for a sibling comes back, if that is of flag vepa.
#[test]
fn l2_by_flag() -> Result<()> {
    for (flag, table, reflected) in [
        ("bridge", TOGETHER, TOGETHER_WITHOUT_HOST),
        ("private", APART, APART_WITHOUT_HOST),
        ("vepa", APART, TOGETHER_WITHOUT_HOST),
    ] {
        let topology = l2(flag)?;
        let packets = topology.wire.record("")?;
        for way in [
            Way::Ping(4),
            Way::Ping(6),
            Way::Broadcast(4),
            Way::Broadcast(6),
        ] {
            topology.is_as(flag, way, &table)?;
        }
        // Nobody out there sees more MAC addresses than there are machines.
        let mut machines = vec![mac_of(&topology.outsider.place(), "eth0")?];
        for node in &topology.nodes {
            machines.push(mac_of(&node.host.place(), "eth0")?);
        }
        sources_are(&packets, "arp || icmp || icmpv6 || udp", &machines)?;
        sources_are(&packets, "ip.src == 192.0.2.10", &machines[1..2])?;
        sources_are(&packets, "ip.src == 192.0.2.20", &machines[2..])?;
        let inside = mac_of(&topology.parties[0].place, "eth0")?;
        ensure!(inside == machines[1], "{inside} is not the parent's");

        topology.wire.set_hairpin(1, true)?;
        let what = format!("{flag}, reflected");
        // The host is another question: it has the same MAC address.
        let parties = &topology.parties[..4];
        for way in [Way::Ping(4), Way::Ping(6), Way::Broadcast(4)] {
            is_as(parties, Maker::Switch, &what, way, &reflected)?;
        }
    }
    Ok(())
}

/// A subnet of each host's own, to which its neighbours have routes.
fn routed(family: u8, host: u8, number: u8) -> IpAddr {
    match family {
        4 => IpAddr::from([10, 90 + host, 0, number]),
        _ => IpAddr::from([
            0xfd00,
            0x90 + u16::from(host),
            0,
            0,
            0,
            0,
            0,
            u16::from(number),
        ]),
    }
}

fn l3(mode: &str, flag: &str) -> Result<Topology> {
    let addresses = |number: u8| {
        [4, 6].map(|family| match number {
            10..30 => routed(family, number / 10, number),
            machine => on_wire(family, machine),
        })
    };
    let topology = Topology::new(
        |node| {
            let [v4, v6] = [4, 6].map(|family| routed(family, node.number, 0));
            node.ctl(&format!(
                "add-net net -d ipvlan --subnet {v4}/24 --ipv6 --subnet {v6}/64 \
                 -o parent=eth0 -o dad=false -o ipvlan_mode={mode} -o ipvlan_flag={flag}"
            ))?;
            // Whatever is not here is behind the outsider.
            for family in [4, 6] {
                let via = on_wire(family, OUTSIDER);
                node.host
                    .run(&format!("ip -{family} route add default via {via}"))?;
            }
            Ok(())
        },
        |node, number| {
            let [v4, v6] = addresses(number);
            node.attach_with("net", number, &format!("--ip {v4} --ip6 {v6}"))
        },
        addresses,
    )?;
    topology.outsider.run(
        "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
         net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0",
    )?;
    for family in [4, 6] {
        for host in [1, 2] {
            let (to, via) = (routed(family, host, 0), on_wire(family, host));
            let length = if family == 4 { 24 } else { 64 };
            topology
                .outsider
                .run(&format!("ip -{family} route add {to}/{length} via {via}"))?;
        }
    }
    Ok(topology)
}

#[test]
fn l3_by_flag() -> Result<()> {
    for (mode, flag, reaches) in [
        ("l3", "bridge", true),
        ("l3", "private", false),
        ("l3s", "bridge", true),
    ] {
        let topology = l3(mode, flag)?;
        let packets = topology.wire.record("")?;
        let parties = &topology.parties[..4];
        let table = if reaches {
            TOGETHER_WITHOUT_HOST
        } else {
            APART_WITHOUT_HOST
        };
        for family in [4, 6] {
            is_as(
                parties,
                Maker::Switch,
                &format!("{mode} {flag}"),
                Way::Ping(family),
                &table,
            )?;
        }
        // Containers have no part in what is said of MAC addresses, and no address is translated.
        let [here, there] = [routed(4, 1, 10), routed(4, 2, 20)];
        packets.wait_for(&format!("ip.src == {here} && ip.dst == {there}"), 1)?;
        for quiet in [
            "arp && arp.src.proto_ipv4 != 192.0.2.0/24",
            "icmpv6.type == 135 && ipv6.src == fd00::/16",
        ] {
            let rows = packets.dissect(quiet, &["eth.src"])?;
            ensure!(rows.is_empty(), "{quiet}: {rows:?}");
        }
        let machine = mac_of(&topology.nodes[0].host.place(), "eth0")?;
        sources_are(
            &packets,
            &format!(
                "ip.src == {here} && ip.dst == {} && ip.ttl > 62",
                on_wire(4, OUTSIDER)
            ),
            &[machine],
        )?;
    }
    Ok(())
}

/// Networks on one parent are siblings in mode l3.
#[test]
fn l3_networks_of_one_parent() -> Result<()> {
    let topology = l3("l3", "bridge")?;
    let node = &topology.nodes[0];
    node.ctl("add-net other -d ipvlan --subnet 10.99.0.0/24 -o parent=eth0 -o ipvlan_mode=l3")?;
    let other = node.attach_with("other", 12, "--ip 10.99.0.12")?;
    ping(&other, routed(4, 1, 10))?;
    ping(&topology.parties[0].place, "10.99.0.12".parse()?)
}

/// Which the kernel cannot: the first of the two takes the NIC.
#[test]
fn macvlan_and_ipvlan_on_one_parent() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    let mut parties = Vec::new();
    for (driver, first) in [("macvlan", 16), ("ipvlan", 32)] {
        let [v4, v6] = [on_wire(4, first), on_wire(6, first)];
        let ranges = format!("--ip-range {v4}/28 --ip-range {v6}/124");
        node.add_net(driver, driver, &ranges)?;
        for number in [first + 1, first + 2] {
            parties.push(Party {
                name: format!("{driver} {number}"),
                place: node.attach(driver, number)?,
                addresses: [on_wire(4, number), on_wire(6, number)],
            });
        }
    }
    for (name, number, place) in [
        ("outsider", OUTSIDER, outsider.place()),
        ("host", 1, node.host.place()),
    ] {
        parties.push(Party {
            name: name.to_owned(),
            place,
            addresses: [on_wire(4, number), on_wire(6, number)],
        });
    }
    let table = ["-xxxx.", "x-xxx.", "xx-xx.", "xxx-x.", "xxxx-x", "....x-"];
    for way in [
        Way::Ping(4),
        Way::Ping(6),
        Way::Broadcast(4),
        Way::Broadcast(6),
    ] {
        is_as(&parties, Maker::Switch, "both", way, &table)?;
    }
    let filter = node.parent("ipvlan")?["Filter"].clone();
    let filter = filter.as_str().context("no Filter")?;
    ensure!(filter == "promiscuous", "{filter}");
    Ok(())
}
