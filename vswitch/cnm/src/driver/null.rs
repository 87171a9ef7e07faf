//! A namespace with nothing but loopback.

use super::{Driver, DriverName};
use crate::error::Error;
use crate::network::Network;
use crate::sandbox::SandboxKey;

/// The driver `null`.
#[derive(Debug)]
pub(super) struct Null;

impl Driver for Null {
    fn name(&self) -> DriverName {
        DriverName::Null
    }

    fn single_instance(&self) -> bool {
        true
    }

    fn shares_sandbox(&self) -> bool {
        false
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        if !sandbox.is_host() {
            Ok(())
        } else {
            Err(Error::NotForHost {
                network: network.name.clone(),
            })
        }
    }
}
