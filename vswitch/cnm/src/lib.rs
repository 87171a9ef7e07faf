//! Docker's Container Network Model: networks, the sandboxes on them, and the endpoints between.
//!
//! A [`Model`] holds all three as records. An operation checks everything first, changes the model
//! only if it succeeds, and returns the record to persist; carrying it out (TAPs, addresses, routes) is
//! the daemon's. What is in use follows from the records alone, so [`Model::restore`] after a crash
//! finds every address free that no endpoint holds.
//!
//! An endpoint's life; for libnetwork's create, join, leave and delete there are also
//! [`AttachRequest::without_sandbox`], [`Model::join_endpoint`] and [`Model::leave_endpoint`]:
//!
//! ```
//! use vswitch_cnm::publish::AllFree;
//! use vswitch_cnm::{
//!     AttachRequest, EndpointId, Model, NetworkId, NetworkRequest, Phase, Settings,
//! };
//!
//! let mut model = Model::new(Settings::default());
//! let network = model.create_network(
//!     NetworkRequest::new("web"),
//!     NetworkId::from_octets([1; 32]),
//!     1_700_000_000,
//!     &[],
//! )?;
//! let request = AttachRequest::new(network.id, "box".parse()?);
//! let id = EndpointId::from_octets([2; 32]);
//! let endpoint = model.create_endpoint(request, id, 1_700_000_001, &mut AllFree)?;
//! assert_eq!(endpoint.phase, Phase::Attaching);
//! assert_eq!(endpoint.addresses[0].to_string(), "172.17.0.2/16");
//! model.endpoint_attached(endpoint.id)?;
//! model.begin_detach(endpoint.id)?;
//! model.remove_endpoint(endpoint.id)?;
//! model.remove_network(network.id)?;
//! # Ok::<(), vswitch_cnm::Error>(())
//! ```

#![forbid(unsafe_code)]

mod driver;
mod endpoint;
mod error;
mod gateway;
mod id;
mod interface_name;
mod ipam;
mod lan;
mod lease;
mod lent_pool;
mod mac;
mod model;
mod name;
mod network;
pub mod option_key;
mod options;
mod overlay;
mod plugin;
pub mod policy;
pub mod publish;
mod sandbox;
mod segment;
mod settings;

pub use driver::{Driver, DriverName, InterfacePlan, Publishing};
pub use endpoint::{AttachRequest, Configurator, Endpoint, JoinRequest, Phase};
pub use error::{EngineError, Error, ErrorKind, LanError, OverlayError, PeerError, RestoreError};
pub use gateway::{GatewayChoice, Gateways, NextHop};
pub use id::{EndpointId, IdError, NetworkId, SegmentId};
pub use interface_name::InterfaceNameError;
pub use ipam::{Ipam, IpamPlugin, PluginPool};
pub use lan::{HostInterface, L3Settings, LanFace, LanMode, LanRecord, LanSettings};
pub use lease::Lease;
pub use lent_pool::{LendRequest, LentPool, Returned};
pub use model::{LeftEndpoint, Model, RemovedEndpoint};
pub use name::{MAX_NAME_LEN, NameError, NameOf};
pub use network::{Network, NetworkRequest, SubnetRecord};
pub use options::OptionError;
pub use overlay::{OverlayRecord, OverlaySettings, Remote};
pub use plugin::PluginInterface;
pub use policy::{FamilyPolicy, Filtering, GatewayMode, Policy};
pub use publish::{PortHolder, PortSpec, PublishedPort};
pub use sandbox::{NetnsId, Sandbox, SandboxKey, SandboxKeyError};
pub use segment::Segment;
pub use settings::{BridgeSettings, PortSettings, Settings};
pub use vswitch_vxlan::ecn::Dscp;
