//! GC: attachments that the runtime knows nothing of go.

use vswitch_api::{Client, NetworkInspect};

use crate::config::Config;
use crate::delegate::Delegate;
use crate::environment::{Attachment, Environment};
use crate::failure::Failure;
use crate::ipam::Ipam;
use crate::version::SpecVersion;
use crate::{attachments, network};

/// Removes what is not valid any more, as much of it as can be. What was attached by others stays.
pub(crate) async fn gc(config: &Config, environment: &Environment) -> Result<(), Failure> {
    config.version.knows("GC", SpecVersion::V1_1_0)?;
    let Some(valid) = &config.valid else {
        return Err(Failure::config(
            "GC needs the list cni.dev/valid-attachments; without it nothing is removed",
        ));
    };
    let client = Client::new(&config.socket);
    let mut failures = Vec::new();
    match network::find(&client, &config.name).await {
        Ok(Some(network)) => failures.extend(collect(&client, &network, valid).await),
        Ok(None) => {}
        Err(failure) => failures.push(failure),
    }
    if let Ipam::Plugin(name, _) = &config.ipam {
        let ended = Delegate::find(name, &environment.path, &config.bytes)
            .and_then(|delegate| delegate.run("GC"));
        failures.extend(ended.err());
    }
    Failure::all(failures)
}

async fn collect(client: &Client, network: &NetworkInspect, valid: &[Attachment]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (attachment, endpoint) in attachments::of(network) {
        if !valid.contains(&attachment) {
            let removed = attachments::remove(client, network, endpoint).await;
            failures.extend(removed.err());
        }
    }
    failures
}
