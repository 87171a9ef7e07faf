//! Attaching with the help of plugins: one that makes the network work, one that gives out its addresses, or both.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_api as api;
use vswitch_cnm::{
    AttachRequest, Endpoint, EndpointId, JoinRequest, NetworkId, NextHop, PluginInterface,
    SandboxKey,
};
use vswitch_packet::MacAddr;
use vswitch_plugin::Method;
use vswitch_plugin::network_driver::{
    CreateEndpoint, EndpointInterface, Join, JoinReply, Options, ProgramExternalConnectivity,
    RouteType,
};

use super::farewell::Owed;
use super::lender::{Given, Lender};
use super::{options, reference};
use crate::control::endpoint::{enter, put_endpoint, router};
use crate::control::errand::Errand;
use crate::control::publish::specs;
use crate::control::{Control, ControlError, Handle, convert, draw, netns_id, now};
use crate::edge::{EdgeError, Guest};
use crate::plugins::{NetworkDriver, PluginError, Plugins};

/// An endpoint that is to be.
#[derive(Debug, Clone)]
struct Attachment {
    network: NetworkId,
    sandbox: SandboxKey,
    request: api::Attach,
    mac: Option<MacAddr>,
    /// Its id, and a MAC address for whoever wants one beforehand.
    id: EndpointId,
    drawn_mac: MacAddr,
}

/// Endpoint option that names the interface, as Docker has it.
const IFNAME: &str = "com.docker.network.endpoint.ifname";

impl Control {
    /// How an endpoint of a network is made, if plugins have to be asked; `None` if they have not.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(in crate::control) fn attach_by_plugins(
        &mut self,
        network: NetworkId,
        request: &api::Attach,
    ) -> Result<Option<Errand<api::Endpoint>>, ControlError> {
        let lender = self.lender(network);
        let record = self.model.network(network);
        let driver = record.and_then(|record| record.plugin.clone());
        if driver.is_none() && lender.is_none() {
            return Ok(None);
        }
        self.check_idle(network)?;
        let sandbox: SandboxKey = request.sandbox.parse().map_err(vswitch_cnm::Error::from)?;
        self.check_worth_asking(network, &sandbox)?;
        let drawn = draw()?;
        let attachment = Attachment {
            network,
            sandbox,
            mac: request.mac.as_deref().map(convert::mac).transpose()?,
            request: request.clone(),
            id: EndpointId::from_octets(draw()?),
            // Locally administered, and nobody's group.
            drawn_mac: MacAddr([0x02, drawn[0], drawn[1], drawn[2], drawn[3], drawn[4]]),
        };
        let ports = specs(&request.publish)?;
        let ports = options::of_sandbox(&ports)?;
        let plugins = self.plugins.clone();
        *self.arriving.entry(network).or_default() += 1;
        Ok(Some(Errand::new(async move |control| {
            let attached = match driver {
                Some(driver) => {
                    let at = AtPlugin {
                        attachment,
                        lender,
                        plugins,
                        driver,
                        ports,
                    };
                    at.attach(&control).await
                }
                None => attachment.attach_to_ours(lender, &control).await,
            };
            control.run(move |c| c.has_arrived(network)).await?;
            attached
        })))
    }
}

impl Control {
    /// An endpoint of a network is there, or will not be.
    fn has_arrived(&mut self, network: NetworkId) {
        if let Some(arriving) = self.arriving.get_mut(&network) {
            *arriving -= 1;
            if *arriving == 0 {
                self.arriving.remove(&network);
            }
        }
    }

    /// Refuses what can be known to be wrong.
    fn check_worth_asking(
        &self,
        network: NetworkId,
        sandbox: &SandboxKey,
    ) -> Result<(), ControlError> {
        enter(sandbox)?;
        if let Some(network) = self.model.network(network) {
            network.driver.driver().check_sandbox(network, sandbox)?;
        }
        match self.model.find_endpoint(network, sandbox) {
            Ok(present) if self.acquiring.contains(&present.id) => Err(ControlError::Unsettled {
                what: format!("the endpoint of {sandbox}"),
            }),
            Ok(_) => {
                let sandbox = sandbox.clone();
                let network = self.network_name(network).unwrap_or_default();
                Err(vswitch_cnm::Error::AlreadyAttached { sandbox, network }.into())
            }
            Err(_) => Ok(()),
        }
    }
}

