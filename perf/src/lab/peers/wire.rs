//! No switch at all: what the ends themselves can do (RFC 8204 §3 asks for a baseline).

use anyhow::Result;
use vswitch_e2e::Host;

use super::container::{containers, ends, switch_on};
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "wire",
    help: "No switch: a veth pair from container to container, which is the limit of the loads themselves",
    needs: &[],
    title: |setting| (setting == Setting::PAIR).then_some("wire, no switch"),
    takes: |_| true,
    set_up: |_| set_up(),
};

fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    let containers = containers(2);
    for container in &containers {
        host.run(&format!("ip netns add {}", container.name))?;
    }
    let [left, right] = [&containers[0].name, &containers[1].name];
    host.run(&format!(
        "ip link add eth0 netns {left} type veth peer name eth0 netns {right}"
    ))?;
    for container in &containers {
        switch_on(&host, &container.name, &container.with_prefix())?;
    }
    let (ends, _) = ends(&host, &containers)?;
    Ok(Peer::new(ends, None, host))
}
