//! With Open vSwitch at the other end.

use anyhow::Result;
use vswitch_e2e::Transport::Udp;
use vswitch_e2e::{Conversation, Echo, OvsVtep, Underlay, ask};

use crate::fixture::{MTU_OVER_V4, MTU_OVER_V6, Node, PATIENCE, VNI, at, inside, ping, station};

const HERE: u8 = 10;
const THERE: u8 = 20;

fn talks_over(family: u8) -> Result<()> {
    let underlay = Underlay::without_offloads()?;
    let [one, two] = [1, 2].map(|number| underlay.address(family, number));
    let mtu = if family == 4 {
        MTU_OVER_V4
    } else {
        MTU_OVER_V6
    };
    let ovs = OvsVtep::new(&underlay, 2, VNI, one, &station(THERE, mtu))?;
    let node = Node::new(&underlay, 1)?;
    node.add_net(&[two], "")?;
    let (here, there) = (node.attach(HERE)?, ovs.container());
    // Its first packets wait until its own ARP is done.
    vswitch_e2e::eventually("Open vSwitch forwards", PATIENCE, || {
        crate::fixture::answers(&here, inside(4, THERE))
    })?;
    let _servers = [Echo::start(&here, 7)?, Echo::start(&there, 7)?];
    for inner in [4, 6] {
        for (place, to) in [(&here, THERE), (&there, HERE)] {
            let to = inside(inner, to);
            ping(place, to)?;
            ask(place, Udp, at(to, 7))?;
            Conversation::start(place, at(to, 7))?.exchange(4 << 20)?;
        }
    }
    Ok(())
}

#[test]
fn open_vswitch_over_ipv4() -> Result<()> {
    talks_over(4)
}

#[test]
fn open_vswitch_over_ipv6() -> Result<()> {
    talks_over(6)
}
