//! The switch's API, as plugins of engines use it: one client, and no process for a request.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use vswitch_api::Attach;
use vswitch_api::client::Client;

/// A client that waits for its answers.
pub(crate) struct Api {
    client: Client,
    runtime: Runtime,
}

impl Api {
    /// A client of the daemon at a socket.
    ///
    /// # Errors
    /// For want of descriptors.
    pub(crate) fn new(socket: &Path) -> Result<Self> {
        Ok(Self {
            client: Client::new(socket),
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Attaches a sandbox to a network, by an address of one's choice or the switch's, with published TCP
    /// ports as `vsctl` writes them.
    ///
    /// # Errors
    /// If the switch refuses.
    pub(crate) fn attach(
        &self,
        network: &str,
        sandbox: &str,
        address: Option<Ipv4Addr>,
        publish: Vec<String>,
    ) -> Result<()> {
        let request = Attach {
            sandbox: sandbox.to_owned(),
            ip: address,
            publish,
            ..Attach::default()
        };
        self.runtime
            .block_on(self.client.attach(network, &request))?;
        Ok(())
    }

    /// Takes a sandbox off a network.
    ///
    /// # Errors
    /// If the switch refuses.
    pub(crate) fn detach(&self, network: &str, sandbox: &str) -> Result<()> {
        Ok(self
            .runtime
            .block_on(self.client.detach(network, sandbox))?)
    }
}
