//! A host with a NIC, and a machine at the other end of the cable.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use ipnet::IpNet;
use vswitch_netio::netlink::{Dad, Netlink};
use vswitch_netio::netns::Netns;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::sysctl;
use vswitch_packet::MacAddr;

use crate::lab;

/// How long silence has to last to count as such.
const SILENCE: Duration = Duration::from_millis(150);

/// The test's namespace as a host, with interface `nic`, and the machine outside, with interface `far`.
pub(crate) struct Uplink {
    pub(crate) nic: u32,
    pub(crate) nic_mac: MacAddr,
    pub(crate) far: u32,
    pub(crate) far_mac: MacAddr,
    pub(crate) outside: Netns,
}

impl Uplink {
    /// The host has 10.0.0.1/24 and fd00::1/64, the machine outside 10.0.0.2 and fd00::2.
    pub(crate) fn new() -> Self {
        lab::without_dad();
        lab::command("ip link add nic type veth peer name far");
        // Errors are to be told each time, not some a second.
        sysctl::write(&["ipv4", "icmp_ratelimit"], "0").unwrap();
        sysctl::write(&["ipv6", "icmp", "ratelimit"], "0").unwrap();
        let mut netlink = Netlink::open().unwrap();
        let outside = Netns::create().unwrap();
        outside.run(lab::without_dad).unwrap();
        let far = netlink.link(&lab::name("far")).unwrap().unwrap();
        netlink.set_netns(far.index, &outside).unwrap();
        let nic = netlink.link(&lab::name("nic")).unwrap().unwrap();
        address(nic.index, &["10.0.0.1/24", "fd00::1/64"]);
        outside
            .run(|| address(far.index, &["10.0.0.2/24", "fd00::2/64"]))
            .unwrap();
        lab::eventually("the cable is plugged in", || {
            netlink.link(&lab::name("nic")).unwrap().unwrap().running
        });
        Self {
            nic: nic.index,
            nic_mac: nic.mac.unwrap(),
            far: far.index,
            far_mac: far.mac.unwrap(),
            outside,
        }
    }

    /// A packet socket of the machine outside.
    pub(crate) fn far_socket(&self) -> PacketSocket {
        self.outside
            .run(|| PacketSocket::open(self.far, &PacketOptions::default()).unwrap())
            .unwrap()
    }

    /// A frame from outside to the host.
    pub(crate) fn to_host(&self, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = self.nic_mac.0.to_vec();
        frame.extend(self.far_mac.0);
        frame.extend(ethertype.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// What a TCP connection from outside to the host comes to.
    pub(crate) fn connect(&self, to: impl Into<SocketAddr>) -> Answer {
        let to = to.into();
        let result = self
            .outside
            .run(|| TcpStream::connect_timeout(&to, SILENCE))
            .unwrap();
        Answer::of(result.map(drop))
    }

    /// What a datagram from outside to the host comes to.
    pub(crate) fn datagram(&self, to: impl Into<SocketAddr>) -> Answer {
        let to = to.into();
        let exchange = || {
            let any: IpAddr = if to.is_ipv4() {
                [0; 4].into()
            } else {
                [0; 16].into()
            };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(to)?;
            socket.set_read_timeout(Some(SILENCE))?;
            socket.send(b"hello")?;
            socket.recv(&mut [0; 16])
        };
        Answer::of(self.outside.run(exchange).unwrap().map(drop))
    }

    /// Whether the host answers a ping from outside.
    pub(crate) fn ping(&self, to: &str) -> Answer {
        let line = format!("ping -c 1 -W 1 {to}");
        let output = self
            .outside
            .run(|| {
                let mut words = line.split(' ');
                std::process::Command::new(words.next().unwrap())
                    .args(words)
                    .output()
                    .unwrap()
            })
            .unwrap();
        if output.status.success() {
            Answer::Accepted
        } else {
            Answer::Silence
        }
    }
}

/// What the host's kernel made of something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// A reset, or "port unreachable".
    Refused,
    Silence,
}

impl Answer {
    fn of(result: io::Result<()>) -> Self {
        match result.map_err(|e| e.kind()) {
            Ok(()) => Self::Accepted,
            Err(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Err(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => Self::Silence,
            Err(other) => panic!("{other}"),
        }
    }
}

fn address(interface: u32, addresses: &[&str]) {
    let mut netlink = Netlink::open().unwrap();
    netlink.set_up(interface).unwrap();
    for address in addresses {
        let network: IpNet = address.parse().unwrap();
        netlink.add_address(interface, network, Dad::Off).unwrap();
        lab::await_address(network.addr());
    }
}
