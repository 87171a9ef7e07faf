//! Containers on a wire, and all that they say to each other and to others there.

use anyhow::{Result, ensure};
use vswitch_e2e::Transport::Udp;
use vswitch_e2e::{Conversation, Echo, IperfServer, Place, Protocol, Underlay, ask, ask_large};

use crate::fixture::{Node, OUTSIDER, PATIENCE, Pair, at, on_wire, ping, plain};

/// A place with a server, and its number on the wire.
struct End {
    place: Place,
    number: u8,
    _server: Echo,
}

impl End {
    fn new(place: Place, number: u8) -> Result<Self> {
        let server = Echo::start(&place, 7)?;
        Ok(Self {
            place,
            number,
            _server: server,
        })
    }
}

/// All that programs do, both ways.
fn talk(one: &End, other: &End) -> Result<()> {
    for family in [4, 6] {
        for (from, to) in [(one, other), (other, one)] {
            let address = on_wire(family, to.number);
            ping(&from.place, address)?;
            ask(&from.place, Udp, at(address, 7))?;
            // In fragments of the sender's making.
            ask_large(&from.place, at(address, 7), 8000)?;
            Conversation::start(&from.place, at(address, 7))?.exchange(1 << 20)?;
        }
    }
    Ok(())
}

fn all_talk(driver: &str, options: &str) -> Result<()> {
    let pair = Pair::new(driver, options)?;
    let outsider = plain(&pair.wire, OUTSIDER)?;
    let [here, there] = pair.containers();
    let here = End::new(here, 10)?;
    for other in [
        End::new(there, 20)?,
        End::new(pair.nodes[0].attach("net", 11)?, 11)?,
        End::new(outsider.place(), OUTSIDER)?,
    ] {
        talk(&here, &other)?;
    }
    Ok(())
}

#[test]
fn macvlan_containers_talk() -> Result<()> {
    all_talk("macvlan", "")
}

#[test]
fn ipvlan_containers_talk() -> Result<()> {
    all_talk("ipvlan", "")
}

#[test]
fn macvlan_containers_talk_behind_the_parents_address() -> Result<()> {
    all_talk("macvlan", "-o mac_nat=true")
}

/// Super-frames within and between hosts; and over a wire that carries packets only.
#[test]
fn bulk() -> Result<()> {
    for wire in [Underlay::new()?, Underlay::without_offloads()?] {
        let pair = Pair::on(wire, "macvlan", "")?;
        let [here, there] = pair.containers();
        let datagrams = Protocol::Udp {
            length: 1000,
            bits_per_second: 50_000_000,
        };
        for (family, protocol, reverse) in [
            (4, Protocol::Tcp, false),
            (6, Protocol::Tcp, true),
            (6, datagrams, false),
        ] {
            // A new one each time: one that ends a test resets those who connect meanwhile.
            let server = IperfServer::start(&there)?;
            let mut client = server.client(&on_wire(family, 20).to_string(), protocol);
            client.reverse = reverse;
            let run = client.run(&here)?;
            ensure!(run.bytes > 1 << 16, "{protocol:?}, {reverse}: {run:?}");
        }
    }
    Ok(())
}

/// The gateway is a machine on the wire. Nobody translates.
#[test]
fn a_router_on_the_wire_routes() -> Result<()> {
    let [wire, far_wire] = [Underlay::new()?, Underlay::second()?];
    let _router = wire.join(&far_wire, 1500)?;
    let far = plain(&far_wire, 7)?;
    far_wire.route_by(&far, None)?;
    let node = Node::new(&wire, 1)?;
    let (v4, v6) = (wire.address(4, 254), wire.address(6, 254));
    let _server = Echo::start(&far.place(), 7)?;
    for (net, driver, options, number) in [
        ("mac", "macvlan", "", 17),
        ("ip", "ipvlan", "", 33),
        ("nat", "macvlan", "-o mac_nat=true", 49),
    ] {
        let first = number & 0xf0;
        let [range4, range6] = [on_wire(4, first), on_wire(6, first)];
        node.add_net(
            net,
            driver,
            &format!(
                "--gateway {v4} --gateway {v6} --ip-range {range4}/28 --ip-range {range6}/124 {options}"
            ),
        )?;
        let container = node.attach(net, number)?;
        let _inside = Echo::start(&container, 7)?;
        for family in [4, 6] {
            let (own, to) = (on_wire(family, number), far_wire.address(family, 7));
            let mut conversation = Conversation::start(&container, at(to, 7))?;
            conversation.exchange(1 << 20)?;
            ensure!(conversation.seen().ip() == own, "{:?}", conversation.seen());
            ping(&far.place(), own)?;
            let mut inwards = Conversation::start(&far.place(), at(own, 7))?;
            inwards.goes_on(PATIENCE)?;
        }
    }
    Ok(())
}
