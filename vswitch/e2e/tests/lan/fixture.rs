//! What nearly every test begins with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::{Daemon, DaemonOptions, Host, Place, UNDERLAY_NIC, Underlay, WAN0};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Of the wire and of the networks on it.
pub(crate) const SUBNETS: &str = "--subnet 192.0.2.0/24 --ipv6 --subnet 2001:db8::/64";
/// The number of a machine on the wire that knows nothing of containers.
pub(crate) const OUTSIDER: u8 = 9;

/// An address on the wire. Those of host 1's containers have the numbers 10 to 19, and so on.
pub(crate) fn on_wire(family: u8, number: u8) -> IpAddr {
    WAN0.address(family, number)
}

pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// The MAC address that goes with an address on the wire.
pub(crate) const fn mac(number: u8) -> [u8; 6] {
    [0x02, 0x42, 192, 0, 2, number]
}

pub(crate) fn mac_text(number: u8) -> String {
    format!("02:42:c0:00:02:{number:02x}")
}

/// An address in a VLAN's subnet, which has a number of its own.
pub(crate) fn in_vlan(family: u8, subnet: u8, number: u8) -> IpAddr {
    match family {
        4 => IpAddr::from([10, subnet, 0, number]),
        _ => IpAddr::from([0xfd00, u16::from(subnet), 0, 0, 0, 0, 0, u16::from(number)]),
    }
}

/// The MAC address that goes with it.
pub(crate) const fn mac_in_vlan(subnet: u8, number: u8) -> [u8; 6] {
    [0x02, 0x42, 10, subnet, 0, number]
}

/// For experiments of one's own (IEEE 802).
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// A frame with some payload that makes it unlike others.
pub(crate) fn frame(destination: [u8; 6], source: [u8; 6], mark: u8) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend(EXPERIMENT);
    frame.extend([mark; 46]);
    frame
}

pub(crate) fn sandbox(number: u8) -> String {
    format!("c{number}")
}

/// A host on the wire, with a daemon.
pub(crate) struct Node {
    // Dropped in this order: the daemon, then its host.
    pub(crate) daemon: Daemon,
    pub(crate) host: Host,
    /// Of its own address on the wire.
    pub(crate) number: u8,
}

impl Node {
    pub(crate) fn new(wire: &Underlay, number: u8) -> Result<Self> {
        let host = Host::new()?;
        wire.plug(&host, number)?;
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

    /// A network with the wire's subnets on `eth0`.
    pub(crate) fn add_net(&self, name: &str, driver: &str, options: &str) -> Result<()> {
        self.ctl(&format!(
            "add-net {name} -d {driver} {SUBNETS} -o parent={UNDERLAY_NIC} {options}"
        ))?;
        Ok(())
    }

    /// Makes a sandbox and attaches it, with the addresses of its number on the wire.
    pub(crate) fn attach(&self, net: &str, number: u8) -> Result<Place> {
        let (v4, v6) = (on_wire(4, number), on_wire(6, number));
        self.attach_with(net, number, &format!("--ip {v4} --ip6 {v6}"))
    }

    /// Makes a sandbox and attaches it.
    pub(crate) fn attach_with(&self, net: &str, number: u8, options: &str) -> Result<Place> {
        let name = sandbox(number);
        self.ctl(&format!("add-sandbox {name}"))?;
        self.ctl(&format!("attach {net} {name} {options}"))?;
        Ok(self.host.sandbox(&name))
    }

    /// What a `vsctl` command that prints a table says as JSON.
    pub(crate) fn rows(&self, command: &str) -> Result<Vec<Value>> {
        let rows = self.daemon.json(command)?;
        Ok(rows.as_array().context("no list")?.clone())
    }

    pub(crate) fn inspect(&self, net: &str) -> Result<Value> {
        let inspected = self.daemon.json(&format!("inspect {net}"))?;
        Ok(inspected[0].clone())
    }

    /// What is known of a network's parent.
    pub(crate) fn parent(&self, net: &str) -> Result<Value> {
        Ok(self.inspect(net)?["Parent"].clone())
    }

    /// How many of the host's programs, the daemon among them, want all that the NIC hears.
    pub(crate) fn promiscuity(&self, nic: &str) -> Result<u32> {
        Ok(link(&self.host.place(), nic, "promiscuity")?.parse()?)
    }
}

/// What a failed test is looked at with.
impl Drop for Node {
    fn drop(&mut self) {
        for command in ["stats", "list-nets", "leases"] {
            match self.ctl(command) {
                Ok(table) => println!("-- host {}, {command}:\n{table}", self.number),
                // The daemon may have been ended.
                Err(_) => return,
            }
        }
    }
}

/// Hosts 1 and 2 on a wire, each with the network `net`, on which 1 has the container `c10` and 2 has `c20`.
pub(crate) struct Pair {
    pub(crate) nodes: [Node; 2],
    pub(crate) wire: Underlay,
}

impl Pair {
    pub(crate) fn new(driver: &str, options: &str) -> Result<Self> {
        Self::on(Underlay::new()?, driver, options)
    }

    pub(crate) fn on(wire: Underlay, driver: &str, options: &str) -> Result<Self> {
        let nodes = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
        for node in &nodes {
            node.add_net("net", driver, options)?;
            node.attach("net", 10 * node.number)?;
        }
        Ok(Self { nodes, wire })
    }

    /// `c10` and `c20`.
    pub(crate) fn containers(&self) -> [Place; 2] {
        let [one, two] = &self.nodes;
        [one.host.sandbox("c10"), two.host.sandbox("c20")]
    }
}

/// A machine on the wire without a daemon.
pub(crate) fn plain(wire: &Underlay, number: u8) -> Result<Host> {
    let host = Host::new()?;
    wire.plug(&host, number)?;
    Ok(host)
}

/// What follows a word in what the kernel says of an interface.
pub(crate) fn link(place: &Place, interface: &str, word: &str) -> Result<String> {
    let ip = place.program("ip");
    let shown = ip
        .args(["-d", "-o", "link", "show", "dev", interface])
        .output()?;
    let mut words = shown.split_whitespace();
    let found = words.find(|other| *other == word);
    let value = found.and_then(|_| words.next());
    Ok(value
        .with_context(|| format!("no {word}: {shown}"))?
        .to_owned())
}

pub(crate) fn mac_of(place: &Place, interface: &str) -> Result<String> {
    link(place, interface, "link/ether")
}

pub(crate) fn mtu_of(place: &Place, interface: &str) -> Result<u16> {
    Ok(link(place, interface, "mtu")?.parse()?)
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

/// Nothing is answered within a second.
pub(crate) fn no_ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    let ping = ping.args(["-c", "3", "-i", "0.3", "-w", "1", &to.to_string()]);
    ensure!(!ping.run()?.status.success(), "{to} should not answer");
    Ok(())
}
