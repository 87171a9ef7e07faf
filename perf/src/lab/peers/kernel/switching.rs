//! The kernel's bridge between containers.

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use crate::lab::growth::Growth;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{containers, ends, namespaces};
use crate::wiring::Wiring;

const BRIDGE: &str = "br0";

pub(super) fn set_up(count: usize) -> Result<Peer> {
    let host = Host::new()?;
    Bridge::new(&host, BRIDGE)?;
    let containers = containers(count);
    let namespaces = namespaces(&host, &containers)?;
    let mut wiring = host.place().inside(|| Wiring::open(BRIDGE, None))?;
    let all = containers.iter().zip(&namespaces);
    let growth = Growth::watch(all, &[], |(container, namespace)| {
        wiring.connect(container, namespace)
    })?;
    let (ends, others) = ends(&host, &containers)?;
    Ok(Peer {
        others,
        growth,
        ..Peer::new(ends, None, host)
    })
}
