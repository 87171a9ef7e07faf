//! The addresses of endpoints, where an IPAM plugin gives them out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_cnm::{Ipam, IpamPlugin, Network};
use vswitch_packet::MacAddr;

use crate::plugins::{Lent, PluginError, Plugins};

/// An IPAM plugin, and its pools for one network.
#[derive(Debug, Clone)]
pub(super) struct Lender {
    plugins: Plugins,
    ipam: IpamPlugin,
}

/// What an endpoint is given.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) addresses: Vec<IpAddr>,
    /// As asked for, or because the plugin wants to know it beforehand.
    pub(super) mac: Option<MacAddr>,
}

impl Given {
    pub(super) fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        })
    }

    pub(super) fn ipv6(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V6(v6) => Some(*v6),
            IpAddr::V4(_) => None,
        })
    }
}

impl Lender {
    /// Of a network, if its addresses are a plugin's.
    pub(super) fn of(network: &Network, plugins: &Plugins) -> Option<Self> {
        let Ipam::Plugin(ipam) = &network.ipam else {
            return None;
        };
        Some(Self {
            plugins: plugins.clone(),
            ipam: ipam.clone(),
        })
    }

    /// The plugin's name.
    pub(super) fn name(&self) -> &str {
        &self.ipam.name
    }

    /// Asks for addresses for `sandbox`: these, else any of each family; `drawn` is a MAC address for a plugin that
    /// wants one where none is asked for.
    pub(super) async fn lend(
        &self,
        wanted: &[IpAddr],
        mac: Option<MacAddr>,
        drawn: MacAddr,
        sandbox: &str,
    ) -> Result<Given, PluginError> {
        let driver = self.plugins.ipam_driver(self.name()).await?;
        let mac = match driver.capabilities().await?.requires_mac_address {
            true => mac.or(Some(drawn)),
            false => mac,
        };
        let lent = driver.request_addresses(&self.ipam.pools, wanted, mac, sandbox);
        let addresses = lent.await?.into_iter().map(|lent| lent.address).collect();
        Ok(Given { addresses, mac })
    }

    /// Gives addresses back. What fails is logged.
    pub(super) async fn take_back(&self, addresses: &[IpAddr]) {
        let lent = addresses.iter().filter_map(|&address| {
            let pool = self.ipam.pool_with(address)?.id.clone();
            Some(Lent { pool, address })
        });
        match self.plugins.ipam_driver(self.name()).await {
            Ok(driver) => driver.release_addresses(&lent.collect::<Vec<_>>()).await,
            Err(error) => tracing::warn!("cannot give addresses back: {error}"),
        }
    }
}
