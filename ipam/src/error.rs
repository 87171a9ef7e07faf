//! What is refused, in the words of someone who types `docker network create`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

use crate::family::Family;

/// Why a subnet, or an ip-range within it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubnetError {
    /// The address part has bits set behind the prefix.
    #[error("{given} has host bits set; write {masked}")]
    HostBits {
        /// What was given.
        given: IpNet,
        /// The same with its host bits cleared.
        masked: IpNet,
    },
    /// The subnet holds addresses no container can have.
    #[error(
        "subnet {subnet} overlaps {block} ({meaning}); choose a private subnet such as \
             10.20.0.0/16 or fd00:20::/64"
    )]
    NotForContainers {
        /// What was given.
        subnet: IpNet,
        /// The block set aside by a standard.
        block: IpNet,
        /// What that block is for.
        meaning: &'static str,
    },
    /// The range is not part of the subnet.
    #[error("ip-range {range} is not within subnet {subnet}; choose a part of the subnet")]
    RangeOutside {
        /// The range given.
        range: IpNet,
        /// The subnet it should lie in.
        subnet: IpNet,
    },
    /// The range holds nothing but the subnet's own reserved addresses.
    #[error(
        "ip-range {range} holds no address that can be given out in subnet {subnet}; \
             choose a larger range"
    )]
    RangeEmpty {
        /// The range given.
        range: IpNet,
        /// The subnet it lies in.
        subnet: IpNet,
    },
    /// The pieces a default pool should be split into are larger than itself, or smaller than an
    /// address.
    #[error("default pool {base} cannot be split into /{size}; choose a size from {} to {}",
            base.prefix_len(), base.max_prefix_len())]
    BlockSize {
        /// The block to split.
        base: IpNet,
        /// The prefix length asked for.
        size: u8,
    },
}

/// Why an address cannot be given out, reserved or released.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Every address that may be given out is in use.
    #[error(
        "no free address in {block}: {capacity} of {capacity} in use; remove containers, or \
             create the network with a larger subnet or ip-range"
    )]
    Exhausted {
        /// The subnet, or the range addresses are limited to.
        block: IpNet,
        /// How many addresses it has to give out.
        capacity: u128,
    },
    /// The address is not part of the subnet.
    #[error("address {address} is outside subnet {subnet}; choose one inside")]
    Outside {
        /// The address asked for.
        address: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The address has a meaning of its own in the subnet.
    #[error("address {address} is the {role} of subnet {subnet}; choose another")]
    Reserved {
        /// The address asked for.
        address: IpAddr,
        /// What it stands for.
        role: ReservedRole,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The address is taken.
    #[error("address {address} is already in use in subnet {subnet}; choose another")]
    InUse {
        /// The address asked for.
        address: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The address is the gateway's.
    #[error("address {address} is the gateway's of subnet {subnet}; choose another")]
    HeldByGateway {
        /// The address asked for.
        address: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The address is set aside.
    #[error("address {address} is aux-address {name} of subnet {subnet}; choose another")]
    HeldByAux {
        /// The address asked for.
        address: IpAddr,
        /// What it is set aside for.
        name: String,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// Nothing holds the address that should be released.
    #[error("address {address} is not in use in subnet {subnet}; there is nothing to release")]
    NotInUse {
        /// The address to release.
        address: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The gateway is not an endpoint's to release.
    #[error(
        "address {address} is the gateway of subnet {subnet}; it stays until its network is \
             removed"
    )]
    IsGateway {
        /// The address to release.
        address: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// An auxiliary address is not an endpoint's to release.
    #[error(
        "address {address} is set aside as aux-address {name} of subnet {subnet}; it stays \
             until its network is removed"
    )]
    IsAux {
        /// The address to release.
        address: IpAddr,
        /// What it is set aside for.
        name: String,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// A pool has one gateway at most.
    #[error("subnet {subnet} already has gateway {gateway}; a subnet has one gateway")]
    GatewayTaken {
        /// The gateway it has.
        gateway: IpAddr,
        /// The pool's subnet.
        subnet: IpNet,
    },
    /// The auxiliary name stands for another address already.
    #[error("aux-address {name} is already {address}; give each a name of its own")]
    AuxNameTaken {
        /// The name given twice.
        name: String,
        /// The address it stands for.
        address: IpAddr,
    },
}

/// The addresses of a subnet that no interface may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedRole {
    /// All host bits zero, IPv4.
    Network,
    /// All host bits one, IPv4.
    Broadcast,
    /// All host bits zero, IPv6 (RFC 4291 section 2.6.1).
    SubnetRouterAnycast,
}

impl fmt::Display for ReservedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network address",
            Self::Broadcast => "broadcast address",
            Self::SubnetRouterAnycast => "subnet-router anycast address",
        })
    }
}

