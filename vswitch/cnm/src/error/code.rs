//! Errors for programs: a code that stays the same, and the kind of answer it makes.

use vswitch_ipam::{AddressError, PlanError, PoolError, SubnetError};

use super::{EngineError, Error, LanError, OverlayError, PeerError};
use crate::interface_name::InterfaceNameError;
use crate::name::NameError;
use crate::options::OptionError;

/// What sort of answer an error is; each has its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for can never be: 400.
    Invalid,
    /// What was asked for is never allowed: 403.
    Forbidden,
    /// What it is about does not exist: 404.
    NotFound,
    /// What was asked for contradicts what is there now: 409.
    Conflict,
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.classify().1
    }

    /// What sort of answer it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.classify().0
    }

    const fn classify(&self) -> (ErrorKind, &'static str) {
        use ErrorKind::{Conflict, Forbidden, Invalid, NotFound};
        match self {
            Self::Name(error) => name(error),
            Self::SandboxKey(crate::SandboxKeyError::Name(error)) => name(error),
            Self::SandboxKey(_) => (Invalid, "sandbox_invalid"),
            Self::Option(error) => option(error),
            Self::InterfaceName(InterfaceNameError::TooLong { .. }) => (Invalid, "name_too_long"),
            Self::InterfaceName(InterfaceNameError::Exhausted { .. }) => {
                (Conflict, "interfaces_exhausted")
            }
            Self::InterfaceName(_) => (Invalid, "interface_name_invalid"),
            Self::Plan(error) => plan(error),
            Self::Pool(error) => pool(error),
            Self::Address(error) => address(error),
            Self::Overlay(error) => overlay(error),
            Self::Lan(error) => lan(error),
            Self::Engine(error) => engine(error),
            Self::UnknownDriver { .. } => (Invalid, "unknown_driver"),
            Self::IdTaken { .. } => (Conflict, "id_in_use"),
            Self::NetworkNotFound { .. } => (NotFound, "network_not_found"),
            Self::NetworkAmbiguous { .. } => (Invalid, "network_ambiguous"),
            Self::NetworkExists { .. } => (Conflict, "network_exists"),
            Self::NetworkInUse { .. } => (Conflict, "network_in_use"),
            Self::NetworkPredefined { .. } | Self::NamePredefined { .. } => {
                (Forbidden, "network_predefined")
            }
            Self::SingleInstance { .. } => (Forbidden, "single_instance"),
            Self::NoFamily { .. } => (Invalid, "no_address_family"),
            Self::FamilyDisabled { .. } => (Invalid, "address_family_disabled"),
            Self::SecondSubnet { .. } => (Invalid, "subnet_second"),
            Self::TooManySegments { .. } => (Invalid, "segments_too_many"),
            Self::IsolatedGateway { .. } => (Invalid, "gateway_isolated"),
            Self::HostPortTaken { .. } => (Conflict, "host_port_in_use"),
            Self::NoSubnet { .. } => (Invalid, "address_without_subnet"),
            Self::OutsideSubnets { .. } => (Invalid, "address_outside_subnet"),
            Self::SegmentsApart { .. } => (Invalid, "addresses_apart"),
            Self::NoInterface { .. } => (Invalid, "no_interface"),
            Self::HostOnly { .. } | Self::NotForHost { .. } | Self::SandboxIsHost { .. } => {
                (Forbidden, "host_sandbox")
            }
            Self::Exclusive { .. } => (Forbidden, "network_exclusive"),
            Self::AlreadyAttached { .. } => (Conflict, "already_attached"),
            Self::NotAttached { .. } => (NotFound, "not_attached"),
            Self::EndpointNotFound { .. } => (NotFound, "endpoint_not_found"),
            Self::Detaching { .. } => (Conflict, "endpoint_detaching"),
            Self::MacInvalid { .. } => (Invalid, "mac_invalid"),
            Self::MacInUse { .. } => (Conflict, "mac_in_use"),
            Self::InterfaceTaken { .. } => (Conflict, "interface_in_use"),
            Self::PortSpec(_) => (Invalid, "port_spec_invalid"),
            Self::NotPublishable { .. } => (Forbidden, "not_publishable"),
            Self::PublishFamily { .. } => (Invalid, "port_without_address"),
            Self::PortInUse { .. } | Self::PortInUseByHost { .. } => (Conflict, "port_in_use"),
            Self::PortRefused { .. } => (Conflict, "port_refused"),
            Self::PortsExhausted { .. } => (Conflict, "ports_exhausted"),
            Self::NotPublished { .. } => (NotFound, "not_published"),
            Self::PortRecord { .. } => (Invalid, "port_invalid"),
            Self::NotRoutable { .. } => (Invalid, "route_to_invalid"),
            Self::SandboxNotFound { .. } => (NotFound, "sandbox_not_found"),
            Self::SandboxExists { .. } => (Conflict, "sandbox_exists"),
            Self::SandboxNotNamed { .. } => (Invalid, "sandbox_invalid"),
            Self::SandboxNotOwned { .. } => (Forbidden, "sandbox_not_owned"),
            Self::SandboxInUse { .. } => (Conflict, "sandbox_in_use"),
            Self::SandboxAlias { .. } => (Conflict, "sandbox_alias"),
            Self::SandboxReplaced { .. } => (Conflict, "sandbox_replaced"),
        }
    }
}

