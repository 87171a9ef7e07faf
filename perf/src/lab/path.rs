//! The two ends that a switch connects, and the way of a case from one to the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use vswitch_e2e::{Place, eventually};

use super::case::Way;
use crate::traffic::Traffic;

/// Two namespaces and a switch between them.
#[derive(Debug)]
pub(crate) struct Ends {
    /// A container.
    pub(crate) left: End,
    /// A container of the same network, or what is at the far end of the NIC's cable.
    pub(crate) right: End,
}

/// A namespace, and how the other one reaches it.
#[derive(Debug)]
pub(crate) struct End {
    /// The namespace.
    pub(crate) place: Place,
    /// An IPv4 address: its own, or the host's where the end is behind published ports.
    pub(crate) address: String,
}

/// From a client to a server.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    /// Where the client runs.
    pub(crate) client: &'a Place,
    /// Where the server runs; it has to listen on all addresses.
    pub(crate) server: &'a Place,
    /// What the client connects to.
    pub(crate) address: &'a str,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Ends {
    /// Sees that the left end reaches the right one.
    ///
    /// # Errors
    /// If it does not within 10 s.
    pub(crate) fn check(&self) -> Result<()> {
        eventually("a ping is answered", PATIENCE, || {
            let ping = self.left.place.program("ping");
            let ping = ping.args(["-c", "1", "-W", "1", &self.right.address]);
            Ok(ping.run()?.status.success())
        })
    }

    /// From one end to the other.
    pub(crate) fn path(&self, way: Way) -> Path<'_> {
        let (from, to) = match way {
            Way::Outward => (&self.left, &self.right),
            Way::Inward => (&self.right, &self.left),
        };
        Path {
            client: &from.place,
            server: &to.place,
            address: &to.address,
        }
    }
}

impl Path<'_> {
    /// Runs this program as a server and as its client, and returns what the client measures.
    ///
    /// # Errors
    /// If one of them fails, or the client measures something else.
    pub(crate) fn measure<F: DeserializeOwned>(&self, traffic: Traffic, seconds: u32) -> Result<F> {
        let itself = std::env::current_exe().context("find the running program's path")?;
        let name = traffic
            .to_possible_value()
            .context("traffic without a name")?;
        let (name, port) = (name.get_name(), traffic.port());
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).to_string();
        // What went wrong is told in a line or two.
        let program = |place: &Place| place.program(&itself).env("RUST_BACKTRACE", "0");
        let server = program(self.server);
        let mut server = server.args(["serve", name, &listen]).spawn()?;
        server.wait_for("ready", PATIENCE)?;
        let client = program(self.client);
        let client = client.args(["measure", name, &format!("{}:{port}", self.address)]);
        let patience = Duration::from_secs(u64::from(seconds) + 30);
        let client = client.arg(seconds.to_string()).timeout(patience);
        Ok(serde_json::from_str(&client.output()?)?)
    }
}
