//! TAPs of a switch that knows nothing of containers: made by it on the host, and moved into them.

use anyhow::Result;
use vswitch_e2e::Host;

use super::container::{Container, switch_on};

/// Makes containers and moves the TAP with the name of each into it, as `eth0`.
///
/// # Errors
/// If there is no such TAP.
pub(super) fn move_into(host: &Host, containers: &[Container]) -> Result<()> {
    for container in containers {
        let name = &container.name;
        host.run(&format!("ip netns add {name}"))?;
        host.run(&format!("ip link set {name} netns {name} name eth0"))?;
        switch_on(host, name, &container.with_prefix())?;
    }
    Ok(())
}