const fn name(error: &NameError) -> (ErrorKind, &'static str) {
    match error {
        NameError::TooLong { .. } => (ErrorKind::Invalid, "name_too_long"),
        NameError::Empty { .. } | NameError::Malformed { .. } => {
            (ErrorKind::Invalid, "name_invalid")
        }
    }
}

const fn option(error: &OptionError) -> (ErrorKind, &'static str) {
    let code = match error {
        OptionError::Unknown { .. } | OptionError::OtherDriver { .. } => "option_unknown",
        OptionError::Unavailable { .. } => "option_unavailable",
        OptionError::Conflict { .. } => "option_conflict",
        OptionError::Invalid { .. }
        | OptionError::InterfaceName { .. }
        | OptionError::Peer { .. } => "option_invalid",
    };
    (ErrorKind::Invalid, code)
}

const fn plan(error: &PlanError) -> (ErrorKind, &'static str) {
    match error {
        PlanError::Subnet(error) => subnet(error),
        PlanError::Address(error) => address(error),
        PlanError::SubnetsOverlap { .. } => (ErrorKind::Invalid, "subnet_overlap"),
        PlanError::GatewayNowhere { .. } | PlanError::AuxNowhere { .. } => {
            (ErrorKind::Invalid, "address_outside_subnet")
        }
        _ => (ErrorKind::Invalid, "ipam_invalid"),
    }
}

const fn pool(error: &PoolError) -> (ErrorKind, &'static str) {
    match error {
        PoolError::Subnet(error) => subnet(error),
        PoolError::Address(error) => address(error),
        PoolError::AlreadyRequested { .. }
        | PoolError::OverlapsPool { .. }
        | PoolError::OverlapsOnLink { .. }
        | PoolError::OverlapsRoute { .. } => (ErrorKind::Conflict, "subnet_overlap"),
        PoolError::DefaultsExhausted { .. }
        | PoolError::NoBlockOfSize { .. }
        | PoolError::BlockExhausted { .. } => (ErrorKind::Conflict, "pools_exhausted"),
        _ => (ErrorKind::Invalid, "ipam_invalid"),
    }
}

const fn subnet(error: &SubnetError) -> (ErrorKind, &'static str) {
    let code = match error {
        SubnetError::RangeOutside { .. } | SubnetError::RangeEmpty { .. } => "ip_range_invalid",
        _ => "subnet_invalid",
    };
    (ErrorKind::Invalid, code)
}

const fn address(error: &AddressError) -> (ErrorKind, &'static str) {
    match error {
        AddressError::Exhausted { .. } => (ErrorKind::Conflict, "addresses_exhausted"),
        AddressError::InUse { .. }
        | AddressError::HeldByGateway { .. }
        | AddressError::HeldByAux { .. } => (ErrorKind::Conflict, "address_in_use"),
        AddressError::Outside { .. } => (ErrorKind::Invalid, "address_outside_subnet"),
        _ => (ErrorKind::Invalid, "address_invalid"),
    }
}

