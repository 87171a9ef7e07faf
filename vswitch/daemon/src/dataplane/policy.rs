//! The policies of networks, from the model's words to the router's.

use vswitch_cnm as cnm;
use vswitch_cnm::{BridgeSettings, NetworkId, SegmentId};
use vswitch_datapath::BridgeId;
use vswitch_datapath::router::{FamilyPolicy, Mode, Policy};
use vswitch_nat::Filtering;

use super::Dataplane;

impl Dataplane {
    /// Replaces what may cross the gateways. To be called when networks came or went, as they may
    /// name each other.
    pub fn set_policies(&self, segments: &[BridgeSettings]) {
        let directory = self.directory();
        let bridges_of = |network: NetworkId| {
            let of_network = move |segment: &&SegmentId| segment.network == network;
            let segments = directory.bridges.keys().filter(of_network);
            segments.filter_map(|segment| directory.bridge(*segment))
        };
        let policies: Vec<(BridgeId, Policy)> = segments
            .iter()
            .filter_map(|settings| {
                let bridge = directory.bridge(settings.id())?;
                let named = settings.policy.route_to.iter();
                let peers = named.flat_map(|network| bridges_of(*network));
                let mut policy = policy(settings, peers.collect());
                policy.siblings = match &settings.l3 {
                    Some(l3) => {
                        let on_parent = segments.iter().filter(|other| l3.reaches(other));
                        let ids = on_parent.filter_map(|other| directory.bridge(other.id()));
                        ids.collect()
                    }
                    None => {
                        let siblings = bridges_of(settings.network);
                        siblings.filter(|other| *other != bridge).collect()
                    }
                };
                Some((bridge, policy))
            })
            .collect();
        self.change(|next| {
            for (bridge, policy) in policies {
                let gateway = next
                    .topology
                    .bridge(bridge)
                    .and_then(|b| b.gateway.as_ref());
                if gateway.is_some_and(|gateway| gateway.policy != policy) {
                    next.topology.edit_bridge(bridge, |bridge| {
                        if let Some(gateway) = &mut bridge.gateway {
                            gateway.policy = policy;
                        }
                    });
                }
            }
        });
    }
}

/// Of a network that exchanges packets with `peers`.
pub(super) fn policy(settings: &BridgeSettings, peers: Vec<BridgeId>) -> Policy {
    Policy {
        internal: settings.internal,
        v4: family(&settings.policy.v4),
        v6: family(&settings.policy.v6),
        filtering: match settings.policy.filtering {
            cnm::Filtering::EndpointIndependent => Filtering::EndpointIndependent,
            cnm::Filtering::AddressDependent => Filtering::AddressDependent,
            cnm::Filtering::AddressAndPortDependent => Filtering::AddressAndPortDependent,
        },
        peers,
        siblings: Vec::new(),
    }
}

fn family(policy: &cnm::FamilyPolicy) -> FamilyPolicy {
    FamilyPolicy {
        mode: match policy.mode {
            cnm::GatewayMode::Nat => Mode::Nat,
            cnm::GatewayMode::NatUnprotected => Mode::NatUnprotected,
            cnm::GatewayMode::Routed => Mode::Routed,
            cnm::GatewayMode::Isolated => Mode::Isolated,
        },
        masquerade: policy.masquerade,
        source: policy.source,
    }
}
