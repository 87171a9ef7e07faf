//! Drivers: what kinds of network there are, and what each makes of a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vswitch_ipam::{AllocationOrder, Family, PoolRequest};

use crate::endpoint::{AttachRequest, Endpoint};
use crate::error::{Error, OverlayError};
use crate::gateway::NextHop;
use crate::lan::{HostInterface, LanRecord};
use crate::network::{Network, NetworkRequest};
use crate::options::Options;
use crate::policy::GatewayMode;
use crate::sandbox::SandboxKey;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod bridge;
mod host;
mod ipvlan;
mod lan;
mod macvlan;
mod null;
mod overlay;
mod plugin;
mod switched;

/// The drivers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverName {
    /// A learning switch with a router at the gateway's address.
    Bridge,
    /// The host's own namespace, left as it is.
    Host,
    /// Nothing but loopback; `none` to users.
    Null,
    /// As `Bridge`, over several hosts.
    Overlay,
    /// Endpoints with MAC addresses of their own on the network of a NIC.
    Macvlan,
    /// Endpoints behind the MAC address of a NIC, on its network or routed to it.
    Ipvlan,
    /// Somebody's plugin, whose name the network has.
    Plugin,
}

/// What a kind of network makes of requests.
///
/// A driver keeps nothing: all it needs is in the records. Where a method is not overridden, networks
/// have no options and no subnets, and endpoints no resources.
pub trait Driver: fmt::Debug + Sync {
    /// Its name.
    fn name(&self) -> DriverName;

    /// Whether its one network exists from the start.
    fn single_instance(&self) -> bool;

    /// Whether a sandbox of its networks may be on others as well.
    fn shares_sandbox(&self) -> bool;

    /// Where on the physical network a network to be is; `None` if it is not on one.
    ///
    /// # Errors
    /// Options that are not understood, and a parent that cannot be one.
    fn place(&self, _request: &NetworkRequest) -> Result<Option<LanRecord>, Error> {
        Ok(None)
    }

    /// The subnets of a network to be, in the order they are to be requested.
    ///
    /// # Errors
    /// Options that are not understood, and subnets and addresses that do not fit together.
    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        Options(&request.options).check_known(&[])?;
        Ok(Vec::new())
    }

    /// Chooses what a network to be has beside its subnets, given all `others`.
    ///
    /// # Errors
    /// Options that ask for what cannot be had.
    fn complete(
        &self,
        _request: &NetworkRequest,
        network: Network,
        _others: &[&Network],
    ) -> Result<Network, Error> {
        Ok(network)
    }

    /// Checks a network's options against each other, its subnets and `others`, once it is complete.
    ///
    /// # Errors
    /// The first option that is refused.
    fn check_network(&self, network: &Network, _others: &[&Network]) -> Result<(), Error> {
        Ok(Options(&network.options).check_known(&[])?)
    }

    /// The link that a network shares with all others of the same link, addresses included; `None` if it
    /// shares none.
    fn link(&self, _network: &Network) -> Option<String> {
        None
    }

    /// Checks that a network can have a peer that it has not.
    ///
    /// # Errors
    /// [`OverlayError::Peer`]; [`OverlayError::NotSpanning`] if it has none at all.
    fn check_peer(&self, network: &Network, _peer: IpAddr) -> Result<(), Error> {
        Err(Error::Overlay(OverlayError::NotSpanning {
            network: network.name.clone(),
            driver: network.driver,
        }))
    }

    /// What of a network will not be as a user may think, a sentence each.
    ///
    /// # Errors
    /// Options that are refused; not for a network of a [`Model`](crate::Model).
    fn warnings(
        &self,
        _network: &Network,
        _others: &[&Network],
        _settings: &Settings,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// What of a network's parent will not be as a user may think, a sentence each, given the host's
    /// interfaces.
    ///
    /// # Errors
    /// Options that are refused; not for a network of a [`Model`](crate::Model).
    fn parent_warnings(
        &self,
        _network: &Network,
        _interfaces: &BTreeMap<String, HostInterface>,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Checks that `sandbox` can be on `network` at all.
    ///
    /// # Errors
    /// [`Error::HostOnly`] or [`Error::NotForHost`].
    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error>;

    /// Checks what is asked for beside options, given the `others` on the network.
    ///
    /// # Errors
    /// What the network cannot give, or not once more.
    fn check_endpoint(
        &self,
        _network: &Network,
        _request: &AttachRequest,
        _others: &[&Endpoint],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// How an endpoint's interface is made; `None` if endpoints have no resources.
    ///
    /// # Errors
    /// The first endpoint option that is refused.
    fn interface(
        &self,
        _network: &Network,
        options: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        Options(options).check_known(&[])?;
        Ok(None)
    }

    /// Where an endpoint can send what is not on its link.
    fn next_hop(
        &self,
        _network: &Network,
        _endpoint: &Endpoint,
        _family: Family,
    ) -> Option<NextHop> {
        None
    }

    /// The names of other networks that a network exchanges packets with.
    ///
    /// # Errors
    /// Options that are refused; not for a network of a [`Model`](crate::Model).
    fn route_to(&self, _network: &Network) -> Result<BTreeSet<String>, Error> {
        Ok(BTreeSet::new())
    }

    /// How each segment of a network is to be switched, but for
    /// [`Policy::route_to`](crate::Policy::route_to), which depends on others; none if it is not.
    ///
    /// # Errors
    /// Options that are refused; not for a network of a [`Model`](crate::Model).
    fn bridges(
        &self,
        _network: &Network,
        _settings: &Settings,
    ) -> Result<Vec<BridgeSettings>, Error> {
        Ok(Vec::new())
    }

    /// How an endpoint publishes ports.
    ///
    /// # Errors
    /// [`Error::NotPublishable`] if it cannot.
    fn publishing(&self, network: &Network, _endpoint: &Endpoint) -> Result<Publishing, Error> {
        Err(Error::NotPublishable {
            network: network.name.clone(),
            reason: "endpoints have no interface of their own there",
        })
    }

    /// How an endpoint's port is to be switched; `None` if it has none.
    ///
    /// # Errors
    /// Options that are refused; not for an endpoint of a [`Model`](crate::Model).
    fn port(
        &self,
        _network: &Network,
        _endpoint: &Endpoint,
        _settings: &Settings,
    ) -> Result<Option<PortSettings>, Error> {
        Ok(None)
    }
}

/// How an endpoint's interface is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePlan {
    /// The name, if an option gives one.
    pub name: Option<String>,
    /// What the name begins with otherwise.
    pub prefix: String,
    /// How addresses are chosen.
    pub order: AllocationOrder,
}

/// How endpoints on a segment of a network publish ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publishing {
    /// How IPv4 crosses the gateway; `None` where there is none of ours.
    pub v4: Option<GatewayMode>,
    /// How IPv6 crosses the gateway; `None` where there is none of ours.
    pub v6: Option<GatewayMode>,
    /// The host's address unless the user says otherwise.
    pub host_binding: Option<IpAddr>,
}