const fn overlay(error: &OverlayError) -> (ErrorKind, &'static str) {
    use ErrorKind::{Conflict, Invalid, NotFound};
    match error {
        OverlayError::NotSpanning { .. } => (Invalid, "not_overlay"),
        OverlayError::DefaultIpv6 { .. } => (Invalid, "subnet_missing"),
        OverlayError::VniTaken { .. } => (Conflict, "vni_in_use"),
        OverlayError::VnisExhausted { .. } => (Conflict, "vnis_exhausted"),
        OverlayError::VniRecord { .. } => (Invalid, "vni_invalid"),
        OverlayError::Peer {
            source: PeerError::Twice { .. },
            ..
        } => (Conflict, "peer_exists"),
        OverlayError::Peer { .. } => (Invalid, "peer_invalid"),
        OverlayError::PeerNotFound { .. } => (NotFound, "peer_not_found"),
        OverlayError::RemoteWithoutPeer { .. } => (Invalid, "remote_without_peer"),
        OverlayError::RemoteNotFound { .. } => (NotFound, "remote_not_found"),
    }
}

const fn lan(error: &LanError) -> (ErrorKind, &'static str) {
    use ErrorKind::{Conflict, Invalid};
    match error {
        LanError::UnknownParent { .. } => (Invalid, "parent_not_found"),
        LanError::OwnParent { .. } | LanError::NotEthernet { .. } => (Invalid, "parent_invalid"),
        LanError::OtherVlan { .. } => (Invalid, "option_conflict"),
        LanError::NoParent { .. } => (Invalid, "parent_missing"),
        LanError::PlaceInUse { .. } | LanError::PlaceTaken { .. } => (Conflict, "parent_in_use"),
        LanError::SecondEndpoint { .. } => (Conflict, "passthru_in_use"),
        LanError::NoHostAddress { .. } => (Invalid, "host_address_missing"),
        LanError::DhcpDriver { .. }
        | LanError::DhcpChooses { .. }
        | LanError::DhcpWithoutIpv4
        | LanError::SlaacShared
        | LanError::DhcpRouted => (Invalid, "dhcp_invalid"),
        LanError::AddressChosen { .. } => (Invalid, "address_not_chosen"),
        LanError::HostAddress { .. } | LanError::Leased { .. } => (Conflict, "address_in_use"),
        LanError::MacShared { .. } => (Invalid, "mac_not_chosen"),
        LanError::ParentMac { .. } => (Conflict, "mac_in_use"),
        LanError::RoutedGateway { .. } => (Invalid, "gateway_routed"),
        LanError::NotLeased { .. } => (Invalid, "not_leased"),
        LanError::LeaseUnusable { .. } => (Invalid, "lease_invalid"),
        LanError::LeaseTaken { .. } => (Conflict, "lease_in_use"),
        LanError::NotOnParent { .. } => (Invalid, "not_on_parent"),
        LanError::PlaceRecord { .. } => (Invalid, "parent_invalid"),
        LanError::LeaseRecord { .. } => (Invalid, "lease_invalid"),
    }
}

const fn engine(error: &EngineError) -> (ErrorKind, &'static str) {
    use ErrorKind::{Conflict, Invalid, NotFound};
    match error {
        EngineError::AlreadyJoined { .. } => (Conflict, "already_joined"),
        EngineError::NotJoined { .. } => (Conflict, "not_joined"),
        EngineError::AddressNotGiven { .. } => (Invalid, "address_missing"),
        EngineError::SubnetNotGiven { .. } => (Invalid, "subnet_missing"),
        EngineError::LentOverlap { .. } => (Conflict, "subnet_overlap"),
        EngineError::PoolNotFound { .. } => (NotFound, "pool_not_found"),
        EngineError::PluginName { .. } | EngineError::PluginPools { .. } => {
            (Invalid, "plugin_invalid")
        }
        EngineError::SandboxRecord { .. } => (Invalid, "sandbox_invalid"),
        EngineError::PoolRecord { .. } => (Invalid, "pool_invalid"),
    }
}
