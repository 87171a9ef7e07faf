//! The methods of the protocol.

use std::fmt;
use std::str::FromStr;

/// What is asked of a plugin: the path of the request, less its slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "named as in the protocol; see the crate's table"
)]
pub enum Method {
    Activate,
    NetworkCapabilities,
    GwAllocCheck,
    AllocateNetwork,
    FreeNetwork,
    CreateNetwork,
    DeleteNetwork,
    CreateEndpoint,
    EndpointOperInfo,
    DeleteEndpoint,
    Join,
    Leave,
    ProgramExternalConnectivity,
    RevokeExternalConnectivity,
    DiscoverNew,
    DiscoverDelete,
    IpamCapabilities,
    DefaultAddressSpaces,
    RequestPool,
    ReleasePool,
    RequestAddress,
    ReleaseAddress,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Activate,
        Self::NetworkCapabilities,
        Self::GwAllocCheck,
        Self::AllocateNetwork,
        Self::FreeNetwork,
        Self::CreateNetwork,
        Self::DeleteNetwork,
        Self::CreateEndpoint,
        Self::EndpointOperInfo,
        Self::DeleteEndpoint,
        Self::Join,
        Self::Leave,
        Self::ProgramExternalConnectivity,
        Self::RevokeExternalConnectivity,
        Self::DiscoverNew,
        Self::DiscoverDelete,
        Self::IpamCapabilities,
        Self::DefaultAddressSpaces,
        Self::RequestPool,
        Self::ReleasePool,
        Self::RequestAddress,
        Self::ReleaseAddress,
    ];

    /// As in the path of a request, such as `NetworkDriver.Join`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "Plugin.Activate",
            Self::NetworkCapabilities => "NetworkDriver.GetCapabilities",
            Self::GwAllocCheck => "NetworkDriver.GwAllocCheck",
            Self::AllocateNetwork => "NetworkDriver.AllocateNetwork",
            Self::FreeNetwork => "NetworkDriver.FreeNetwork",
            Self::CreateNetwork => "NetworkDriver.CreateNetwork",
            Self::DeleteNetwork => "NetworkDriver.DeleteNetwork",
            Self::CreateEndpoint => "NetworkDriver.CreateEndpoint",
            Self::EndpointOperInfo => "NetworkDriver.EndpointOperInfo",
            Self::DeleteEndpoint => "NetworkDriver.DeleteEndpoint",
            Self::Join => "NetworkDriver.Join",
            Self::Leave => "NetworkDriver.Leave",
            Self::ProgramExternalConnectivity => "NetworkDriver.ProgramExternalConnectivity",
            Self::RevokeExternalConnectivity => "NetworkDriver.RevokeExternalConnectivity",
            Self::DiscoverNew => "NetworkDriver.DiscoverNew",
            Self::DiscoverDelete => "NetworkDriver.DiscoverDelete",
            Self::IpamCapabilities => "IpamDriver.GetCapabilities",
            Self::DefaultAddressSpaces => "IpamDriver.GetDefaultAddressSpaces",
            Self::RequestPool => "IpamDriver.RequestPool",
            Self::ReleasePool => "IpamDriver.ReleasePool",
            Self::RequestAddress => "IpamDriver.RequestAddress",
            Self::ReleaseAddress => "IpamDriver.ReleaseAddress",
        }
    }

    /// Whether its request has a body; the others' is empty.
    #[must_use]
    pub const fn has_body(self) -> bool {
        !matches!(
            self,
            Self::Activate
                | Self::NetworkCapabilities
                | Self::IpamCapabilities
                | Self::DefaultAddressSpaces
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not a method of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a method of Docker's network and IPAM driver protocols")]
pub struct UnknownMethod(pub String);

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| UnknownMethod(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_own_name_alone() {
        for method in Method::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
        }
        for text in ["", "Join", "/NetworkDriver.Join", "networkdriver.join"] {
            assert_eq!(text.parse::<Method>(), Err(UnknownMethod(text.to_owned())));
        }
    }
}
