//! The Linux kernel's macvlan.

use std::net::IpAddr;

use anyhow::Result;

use crate::outside::add_address;
use crate::{Host, Place};

/// Makes a sandbox whose `eth0` is a macvlan interface of a host's NIC, with these addresses of a /24 and
/// a /64. In mode passthru it has the NIC's MAC address, whatever is wished.
///
/// # Errors
/// If the kernel refuses.
pub fn kernel_macvlan(
    host: &Host,
    parent: &str,
    mode: &str,
    sandbox: &str,
    mac: &str,
    addresses: [IpAddr; 2],
) -> Result<Place> {
    host.run(&format!("ip netns add {sandbox}"))?;
    host.run(&format!(
        "ip link add link {parent} name eth0 address {mac} netns {sandbox} type macvlan mode {mode}"
    ))?;
    host.run_in(sandbox, "ip link set lo up")?;
    host.run_in(sandbox, "ip link set eth0 up")?;
    for address in addresses {
        let length = if address.is_ipv4() { 24 } else { 64 };
        host.run_in(
            sandbox,
            &add_address("eth0", &format!("{address}/{length}")),
        )?;
    }
    Ok(host.sandbox(sandbox))
}
