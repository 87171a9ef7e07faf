//! The host's own namespace: nothing is made in it.

use super::{Driver, DriverName};
use crate::error::Error;
use crate::network::Network;
use crate::sandbox::SandboxKey;

/// The driver `host`.
#[derive(Debug)]
pub(super) struct Host;

impl Driver for Host {
    fn name(&self) -> DriverName {
        DriverName::Host
    }

    fn single_instance(&self) -> bool {
        true
    }

    fn shares_sandbox(&self) -> bool {
        false
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        if sandbox.is_host() {
            Ok(())
        } else {
            Err(Error::HostOnly {
                network: network.name.clone(),
                sandbox: sandbox.clone(),
            })
        }
    }
}
