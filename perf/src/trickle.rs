//! Containers that are not quite idle: each sends a datagram now and then to the next one.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Neighbour, NeighbourState, Netlink};
use vswitch_netio::netns::{NamedNetns, Netns};
use vswitch_packet::MacAddr;

use crate::lab::container::{Container, containers};
use crate::stdout;

/// Which containers.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many there are; the first two have other things to do
    #[arg(long)]
    containers: usize,
}

/// What became of the datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trickled {
    /// How many were sent.
    pub(crate) sent: u64,
    /// How many of them arrived.
    pub(crate) received: u64,
}

/// One container that sends.
struct Sender {
    socket: UdpSocket,
    next: SocketAddrV4,
}

/// A container's own interface.
struct Station {
    namespace: Netns,
    address: Ipv4Addr,
    netlink: Netlink,
    interface: u32,
    mac: MacAddr,
}

/// Discard (RFC 863).
const PORT: u16 = 9;
const PAYLOAD: [u8; 64] = [0; 64];
/// Each container sends once in this many turns: ten times a second.
const TURNS: usize = 10;
const TURN: Duration = Duration::from_millis(10);

/// Sends until SIGTERM, then prints [`Trickled`] as JSON.
///
/// # Errors
/// If a container is not as the lab makes them.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = containers(arguments.containers);
    let others = all.iter().skip(2);
    let stations: Vec<_> = others.map(Station::find).collect::<Result<_>>()?;
    ensure!(!stations.is_empty(), "nobody to be busy");
    let senders = senders(stations)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let trickled = runtime.block_on(trickle(&senders))?;
    stdout::figures(&trickled)
}

async fn trickle(senders: &[Sender]) -> Result<Trickled> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    stdout::ready();
    let mut trickled = Trickled::default();
    for turn in (0..TURNS).cycle() {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = turns.tick() => {}
        }
        for sender in senders.iter().skip(turn).step_by(TURNS) {
            // A full queue loses a datagram, which is counted as not received.
            let _ = sender.socket.send_to(&PAYLOAD, sender.next);
            trickled.sent += 1;
            while sender.socket.recv(&mut [0; PAYLOAD.len()]).is_ok() {
                trickled.received += 1;
            }
        }
    }
    Ok(trickled)
}

/// Each tells the kernel where the next one is: the table of neighbours is one for all namespaces, and holds 1024
/// entries that were not set by hand (`gc_thresh3`).
fn senders(mut stations: Vec<Station>) -> Result<Vec<Sender>> {
    let mut targets: Vec<_> = stations.iter().map(|s| (s.address, s.mac)).collect();
    targets.rotate_left(1);
    let mut senders = Vec::new();
    for (station, (address, mac)) in stations.iter_mut().zip(targets) {
        station.netlink.set_neighbour(&Neighbour {
            interface: station.interface,
            ip: IpAddr::V4(address),
            mac: Some(mac),
            state: NeighbourState::Permanent,
        })?;
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT));
        let socket = station.namespace.run(bind)??;
        socket.set_nonblocking(true)?;
        senders.push(Sender {
            socket,
            next: SocketAddrV4::new(address, PORT),
        });
    }
    Ok(senders)
}

impl Station {
    fn find(container: &Container) -> Result<Self> {
        let name = &container.name;
        let namespace = NamedNetns::open(name.parse()?)?.netns;
        let mut netlink = namespace.run(Netlink::open)??;
        let interface: InterfaceName = "eth0".parse()?;
        let link = netlink.link(&interface)?;
        let link = link.with_context(|| format!("{name} has no {interface}"))?;
        Ok(Self {
            namespace,
            address: container.address,
            netlink,
            interface: link.index,
            mac: link.mac.context("an interface without MAC address")?,
        })
    }
}