impl Attachment {
    /// To one of our own networks, whose addresses are a plugin's.
    async fn attach_to_ours(
        self,
        lender: Option<Lender>,
        control: &Handle,
    ) -> Result<api::Endpoint, ControlError> {
        let given = self.addresses(lender.as_ref()).await?;
        let request = api::Attach {
            ip: given.ipv4(),
            ip6: given.ipv6(),
            mac: given.mac.map(|mac| mac.to_string()),
            ..self.request
        };
        let network = self.network;
        let begun = control.run(move |c| c.begin_own_attach(network, request));
        let attached = match begun.await.map_err(ControlError::from) {
            Ok(Ok(begun)) => begun.finish(control).await,
            Ok(Err(error)) | Err(error) => Err(error),
        };
        // One that went by itself has given its addresses back.
        if let Err(error) = &attached
            && !matches!(error, ControlError::Detached)
            && let Some(lender) = lender
        {
            take_back_unheld(&lender, network, given.addresses, control).await?;
        }
        attached
    }

    /// From the plugin that gives them out; as asked for, if there is none.
    async fn addresses(&self, lender: Option<&Lender>) -> Result<Given, PluginError> {
        let asked = [
            self.request.ip.map(IpAddr::V4),
            self.request.ip6.map(IpAddr::V6),
        ];
        let addresses: Vec<IpAddr> = asked.into_iter().flatten().collect();
        match lender {
            Some(lender) => {
                let sandbox = self.sandbox.to_string();
                let lent = lender.lend(&addresses, self.mac, self.drawn_mac, &sandbox);
                lent.await
            }
            None => Ok(Given {
                addresses,
                mac: self.mac,
            }),
        }
    }
}

/// An endpoint that is to be, on a plugin's network.
struct AtPlugin {
    attachment: Attachment,
    lender: Option<Lender>,
    plugins: Plugins,
    driver: String,
    /// What `-p` says.
    ports: Options,
}

impl AtPlugin {
    /// In libnetwork's order. Whatever fails, all is undone before this returns.
    async fn attach(self, control: &Handle) -> Result<api::Endpoint, ControlError> {
        let driver = self.plugins.network_driver(&self.driver).await?;
        let given = self.attachment.addresses(self.lender.as_ref()).await?;
        let made = {
            let (attachment, given) = (self.attachment.clone(), given.clone());
            control.run(move |c| c.make_plugin_endpoint(attachment, &given))
        };
        let endpoint = match made.await.map_err(ControlError::from) {
            Ok(Ok(endpoint)) => endpoint,
            Ok(Err(error)) | Err(error) => {
                if let Some(lender) = &self.lender {
                    let network = self.attachment.network;
                    take_back_unheld(lender, network, given.addresses, control).await?;
                }
                return Err(error);
            }
        };
        let mut owed = Owed::default();
        let attached = self
            .put_in(&driver, &endpoint, given.mac, &mut owed, control)
            .await;
        if attached.is_err() {
            let id = endpoint.id;
            let farewell = control.run(move |c| {
                let endpoint = c.model.endpoint(id).cloned();
                endpoint
                    .map(|endpoint| c.farewell(&endpoint, owed))
                    .transpose()
            });
            let undone = match farewell.await? {
                Ok(Some(farewell)) => farewell.say(control).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = undone {
                tracing::error!(%id, "cannot undo the endpoint: {error}");
            }
        }
        attached
    }

    async fn put_in(
        &self,
        driver: &NetworkDriver,
        endpoint: &Endpoint,
        mac: Option<MacAddr>,
        owed: &mut Owed,
        control: &Handle,
    ) -> Result<api::Endpoint, ControlError> {
        let id = endpoint.id;
        let known = reference(endpoint);
        let asked = interface(&endpoint.addresses, mac);
        let created = driver.create_endpoint(CreateEndpoint {
            network_id: known.network_id.clone(),
            endpoint_id: known.endpoint_id.clone(),
            interface: Some(asked),
            options: options::of_endpoint(&self.ports, &endpoint.options),
        });
        let created = noted(created.await, &mut owed.created)?;
        let chosen = created.interface.unwrap_or_default();
        let chosen = chosen_beside(&asked, &chosen)
            .map_err(|problem| self.answer(Method::CreateEndpoint, problem))?;
        let mac = mac.or(chosen.mac_address);
        control.run(move |c| c.note_choice(id, &chosen)).await??;

        let joined = driver.join(Join {
            network_id: known.network_id.clone(),
            endpoint_id: known.endpoint_id.clone(),
            sandbox_key: namespace_path(&self.attachment.sandbox),
            options: self.ports.clone(),
        });
        let joined = noted(joined.await, &mut owed.joined)?;
        let prefix = joined.interface_name.dst_prefix.clone();
        let made =
            plugin_interface(joined).map_err(|problem| self.answer(Method::Join, problem))?;
        let (sandbox, request) = (self.attachment.sandbox.clone(), &self.attachment.request);
        let ifname = request.ifname.clone();
        let ifname = ifname.or_else(|| request.options.get(IFNAME).cloned());
        let moved = control.run(move |c| {
            let request = JoinRequest {
                ifname,
                prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
                plugin: Some(made),
                ..JoinRequest::new(sandbox)
            };
            c.join_plugin_endpoint(id, request, mac)
        });
        moved.await??;

        let programmed = driver.program(ProgramExternalConnectivity {
            network_id: known.network_id,
            endpoint_id: known.endpoint_id,
            options: self.ports.clone(),
        });
        noted(programmed.await, &mut owed.programmed)?;
        control.run(move |c| c.settle_plugin_endpoint(id)).await?
    }

    fn answer(&self, method: Method, problem: String) -> PluginError {
        PluginError::Answer {
            name: self.driver.clone(),
            method,
            problem,
        }
    }
}

impl Control {
    /// The record of an endpoint, in no sandbox yet.
    fn make_plugin_endpoint(
        &mut self,
        attachment: Attachment,
        given: &Given,
    ) -> Result<Endpoint, ControlError> {
        let Attachment {
            network,
            id,
            request,
            ..
        } = attachment;
        self.check_idle(network)?;
        let request = AttachRequest {
            ip: given.ipv4(),
            ip6: given.ipv6(),
            mac: given.mac,
            aliases: request.aliases,
            gateway_priority: request.gateway_priority,
            options: request.options,
            labels: request.labels,
            ..AttachRequest::without_sandbox(network)
        };
        let endpoint = self
            .model
            .create_endpoint(request, id, now(), &mut self.held_ports)?;
        let recorded = put_endpoint(&endpoint).and_then(|change| self.store.commit(&[change]));
        if let Err(error) = recorded {
            self.model.remove_endpoint(id)?;
            return Err(error.into());
        }
        self.acquiring.insert(id);
        Ok(endpoint)
    }

