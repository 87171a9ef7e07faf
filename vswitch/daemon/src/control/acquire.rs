//! What the physical network is asked before an endpoint's addresses are used, and what it answered.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::{Endpoint, EndpointId, LanFace, LanSettings, NetworkId, SandboxKey};
use vswitch_dhcp::{Identity, Lease};

use super::lan::parent_of;
use super::{Control, ControlError};
use crate::leases::{AcquireError, Leases, Place};

/// A question to the physical network, which takes its time. It changes nothing here.
#[derive(Debug)]
pub(super) struct Acquisition {
    /// Who wants to know.
    endpoint: EndpointId,
    leases: Leases,
    place: Place,
    question: Question,
}

#[derive(Debug)]
enum Question {
    /// Has somebody these addresses?
    Unused(Vec<IpAddr>),
    /// Which address may it have?
    Lease(Identity),
}

impl Acquisition {
    /// Asks, and waits for the answer; the lease, if one was asked for.
    ///
    /// # Errors
    /// [`AcquireError`].
    pub(super) async fn ask(self) -> Result<Option<Lease>, AcquireError> {
        match self.question {
            Question::Unused(addresses) => {
                self.leases.check_unused(self.place, addresses).await?;
                Ok(None)
            }
            Question::Lease(identity) => {
                let asked = self
                    .leases
                    .acquire(self.endpoint, self.place, identity, None);
                Ok(Some(asked.await?))
            }
        }
    }
}

/// A router that a network is to have on its LAN.
#[derive(Debug)]
pub struct RouterQuestion {
    leases: Leases,
    place: Place,
    router: IpAddr,
    parent: String,
}

impl RouterQuestion {
    /// Asks; a warning if nobody answers.
    pub async fn ask(self) -> Option<String> {
        let Self {
            leases,
            place,
            router,
            parent,
        } = self;
        // The host need not be on that LAN: it asks from no address.
        match leases.is_answered(place, None, router).await {
            true => None,
            false => Some(format!(
                "the gateway {router} does not answer on {parent}: containers will reach nothing beyond their subnet \
                 as long as it does not"
            )),
        }
    }
}

impl Control {
    /// What has to be asked before an endpoint is connected.
    pub(super) fn acquisition(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<Acquisition>, ControlError> {
        let Some((mut place, lan)) = self.place_of(endpoint)? else {
            return Ok(None);
        };
        let question = if lan.dhcp {
            Question::Lease(self.dhcp_identity(endpoint, &place))
        } else if lan.check_conflicts && !endpoint.addresses.is_empty() {
            // Another host's container with this address may have this MAC address, too: that is made of it.
            if let Some(nic) = self.nic_of(endpoint) {
                place.mac = nic.mac;
            }
            Question::Unused(endpoint.addresses.iter().map(IpNet::addr).collect())
        } else {
            return Ok(None);
        };
        Ok(Some(Acquisition {
            endpoint: endpoint.id,
            leases: self.leases.clone(),
            place,
            question,
        }))
    }

    /// The routers that a network has on its LAN, to be asked for.
    pub(super) fn router_questions(&self, network: NetworkId) -> Vec<RouterQuestion> {
        let mut questions = Vec::new();
        for settings in self.model.bridge_settings(network).unwrap_or_default() {
            let (Some(lan), Ok(Some(parent))) = (&settings.lan, parent_of(&settings)) else {
                continue;
            };
            let Some(nic) = self
                .parents
                .nic(&parent)
                .filter(|nic| nic.up && nic.carrier)
            else {
                continue;
            };
            let place = Place {
                interface: nic.index,
                tag: lan.tag(),
                mac: nic.mac,
            };
            let record = self.model.network(network);
            let segments = record
                .map(vswitch_cnm::Network::segments)
                .unwrap_or_default();
            let segment = segments.iter().find(|s| s.index == settings.segment);
            let routers = segment.into_iter().flat_map(vswitch_cnm::Segment::subnets);
            // The host does not hear what is sent by its NIC.
            let elsewhere = |router: &IpAddr| !self.host_addresses.contains(router);
            let routers = routers
                .filter_map(|subnet| subnet.gateway)
                .filter(elsewhere);
            questions.extend(routers.map(|router| RouterQuestion {
                leases: self.leases.clone(),
                place,
                router,
                parent: parent.to_string(),
            }));
        }
        questions
    }

    /// Where an endpoint is on the wire; `None` if it is on none, or that is not there.
    pub(super) fn place_of(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<(Place, LanSettings)>, ControlError> {
        let Some(settings) = self.model.port_settings(endpoint.id)? else {
            return Ok(None);
        };
        let Some(segment) = self.segment_settings(settings.segment_id()) else {
            return Ok(None);
        };
        let Some(parent) = parent_of(&segment)? else {
            return Ok(None);
        };
        let (Some(lan), Some(nic)) = (segment.lan, self.parents.nic(&parent)) else {
            return Ok(None);
        };
        let place = Place {
            interface: nic.index,
            tag: lan.tag(),
            mac: match lan.face {
                LanFace::Own => settings.mac,
                LanFace::Shared | LanFace::Translated => nic.mac,
            },
        };
        Ok(Some((place, lan)))
    }

    /// Endpoints behind one MAC address are told apart by their own, as the client identifier, and hear
    /// answers only if these are for everybody.
    pub(super) fn dhcp_identity(&self, endpoint: &Endpoint, place: &Place) -> Identity {
        let shares = place.mac != endpoint.mac;
        // Hardware type 1, Ethernet (RFC 2132 section 9.14).
        let own = [&[1], endpoint.mac.0.as_slice()].concat();
        Identity {
            mac: place.mac,
            client_id: shares.then_some(own),
            hostname: match &endpoint.sandbox {
                Some(SandboxKey::Name(name)) => Some(name.clone()),
                _ => None,
            },
            broadcast: shares,
        }
    }
}
