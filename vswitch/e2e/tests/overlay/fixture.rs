//! What nearly every test begins with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::{
    Daemon, DaemonOptions, Host, KernelTunnel, KernelVtep, Place, Station, Underlay,
};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The first segment that is allocated.
pub(crate) const VNI: u32 = 4096;
/// The network `net` of all hosts.
pub(crate) const SUBNETS: &str = "--subnet 10.20.0.0/24 --ipv6 --subnet fd20::/64";
/// What is left of 1500 for containers, by the family of the underlay.
pub(crate) const MTU_OVER_V4: u16 = 1450;
pub(crate) const MTU_OVER_V6: u16 = 1430;

/// The address of a container on `net`. Those of host 1 have the numbers 10 to 19, and so on.
pub(crate) const fn inside(family: u8, container: u8) -> IpAddr {
    match family {
        4 => IpAddr::V4(Ipv4Addr::new(10, 20, 0, container)),
        _ => IpAddr::V6(Ipv6Addr::new(0xfd20, 0, 0, 0, 0, 0, 0, container as u16)),
    }
}

/// The MAC address that goes with it.
pub(crate) const fn mac(container: u8) -> [u8; 6] {
    [0x02, 0x42, 10, 20, 0, container]
}

pub(crate) fn mac_text(container: u8) -> String {
    format!("02:42:0a:14:00:{container:02x}")
}

/// For experiments of one's own (IEEE 802).
pub(crate) const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// A frame with some payload that makes it unlike others.
pub(crate) fn frame(destination: [u8; 6], source: [u8; 6], mark: u8) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend(EXPERIMENT);
    frame.extend([mark; 46]);
    frame
}

pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// A host of an underlay, with a daemon.
pub(crate) struct Node {
    // Dropped in this order: the daemon, then its host.
    pub(crate) daemon: Daemon,
    pub(crate) host: Host,
    /// Of its address in the underlay.
    pub(crate) number: u8,
}

impl Node {
    pub(crate) fn new(underlay: &Underlay, number: u8) -> Result<Self> {
        let host = Host::new()?;
        underlay.plug(&host, number)?;
        Self::on(host, number)
    }

    pub(crate) fn on(host: Host, number: u8) -> Result<Self> {
        let options = DaemonOptions {
            // Several logs are printed in one test.
            name: format!("vswitchd-{number}"),
            show_log: true,
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        Ok(Self {
            daemon,
            host,
            number,
        })
    }

    pub(crate) fn ctl(&self, line: &str) -> Result<String> {
        self.daemon.ctl(line)
    }

    /// Network `net` with these peers, and options.
    pub(crate) fn add_net(&self, peers: &[IpAddr], options: &str) -> Result<()> {
        let peers: Vec<_> = peers.iter().map(IpAddr::to_string).collect();
        let peers = match peers.join(",") {
            none if none.is_empty() => none,
            some => format!("-o peers={some}"),
        };
        self.ctl(&format!(
            "add-net net -d overlay {SUBNETS} {peers} {options}"
        ))?;
        Ok(())
    }

    /// Makes a sandbox and attaches it to `net`, with the addresses of its number.
    pub(crate) fn attach(&self, container: u8) -> Result<Place> {
        let name = sandbox(container);
        self.ctl(&format!("add-sandbox {name}"))?;
        self.attach_again(container)?;
        Ok(self.host.sandbox(&name))
    }

    /// Attaches a sandbox that there is.
    pub(crate) fn attach_again(&self, container: u8) -> Result<()> {
        let (v4, v6) = (inside(4, container), inside(6, container));
        let (mac, name) = (mac_text(container), sandbox(container));
        self.ctl(&format!(
            "attach net {name} --ip {v4} --ip6 {v6} --mac {mac}"
        ))?;
        Ok(())
    }

    pub(crate) fn container(&self, container: u8) -> Place {
        self.host.sandbox(&sandbox(container))
    }

    /// What a `vsctl` command that prints a table says as JSON.
    pub(crate) fn rows(&self, command: &str) -> Result<Vec<Value>> {
        let rows = self.daemon.json(command)?;
        Ok(rows.as_array().context("no list")?.clone())
    }

    /// How often the host's tunnels dropped something for a reason: at the ports of peers, or at the
    /// sockets, where no peer could be told.
    pub(crate) fn tunnel_drops(&self, reason: &str) -> Result<u64> {
        let mut sum = 0;
        for row in self.rows("stats")? {
            let name = row["port"]["name"].as_str().unwrap_or_default();
            if name.starts_with("vtep-") || name.starts_with("underlay-") {
                sum += row["drops"][reason].as_u64().unwrap_or(0);
            }
        }
        Ok(sum)
    }
}

/// What a failed test is looked at with.
impl Drop for Node {
    fn drop(&mut self) {
        for command in ["stats", "fdb", "neigh", "vtep list"] {
            match self.ctl(command) {
                Ok(table) => println!("-- host {}, {command}:\n{table}", self.number),
                // The daemon may have been ended.
                Err(_) => return,
            }
        }
    }
}

pub(crate) fn sandbox(container: u8) -> String {
    format!("c{container}")
}

/// A container with a number at somebody else's switch.
pub(crate) fn station(container: u8, mtu: u16) -> Station {
    Station {
        mac: mac_text(container),
        addresses: vec![
            format!("{}/24", inside(4, container)),
            format!("{}/64", inside(6, container)),
        ],
        mtu,
    }
}

/// The kernel's VXLAN on a new host, with container 10 times the host's number and those peers.
pub(crate) fn kernel(
    underlay: &Underlay,
    number: u8,
    tunnel: &KernelTunnel,
    peers: &[IpAddr],
) -> Result<KernelVtep> {
    let host = Host::new()?;
    underlay.plug(&host, number)?;
    let mtu = if tunnel.local.is_ipv4() {
        MTU_OVER_V4
    } else {
        MTU_OVER_V6
    };
    let vtep = KernelVtep::new(host, tunnel, &station(10 * number, mtu))?;
    for &peer in peers {
        vtep.add_peer(peer)?;
    }
    Ok(vtep)
}

/// One of a few echo requests is answered.
pub(crate) fn ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    // Until the first answer: the first frame of all may wait for the neighbour's address.
    ping.args(["-c", "1", "-i", "0.2", "-w", "5", &to.to_string()])
        .output()?;
    Ok(())
}

/// Whether an echo request is answered; "no" takes a second.
pub(crate) fn answers(place: &Place, to: IpAddr) -> Result<bool> {
    let ping = place.program("ping");
    let ping = ping.args(["-c", "1", "-W", "1", &to.to_string()]);
    Ok(ping.run()?.status.success())
}

pub(crate) fn no_ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    let ping = ping.args(["-c", "2", "-i", "0.2", "-W", "1", &to.to_string()]);
    ensure!(!ping.run()?.status.success(), "{to} should not answer");
    Ok(())
}
