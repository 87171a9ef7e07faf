//! What is refused, in the words of someone who types `docker network`.

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;
use vswitch_ipam::{AddressError, Family, PlanError, PoolError};
use vswitch_packet::MacAddr;

use crate::driver::DriverName;
use crate::interface_name::InterfaceNameError;
use crate::name::NameError;
use crate::options::OptionError;
use crate::publish::{PortRange, PortSpec, PortSpecError};
use crate::sandbox::{SandboxKey, SandboxKeyError};

mod code;
mod engine;
mod lan;
mod overlay;

pub use code::ErrorKind;
pub use engine::EngineError;
pub use lan::LanError;
pub use overlay::{OverlayError, PeerError};

/// Why an operation is refused; the model is then as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A text that means no sandbox.
    #[error(transparent)]
    SandboxKey(#[from] SandboxKeyError),
    /// An option nobody understands, or with a value that does not fit.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An interface name the kernel would refuse, or no free one.
    #[error(transparent)]
    InterfaceName(#[from] InterfaceNameError),
    /// Subnets, gateways, ranges and auxiliary addresses that contradict each other.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A subnet that cannot be had.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// An address that cannot be had.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// What does not go with networks that span hosts.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// What does not go with networks on a NIC.
    #[error(transparent)]
    Lan(#[from] LanError),
    /// What does not go with container engines and plugins.
    #[error(transparent)]
    Engine(#[from] EngineError),

    /// No driver has this name.
    #[error(
        "no network driver {name:?} in this version; use bridge, overlay, macvlan, ipvlan, host or none"
    )]
    UnknownDriver {
        /// The name given.
        name: String,
    },
    /// The id drawn, or the part of it that names the interface, is in use.
    #[error("id {short}… is in use already; draw another")]
    IdTaken {
        /// The beginning of the id.
        short: String,
    },

    /// No network has this name or id.
    #[error("network {name:?} not found; `vsctl list-nets` shows those there are")]
    NetworkNotFound {
        /// The name, id or beginning of an id given.
        name: String,
    },
    /// Several networks' ids begin with this.
    #[error(
        "network id {prefix:?} is ambiguous: it is the beginning of {matches} ids; give more of it"
    )]
    NetworkAmbiguous {
        /// The beginning given.
        prefix: String,
        /// How many ids begin with it.
        matches: usize,
    },
    /// The name is taken.
    #[error("network with name {name} already exists; choose another name, or remove it")]
    NetworkExists {
        /// The name.
        name: String,
    },
    /// Endpoints are attached.
    #[error("network {name} has active endpoints: {endpoints}; detach them, or use --force")]
    NetworkInUse {
        /// The network's name.
        name: String,
        /// Sandboxes and interfaces, or the first of many.
        endpoints: String,
    },
    /// The network exists always.
    #[error("{name} is a pre-defined network and cannot be removed")]
    NetworkPredefined {
        /// The network's name.
        name: String,
    },
    /// The name belongs to a network that exists always.
    #[error("operation is not permitted on predefined {name} network; choose another name")]
    NamePredefined {
        /// The name.
        name: String,
    },
    /// The driver has its one network already.
    #[error("only one instance of \"{driver}\" network is allowed; use the one there is")]
    SingleInstance {
        /// The driver.
        driver: DriverName,
    },
    /// The network would have no addresses.
    #[error("network {name} needs IPv4 or IPv6; enable one of them")]
    NoFamily {
        /// The network's name.
        name: String,
    },
    /// A subnet of a family that is switched off.
    #[error("subnet {subnet} is given, but {family} is disabled; leave one of the two out")]
    FamilyDisabled {
        /// The subnet.
        subnet: IpNet,
        /// Its family.
        family: Family,
    },
    /// More subnets of a family than the driver can serve.
    #[error(
        "subnets {first} and {second} are both {family}; a bridge network has one of each family"
    )]
    SecondSubnet {
        /// The family.
        family: Family,
        /// The one given first.
        first: IpNet,
        /// The one given later.
        second: IpNet,
    },
    /// More segments than can be counted.
    #[error("network {name} would have {segments} segments; {most} are allowed")]
    TooManySegments {
        /// The network's name.
        name: String,
        /// How many.
        segments: usize,
        /// How many are allowed.
        most: usize,
    },
    /// The network would have no gateway, and was given one.
    #[error(
        "gateway {gateway} is given, but {family} gateway mode is isolated, which has none; leave \
         one of the two out"
    )]
    IsolatedGateway {
        /// The gateway given.
        gateway: IpAddr,
        /// Its family.
        family: Family,
    },
    /// Two networks cannot have the same host port.
    #[error("host port {ifname} already belongs to network {network}; choose another bridge name")]
    HostPortTaken {
        /// The interface's name.
        ifname: String,
        /// The network that has it.
        network: String,
    },

    /// The network has no subnet of the address's family.
    #[error("address {address}: network {network} has no {family} subnet; leave the address out")]
    NoSubnet {
        /// The address asked for.
        address: IpAddr,
        /// Its family.
        family: Family,
        /// The network's name.
        network: String,
    },
    /// The address is in no subnet of the network.
    #[error(
        "address {address} is in none of network {network}'s subnets {subnets}; choose one inside"
    )]
    OutsideSubnets {
        /// The address asked for.
        address: IpAddr,
        /// The network's name.
        network: String,
        /// Its subnets of the address's family.
        subnets: String,
    },
    /// An interface is on one segment.
    #[error(
        "addresses {first} and {second} are in different segments of network {network}; choose both in \
         the same"
    )]
    SegmentsApart {
        /// One address.
        first: IpAddr,
        /// Another one.
        second: IpAddr,
        /// The network's name.
        network: String,
    },
    /// What was asked for needs an interface, and the driver makes none.
    #[error("network {network} gives no interface, so {what} cannot be chosen; leave it out")]
    NoInterface {
        /// The network's name.
        network: String,
        /// What was asked for.
        what: &'static str,
    },
    /// Only the host's own namespace can be on a network of driver `host`.
    #[error(
        "only the host's own namespace can be on network {network}; use `host` instead of {sandbox}"
    )]
    HostOnly {
        /// The network's name.
        network: String,
        /// The sandbox given.
        sandbox: SandboxKey,
    },
    /// The host's own namespace was given for another network than `host`.
    #[error(
        "the host's own namespace cannot be attached to network {network}; the host reaches bridge \
         networks through their host port"
    )]
    NotForHost {
        /// The network's name.
        network: String,
    },
    /// One of the networks wants its sandbox for itself.
    #[error(
        "sandbox {sandbox} cannot be connected to multiple networks with one of them, {exclusive}, \
         in private (none) mode; detach it from {present} first"
    )]
    Exclusive {
        /// The sandbox.
        sandbox: SandboxKey,
        /// The network that wants to be alone.
        exclusive: String,
        /// The network the sandbox is on.
        present: String,
    },
    /// A sandbox has one endpoint on a network at most.
    #[error("sandbox {sandbox} is already attached to network {network}; detach it first")]
    AlreadyAttached {
        /// The sandbox.
        sandbox: SandboxKey,
        /// The network's name.
        network: String,
    },
    /// The sandbox has no endpoint on the network.
    #[error(
        "sandbox {sandbox} is not attached to network {network}; `vsctl inspect {network}` shows what is"
    )]
    NotAttached {
        /// The sandbox.
        sandbox: SandboxKey,
        /// The network's name.
        network: String,
    },
    /// No endpoint has this id.
    #[error("endpoint {id} not found; it may be detached already")]
    EndpointNotFound {
        /// The id, shortened.
        id: String,
    },
    /// The endpoint is on its way out.
    #[error("endpoint {id} is being detached; attach again when that is done")]
    Detaching {
        /// The id, shortened.
        id: String,
    },
    /// Nothing can send from this address.
    #[error(
        "MAC address {mac} is multicast or zero; choose a unicast one, such as 02:42:ac:12:00:02"
    )]
    MacInvalid {
        /// The address.
        mac: MacAddr,
    },
    /// The address is another endpoint's, or the gateway's.
    #[error("MAC address {mac} is already in use on network {network}; choose another")]
    MacInUse {
        /// The address.
        mac: MacAddr,
        /// The network's name.
        network: String,
    },
    /// The sandbox has an interface with this name.
    #[error("sandbox {sandbox} already has an interface {ifname}; choose another --ifname")]
    InterfaceTaken {
        /// The interface's name.
        ifname: String,
        /// The sandbox.
        sandbox: SandboxKey,
    },

    /// A text for `-p` that says nothing that could be published.
    #[error(transparent)]
    PortSpec(#[from] PortSpecError),
    /// Nothing can be published from the network.
    #[error("ports cannot be published on network {network}: {reason}")]
    NotPublishable {
        /// The network's name.
        network: String,
        /// Why not.
        reason: &'static str,
    },
    /// The endpoint has no address that a port of this address of the host could lead to.
    #[error(
        "port {port} cannot be published: {holder} is not reached by {family} on network {network}; \
         publish on an address of the other family"
    )]
    PublishFamily {
        /// What was asked for.
        port: PortSpec,
        /// The family of the host's address.
        family: Family,
        /// The endpoint's sandbox, or its id.
        holder: String,
        /// The network's name.
        network: String,
    },
    /// Another endpoint has the port of the host, or the same one.
    #[error(
        "port {port} is already in use by {holder} on network {network}; choose another host \
         port"
    )]
    PortInUse {
        /// Address, port and protocol.
        port: String,
        /// Whose it is: the sandbox, or the endpoint's id.
        holder: String,
        /// On which network.
        network: String,
    },
    /// A program of the host has the port.
    #[error(
        "port {port} is already in use by the host; choose another host port, or stop what uses it"
    )]
    PortInUseByHost {
        /// Address, port and protocol.
        port: String,
    },
    /// The host cannot have the port for another reason.
    #[error("port {port} cannot be published: {reason}")]
    PortRefused {
        /// Address, port and protocol.
        port: String,
        /// Why not.
        reason: String,
    },
    /// No free port is left to choose from.
    #[error(
        "no {} of ports {range} of the host free for {port}; unpublish something, or choose a host port",
        if *.count == 1 { "one".to_owned() } else { format!("{count} in a row") }
    )]
    PortsExhausted {
        /// What was asked for.
        port: PortSpec,
        /// How many ports in a row were wanted.
        count: u16,
        /// Where they were looked for.
        range: PortRange,
    },
    /// The endpoint has published nothing like it.
    #[error(
        "port {port} of {holder} is not published on network {network}; `vsctl ports` shows \
         what is"
    )]
    NotPublished {
        /// What was asked for.
        port: PortSpec,
        /// The endpoint's sandbox, or its id.
        holder: String,
        /// The network's name.
        network: String,
    },
    /// A stored publication that no version writes.
    #[error("published port {port}: as many ports of the host as of the container are needed")]
    PortRecord {
        /// Address, port and protocol.
        port: String,
    },
    /// A network cannot be routed to.
    #[error("option vswitch.route-to: network {name} cannot be routed to: {reason}")]
    NotRoutable {
        /// The name given.
        name: String,
        /// Why not.
        reason: &'static str,
    },

    /// The sandbox was neither added nor attached.
    #[error("sandbox {sandbox} not found; `vsctl list-sandboxes` shows those there are")]
    SandboxNotFound {
        /// The sandbox.
        sandbox: SandboxKey,
    },
    /// The sandbox was added or attached before.
    #[error("sandbox {sandbox} already exists; choose another name, or remove it")]
    SandboxExists {
        /// The sandbox.
        sandbox: SandboxKey,
    },
    /// Only names can be made.
    #[error("cannot make sandbox {sandbox}: give a name, which becomes /run/netns/NAME")]
    SandboxNotNamed {
        /// The sandbox.
        sandbox: SandboxKey,
    },
    /// The namespace is someone else's.
    #[error("sandbox {sandbox} was not made by add-sandbox; whoever made it has to remove it")]
    SandboxNotOwned {
        /// The sandbox.
        sandbox: SandboxKey,
    },
    /// Endpoints are in the sandbox.
    #[error("sandbox {sandbox} is attached to {networks}; detach it first")]
    SandboxInUse {
        /// The sandbox.
        sandbox: SandboxKey,
        /// The networks' names.
        networks: String,
    },
    /// The sandbox given turns out to be the host's own namespace.
    #[error("sandbox {sandbox} is the host's own namespace; use `host`")]
    SandboxIsHost {
        /// The sandbox.
        sandbox: SandboxKey,
    },
    /// The same namespace is known under another key.
    #[error("{given} is the same namespace as sandbox {known}; use {known}")]
    SandboxAlias {
        /// The sandbox given.
        given: SandboxKey,
        /// What it is known as.
        known: SandboxKey,
    },
    /// The key stands for another namespace now than its endpoints are in.
    #[error(
        "sandbox {sandbox} stands for another namespace than when it was attached to {networks}; \
         detach it first"
    )]
    SandboxReplaced {
        /// The sandbox.
        sandbox: SandboxKey,
        /// The networks' names.
        networks: String,
    },
}

/// Stored records that contradict each other, or that this version cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the stored record of {record} cannot be used: {reason}")]
pub struct RestoreError {
    /// Which record: its kind, and its name or id.
    pub record: String,
    /// What is wrong with it, given those before it.
    pub reason: Box<Error>,
}
