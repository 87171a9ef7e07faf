//! VDE's switch with TAPs of its own, which are moved into the containers. `vde_plug2tap` would be one more
//! process between each container and the switch: TCP gets 1.4 Gbit/s by it instead of 2.3.

use std::time::Duration;

use anyhow::{Result, ensure};
use vswitch_e2e::{Host, eventually};

use super::container::{containers, ends};
use super::tap;
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "vde",
    help: "VDE's `vde_switch` with TAPs",
    needs: &[("vde_switch", "vde-switch")],
    title: |setting| matches!(setting, Setting::Bridge { .. }).then_some("vde_switch"),
    takes: |_| true,
    set_up: |setting| match setting {
        Setting::Bridge { containers } => set_up(containers),
        _ => anyhow::bail!("not made for {setting:?}"),
    },
};

/// Ports of a switch that is told nothing. The one with number 0 is never used.
const PORTS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);

fn set_up(count: usize) -> Result<Peer> {
    let host = Host::new()?;
    let containers = containers(count);
    let console = host.folder().join("console");
    host.run(&format!("mkfifo {}", console.display()))?;
    // It ends when its console does; one that it opens for writing too never does.
    let switch = host
        .program("sh")
        .args(["-c", "exec vde_switch \"$@\" <>\"$0\""])
        .arg(&console)
        .arg("--sock")
        .arg(host.folder().join("switch"))
        .args(["--numports", &PORTS.max(count + 1).to_string()]);
    let taps = containers.iter().flat_map(|c| ["--tap", &c.name]);
    let mut switch = switch.args(taps).spawn()?;
    eventually("vde_switch makes its TAPs", PATIENCE, || {
        let (stdout, stderr) = switch.written()?;
        ensure!(switch.is_running()?, "it ended:\n{stdout}{stderr}");
        let there = host.interfaces()?;
        Ok(containers.iter().all(|c| there.contains(&c.name)))
    })?;
    tap::move_into(&host, &containers)?;
    let (ends, others) = ends(&host, &containers)?;
    Ok(Peer {
        others,
        ..Peer::new(ends, [switch.pid()], (switch, host))
    })
}
