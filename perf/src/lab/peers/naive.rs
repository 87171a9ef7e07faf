//! Two plain TAPs and a loop: the gain of offloads, queues and bursts is measured against this.

use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::Host;

use super::container::{containers, ends};
use super::tap;
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "naive",
    help: "A read and write loop over two plain TAPs, by the `tun-tap` crate",
    needs: &[],
    title: |setting| (setting == Setting::PAIR).then_some("naive TAP loop"),
    takes: |_| true,
    set_up: |_| set_up(),
};

fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    let itself = std::env::current_exe().context("find the running program's path")?;
    let mut forwarder = host
        .place()
        .program(itself)
        .args(["naive-forwarder", "left", "right"])
        .spawn()?;
    forwarder.wait_for("ready", Duration::from_secs(10))?;
    let containers = containers(2);
    tap::move_into(&host, &containers)?;
    let (ends, _) = ends(&host, &containers)?;
    Ok(Peer::new(ends, [forwarder.pid()], (forwarder, host)))
}
