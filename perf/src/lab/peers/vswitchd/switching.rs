//! Containers of one network.

use anyhow::Result;
use vswitch_e2e::Host;

use super::start;
use crate::api::Api;
use crate::lab::growth::Growth;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{SUBNET, containers, ends, namespaces};
use crate::lab::setting::Setting;

pub(super) fn set_up(count: usize) -> Result<Peer> {
    build(count, "", &[])
}

pub(super) fn with_workers(workers: usize) -> Result<Peer> {
    build(2, "", &["--workers", &workers.to_string()])
}

/// Containers with stations behind them, of which by default nothing would be let in.
pub(super) fn with_stations(room: Option<u32>) -> Result<Peer> {
    let mut network = " -o vswitch.anti-spoof=false".to_owned();
    if let Some(room) = room {
        network += &format!(" -o vswitch.fdb-limit={room}");
    }
    build(Setting::STATION_PORTS, &network, &[])
}

fn build(count: usize, network: &str, flags: &[&str]) -> Result<Peer> {
    let host = Host::new()?;
    let daemon = start(&host, flags)?;
    daemon.ctl(&format!("add-net lab --subnet {SUBNET}{network}"))?;
    let containers = containers(count);
    namespaces(&host, &containers)?;
    let api = Api::new(&daemon.socket())?;
    let processes: Vec<_> = daemon.pid().into_iter().collect();
    let growth = Growth::watch(&containers, &processes, |container| {
        let address = Some(container.address);
        api.attach("lab", &container.name, address, Vec::new())
    })?;
    let (ends, others) = ends(&host, &containers)?;
    Ok(Peer {
        others,
        growth,
        ..Peer::new(ends, daemon.pid(), (daemon, host))
    })
}
