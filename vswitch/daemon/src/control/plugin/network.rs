//! Networks that a plugin makes work, or whose addresses are a plugin's: made and removed.

use std::collections::BTreeMap;

use ipnet::IpNet;
use vswitch_api as api;
use vswitch_cnm::{Ipam, Network, NetworkId, NetworkRequest, PluginPool, SubnetRecord};
use vswitch_plugin::network_driver::{CreateNetwork, IpamData};

use super::options;
use crate::control::errand::{Begun, Errand};
use crate::control::{Control, ControlError, Handle, RouterQuestion, draw, now};
use crate::edge::{self, EdgeError};
use crate::plugins::{IpamDriver, NetworkDriver, PluginError, Plugins, Pool, PoolsWanted};
use crate::store::{Change, Table};

/// The address space of addresses that are not a plugin's, as libnetwork calls it.
const OWN_SPACE: &str = "LocalDefault";

/// A network that is to be.
#[derive(Debug)]
struct Founding {
    id: NetworkId,
    request: NetworkRequest,
    plugins: Plugins,
}

/// A network that is to be no more.
#[derive(Debug)]
struct Closing {
    network: Network,
    force: bool,
    plugins: Plugins,
}

impl Control {
    /// Makes a network, or begins to: where others have to be asked for it, or about it.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn begin_create_network(
        &mut self,
        request: api::NetworkCreate,
    ) -> Result<Begun<api::NetworkCreated>, ControlError> {
        let has_options = !request.ipam_options.is_empty();
        let request = self.network_request(request)?;
        let id = NetworkId::from_octets(draw()?);
        let is_lent = matches!(request.ipam, Ipam::Plugin(_));
        if !is_lent && has_options {
            let message =
                "--ipam-opt is for IPAM plugins: choose one with --ipam-driver".to_owned();
            return Err(ControlError::Request(message));
        }
        if request.plugin.is_none() && !is_lent {
            let (created, questions) = self.create_network_as(id, request)?;
            return Ok(ask_about(created, questions));
        }
        let founding = Founding {
            id,
            request,
            plugins: self.plugins.clone(),
        };
        Ok(Begun::Asking(Errand::new(async move |control| {
            founding.found(&control).await
        })))
    }

    /// Removes a network, or begins to: where plugins have to be told of it. With `force`, what is attached is
    /// detached before, and plugins need not be there.
    ///
    /// # Errors
    /// [`ControlError`]; the network is there as before then, maybe with fewer endpoints.
    pub fn begin_remove_network(
        &mut self,
        term: &str,
        force: bool,
    ) -> Result<Begun<()>, ControlError> {
        let network = self.model.find_network(term)?.clone();
        if network.plugin.is_none() && !matches!(network.ipam, Ipam::Plugin(_)) {
            self.remove_network(term, force)?;
            return Ok(Begun::Done(()));
        }
        self.check_still(network.id)?;
        let closing = Closing {
            network,
            force,
            plugins: self.plugins.clone(),
        };
        Ok(Begun::Asking(Errand::new(async move |control| {
            closing.close(&control).await
        })))
    }
}

impl Founding {
    /// In libnetwork's order. Whatever fails, all is undone before this returns, the last first.
    async fn found(self, control: &Handle) -> Result<api::NetworkCreated, ControlError> {
        let driver = match &self.request.plugin {
            Some(name) => {
                let driver = self.plugins.network_driver(name).await?;
                // One that does not say what it can do is none, to libnetwork.
                driver.capabilities().await?;
                Some(driver)
            }
            None => None,
        };
        let ipam = match &self.request.ipam {
            Ipam::Plugin(ipam) => Some(self.plugins.ipam_driver(&ipam.name).await?),
            _ => None,
        };
        let pools = match &ipam {
            Some(ipam) => self.pools(ipam, control).await?,
            None => Vec::new(),
        };
        let founded = match &driver {
            Some(driver) => self.found_at(driver, &pools, control).await,
            None => self.found_here(&pools, control).await,
        };
        if founded.is_err()
            && let Some(ipam) = &ipam
        {
            ipam.release_pools(&pools).await;
        }
        founded
    }

    async fn pools(&self, ipam: &IpamDriver, control: &Handle) -> Result<Vec<Pool>, ControlError> {
        let options = match &self.request.ipam {
            Ipam::Plugin(ipam) => ipam.options.clone(),
            _ => BTreeMap::new(),
        };
        let wanted = PoolsWanted {
            subnets: self.request.subnets.clone(),
            ranges: self.request.ip_ranges.clone(),
            gateways: self.request.gateways.clone(),
            aux: self.request.aux_addresses.iter().cloned().collect(),
            ipv6: self.request.ipv6,
            options,
            occupied: control.run(Control::occupied).await??,
        };
        Ok(ipam.request_pools(&wanted).await?)
    }

