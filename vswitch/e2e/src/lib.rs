//! Private hosts with a `vswitchd` each: the harness of the end-to-end tests and of the lab.
//!
//! A [`Host`] is a network and a mount namespace of its own: whatever happens in it is invisible to
//! the machine and to other hosts, so tests run in parallel. Everything needs root, and says so.

mod background;
mod binaries;
mod capture;
mod cni;
mod daemon;
mod dhcp;
mod dnsmasq;
mod docker;
mod echo;
mod figures;
mod host;
mod image;
mod iperf;
mod macvlan;
mod mutual;
mod open_vswitch;
mod outside;
mod ovs;
mod packets;
mod path_mtu;
mod ping;
mod place;
mod podman;
mod process;
mod program;
mod underlay;
mod vtep;
mod wait;
mod web;

pub use background::Background;
pub use binaries::binary;
pub use capture::{Capture, send_frames, send_with_vnet_header};
pub use cni::{CniFailure, CniNetwork};
pub use daemon::{Daemon, DaemonOptions, Refusal, state_files};
pub use dhcp::{DhcpServer, Said};
pub use dnsmasq::Dnsmasq;
pub use docker::{Dockerd, Exchange, IMAGE, Recorder, Reply, Request, send};
pub use echo::{Conversation, Echo, Transport, ask, ask_from, ask_large, reaches};
pub use figures::figures;
pub use host::Host;
pub use image::Image;
pub use iperf::{IperfClient, IperfRun, IperfServer, Protocol};
pub use macvlan::kernel_macvlan;
pub use mutual::{Heard, Party, Way, who_hears_whom};
pub use open_vswitch::OpenVswitch;
pub use outside::{FAR, Link, NARROW, Outside, WAN0, WAN1};
pub use ovs::OvsVtep;
pub use packets::{Dissected, Packets};
pub use path_mtu::discovered_mtu;
pub use ping::{no_ping, ping};
pub use place::Place;
pub use podman::Podman;
pub use process::ProcessFigures;
pub use program::{Finished, Program};
pub use underlay::{UNDERLAY_NIC, Underlay};
pub use vtep::{KernelTunnel, KernelVtep, Station};
pub use wait::eventually;
pub use web::{WebServer, fetch_page};
