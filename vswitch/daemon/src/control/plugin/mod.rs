//! Networks and addresses of somebody else's plugins, to which this is what libnetwork is to Docker's.
//!
//! Plugins answer when they like, so each command is an [`Errand`]: the plugins are asked there, and what comes
//! of it is done here, piece by piece. The record of an endpoint is there before its plugin makes it, and until
//! that was told to remove it, or could not be; what a crash leaves behind of it is undone at the next start.
//! Networks, pools and addresses are recorded when the plugin has given them, so a crash in between leaves
//! them to the plugin.

mod attach;
mod farewell;
mod lender;
mod network;
mod options;
mod restore;

use vswitch_cnm::{Endpoint, NetworkId, SandboxKey};
use vswitch_plugin::network_driver::EndpointRef;

use super::errand::Errand;
use super::{Control, ControlError};
use crate::edge::{EdgeError, GuestMark};
use lender::Lender;

impl Control {
    /// Whether a plugin makes an endpoint's network work, so that its interface is none of ours.
    pub(super) fn is_plugins(&self, endpoint: &Endpoint) -> bool {
        let network = self.model.network(endpoint.network);
        network.is_some_and(|network| network.plugin.is_some())
    }

    /// Has an errand run that nobody waits for.
    pub(super) fn run_later(&self, errand: Errand<()>) {
        // Nobody runs it any more only while the daemon ends; the next start finds what it is about.
        let _ = self.errands.send(errand);
    }

    /// Refuses what would come between the pieces of another command.
    fn check_idle(&self, network: NetworkId) -> Result<(), ControlError> {
        match self.unsettled.contains(&network) {
            true => Err(self.not_idle(network)),
            false => Ok(()),
        }
    }

    /// As [`Control::check_idle`], and nobody is about to come.
    fn check_still(&self, network: NetworkId) -> Result<(), ControlError> {
        self.check_idle(network)?;
        match self.arriving.contains_key(&network) {
            true => Err(self.not_idle(network)),
            false => Ok(()),
        }
    }

    fn not_idle(&self, network: NetworkId) -> ControlError {
        let name = self.network_name(network).unwrap_or_default();
        ControlError::Unsettled {
            what: format!("network {name}"),
        }
    }

    /// Who gives out the addresses of a network, if that is a plugin.
    fn lender(&self, network: NetworkId) -> Option<Lender> {
        let network = self.model.network(network)?;
        Lender::of(network, &self.plugins)
    }

    /// What the interface of an endpoint of a plugin's network is known by; `None` if it has none in a sandbox.
    pub(super) fn guest_mark(&self, endpoint: &Endpoint) -> Result<Option<GuestMark>, EdgeError> {
        let moved = endpoint.plugin.as_ref().filter(|it| !it.source.is_empty());
        let (Some(_), Some(name)) = (moved, &endpoint.ifname) else {
            return Ok(None);
        };
        Ok(Some(GuestMark {
            alias: self.alias(&endpoint.id),
            name: name.parse()?,
            mac: endpoint.mac,
        }))
    }

    /// What the interfaces of others in a sandbox are known by.
    pub(super) fn guests_in(&self, key: &SandboxKey) -> Vec<GuestMark> {
        let endpoints = self.model.endpoints_in(key);
        let marks = endpoints.filter_map(|endpoint| self.guest_mark(endpoint).ok()?);
        marks.collect()
    }
}

/// An endpoint, as its plugin knows it.
fn reference(endpoint: &Endpoint) -> EndpointRef {
    EndpointRef {
        network_id: endpoint.network.to_string(),
        endpoint_id: endpoint.id.to_string(),
    }
}
