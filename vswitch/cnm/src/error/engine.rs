//! What is refused of container engines, and of networks that plugins make work.

use ipnet::IpNet;

use crate::sandbox::SandboxKey;

/// What does not go with container engines and plugins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An endpoint is in one sandbox at a time.
    #[error("endpoint {endpoint} is in sandbox {sandbox} already; leave that first")]
    AlreadyJoined {
        /// The endpoint's id, shortened.
        endpoint: String,
        /// Where it is.
        sandbox: SandboxKey,
    },
    /// The endpoint has no interface that could be in use, or have a name.
    #[error("endpoint {endpoint} is in no sandbox; join one first")]
    NotJoined {
        /// The endpoint's id, shortened.
        endpoint: String,
    },
    /// Nobody chooses an address here.
    #[error(
        "addresses of network {network} are given by whoever attaches, such as Docker; name one with --ip"
    )]
    AddressNotGiven {
        /// The network's name.
        network: String,
    },
    /// Nobody chooses a subnet here.
    #[error(
        "addresses of network {network} are to be given by whoever attaches, and are of subnets that are given \
         too; name one with --subnet"
    )]
    SubnetNotGiven {
        /// The network's name.
        network: String,
    },
    /// The subnet has addresses in common with a pool that an engine gives addresses out of.
    #[error(
        "subnet {subnet} overlaps Docker's address pool {pool}; choose another, or remove the Docker network \
         that has it"
    )]
    LentOverlap {
        /// The subnet asked for.
        subnet: IpNet,
        /// The pool's subnet.
        pool: IpNet,
    },
    /// No pool has this id.
    #[error("address pool {id} was not lent, or was returned; ask for one first")]
    PoolNotFound {
        /// The id given.
        id: String,
    },
    /// A plugin's network without plugin, or the other way round.
    #[error(
        "network {network} needs the name of a plugin if its driver is one, and none otherwise"
    )]
    PluginName {
        /// The network's name.
        network: String,
    },
    /// Addresses of a subnet could not be asked for.
    #[error("network {network} needs a pool of IPAM plugin {plugin} for each of its subnets")]
    PluginPools {
        /// The network's name.
        network: String,
        /// The plugin's name.
        plugin: String,
    },
    /// A stored record that no version writes.
    #[error("endpoint {endpoint} needs a sandbox if it is attached, and none if it is not")]
    SandboxRecord {
        /// The endpoint's id, shortened.
        endpoint: String,
    },
    /// A stored record that no version writes.
    #[error("address pool {id} needs the id of its subnet and range, and a use")]
    PoolRecord {
        /// Its id.
        id: String,
    },
}