    /// As one of our own networks.
    async fn found_here(
        &self,
        pools: &[Pool],
        control: &Handle,
    ) -> Result<api::NetworkCreated, ControlError> {
        let (id, request) = (self.id, self.request_with(pools));
        let made = control.run(move |c| c.create_network_as(id, request));
        let (created, questions) = made.await??;
        ask_about(created, questions).finish(control).await
    }

    /// As a network that the plugin makes work.
    async fn found_at(
        &self,
        driver: &NetworkDriver,
        pools: &[Pool],
        control: &Handle,
    ) -> Result<api::NetworkCreated, ControlError> {
        let (id, request) = (self.id, self.request_with(pools));
        let network = control.run(move |c| c.open_plugin_network(id, request));
        let network = network.await??;
        let made = driver.create_network(create_network(&network, pools)).await;
        let may_be_made = !matches!(&made, Err(error) if error.is_undone());
        let recorded = match made {
            Ok(()) => control.run(move |c| c.record_plugin_network(id)).await?,
            Err(error) => Err(error.into()),
        };
        if recorded.is_err() {
            if may_be_made && let Err(error) = driver.delete_network(id.to_string()).await {
                tracing::warn!(%id, "while the network is undone: {error}");
            }
            control.run(move |c| c.forget_plugin_network(id)).await?;
        }
        recorded
    }

    /// What is asked of the model, once the pools are known.
    fn request_with(&self, pools: &[Pool]) -> NetworkRequest {
        let mut request = self.request.clone();
        let Ipam::Plugin(ipam) = &mut request.ipam else {
            return request;
        };
        let pool = |pool: &Pool| PluginPool {
            id: pool.id.clone(),
            subnet: pool.subnet,
        };
        ipam.pools = pools.iter().map(pool).collect();
        request.subnets = pools.iter().map(|pool| pool.subnet).collect();
        request.gateways = pools.iter().filter_map(|pool| pool.gateway).collect();
        request
    }
}

impl Closing {
    async fn close(self, control: &Handle) -> Result<(), ControlError> {
        let id = self.network.id;
        if self.force {
            let endpoints = move |c: &mut Control| -> Vec<_> {
                c.model
                    .endpoints_of(id)
                    .map(|endpoint| endpoint.id)
                    .collect()
            };
            for endpoint in control.run(endpoints).await? {
                control
                    .run(move |c| c.begin_detach_endpoint(endpoint))
                    .await??
                    .finish(control)
                    .await?;
            }
        }
        control.run(move |c| c.begin_closing(id)).await??;
        let closed = self.close_at_plugins(control).await;
        control.run(move |c| c.unsettled.remove(&id)).await?;
        closed
    }

    async fn close_at_plugins(&self, control: &Handle) -> Result<(), ControlError> {
        let id = self.network.id;
        let ipam = match &self.network.ipam {
            Ipam::Plugin(ipam) => self.unless_forced(self.plugins.ipam_driver(&ipam.name).await)?,
            _ => None,
        };
        if let Some(name) = &self.network.plugin
            && let Some(driver) = self.unless_forced(self.plugins.network_driver(name).await)?
        {
            match driver.delete_network(id.to_string()).await {
                Err(error) if error.is_absence() => drop(self.unless_forced::<()>(Err(error))?),
                // It cannot keep the network from being removed (libnetwork's `deleteNetwork`).
                Err(error) => tracing::warn!(%id, "while the network is removed: {error}"),
                Ok(()) => {}
            }
        }
        control
            .run(move |c| c.remove_network(&id.to_string(), false))
            .await??;
        if let Some(ipam) = ipam {
            ipam.release_pools(&self.pools()).await;
        }
        Ok(())
    }

    /// A plugin that is away is none, if that is to be no hindrance.
    fn unless_forced<T>(&self, present: Result<T, PluginError>) -> Result<Option<T>, ControlError> {
        match present {
            Ok(present) => Ok(Some(present)),
            Err(source) if self.force => {
                tracing::warn!(id = %self.network.id, "the network is removed all the same: {source}");
                Ok(None)
            }
            Err(source) => Err(ControlError::PluginAway {
                network: self.network.name.clone(),
                source,
            }),
        }
    }

