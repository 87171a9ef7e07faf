//! A network with a way outside, and namespaces that wait to be attached to it.

use std::ffi::OsString;

use anyhow::Result;
use vswitch_e2e::{Host, binary};

use super::start;
use crate::api::Api;
use crate::lab::attacher::Attacher;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{SUBNET, containers, ends, namespaces};
use crate::lab::peers::outside;
use crate::lab::setting::{Attaching, By};

pub(super) fn set_up(what: Attaching) -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    let daemon = start(&host, &["--uplink", outside::NIC])?;
    daemon.ctl(&format!("add-net lab --subnet {SUBNET}"))?;
    let containers = containers(2 + what.count);
    namespaces(&host, &containers)?;
    let socket = daemon.socket();
    let api = Api::new(&socket)?;
    for container in containers.iter().take(2) {
        let address = Some(container.address);
        api.attach("lab", &container.name, address, Vec::new())?;
    }
    let way: &[OsString] = match what.by {
        By::Engine => &["api".into(), socket.into()],
        By::Script => &["vsctl".into(), binary("vsctl")?.into(), socket.into()],
    };
    let attacher = Attacher::new(&host, what, way);
    let (ends, _) = ends(&host, &containers)?;
    Ok(Peer {
        attacher: Some(attacher),
        ..Peer::new(ends, daemon.pid(), (daemon, host))
    })
}
