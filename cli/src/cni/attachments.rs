//! Attachments that the switch has, found by their labels: this needs no namespace that still lives.

use vswitch_api::{Client, InspectContainer, NetworkInspect};

use crate::environment::Attachment;
use crate::failure::Failure;
use crate::parameters::label;

/// The endpoints of a network that were attached by this plugin, and whose attachments they are.
pub(crate) fn of(
    network: &NetworkInspect,
) -> impl Iterator<Item = (Attachment, &InspectContainer)> {
    network.containers.values().filter_map(|endpoint| {
        let label = |key: &str| endpoint.labels.get(key).cloned();
        let attachment = Attachment {
            container: label(label::CONTAINER)?,
            ifname: label(label::IFNAME)?,
        };
        Some((attachment, endpoint))
    })
}

/// The endpoint of one attachment.
pub(crate) fn find<'a>(
    network: &'a NetworkInspect,
    attachment: &Attachment,
) -> Option<&'a InspectContainer> {
    of(network)
        .find(|(found, _)| found == attachment)
        .map(|(_, endpoint)| endpoint)
}

/// Takes an endpoint off its network; one that is gone already is what was wanted.
pub(crate) async fn remove(
    client: &Client,
    network: &NetworkInspect,
    endpoint: &InspectContainer,
) -> Result<(), Failure> {
    const GONE: [&str; 3] = ["not_attached", "network_not_found", "sandbox_not_found"];
    match client.detach(&network.id, &endpoint.name).await {
        Err(error) if error.code().is_some_and(|code| GONE.contains(&code)) => Ok(()),
        other => Ok(other?),
    }
}