    fn pools(&self) -> Vec<Pool> {
        let Ipam::Plugin(ipam) = &self.network.ipam else {
            return Vec::new();
        };
        let set_aside = |pool: &PluginPool| {
            let mut subnets = self.network.subnets.iter();
            subnets.find(|record| record.subnet == pool.subnet).cloned()
        };
        let pool = |pool: &PluginPool| Pool {
            id: pool.id.clone(),
            space: String::new(),
            subnet: pool.subnet,
            gateway: set_aside(pool).and_then(|record| record.gateway),
            aux: set_aside(pool).map(|record| record.aux).unwrap_or_default(),
        };
        ipam.pools.iter().map(pool).collect()
    }
}

impl Control {
    /// What no new subnet may overlap.
    fn occupied(&mut self) -> Result<Vec<IpNet>, ControlError> {
        let daemon = self.daemon_id();
        let routes = edge::occupied_routes(&mut self.host, daemon).map_err(EdgeError::from)?;
        let networks = self.model.networks().flat_map(|network| &network.subnets);
        let lent = self.model.lent_pools().map(|pool| pool.subnet);
        let subnets = networks.map(|record| record.subnet).chain(lent);
        Ok(routes.into_iter().chain(subnets).collect())
    }

    /// A network that its plugin has to make yet; there is no record of it.
    fn open_plugin_network(
        &mut self,
        id: NetworkId,
        request: NetworkRequest,
    ) -> Result<Network, ControlError> {
        let daemon = self.daemon_id();
        let occupied = edge::occupied_routes(&mut self.host, daemon).map_err(EdgeError::from)?;
        let network = self.model.create_network(request, id, now(), &occupied)?;
        self.unsettled.insert(id);
        Ok(network)
    }

    fn record_plugin_network(
        &mut self,
        id: NetworkId,
    ) -> Result<api::NetworkCreated, ControlError> {
        let network = self.model.find_network(&id.to_string())?.clone();
        self.store
            .commit(&[Change::put(Table::Networks, id, &network)?])?;
        tracing::info!(network = network.name, driver = network.driver_name(), %id, "network created");
        self.unsettled.remove(&id);
        Ok(api::NetworkCreated {
            id: id.to_string(),
            warnings: Vec::new(),
        })
    }

    fn forget_plugin_network(&mut self, id: NetworkId) {
        self.unsettled.remove(&id);
        if let Err(error) = self.model.remove_network(id) {
            tracing::error!(%id, "cannot forget the network: {error}");
        }
    }

    /// Nothing is attached any more, and nothing will be.
    fn begin_closing(&mut self, id: NetworkId) -> Result<(), ControlError> {
        self.check_still(id)?;
        self.model.clone().remove_network(id)?;
        self.unsettled.insert(id);
        Ok(())
    }
}

fn ask_about(
    created: api::NetworkCreated,
    questions: Vec<RouterQuestion>,
) -> Begun<api::NetworkCreated> {
    if questions.is_empty() {
        return Begun::Done(created);
    }
    Begun::Asking(Errand::new(async move |_| {
        let mut created = created;
        for question in questions {
            created.warnings.extend(question.ask().await);
        }
        Ok(created)
    }))
}

/// What the plugin is told of a network.
fn create_network(network: &Network, pools: &[Pool]) -> CreateNetwork {
    let data = |record: &SubnetRecord| {
        let with_prefix = |address| IpNet::new(address, record.subnet.prefix_len()).ok();
        let pool = pools.iter().find(|pool| pool.subnet == record.subnet);
        let aux = record.aux.iter();
        IpamData {
            address_space: pool.map_or_else(|| OWN_SPACE.to_owned(), |pool| pool.space.clone()),
            pool: Some(record.subnet),
            gateway: record.gateway.and_then(with_prefix),
            aux_addresses: aux
                .filter_map(|(name, &address)| Some((name.clone(), with_prefix(address)?)))
                .collect(),
        }
    };
    let of_version = |v4: bool| -> Vec<IpamData> {
        let records = network.subnets.iter();
        let records = records.filter(|record| record.subnet.addr().is_ipv4() == v4);
        records.map(data).collect()
    };
    let (ipv4_data, ipv6_data) = (of_version(true), of_version(false));
    CreateNetwork {
        network_id: network.id.to_string(),
        options: options::of_network(
            &network.options,
            !ipv4_data.is_empty(),
            network.ipv6,
            network.internal,
        ),
        ipv4_data,
        ipv6_data,
    }
}
