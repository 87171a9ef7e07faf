//! STATUS: whether something could be added now.

use vswitch_api::{Client, ClientError};

use crate::config::Config;
use crate::delegate::Delegate;
use crate::environment::Environment;
use crate::failure::{Failure, code};
use crate::ipam::Ipam;
use crate::network;
use crate::version::SpecVersion;

/// Looks whether the switch answers, whether its network is the configured one, and how the IPAM plugin is.
pub(crate) async fn status(config: &Config, environment: &Environment) -> Result<(), Failure> {
    config.version.knows("STATUS", SpecVersion::V1_1_0)?;
    let client = Client::new(&config.socket);
    // Frames pass while the daemon runs, and only then.
    client.version().await.map_err(|error| match error {
        ClientError::NoDaemon { .. } => Failure::new(code::LIMITED_CONNECTIVITY, error.to_string()),
        _ => Failure::new(code::NOT_AVAILABLE, error.to_string()),
    })?;
    let unavailable = |failure: Failure| Failure::new(code::NOT_AVAILABLE, failure.details);
    if let Some(network) = network::find(&client, &config.name)
        .await
        .map_err(unavailable)?
    {
        let wanted = network::wanted(config, config.ipam.pools());
        network::check(&wanted, &network).map_err(unavailable)?;
    }
    match &config.ipam {
        Ipam::Own(_) => Ok(()),
        Ipam::Plugin(name, _) => Delegate::find(name, &environment.path, &config.bytes)
            .map_err(unavailable)?
            .run("STATUS"),
    }
}
