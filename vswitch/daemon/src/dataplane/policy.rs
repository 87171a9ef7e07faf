//! The policies of networks, from the model's words to the router's.

use vswitch_cnm as cnm;
use vswitch_cnm::{BridgeSettings, NetworkId};
use vswitch_datapath::BridgeId;
use vswitch_datapath::router::{FamilyPolicy, Mode, Policy};
use vswitch_nat::Filtering;

use super::Dataplane;

impl Dataplane {
    /// Replaces what may cross the gateways. To be called when networks came or went, as they may
    /// name each other.
    pub fn set_policies(&self, networks: &[BridgeSettings]) {
        let directory = self.directory();
        let bridge_of = |network: &NetworkId| directory.bridges.get(network).map(|(id, _)| *id);
        let policies: Vec<(BridgeId, Policy)> = networks
            .iter()
            .filter_map(|settings| {
                let bridge = bridge_of(&settings.network)?;
                let peers = settings.policy.route_to.iter().filter_map(bridge_of);
                Some((bridge, policy(settings, peers.collect())))
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
