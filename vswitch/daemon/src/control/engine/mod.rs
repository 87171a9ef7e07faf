//! Commands of container engines, which make endpoints first and put them into sandboxes later, by
//! themselves (Docker's Container Network Model).
//!
//! An engine may repeat a command whose answer it has not seen, and may forget what it made when it crashes:
//! each command says what is to be, not what is to be done. Each gets an answer promptly.

mod endpoint;
mod network;
mod pool;
mod remains;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use axum::http::StatusCode;
use ipnet::IpNet;
use tokio::time::sleep;
use vswitch_api as api;
use vswitch_cnm::publish::PortSpec;
use vswitch_cnm::{EndpointId, NetworkId};
use vswitch_packet::MacAddr;

use super::{Control, ControlError, Handle, Stopped};

pub(super) use remains::is_unlocated;

/// When an engine has most likely put an interface into its sandbox; the sweep finds those that take longer.
const MOVED: Duration = Duration::from_millis(500);

/// The control thread, as an engine speaks to it.
#[derive(Debug, Clone)]
pub struct Engine {
    control: Handle,
}

/// A network that an engine wants to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineNetwork {
    /// The engine's id of it, and ours.
    pub id: NetworkId,
    /// As if a user had asked for it.
    pub request: api::NetworkCreate,
}

/// An endpoint that an engine wants to be there, in no sandbox yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEndpoint {
    /// Its network.
    pub network: NetworkId,
    /// The engine's id of it, and ours.
    pub id: EndpointId,
    /// The IPv4 address, where the engine chooses.
    pub ip: Option<Ipv4Addr>,
    /// The IPv6 address, where the engine chooses.
    pub ip6: Option<Ipv6Addr>,
    /// The interface's address, where the engine chooses.
    pub mac: Option<MacAddr>,
    /// Endpoint options.
    pub options: BTreeMap<String, String>,
}

/// What an endpoint was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The interface's address.
    pub mac: MacAddr,
    /// With the prefix length of their subnets, IPv4 first.
    pub addresses: Vec<IpNet>,
}

/// What an engine needs to put an endpoint's interface into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its name in the host's namespace.
    pub interface: String,
    /// What its name in the sandbox begins with.
    pub prefix: String,
    /// The sandbox's IPv4 router, should it be this network's.
    pub gateway: Option<Ipv4Addr>,
    /// The sandbox's IPv6 router, should it be this network's.
    pub gateway6: Option<Ipv6Addr>,
    /// Other routes, with the router; `None` where the destination is on the link.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
}

