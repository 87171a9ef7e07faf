//! Two hosts and what joins them: one wire, over which an overlay runs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Host, UNDERLAY_NIC as NIC};

/// A veth pair from host to host, with nothing between that would cost all switches the same and so
/// make them look alike.
#[derive(Debug)]
pub(crate) struct Underlay {
    /// The kernel's counters at one of the hosts, of either direction.
    octets: [PathBuf; 2],
}

/// The hosts' addresses, of documentation (RFC 5737 §3): none is ever meant.
pub(crate) const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
/// The segment.
pub(crate) const VNI: u32 = 42;
/// What is left of the wire's 1500 octets for packets of containers (RFC 7348 §5).
pub(crate) const INNER_MTU: u16 = 1450;

/// What a kernel needs to hand super-frames and unfinished checksums over the wire: without them, it would
/// segment and sum each frame, which no switch is to blame for.
const OFFLOADS: [&str; 6] = [
    "rx-checksumming",
    "tx-checksumming",
    "scatter-gather",
    "tcp-segmentation-offload",
    "generic-segmentation-offload",
    "tx-udp_tnl-csum-segmentation",
];

impl Underlay {
    /// Makes the hosts and the wire.
    ///
    /// # Errors
    /// If the kernel refuses, or has offloads that are off.
    pub(crate) fn new() -> Result<(Self, [Host; 2])> {
        let hosts = [Host::new()?, Host::new()?];
        let [left, right] = &hosts;
        // Somebody has to be there for its namespace to have a name.
        let mut there = right
            .program("sh")
            .args(["-c", "echo ready && exec sleep infinity"])
            .spawn()?;
        there.wait_for("ready", Duration::from_secs(10))?;
        left.run(&format!(
            "ip link add {NIC} type veth peer name {NIC} netns {}",
            there.pid()
        ))?;
        for (host, address) in hosts.iter().zip(ADDRESSES) {
            host.run(&format!("ip address add {address}/24 dev {NIC}"))?;
            host.run(&format!("ip link set {NIC} addrgenmode none up"))?;
            check_offloads(host, NIC, &OFFLOADS)?;
        }
        let counter = |name| left.path(&format!("/sys/class/net/{NIC}/statistics/{name}"));
        let octets = ["tx_bytes", "rx_bytes"].map(counter);
        Ok((Self { octets }, hosts))
    }

    /// Octets that have passed so far, both directions together, in frames with all of their headers. A
    /// super-frame has its headers once.
    ///
    /// # Errors
    /// If the kernel's counters cannot be read.
    pub(crate) fn octets(&self) -> Result<u64> {
        let mut sum = 0;
        for path in &self.octets {
            let text =
                fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            sum += text.trim().parse::<u64>()?;
        }
        Ok(sum)
    }
}

/// Sees that an interface has all of these on, by the names of ethtool(8).
///
/// # Errors
/// The first that is off, or missing.
pub(crate) fn check_offloads(host: &Host, interface: &str, offloads: &[&str]) -> Result<()> {
    let features = host.run(&format!("ethtool -k {interface}"))?;
    for offload in offloads {
        let is_on = |line: &str| line.trim().strip_prefix(offload) == Some(": on");
        ensure!(
            features.lines().any(is_on),
            "{interface} has no {offload}, as `ethtool -k` says:\n{features}"
        );
    }
    Ok(())
}
