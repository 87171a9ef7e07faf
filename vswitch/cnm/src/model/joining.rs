//! Endpoints come into sandboxes and out of them again, as libnetwork's join and leave.

use super::Model;
use super::interface::{Naming, no_interface};
use crate::endpoint::{Endpoint, JoinRequest, Phase};
use crate::error::{EngineError, Error};
use crate::id::EndpointId;
use crate::publish::PublishedPort;
use crate::sandbox::{Sandbox, SandboxKey};

/// What has gone when an endpoint leaves its sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftEndpoint {
    /// The endpoint, as it is now.
    pub endpoint: Endpoint,
    /// Ports it had published, which are to be let go of.
    pub published: Vec<PublishedPort>,
    /// Its sandbox, if that has gone with its last endpoint.
    pub sandbox: Option<Sandbox>,
    /// Where it was; `None` if it was nowhere.
    pub sandbox_key: Option<SandboxKey>,
}

impl Model {
    /// Puts an endpoint that is in phase [`Phase::Created`] into a sandbox, where it is in phase
    /// [`Phase::Attaching`].
    ///
    /// The sandbox's record may be new or changed, as after [`create_endpoint`](Self::create_endpoint).
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`], [`EngineError::AlreadyJoined`] and [`Error::Detaching`]; what
    /// [`create_endpoint`](Self::create_endpoint) refuses of a sandbox and of an interface's name.
    pub fn join_endpoint(
        &mut self,
        id: EndpointId,
        request: JoinRequest,
    ) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        if endpoint.phase == Phase::Detaching {
            return Err(Error::Detaching { id: id.short() });
        }
        if let Some(sandbox) = &endpoint.sandbox {
            return Err(Error::Engine(EngineError::AlreadyJoined {
                endpoint: id.short(),
                sandbox: sandbox.clone(),
            }));
        }
        let network = self.network_or_error(endpoint.network)?;
        let sandbox = request.sandbox.normalised()?;
        self.check_admission(network, &sandbox)?;
        self.check_namespace(&sandbox, request.netns)?;
        let driver = network.driver.driver();
        let ifname = match driver.interface(network, &endpoint.options)? {
            Some(plan) => {
                let naming = Naming {
                    endpoint: id,
                    configured_by: endpoint.configured_by,
                    sandbox: &sandbox,
                    interfaces: &request.interfaces,
                    ifname: request.ifname.as_deref(),
                    prefix: request.prefix.as_deref(),
                };
                Some(self.choose_name(&plan, &naming)?)
            }
            None if request.ifname.is_some() => {
                return Err(no_interface(network, "an interface name"));
            }
            None => None,
        };
        self.see_namespace(&sandbox, request.netns);
        let endpoint = self.endpoint_mut(id)?;
        endpoint.sandbox = Some(sandbox);
        endpoint.ifname = ifname;
        endpoint.plugin = request.plugin;
        endpoint.phase = Phase::Attaching;
        Ok(endpoint.clone())
    }

    /// Takes an endpoint out of its sandbox; it keeps its addresses and may join one again. Leaving twice
    /// is leaving once. A sandbox that `add-sandbox` did not make goes with its last endpoint.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`]; [`Error::Detaching`] if it is being removed.
    pub fn leave_endpoint(&mut self, id: EndpointId) -> Result<LeftEndpoint, Error> {
        let endpoint = self.endpoint_mut(id)?;
        if endpoint.phase == Phase::Detaching {
            return Err(Error::Detaching { id: id.short() });
        }
        let sandbox_key = endpoint.sandbox.take();
        let published = std::mem::take(&mut endpoint.published);
        endpoint.ifname = None;
        endpoint.plugin = None;
        endpoint.phase = Phase::Created;
        let endpoint = endpoint.clone();
        let sandbox = sandbox_key
            .as_ref()
            .and_then(|key| self.forget_unless_needed(key));
        Ok(LeftEndpoint {
            endpoint,
            published,
            sandbox,
            sandbox_key,
        })
    }

    /// Notes the name that an endpoint's interface has in its sandbox now.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`]; [`EngineError::NotJoined`] if it has no interface;
    /// [`Error::InterfaceName`], and [`Error::InterfaceTaken`] by another endpoint.
    pub fn set_ifname(&mut self, id: EndpointId, ifname: String) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        match &endpoint.sandbox {
            Some(sandbox) if endpoint.has_interface() => {
                self.check_name_free(sandbox, &ifname, Some(id))?;
            }
            _ => {
                return Err(Error::Engine(EngineError::NotJoined {
                    endpoint: id.short(),
                }));
            }
        }
        let endpoint = self.endpoint_mut(id)?;
        endpoint.ifname = Some(ifname);
        Ok(endpoint.clone())
    }
}
