//! The end of an endpoint of a plugin's network: what its plugins are told, and in what order.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::{Endpoint, EndpointId, Phase};
use vswitch_plugin::Method;
use vswitch_plugin::network_driver::EndpointRef;

use super::lender::Lender;
use super::reference;
use crate::control::endpoint::put_endpoint;
use crate::control::errand::{Begun, Errand};
use crate::control::{Control, ControlError, Handle};
use crate::edge::{EdgeError, Namespace};
use crate::plugins::{NetworkDriver, Plugins};

/// What the plugin may have made, and has to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owed {
    /// It may have made the endpoint.
    pub(super) created: bool,
    /// It may have put it into its sandbox.
    pub(super) joined: bool,
    /// It may have published ports.
    pub(super) programmed: bool,
}

/// An endpoint that is to be no more.
#[derive(Debug)]
pub(super) struct Farewell {
    id: EndpointId,
    endpoint: EndpointRef,
    plugins: Plugins,
    driver: String,
    lender: Option<Lender>,
    addresses: Vec<IpAddr>,
    owed: Owed,
}

impl Owed {
    /// Everything, as after a crash: plugins know what to do about what they do not know.
    pub(super) const ALL: Self = Self {
        created: true,
        joined: true,
        programmed: true,
    };
}

impl Farewell {
    /// As libnetwork: the plugin lets go of the sandbox before the interface is taken out of it, and of the
    /// endpoint after that. What a plugin cannot do is logged, and keeps nothing from being removed.
    pub(super) async fn say(self, control: &Handle) -> Result<(), ControlError> {
        let id = self.id;
        let mut driver = match self.plugins.network_driver(&self.driver).await {
            Ok(driver) => Some(driver),
            Err(error) => {
                tracing::warn!(%id, "cannot tell that the endpoint is removed: {error}");
                None
            }
        };
        if self.owed.programmed {
            let revoke = Method::RevokeExternalConnectivity;
            self.tell(&mut driver, revoke).await;
        }
        if self.owed.joined {
            self.tell(&mut driver, Method::Leave).await;
            control.run(move |c| c.give_back_interface(id)).await?;
        }
        if self.owed.created {
            self.tell(&mut driver, Method::DeleteEndpoint).await;
        }
        if let Some(lender) = &self.lender {
            lender.take_back(&self.addresses).await;
        }
        control.run(move |c| c.forget_parted(id)).await?
    }

    /// One that does not answer is not asked again.
    async fn tell(&self, driver: &mut Option<NetworkDriver>, what: Method) {
        let Some(present) = driver.as_ref() else {
            return;
        };
        if let Err(error) = present.tell(what, &self.endpoint).await {
            tracing::warn!(id = %self.id, "while the endpoint is removed: {error}");
            if error.is_absence() {
                *driver = None;
            }
        }
    }
}

impl Control {
    /// Takes an endpoint off its network, if plugins have to be told of it; `None` if they have not.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(in crate::control) fn part(
        &mut self,
        endpoint: &Endpoint,
    ) -> Result<Option<Begun<()>>, ControlError> {
        if self.is_plugins(endpoint) {
            let farewell = self.begin_farewell(endpoint, Owed::ALL)?;
            return Ok(Some(Begun::Asking(farewell)));
        }
        let Some(lender) = self.lender(endpoint.network) else {
            return Ok(None);
        };
        self.detach_endpoint(endpoint.id)?;
        Ok(Some(Begun::Asking(release(lender, endpoint))))
    }

    /// As [`Control::part`], of an endpoint that went by itself: nobody waits for it. `false` if it is ours, and so
    /// is to be forgotten by the caller.
    pub(in crate::control) fn part_later(
        &mut self,
        endpoint: &Endpoint,
        why: &str,
    ) -> Result<bool, ControlError> {
        if !self.is_plugins(endpoint) {
            return Ok(false);
        }
        // Whoever is about it already brings it to an end.
        if !self.acquiring.contains(&endpoint.id) {
            let farewell = self.begin_farewell(endpoint, Owed::ALL)?;
            self.run_later(farewell);
            tracing::warn!(
                sandbox = endpoint.whereabouts(),
                interface = endpoint.ifname,
                id = %endpoint.id,
                "{why}"
            );
        }
        Ok(true)
    }

    /// Has the addresses of an endpoint given back that is no more, if they are a plugin's.
    pub(in crate::control) fn release_later(&self, endpoint: &Endpoint) {
        if let Some(lender) = self.lender(endpoint.network) {
            self.run_later(release(lender, endpoint));
        }
    }

    fn begin_farewell(
        &mut self,
        endpoint: &Endpoint,
        owed: Owed,
    ) -> Result<Errand<()>, ControlError> {
        if self.acquiring.contains(&endpoint.id) {
            return Err(ControlError::Unsettled {
                what: format!("the endpoint of {}", endpoint.whereabouts()),
            });
        }
        let farewell = self.farewell(endpoint, owed)?;
        Ok(Errand::new(async move |control| {
            farewell.say(&control).await
        }))
    }

    /// Notes that an endpoint is to be no more. Nobody else removes it from now on.
    pub(super) fn farewell(
        &mut self,
        endpoint: &Endpoint,
        owed: Owed,
    ) -> Result<Farewell, ControlError> {
        let detaching = Endpoint {
            phase: Phase::Detaching,
            ..endpoint.clone()
        };
        self.store.commit(&[put_endpoint(&detaching)?])?;
        self.model.begin_detach(endpoint.id)?;
        self.acquiring.insert(endpoint.id);
        let network = self.model.network(endpoint.network);
        Ok(Farewell {
            id: endpoint.id,
            endpoint: reference(endpoint),
            plugins: self.plugins.clone(),
            driver: network.map_or_else(String::new, |n| n.driver_name().to_owned()),
            lender: self.lender(endpoint.network),
            addresses: endpoint.addresses.iter().map(IpNet::addr).collect(),
            owed,
        })
    }

    /// Moves the interface of an endpoint back to where its plugin made it. What fails is logged: the plugin may
    /// have removed it.
    fn give_back_interface(&mut self, id: EndpointId) {
        let Some(endpoint) = self.model.endpoint(id).cloned() else {
            return;
        };
        let given_back = self.enter_sandbox_of(&endpoint).and_then(|sandbox| {
            let Some(mut sandbox) = sandbox else {
                return Ok(());
            };
            let taken_out = self.take_out(&endpoint, &mut sandbox);
            self.set_default_routes_around(&endpoint, &mut sandbox)?;
            taken_out
        });
        if let Err(error) = given_back {
            tracing::warn!(
                sandbox = endpoint.whereabouts(),
                interface = endpoint.ifname,
                "cannot give the interface back: {error}"
            );
        }
    }

    fn take_out(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<(), ControlError> {
        let mark = self.guest_mark(endpoint)?;
        if let (Some(mark), Some(made)) = (mark, &endpoint.plugin) {
            let source = made.source.parse().map_err(EdgeError::from)?;
            mark.give_back(&source, &self.host, sandbox)?;
        }
        Ok(())
    }

    fn forget_parted(&mut self, id: EndpointId) -> Result<(), ControlError> {
        match self.model.endpoint(id).cloned() {
            Some(endpoint) => self.forget_detached(&endpoint),
            None => Ok(()),
        }
    }
}

fn release(lender: Lender, endpoint: &Endpoint) -> Errand<()> {
    let addresses: Vec<IpAddr> = endpoint.addresses.iter().map(IpNet::addr).collect();
    Errand::new(async move |_| {
        lender.take_back(&addresses).await;
        Ok(())
    })
}
