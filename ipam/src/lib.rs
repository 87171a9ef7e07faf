//! Address management: which subnets networks hold, and which addresses in them are in use.
//!
//! An [`AddressSpace`] holds [`Pool`]s that never overlap, but for those of one link. A pool is one subnet
//! with what is reserved and given out in it. [`plan`] turns what the user typed into [`PoolRequest`]s.
//!
//! ```
//! use vswitch_ipam::{
//!     AddressSpace, AllocationOrder, DefaultPools, Family, IpamOptions, plan,
//! };
//!
//! let options = IpamOptions {
//!     subnets: vec!["10.20.0.0/16".parse()?],
//!     ranges: vec!["10.20.5.0/24".parse()?],
//!     gateways: vec!["10.20.0.1".parse()?],
//!     families: vec![Family::V4],
//!     ..IpamOptions::default()
//! };
//! let mut space = AddressSpace::new("local", DefaultPools::docker(0x1234));
//! for request in plan(&options)? {
//!     let subnet = space.request("web", &request, &[])?.subnet();
//!     let address = space.allocate("web", subnet, AllocationOrder::LowestFree)?;
//!     assert_eq!(address.to_string(), "10.20.5.0");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here needs to be stored: a space is rebuilt by requesting each pool with the subnet,
//! range, gateway and auxiliary addresses it had, and reserving each address that is in use.

#![forbid(unsafe_code)]

mod address_space;
mod allocation;
mod default_pools;
mod error;
mod family;
mod interval_set;
mod plan;
mod pool;
mod request;
mod span;
mod subnet;
mod ula;

pub use address_space::AddressSpace;
pub use allocation::AllocationOrder;
pub use default_pools::{BasePool, DefaultPools};
pub use error::{AddressError, PlanError, PoolError, ReservedRole, SubnetError};
pub use family::Family;
pub use plan::{IpamOptions, plan};
pub use pool::Pool;
pub use request::{GatewayRequest, PoolRequest, SubnetRequest};
pub use subnet::check_subnet;
pub use ula::ula_prefix;
