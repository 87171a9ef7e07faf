//! Publishing ports of endpoints, and the reverse.

use super::Model;
use crate::driver::Publishing;
use crate::endpoint::{Endpoint, Phase};
use crate::error::Error;
use crate::id::EndpointId;
use crate::publish::{PortHolder, PortSpec, PublishedPort};

mod rotation;
mod search;
mod wish;

pub(super) use rotation::Rotation;

impl Model {
    /// Publishes ports of an endpoint, and returns what is published that was not before: a record for
    /// each address of the host. Ports that nobody chose are the same at all addresses. What is
    /// returned is held by `holder`, and part of the endpoint's record.
    ///
    /// # Errors
    /// [`Error::NotPublishable`] and [`Error::PublishFamily`]; [`Error::PortInUse`],
    /// [`Error::PortInUseByHost`], [`Error::PortRefused`] and [`Error::PortsExhausted`]. Nothing is held
    /// then that was not before.
    pub fn publish(
        &mut self,
        id: EndpointId,
        specs: &[PortSpec],
        holder: &mut dyn PortHolder,
    ) -> Result<Vec<PublishedPort>, Error> {
        let endpoint = self.endpoint_or_error(id)?.clone();
        if endpoint.phase == Phase::Detaching {
            return Err(Error::Detaching { id: id.short() });
        }
        let taken = self.take_ports(&endpoint, specs, holder)?;
        let published = &mut self.endpoint_mut(id)?.published;
        published.extend_from_slice(&taken);
        Ok(taken)
    }

    /// Ends publications of an endpoint, and returns what has ended, for its ports to be let go of. A spec
    /// without host address or port means all publications of the container port; one may be a
    /// part of a range that was published at once.
    ///
    /// # Errors
    /// [`Error::NotPublished`] if one of the specs fits nothing.
    pub fn unpublish(
        &mut self,
        id: EndpointId,
        specs: &[PortSpec],
    ) -> Result<Vec<PublishedPort>, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        let mut left = endpoint.published.clone();
        let mut gone = Vec::new();
        for spec in specs {
            let before = gone.len();
            let mut rest = Vec::with_capacity(left.len());
            for port in left {
                match port.cut(spec) {
                    None => rest.push(port),
                    Some((part, remains)) => {
                        gone.push(part);
                        rest.extend(remains.into_iter().flatten());
                    }
                }
            }
            left = rest;
            if gone.len() == before {
                return Err(Error::NotPublished {
                    port: *spec,
                    holder: endpoint.called("sandbox"),
                    network: self.network_or_error(endpoint.network)?.name.clone(),
                });
            }
        }
        self.endpoint_mut(id)?.published = left;
        Ok(gone)
    }

    /// Takes ports for an endpoint, which may not be in the model yet; all or none.
    pub(super) fn take_ports(
        &mut self,
        endpoint: &Endpoint,
        specs: &[PortSpec],
        holder: &mut dyn PortHolder,
    ) -> Result<Vec<PublishedPort>, Error> {
        let wishes = self.wishes(endpoint, specs)?;
        let mut taken = Vec::new();
        for wish in wishes {
            match self.grant(endpoint, &wish, &taken, holder) {
                Ok(granted) => taken.extend(granted),
                Err(error) => {
                    let_go(holder, &taken);
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    /// Checks publications of a record, of an endpoint that is not in the model yet.
    pub(super) fn check_published(&self, endpoint: &Endpoint) -> Result<(), Error> {
        if endpoint.published.is_empty() {
            return Ok(());
        }
        self.publishing(endpoint)?;
        for (index, port) in endpoint.published.iter().enumerate() {
            if !port.is_sound() {
                let port = port.to_string();
                return Err(Error::PortRecord { port });
            }
            if let Some((_, error)) = self.conflict(endpoint, port, &endpoint.published[..index]) {
                return Err(error);
            }
        }
        Ok(())
    }

    fn publishing(&self, endpoint: &Endpoint) -> Result<Publishing, Error> {
        let network = self.network_or_error(endpoint.network)?;
        let driver = network.driver.driver();
        driver.publishing(network, endpoint)
    }
}

fn let_go(holder: &mut dyn PortHolder, ports: &[PublishedPort]) {
    for port in ports.iter().filter(|port| port.host.is_some()).rev() {
        holder.let_go(port);
    }
}
