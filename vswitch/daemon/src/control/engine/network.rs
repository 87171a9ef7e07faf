//! Networks of engines.

use vswitch_cnm::NetworkId;

use super::EngineNetwork;
use crate::control::{Control, ControlError, RouterQuestion};

impl Control {
    /// Makes a network, unless it is there.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn create_engine_network(
        &mut self,
        asked: EngineNetwork,
    ) -> Result<Vec<RouterQuestion>, ControlError> {
        let EngineNetwork { id, request } = asked;
        let request = self.network_request(request)?;
        if let Some(network) = self.model.network(id) {
            if network.is_as_asked(&request) {
                return Ok(Vec::new());
            }
            let name = network.name.clone();
            return Err(vswitch_cnm::Error::NetworkExists { name }.into());
        }
        let (created, questions) = self.create_network_as(id, request)?;
        for warning in created.warnings {
            tracing::warn!(network = self.network_name(id), "{warning}");
        }
        Ok(questions)
    }

    /// Removes a network, with what is on it: the engine knows of nothing any more.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(super) fn delete_engine_network(&mut self, id: NetworkId) -> Result<(), ControlError> {
        match self.model.network(id) {
            Some(_) => self.remove_network(&id.to_string(), true),
            None => Ok(()),
        }
    }
}
