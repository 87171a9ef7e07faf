//! What Docker's networks and endpoints are called here.
//!
//! Docker's ids are ours too. It tells a driver no network's name, and asking for it within a request would
//! wait for ever, as Docker holds a lock of the network meanwhile.

use vswitch_cnm::{EndpointId, NetworkId};

use super::answer::Refusal;

pub(super) fn network_id(text: &str) -> Result<NetworkId, Refusal> {
    text.parse()
        .map_err(|error| Refusal::malformed(format!("NetworkID {text:?} is {error}")))
}

pub(super) fn endpoint_id(text: &str) -> Result<EndpointId, Refusal> {
    text.parse()
        .map_err(|error| Refusal::malformed(format!("EndpointID {text:?} is {error}")))
}

/// The name `vsctl` shows for a network whose user gave it none: `docker-` and the id as `docker network ls`
/// shows it.
pub(super) fn network_name(id: NetworkId) -> String {
    format!("docker-{}", id.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_ids_are_ours() {
        let text = "0123456789ab".to_owned() + &"c".repeat(52);
        let id = network_id(&text).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(network_name(id), "docker-0123456789ab");
        assert_eq!(endpoint_id(&text).unwrap().to_string(), text);
        assert_eq!(
            endpoint_id("dummy").unwrap_err(),
            Refusal::malformed("EndpointID \"dummy\" is not an id: an id has 64 hex digits")
        );
        assert!(network_id("").is_err());
    }
}
