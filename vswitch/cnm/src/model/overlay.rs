//! Who is at the other ends of an overlay network's tunnels, and what is said to be there.

use std::net::IpAddr;

use vswitch_packet::MacAddr;

use super::Model;
use crate::error::{Error, OverlayError};
use crate::id::NetworkId;
use crate::network::Network;
use crate::overlay::{OverlayRecord, Remote};

/// All changes return the network's record, to be persisted.
impl Model {
    /// Adds a peer. That it is none of this host's addresses is for the caller to check.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`OverlayError::NotSpanning`]; [`OverlayError::Peer`] if it is one already, or cannot
    /// be.
    pub fn add_peer(&mut self, id: NetworkId, peer: IpAddr) -> Result<Network, Error> {
        let network = self.network_or_error(id)?;
        network.driver.driver().check_peer(network, peer)?;
        self.edit_overlay(id, |record| record.peers.push(peer))
    }

    /// Removes a peer, and all that was said to be there.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`OverlayError::NotSpanning`]; [`OverlayError::PeerNotFound`].
    pub fn remove_peer(&mut self, id: NetworkId, peer: IpAddr) -> Result<Network, Error> {
        let network = self.overlay_or_error(id)?;
        if !network.peers().contains(&peer) {
            return Err(OverlayError::PeerNotFound {
                peer,
                network: network.name.clone(),
            }
            .into());
        }
        self.forget_remotes(id, |remote| remote.vtep == peer)?;
        self.edit_overlay(id, |record| record.peers.retain(|other| *other != peer))
    }

    /// Notes what is said to be at a peer. Its addresses are no endpoint's from now on.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`OverlayError::NotSpanning`]; [`OverlayError::RemoteWithoutPeer`];
    /// [`Error::MacInvalid`] and [`Error::MacInUse`]; addresses that are in different segments or in none,
    /// or in use.
    pub fn add_remote(&mut self, id: NetworkId, remote: Remote) -> Result<Network, Error> {
        let network = self.overlay_or_error(id)?.clone();
        if !network.peers().contains(&remote.vtep) {
            return Err(OverlayError::RemoteWithoutPeer {
                vtep: remote.vtep,
                network: network.name,
            }
            .into());
        }
        self.check_mac(&network, remote.mac)?;
        self.reserve_addresses(&network, &remote.addresses)?;
        self.edit_overlay(id, |record| record.remotes.push(remote))
    }

    /// Forgets what was said to be at a peer.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`OverlayError::NotSpanning`]; [`OverlayError::RemoteNotFound`].
    pub fn remove_remote(&mut self, id: NetworkId, mac: MacAddr) -> Result<Network, Error> {
        let network = self.overlay_or_error(id)?;
        if !network.remotes().iter().any(|remote| remote.mac == mac) {
            return Err(OverlayError::RemoteNotFound {
                mac,
                network: network.name.clone(),
            }
            .into());
        }
        self.forget_remotes(id, |remote| remote.mac == mac)
    }

    /// Notes the MTU of the way to the peers, in bytes of outer packets; `None` if it is not known.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`OverlayError::NotSpanning`].
    pub fn set_underlay_mtu(&mut self, id: NetworkId, mtu: Option<u16>) -> Result<Network, Error> {
        self.edit_overlay(id, |record| record.underlay_mtu = mtu)
    }

    /// What of a network will not be as a user may think, a sentence each; none of one that is not there.
    #[must_use]
    pub fn overlay_warnings(&self, id: NetworkId) -> Vec<String> {
        let Some(network) = self.networks.get(&id) else {
            return Vec::new();
        };
        let others: Vec<&Network> = self.networks().filter(|other| other.id != id).collect();
        let driver = network.driver.driver();
        let warnings = driver.warnings(network, &others, &self.settings);
        warnings.unwrap_or_default()
    }

    fn forget_remotes(
        &mut self,
        id: NetworkId,
        gone: impl Fn(&Remote) -> bool,
    ) -> Result<Network, Error> {
        let remotes = self.overlay_or_error(id)?.remotes();
        let held = remotes.iter().filter(|remote| gone(remote));
        let addresses: Vec<IpAddr> = held
            .flat_map(|remote| remote.addresses.iter().copied())
            .collect();
        self.free_addresses(id, addresses);
        self.edit_overlay(id, |record| record.remotes.retain(|remote| !gone(remote)))
    }

    fn overlay_or_error(&self, id: NetworkId) -> Result<&Network, Error> {
        let network = self.network_or_error(id)?;
        match network.overlay {
            Some(_) => Ok(network),
            None => Err(not_overlay(network)),
        }
    }

    fn edit_overlay(
        &mut self,
        id: NetworkId,
        edit: impl FnOnce(&mut OverlayRecord),
    ) -> Result<Network, Error> {
        let network = self
            .networks
            .get_mut(&id)
            .ok_or_else(|| Error::NetworkNotFound { name: id.short() })?;
        match &mut network.overlay {
            Some(record) => edit(record),
            None => return Err(not_overlay(network)),
        }
        Ok(network.clone())
    }
}

fn not_overlay(network: &Network) -> Error {
    OverlayError::NotSpanning {
        network: network.name.clone(),
        driver: network.driver,
    }
    .into()
}
