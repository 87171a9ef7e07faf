//! What is measured.

use clap::ValueEnum;
use serde::Serialize;

use super::load::Load;

/// One kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// TCP, one connection.
    Tcp1,
    /// TCP, four connections.
    Tcp4,
    /// Datagrams of 64 octets of payload, as many as the sender can make.
    Udp64,
    /// Datagrams of 1448 octets of payload, as many as the sender can make.
    Udp1448,
    /// One small message at a time, there and back, over TCP.
    PingPong,
    /// TCP from a container to the outside, one connection.
    NatOutTcp,
    /// TCP from the outside to a published port, one connection.
    NatInTcp,
    /// Datagrams of 64 octets of payload from a container to the outside, as many as the sender can make.
    NatOutUdp64,
    /// One small message at a time, from a container to the outside and back, over TCP.
    NatPingPong,
    /// TCP connections from a container to the outside, as many as the client can make.
    NatConnections,
    /// TCP connections from the outside to a published port, as many as the client can make.
    NatConnectionsIn,
    /// TCP between containers on two hosts, one connection.
    OverlayTcp1,
    /// TCP between containers on two hosts, four connections.
    OverlayTcp4,
    /// Datagrams of 64 octets of payload to a container on another host, as many as the sender can make.
    OverlayUdp64,
    /// Datagrams of 1398 octets of payload to a container on another host, as many as the sender can make.
    OverlayUdp1398,
    /// One small message at a time, to a container on another host and back, over TCP.
    OverlayPingPong,
    /// TCP from a container to a neighbour on the physical network, one connection.
    LanOutTcp,
    /// TCP from a neighbour on the physical network to a container, one connection.
    LanInTcp,
    /// TCP from a container to a neighbour on the physical network, four connections.
    LanOutTcp4,
    /// Datagrams of 64 octets of payload from a container to a neighbour on the physical network, as many as the
    /// sender can make.
    LanOutUdp64,
    /// One small message at a time, from a container to a neighbour on the physical network and back, over TCP.
    LanPingPong,
    /// One container after the other: `docker run` to its first ping answered, and `docker rm --force`.
    DockerRun,
}

/// What surrounds the two ends of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setting {
    /// Both ends are containers of one network.
    Switching,
    /// One end is a container, the other is beyond the host's NIC.
    Nat,
    /// Both ends are containers of one network, each on a host of its own; VXLAN joins the two hosts.
    Overlay,
    /// One end is a container on the physical network, the other is at the far end of the NIC's cable.
    Lan,
    /// Both ends are containers of one network, and so are those that Docker starts beside them.
    Docker,
}

impl Case {
    /// All of them, in the order they are run.
    pub(crate) const ALL: [Self; 22] = [
        Self::Tcp1,
        Self::Tcp4,
        Self::Udp64,
        Self::Udp1448,
        Self::PingPong,
        Self::NatOutTcp,
        Self::NatInTcp,
        Self::NatOutUdp64,
        Self::NatPingPong,
        Self::NatConnections,
        Self::NatConnectionsIn,
        Self::OverlayTcp1,
        Self::OverlayTcp4,
        Self::OverlayUdp64,
        Self::OverlayUdp1398,
        Self::OverlayPingPong,
        Self::LanOutTcp,
        Self::LanInTcp,
        Self::LanOutTcp4,
        Self::LanOutUdp64,
        Self::LanPingPong,
        Self::DockerRun,
    ];

    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Tcp1 => "TCP, 1 stream",
            Self::Tcp4 => "TCP, 4 streams",
            Self::Udp64 => "UDP 64 B delivered",
            Self::Udp1448 => "UDP 1448 B delivered",
            Self::PingPong => "TCP ping-pong",
            Self::NatOutTcp => "NAT out, TCP, 1 stream",
            Self::NatInTcp => "NAT in, TCP, 1 stream",
            Self::NatOutUdp64 => "NAT out, UDP 64 B delivered",
            Self::NatPingPong => "NAT out, TCP ping-pong",
            Self::NatConnections => "NAT out, new TCP connections",
            Self::NatConnectionsIn => "NAT in, new TCP connections",
            Self::OverlayTcp1 => "Overlay, TCP, 1 stream",
            Self::OverlayTcp4 => "Overlay, TCP, 4 streams",
            Self::OverlayUdp64 => "Overlay, UDP 64 B delivered",
            Self::OverlayUdp1398 => "Overlay, UDP 1398 B delivered",
            Self::OverlayPingPong => "Overlay, TCP ping-pong",
            Self::LanOutTcp => "LAN out, TCP, 1 stream",
            Self::LanInTcp => "LAN in, TCP, 1 stream",
            Self::LanOutTcp4 => "LAN out, TCP, 4 streams",
            Self::LanOutUdp64 => "LAN out, UDP 64 B delivered",
            Self::LanPingPong => "LAN out, TCP ping-pong",
            Self::DockerRun => "docker",
        }
    }

    /// Where it is run.
    pub(crate) const fn setting(self) -> Setting {
        match self {
            Self::Tcp1 | Self::Tcp4 | Self::Udp64 | Self::Udp1448 | Self::PingPong => {
                Setting::Switching
            }
            Self::NatOutTcp
            | Self::NatInTcp
            | Self::NatOutUdp64
            | Self::NatPingPong
            | Self::NatConnections
            | Self::NatConnectionsIn => Setting::Nat,
            Self::OverlayTcp1
            | Self::OverlayTcp4
            | Self::OverlayUdp64
            | Self::OverlayUdp1398
            | Self::OverlayPingPong => Setting::Overlay,
            Self::LanOutTcp
            | Self::LanInTcp
            | Self::LanOutTcp4
            | Self::LanOutUdp64
            | Self::LanPingPong => Setting::Lan,
            Self::DockerRun => Setting::Docker,
        }
    }

    /// What runs from one end to the other.
    pub(crate) const fn load(self) -> Load {
        match self {
            Self::Tcp1
            | Self::NatOutTcp
            | Self::NatInTcp
            | Self::OverlayTcp1
            | Self::LanOutTcp
            | Self::LanInTcp => Load::Tcp { streams: 1 },
            Self::Tcp4 | Self::OverlayTcp4 | Self::LanOutTcp4 => Load::Tcp { streams: 4 },
            Self::Udp64 | Self::NatOutUdp64 | Self::OverlayUdp64 | Self::LanOutUdp64 => {
                Load::Datagrams { length: 64 }
            }
            Self::Udp1448 => Load::Datagrams { length: 1448 },
            Self::OverlayUdp1398 => Load::Datagrams { length: 1398 },
            Self::PingPong | Self::NatPingPong | Self::OverlayPingPong | Self::LanPingPong => {
                Load::PingPong
            }
            Self::NatConnections | Self::NatConnectionsIn => Load::Connections,
            Self::DockerRun => Load::Containers,
        }
    }

    /// Whether the client is at the right end, and turns to the left one.
    pub(crate) const fn is_inward(self) -> bool {
        matches!(
            self,
            Self::NatInTcp | Self::NatConnectionsIn | Self::LanInTcp
        )
    }
}

impl Setting {
    /// All of them, in the order they are set up.
    pub(crate) const ALL: [Self; 5] = [
        Self::Switching,
        Self::Nat,
        Self::Overlay,
        Self::Lan,
        Self::Docker,
    ];
}
