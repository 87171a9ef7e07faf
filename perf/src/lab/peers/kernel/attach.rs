//! The kernel's bridge, with a gateway and a way outside, and namespaces that wait to be connected with it.

use std::ffi::OsString;

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use crate::lab::attacher::Attacher;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{GATEWAY, PREFIX, containers, ends, namespaces};
use crate::lab::peers::outside;
use crate::lab::setting::Attaching;
use crate::wiring::Wiring;

/// To a bridge of that name on a host, in that way of [`crate::attach`].
pub(in crate::lab::peers) fn attach(
    host: Host,
    what: Attaching,
    bridge: &'static str,
    way: &str,
) -> Result<Peer> {
    outside::connect(&host)?;
    Bridge::new(&host, bridge)?;
    host.run(&format!("ip address add {GATEWAY}/{PREFIX} dev {bridge}"))?;
    let containers = containers(2 + what.count);
    let namespaces = namespaces(&host, &containers)?;
    let mut wiring = host
        .place()
        .inside(|| Wiring::open(bridge, Some(GATEWAY)))?;
    for (container, namespace) in containers.iter().zip(&namespaces).take(2) {
        wiring.connect(container, namespace)?;
    }
    let attacher = Attacher::new(&host, what, &[way, bridge].map(OsString::from));
    let (ends, _) = ends(&host, &containers)?;
    Ok(Peer {
        attacher: Some(attacher),
        ..Peer::new(ends, None, host)
    })
}