    /// What the plugin chose where nothing was asked for.
    fn note_choice(
        &mut self,
        id: EndpointId,
        chosen: &EndpointInterface,
    ) -> Result<(), ControlError> {
        let addresses = [chosen.address, chosen.address_ipv6];
        let addresses: Vec<IpNet> = addresses.into_iter().flatten().collect();
        let endpoint = self.model.take_choice(id, chosen.mac_address, &addresses)?;
        Ok(self.store.commit(&[put_endpoint(&endpoint)?])?)
    }

    /// Puts the interface that the plugin made into the sandbox.
    fn join_plugin_endpoint(
        &mut self,
        id: EndpointId,
        request: JoinRequest,
        mac: Option<MacAddr>,
    ) -> Result<(), ControlError> {
        let key = request.sandbox.clone();
        let mut sandbox = enter(&key)?;
        let links = sandbox.netlink.links().map_err(EdgeError::from)?;
        self.bury_namesakes(&key, netns_id(sandbox.id()), &links)?;
        let request = JoinRequest {
            netns: Some(netns_id(sandbox.id())),
            interfaces: links.iter().map(|link| link.name.to_string()).collect(),
            ..request
        };
        let endpoint = self.model.join_endpoint(id, request)?;
        self.record_with_sandbox(&endpoint)?;
        let Some(guest) = self.guest(&endpoint, mac)? else {
            sandbox.set_loopback_up()?;
            return Ok(());
        };
        let name = &guest.source;
        if self.parents.nic(name).is_some() {
            return Err(EdgeError::NotAGuest { name: name.clone() }.into());
        }
        let mac = guest.bring_in(self.daemon_id(), &mut self.host, &mut sandbox)?;
        // By which it is found again.
        let endpoint = self.model.take_choice(id, mac, &[])?;
        self.store.commit(&[put_endpoint(&endpoint)?])?;
        Ok(self.set_default_routes_around(&endpoint, &mut sandbox)?)
    }

    fn settle_plugin_endpoint(&mut self, id: EndpointId) -> Result<api::Endpoint, ControlError> {
        let attached = self.model.endpoint_attached(id)?;
        self.store.commit(&[put_endpoint(&attached)?])?;
        self.acquiring.remove(&id);
        tracing::info!(
            network = self.network_name(attached.network),
            sandbox = attached.whereabouts(),
            interface = attached.ifname,
            %id,
            "attached"
        );
        self.describe(&attached)
    }