/// Why a pool cannot be had, or is not there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The subnet or the range is not usable.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// The gateway or an auxiliary address is not usable.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The very same subnet and range are held already.
    ///
    /// A caller that counts repeats of a request, as Docker's IPAM protocol asks for, does so here.
    #[error("subnet {subnet} is already in use by {owner}; choose another, or remove {owner}")]
    AlreadyRequested {
        /// The subnet asked for.
        subnet: IpNet,
        /// Who holds it.
        owner: String,
    },
    /// The subnet has addresses in common with another pool of the space.
    #[error("subnet {subnet} overlaps {other} of pool {owner}; choose another, or remove {owner}")]
    OverlapsPool {
        /// The subnet asked for.
        subnet: IpNet,
        /// The pool's subnet.
        other: IpNet,
        /// Who holds that pool.
        owner: String,
    },
    /// The subnet has addresses in common with another one of the same link, and is not the same.
    #[error(
        "subnet {subnet} overlaps {other} of {owner} on the same link; give --subnet {other}, and \
             --ip-range for a part of it"
    )]
    OverlapsOnLink {
        /// The subnet asked for.
        subnet: IpNet,
        /// The subnet that is there.
        other: IpNet,
        /// Who holds pools of it.
        owner: String,
    },
    /// The subnet has addresses in common with a route of the host.
    #[error("subnet {subnet} overlaps the host's route to {route}; choose another")]
    OverlapsRoute {
        /// The subnet asked for.
        subnet: IpNet,
        /// The route's destination.
        route: IpNet,
    },
    /// A range was given and a subnet was not.
    #[error("ip-range {range} needs its subnet; give --subnet too")]
    RangeWithoutSubnet {
        /// The range given.
        range: IpNet,
    },
    /// Each default pool is held, or overlaps a route.
    #[error(
        "all default {family} pools are in use or overlap routes of this host; remove unused \
             networks, give --subnet, or configure more default pools"
    )]
    DefaultsExhausted {
        /// The family asked for.
        family: Family,
    },
    /// The default pools have no room for a subnet of the size asked for.
    #[error(
        "no free {family} /{prefix} is left in the default pools; remove unused networks, \
             or give --subnet with an address"
    )]
    NoBlockOfSize {
        /// The family asked for.
        family: Family,
        /// The prefix length asked for.
        prefix: u8,
    },
    /// The block has no room for another of its subnets.
    #[error("no free /{size} is left in {base}; remove unused networks, or give --subnet")]
    BlockExhausted {
        /// The block.
        base: IpNet,
        /// The prefix length asked for.
        size: u8,
    },
    /// The space holds no pool with this subnet.
    #[error("no pool with subnet {subnet} in address space {space}; request it first")]
    Unknown {
        /// The subnet asked for.
        subnet: IpNet,
        /// The space's name.
        space: String,
    },
}

/// Why the IPAM options of a network do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A subnet or a range is not usable by itself.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// A gateway or auxiliary address is not usable in its subnet.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// More ranges than subnets.
    #[error("{ranges} ip-ranges for {subnets} subnets; every ip-range needs a --subnet")]
    TooManyRanges {
        /// How many ranges were given.
        ranges: usize,
        /// How many subnets were given.
        subnets: usize,
    },
    /// More gateways than subnets.
    #[error("{gateways} gateways for {subnets} subnets; every gateway needs a --subnet")]
    TooManyGateways {
        /// How many gateways were given.
        gateways: usize,
        /// How many subnets were given.
        subnets: usize,
    },
    /// Two subnets have addresses in common.
    #[error("subnets {first} and {second} overlap; choose subnets that do not")]
    SubnetsOverlap {
        /// The one given first.
        first: IpNet,
        /// The one given later.
        second: IpNet,
    },
    /// A range lies in none of the subnets.
    #[error("ip-range {range} is in none of the given subnets; give the --subnet it is part of")]
    RangeNowhere {
        /// The range given.
        range: IpNet,
    },
    /// A gateway lies in none of the subnets.
    #[error("gateway {gateway} is in none of the given subnets; give the --subnet it is part of")]
    GatewayNowhere {
        /// The gateway given.
        gateway: IpAddr,
    },
    /// An auxiliary address lies in none of the subnets.
    #[error(
        "aux-address {name}={address} is in none of the given subnets; give the --subnet it \
             is part of"
    )]
    AuxNowhere {
        /// Its name.
        name: String,
        /// The address given.
        address: IpAddr,
    },
    /// A subnet was given two ranges.
    #[error("ip-ranges {first} and {second} are both in subnet {subnet}; give one for each subnet")]
    SecondRange {
        /// The subnet both lie in.
        subnet: IpNet,
        /// The one given first.
        first: IpNet,
        /// The one given later.
        second: IpNet,
    },
    /// A subnet was given two gateways.
    #[error("gateways {first} and {second} are both in subnet {subnet}; give one for each subnet")]
    SecondGateway {
        /// The subnet both lie in.
        subnet: IpNet,
        /// The one given first.
        first: IpAddr,
        /// The one given later.
        second: IpAddr,
    },
    /// Two auxiliary addresses have the same name.
    #[error("aux-address {name} is given twice; give each a name of its own")]
    AuxNameTwice {
        /// The name.
        name: String,
    },
    /// One address has two uses.
    #[error("address {address} is given twice as gateway or aux-address; choose another for one")]
    AddressTwice {
        /// The address.
        address: IpAddr,
    },
}
