//! Publishing: ports of the host that lead to ports of an endpoint.
//!
//! A [`PortSpec`] is what the user asks for, a [`PublishedPort`] what came of it, and a [`PortHolder`]
//! whoever keeps the host's own programs off the host's ports.

mod holder;
mod port_range;
mod published;
mod spec;

pub use holder::{AllFree, HoldError, PortHolder};
pub use port_range::{PortRange, PortRangeError};
pub(crate) use published::same_host;
pub use published::{Protocol, PublishedPort};
pub use spec::{PortSpec, PortSpecError, PortSpecFault};