    /// How the interface of an endpoint is to be; `None` if the plugin has not made one.
    fn guest(&self, endpoint: &Endpoint, mac: Option<MacAddr>) -> Result<Option<Guest>, EdgeError> {
        let (Some(made), Some(name)) = (&endpoint.plugin, &endpoint.ifname) else {
            return Ok(None);
        };
        if made.source.is_empty() {
            return Ok(None);
        }
        let is_elected = |to: &IpNet| to.prefix_len() == 0;
        let routes = made.routes.iter().filter(|(to, _)| !is_elected(to));
        Ok(Some(Guest {
            source: made.source.parse()?,
            name: name.parse()?,
            alias: self.alias(&endpoint.id),
            mac,
            addresses: endpoint.addresses.clone(),
            routes: routes.map(|&(to, hop)| (to, router(hop))).collect(),
        }))
    }
}

/// Gives back the addresses of an endpoint that is not to be, but for those that somebody else has: a plugin may
/// have given them twice.
async fn take_back_unheld(
    lender: &Lender,
    network: NetworkId,
    mut addresses: Vec<IpAddr>,
    control: &Handle,
) -> Result<(), ControlError> {
    let unheld = control.run(move |c| {
        addresses.retain(|&address| c.model.address_holder(network, address).is_none());
        addresses
    });
    lender.take_back(&unheld.await?).await;
    Ok(())
}

/// Notes whether a plugin may have done what it was asked.
fn noted<T>(answer: Result<T, PluginError>, may_be_done: &mut bool) -> Result<T, PluginError> {
    *may_be_done = !matches!(&answer, Err(error) if error.is_undone());
    answer
}

fn interface(addresses: &[IpNet], mac: Option<MacAddr>) -> EndpointInterface {
    let of_version = |v4: bool| {
        let mut addresses = addresses.iter().copied();
        addresses.find(|net| net.addr().is_ipv4() == v4)
    };
    EndpointInterface {
        address: of_version(true),
        address_ipv6: of_version(false),
        mac_address: mac,
    }
}

/// What a plugin chose, which must be nothing that was asked for. Saying the same again does no harm.
fn chosen_beside(
    asked: &EndpointInterface,
    answer: &EndpointInterface,
) -> Result<EndpointInterface, String> {
    fn beside<T: Copy + PartialEq + std::fmt::Display>(
        asked: Option<T>,
        answer: Option<T>,
    ) -> Result<Option<T>, String> {
        match (asked, answer) {
            (Some(asked), Some(answer)) if asked != answer => {
                Err(format!("{answer} is not {asked}, which was asked for"))
            }
            (Some(_), _) => Ok(None),
            (None, answer) => Ok(answer),
        }
    }
    Ok(EndpointInterface {
        address: beside(asked.address, answer.address)?,
        address_ipv6: beside(asked.address_ipv6, answer.address_ipv6)?,
        mac_address: beside(asked.mac_address, answer.mac_address)?,
    })
}

fn plugin_interface(reply: JoinReply) -> Result<PluginInterface, String> {
    let wrong = |what: &str, address: IpAddr| format!("{address} cannot be {what}");
    let gateway = match reply.gateway {
        None => None,
        Some(IpAddr::V4(gateway)) => Some(gateway),
        Some(other) => return Err(wrong("the gateway of IPv4", other)),
    };
    let gateway6 = match reply.gateway_ipv6 {
        None => None,
        Some(IpAddr::V6(gateway)) => Some(gateway),
        Some(other) => return Err(wrong("the gateway of IPv6", other)),
    };
    let mut routes = Vec::new();
    for route in reply.static_routes {
        let hop = match (route.route_type, route.next_hop) {
            (RouteType::NextHop, Some(router)) => NextHop::Router(router),
            (RouteType::NextHop, None) => {
                return Err(format!(
                    "the route to {} has no next hop",
                    route.destination
                ));
            }
            (RouteType::Connected, _) => NextHop::Link,
        };
        routes.push((route.destination, hop));
    }
    Ok(PluginInterface {
        source: reply.interface_name.src_name,
        prefix: reply.interface_name.dst_prefix,
        gateway,
        gateway6,
        routes,
        disable_gateway: reply.disable_gateway_service,
    })
}

/// A file by which the plugin can find the sandbox.
fn namespace_path(sandbox: &SandboxKey) -> String {
    let path = sandbox.namespace_path();
    path.map_or_else(String::new, |path| path.display().to_string())
}