impl DriverName {
    /// The driver of this name.
    #[must_use]
    pub fn driver(self) -> &'static dyn Driver {
        match self {
            Self::Bridge => &bridge::Bridge,
            Self::Host => &host::Host,
            Self::Null => &null::Null,
            Self::Overlay => &overlay::Overlay,
            Self::Macvlan => &macvlan::Macvlan,
            Self::Ipvlan => &ipvlan::Ipvlan,
            Self::Plugin => &plugin::Plugin,
        }
    }

    /// The name in records and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::Null => "null",
            Self::Overlay => "overlay",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Plugin => "plugin",
        }
    }
}

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DriverName {
    type Err = Error;

    /// Accepts `none` for `null`; plugins are for the caller to look for, under any other name.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "bridge" => Ok(Self::Bridge),
            "host" => Ok(Self::Host),
            "null" | "none" => Ok(Self::Null),
            "overlay" => Ok(Self::Overlay),
            "macvlan" => Ok(Self::Macvlan),
            "ipvlan" => Ok(Self::Ipvlan),
            _ => Err(Error::UnknownDriver {
                name: name.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_lead_to_their_driver() {
        for name in [
            DriverName::Bridge,
            DriverName::Host,
            DriverName::Null,
            DriverName::Overlay,
            DriverName::Macvlan,
            DriverName::Ipvlan,
        ] {
            assert_eq!(name.to_string().parse(), Ok(name));
            assert_eq!(name.driver().name(), name);
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
        }
        assert_eq!(DriverName::Plugin.driver().name(), DriverName::Plugin);
        assert!("plugin".parse::<DriverName>().is_err());
        assert_eq!("none".parse(), Ok(DriverName::Null));
    }

    #[test]
    fn a_driver_that_is_missing_is_named() {
        assert_eq!(
            "macvtap".parse::<DriverName>().unwrap_err().to_string(),
            "no network driver \"macvtap\" in this version; use bridge, overlay, macvlan, ipvlan, host or \
             none"
        );
    }
}