/// Why an engine's command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// It was not executed, or not to its end.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Engine {
    /// An engine's way to the control thread.
    #[must_use]
    pub const fn new(control: Handle) -> Self {
        Self { control }
    }

    /// The engine has begun anew.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub async fn activated(&self) -> Result<(), EngineError> {
        self.tell(|c| {
            c.engine_activated();
            Ok(())
        })
        .await
    }

    /// Makes a network, unless it is there.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn create_network(&self, network: EngineNetwork) -> Result<(), EngineError> {
        let questions = self.tell(|c| c.create_engine_network(network)).await?;
        // There is nobody to show the answers to, and they take their time.
        tokio::spawn(async move {
            for question in questions {
                if let Some(warning) = question.ask().await {
                    tracing::warn!("{warning}");
                }
            }
        });
        Ok(())
    }

    /// Removes a network, if it is there.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn delete_network(&self, id: NetworkId) -> Result<(), EngineError> {
        self.take_back(move |c| c.delete_engine_network(id)).await
    }

    /// Gives an endpoint its addresses, unless it has them. On a physical network this takes as long as the
    /// answers that are awaited there.
    ///
    /// # Errors
    /// [`EngineError`]; there is no such endpoint then.
    pub async fn create_endpoint(&self, endpoint: EngineEndpoint) -> Result<Made, EngineError> {
        let engine = self.clone();
        // On its own, as it has to come to an end even if the asker goes.
        let made = tokio::spawn(async move {
            let begun = engine.tell(|c| c.begin_engine_endpoint(endpoint)).await?;
            Ok(begun.finish(&engine.control).await?)
        });
        made.await.map_err(|_| Stopped::Ended)?
    }

    /// Removes an endpoint and its interface, if it is there.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn delete_endpoint(
        &self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<(), EngineError> {
        self.take_back(move |c| c.delete_engine_endpoint(network, id))
            .await
    }

    /// Makes the interface of an endpoint for the engine to put into `sandbox`, a path.
    ///
    /// # Errors
    /// [`EngineError`]; the endpoint is as before then.
    pub async fn join(
        &self,
        network: NetworkId,
        id: EndpointId,
        sandbox: String,
    ) -> Result<Joined, EngineError> {
        let join = self.tell(move |c| c.join_engine_endpoint(network, id, &sandbox));
        let joined = join.await?;
        let control = self.control.clone();
        tokio::spawn(async move {
            sleep(MOVED).await;
            // The daemon may end meanwhile.
            let _ = control.post(move |c| c.locate_joined(id));
        });
        Ok(joined)
    }

    /// Takes an endpoint off its sandbox, if it is in one.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn leave(&self, network: NetworkId, id: EndpointId) -> Result<(), EngineError> {
        self.take_back(move |c| c.leave_engine_endpoint(network, id))
            .await
    }

    /// Publishes ports of an endpoint, those that are not yet.
    ///
    /// # Errors
    /// [`EngineError`]; nothing has changed then.
    pub async fn publish(
        &self,
        network: NetworkId,
        id: EndpointId,
        ports: Vec<PortSpec>,
    ) -> Result<(), EngineError> {
        self.tell(move |c| c.publish_engine_endpoint(network, id, &ports))
            .await
    }

    /// Publishes no port of an endpoint any more.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn unpublish(&self, network: NetworkId, id: EndpointId) -> Result<(), EngineError> {
        self.take_back(move |c| c.unpublish_engine_endpoint(network, id))
            .await
    }

    /// What is known of an endpoint.
    ///
    /// # Errors
    /// [`EngineError`] if there is none.
    pub async fn endpoint(
        &self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<api::Endpoint, EngineError> {
        self.tell(move |c| c.inspect_engine_endpoint(network, id))
            .await
    }

    /// Lends a pool of addresses: this one, or the next default one of a family. Its id and subnet.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn lend_pool(
        &self,
        pool: Option<IpNet>,
        range: Option<IpNet>,
        ipv6: bool,
    ) -> Result<(String, IpNet), EngineError> {
        self.tell(move |c| c.lend_pool(pool, range, ipv6)).await
    }

    /// Takes a pool back, if it was lent.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn return_pool(&self, id: String) -> Result<(), EngineError> {
        self.take_back(move |c| c.return_pool(&id)).await
    }

    /// Lends an address of a pool: this one, or the lowest that is free, or the next one if `serial`. With the
    /// prefix length of the pool.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn lend_address(
        &self,
        pool: String,
        address: Option<IpAddr>,
        serial: bool,
    ) -> Result<IpNet, EngineError> {
        self.tell(move |c| c.lend_address(&pool, address, serial))
            .await
    }

    /// Takes an address back, if it was lent.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn return_address(&self, pool: String, address: IpAddr) -> Result<(), EngineError> {
        self.take_back(move |c| c.return_address(&pool, address))
            .await
    }

    async fn tell<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, EngineError> {
        Ok(self.control.run_promptly(command).await??)
    }

    /// As [`Engine::tell`], of what the engine forgets whatever it is answered: it never says that again, so it is
    /// not withdrawn.
    async fn take_back<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, EngineError> {
        Ok(self.control.run_surely(command).await??)
    }
}

impl EngineError {
    /// Whether the request was wrong in itself.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Refused(error) if error.status() == StatusCode::BAD_REQUEST)
    }
}
