//! Docker's plugin protocol for network and IPAM drivers, in both directions: what libnetwork asks of
//! a driver, and how to ask somebody else's driver the same.
//!
//! Each [`Method`] is a `POST /{method}` with one JSON object as its body, answered by another:
//!
//! | method | request | answer |
//! |---|---|---|
//! | `Plugin.Activate` | | [`Activation`] |
//! | `NetworkDriver.GetCapabilities` | | [`network_driver::Capabilities`] |
//! | `NetworkDriver.GwAllocCheck` | [`network_driver::GwAllocCheck`] | [`network_driver::GwAllocCheckReply`] |
//! | `NetworkDriver.AllocateNetwork` | [`network_driver::AllocateNetwork`] | [`network_driver::AllocateNetworkReply`] |
//! | `NetworkDriver.FreeNetwork` | [`network_driver::FreeNetwork`] | [`Empty`] |
//! | `NetworkDriver.CreateNetwork` | [`network_driver::CreateNetwork`] | [`Empty`] |
//! | `NetworkDriver.DeleteNetwork` | [`network_driver::DeleteNetwork`] | [`Empty`] |
//! | `NetworkDriver.CreateEndpoint` | [`network_driver::CreateEndpoint`] | [`network_driver::CreateEndpointReply`] |
//! | `NetworkDriver.EndpointOperInfo` | [`network_driver::EndpointRef`] | [`network_driver::OperInfoReply`] |
//! | `NetworkDriver.DeleteEndpoint` | [`network_driver::EndpointRef`] | [`Empty`] |
//! | `NetworkDriver.Join` | [`network_driver::Join`] | [`network_driver::JoinReply`] |
//! | `NetworkDriver.Leave` | [`network_driver::EndpointRef`] | [`Empty`] |
//! | `NetworkDriver.ProgramExternalConnectivity` | [`network_driver::ProgramExternalConnectivity`] | [`Empty`] |
//! | `NetworkDriver.RevokeExternalConnectivity` | [`network_driver::EndpointRef`] | [`Empty`] |
//! | `NetworkDriver.DiscoverNew`, `DiscoverDelete` | [`network_driver::Discover`] | [`Empty`] |
//! | `IpamDriver.GetCapabilities` | | [`ipam_driver::Capabilities`] |
//! | `IpamDriver.GetDefaultAddressSpaces` | | [`ipam_driver::AddressSpaces`] |
//! | `IpamDriver.RequestPool` | [`ipam_driver::RequestPool`] | [`ipam_driver::RequestPoolReply`] |
//! | `IpamDriver.ReleasePool` | [`ipam_driver::ReleasePool`] | [`Empty`] |
//! | `IpamDriver.RequestAddress` | [`ipam_driver::RequestAddress`] | [`ipam_driver::RequestAddressReply`] |
//! | `IpamDriver.ReleaseAddress` | [`ipam_driver::ReleaseAddress`] | [`Empty`] |
//!
//! Both ends are Go's `encoding/json` mostly. [`decode`] has its tolerance (names in any case, `null`
//! for nothing, unknown fields) and parses every address; plain `serde_json` would not. What is encoded,
//! with [`serde_json::to_vec`], has the exact names.

#![forbid(unsafe_code)]

mod activation;
#[cfg(feature = "client")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place with sockets and a clock"
)]
pub mod client;
mod decode;
#[expect(clippy::disallowed_methods, reason = "the one place that reads files")]
pub mod discovery;
mod go;
pub mod ipam_driver;
mod method;
pub mod network_driver;
mod text;

pub use activation::{Activation, Empty, Failure, IPAM_DRIVER, NETWORK_DRIVER};
pub use decode::{DecodeError, decode};
pub use method::{Method, UnknownMethod};

/// The media type of answers, and the one that is asked for.
pub const MEDIA_TYPE: &str = "application/vnd.docker.plugins.v1.2+json";
