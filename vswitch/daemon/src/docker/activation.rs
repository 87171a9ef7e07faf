//! What the plugin is, and what it is not.

use axum::extract::State;
use vswitch_plugin::network_driver::{AllocateNetwork, Capabilities, Discover, FreeNetwork, Scope};
use vswitch_plugin::{Activation, Empty, IPAM_DRIVER, NETWORK_DRIVER};

use super::answer::{Answer, Asked, DONE, Outcome, Refusal};
use crate::control::Engine;

/// Docker asks this once in its life, before everything else.
pub(super) async fn activate(State(engine): State<Engine>) -> Outcome<Activation> {
    engine.activated().await?;
    Ok(Answer(Activation {
        implements: vec![NETWORK_DRIVER.to_owned(), IPAM_DRIVER.to_owned()],
    }))
}

/// Networks are this host's own, as the scope `global` is for swarm's managers alone; what is on them is
/// reached from other hosts, by overlays. Gateways are asked about because some networks have none.
pub(super) async fn capabilities() -> Answer<Capabilities> {
    Answer(Capabilities {
        scope: Scope::Local,
        connectivity_scope: Some(Scope::Global),
        gw_alloc_checker: true,
    })
}

/// Nodes of a swarm come and go: a network of scope `local` does not care.
pub(super) async fn discovered(Asked(_): Asked<Discover>) -> Outcome<Empty> {
    DONE
}

pub(super) async fn allocate_network(Asked(_): Asked<AllocateNetwork>) -> Outcome<Empty> {
    Err(not_of_a_swarm())
}

pub(super) async fn free_network(Asked(_): Asked<FreeNetwork>) -> Outcome<Empty> {
    Err(not_of_a_swarm())
}

fn not_of_a_swarm() -> Refusal {
    Refusal::refused(
        "networks of scope swarm are not this driver's: it has scope local. A network over several hosts is \
         made on each of them, with -o driver=overlay",
    )
}
