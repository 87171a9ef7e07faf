//! The start: endpoints of plugins' networks are in their sandboxes still, or they are no more. Plugins are
//! told of what is gone, and make nothing anew.

use vswitch_cnm::{Endpoint, Phase};

use crate::control::{Control, ControlError};

impl Control {
    /// Looks after the endpoints of plugins' networks; those of sandboxes that are gone have been seen to.
    pub(in crate::control) fn restore_guests(&mut self) {
        let endpoints: Vec<Endpoint> = self
            .model
            .endpoints()
            .filter(|endpoint| self.is_plugins(endpoint))
            .cloned()
            .collect();
        for endpoint in endpoints {
            if let Err(error) = self.restore_guest(&endpoint) {
                tracing::error!(
                    sandbox = endpoint.whereabouts(),
                    interface = endpoint.ifname,
                    "cannot restore the endpoint: {error}"
                );
            }
        }
    }

    fn restore_guest(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        let why = match endpoint.phase {
            Phase::Attached if self.is_inside(endpoint)? => return Ok(()),
            Phase::Attached => "its interface is gone: endpoint removed",
            Phase::Detaching => "detaching was interrupted: finished",
            Phase::Created | Phase::Attaching => "attaching was interrupted: undone",
        };
        self.part_later(endpoint, why).map(drop)
    }

    /// Whether the interface that was moved into the sandbox is there.
    fn is_inside(&self, endpoint: &Endpoint) -> Result<bool, ControlError> {
        let Some(mut sandbox) = self.enter_sandbox_of(endpoint)? else {
            return Ok(false);
        };
        match self.guest_mark(endpoint)? {
            Some(mark) => Ok(mark.find(&mut sandbox)?.is_some()),
            None => Ok(true),
        }
    }
}
