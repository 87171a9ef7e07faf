//! DEL: what is left of an attachment goes, however little that is.

use vswitch_api::Client;

use crate::config::Config;
use crate::delegate::Delegate;
use crate::environment::{Attachment, Environment};
use crate::failure::Failure;
use crate::ipam::Ipam;
use crate::{attachments, network};

/// Takes a container off its network. Nothing to take off is a success; a switch that is away is not, for it
/// would still have the endpoint when it comes back.
pub(crate) async fn del(
    config: &Config,
    environment: &Environment,
    attachment: &Attachment,
) -> Result<(), Failure> {
    let client = Client::new(&config.socket);
    if let Some(network) = network::find(&client, &config.name).await?
        && let Some(endpoint) = attachments::find(&network, attachment)
    {
        attachments::remove(&client, &network, endpoint).await?;
    }
    // Only now may somebody else get the address.
    match &config.ipam {
        Ipam::Own(_) => Ok(()),
        Ipam::Plugin(name, _) => Delegate::find(name, &environment.path, &config.bytes)?.run("DEL"),
    }
}
