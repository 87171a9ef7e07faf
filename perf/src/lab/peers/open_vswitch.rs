//! Open vSwitch's userspace datapath, as Debian has it.
//!
//! Its ports are TAPs that are moved into the containers. Of what an engine could choose they are the
//! fastest: one TCP stream got 2.5 Gbit/s by TAPs and 1.4 by veth pairs with AF_PACKET sockets, with TSO
//! 14 and 9.8 (3.1.0, kernel 6.18, two cores). TAPs need no `ethtool -K eth0 tx off` either: the
//! kernel completes checksums and segments before Open vSwitch reads. AF_XDP on veth pairs gets 1.9, and answers
//! sooner (16 µs instead of 24), as its thread polls without a rest; a lab in which one
//! switch keeps a core busy while the others run compares nothing, so it is not here.

use anyhow::Result;
use vswitch_e2e::{Host, OpenVswitch};

use super::container::{containers, ends};
use super::tap;
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

/// As it comes.
pub(super) const KIND: PeerKind = PeerKind {
    name: "ovs",
    help: "Open vSwitch's userspace datapath with TAPs",
    needs: NEEDS,
    title: |setting| is_made_for(setting).then_some("Open vSwitch"),
    takes: |_| true,
    set_up: |setting| set_up(setting, &[]),
};

/// With super-frames, which is experimental in Open vSwitch, and off if nobody asks.
pub(super) const WITH_TSO: PeerKind = PeerKind {
    name: "ovs-tso",
    help: "The same with `userspace-tso-enable`",
    needs: NEEDS,
    title: |setting| is_made_for(setting).then_some("Open vSwitch, TSO"),
    takes: |_| true,
    set_up: |setting| set_up(setting, &["userspace-tso-enable=true"]),
};

const NEEDS: &[(&str, &str)] = &[("ovs-vswitchd", "openvswitch-switch")];

const fn is_made_for(setting: Setting) -> bool {
    matches!(setting, Setting::Bridge { .. })
}

fn set_up(setting: Setting, settings: &[&str]) -> Result<Peer> {
    let Setting::Bridge { containers: count } = setting else {
        anyhow::bail!("not made for {setting:?}");
    };
    let host = Host::new()?;
    let switch = OpenVswitch::start(&host, settings)?;
    let containers = containers(count);
    let ports = containers.iter().map(|container| {
        let name = &container.name;
        format!(" -- add-port br0 {name} -- set interface {name} type=tap")
    });
    switch.ctl(&format!(
        "add-br br0 -- set bridge br0 datapath_type=netdev{}",
        ports.collect::<String>()
    ))?;
    tap::move_into(&host, &containers)?;
    let (ends, others) = ends(&host, &containers)?;
    Ok(Peer {
        others,
        ..Peer::new(ends, [switch.pid()], (switch, host))
    })
}
