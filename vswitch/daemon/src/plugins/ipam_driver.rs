//! A plugin as an IPAM driver.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::PluginPool;
use vswitch_packet::MacAddr;
use vswitch_plugin::ipam_driver::{
    AddressSpaces, Capabilities, MAC_ADDRESS, ReleaseAddress, ReleasePool, RequestAddress,
    RequestAddressReply, RequestPool, RequestPoolReply,
};
use vswitch_plugin::{Empty, Method};

use super::PluginError;
use super::active::Caller;

/// An IPAM driver that is somebody else's.
#[derive(Debug, Clone)]
pub struct IpamDriver(Caller);

/// An address that an IPAM driver gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    /// Of which pool.
    pub pool: String,
    /// The address.
    pub address: IpAddr,
}

/// Key of a request of an address, for whom it is.
const ENDPOINT_NAME: &str = "com.docker.network.endpoint.name";

impl IpamDriver {
    pub(super) const fn new(caller: Caller) -> Self {
        Self(caller)
    }

    /// What it needs: nothing, if it does not say.
    ///
    /// # Errors
    /// [`PluginError`] if nobody is there.
    pub async fn capabilities(&self) -> Result<Capabilities, PluginError> {
        let asked = self.0.call(Method::IpamCapabilities, &Empty {}).await;
        asked.or_else(|error: PluginError| match error.is_absence() {
            true => Err(error),
            false => Ok(Capabilities::default()),
        })
    }

    /// Addresses for an endpoint, one of each family that there are pools of: those that are wanted, else any.
    ///
    /// # Errors
    /// [`PluginError`]; none is kept then.
    pub async fn request_addresses(
        &self,
        pools: &[PluginPool],
        wanted: &[IpAddr],
        mac: Option<MacAddr>,
        name: &str,
    ) -> Result<Vec<Lent>, PluginError> {
        let mut options = BTreeMap::from([(ENDPOINT_NAME.to_owned(), name.to_owned())]);
        if let Some(mac) = mac {
            options.insert(MAC_ADDRESS.to_owned(), mac.to_string());
        }
        let mut lent = Vec::new();
        for is_v4 in [true, false] {
            let pools = pools
                .iter()
                .filter(|pool| pool.subnet.addr().is_ipv4() == is_v4);
            let wanted = wanted.iter().copied().find(|ip| ip.is_ipv4() == is_v4);
            match self.one_of(pools, wanted, &options).await {
                Ok(address) => lent.extend(address),
                Err(error) => {
                    self.release_addresses(&lent).await;
                    return Err(error);
                }
            }
        }
        Ok(lent)
    }

    /// Gives addresses back. What fails is logged.
    pub async fn release_addresses(&self, addresses: &[Lent]) {
        for lent in addresses {
            let request = ReleaseAddress {
                pool_id: lent.pool.clone(),
                address: Some(lent.address),
            };
            if let Err(error) = self.0.done(Method::ReleaseAddress, &request).await {
                tracing::warn!(address = %lent.address, "cannot give the address back: {error}");
                if error.is_absence() {
                    return;
                }
            }
        }
    }

    pub(super) async fn address_spaces(&self) -> Result<AddressSpaces, PluginError> {
        self.0.call(Method::DefaultAddressSpaces, &Empty {}).await
    }

    pub(super) async fn request_pool(
        &self,
        request: &RequestPool,
    ) -> Result<RequestPoolReply, PluginError> {
        let reply: RequestPoolReply = self.0.call(Method::RequestPool, request).await?;
        let is_v6 = request
            .pool
            .map_or(request.v6, |pool| pool.addr().is_ipv6());
        let subnet = reply.pool.trunc();
        let problem = match request.pool.map(|asked| asked.trunc()) {
            _ if subnet.addr().is_ipv6() != is_v6 => {
                format!("{subnet} is of the wrong IP version")
            }
            Some(asked) if asked != subnet => {
                format!("{subnet} is not {asked}, which was asked for")
            }
            _ => {
                return Ok(RequestPoolReply {
                    pool: subnet,
                    ..reply
                });
            }
        };
        self.release_pool(&reply.pool_id).await;
        Err(self.answer(Method::RequestPool, problem))
    }

    pub(super) async fn release_pool(&self, pool: &str) {
        let request = ReleasePool {
            pool_id: pool.to_owned(),
        };
        if let Err(error) = self.0.done(Method::ReleasePool, &request).await {
            tracing::warn!(pool, "cannot give the pool back: {error}");
        }
    }

    /// An address of a pool, which is `wanted` if that is given.
    pub(super) async fn request_address(
        &self,
        pool: &str,
        subnet: IpNet,
        wanted: Option<IpAddr>,
        options: BTreeMap<String, String>,
    ) -> Result<Lent, PluginError> {
        let request = RequestAddress {
            pool_id: pool.to_owned(),
            address: wanted,
            options,
        };
        let reply: RequestAddressReply = self.0.call(Method::RequestAddress, &request).await?;
        let address = reply.address.map(|address| address.addr());
        let lent = address.map(|address| Lent {
            pool: pool.to_owned(),
            address,
        });
        let problem = match (&lent, wanted) {
            (None, _) => "it gives no address".to_owned(),
            (Some(lent), _) if !subnet.contains(&lent.address) => {
                format!("{} is not in {subnet}", lent.address)
            }
            (Some(lent), Some(wanted)) if lent.address != wanted => {
                format!("{} is not {wanted}, which was asked for", lent.address)
            }
            (Some(lent), _) => return Ok(lent.clone()),
        };
        self.release_addresses(lent.as_slice()).await;
        Err(self.answer(Method::RequestAddress, problem))
    }

    pub(super) fn answer(&self, method: Method, problem: String) -> PluginError {
        PluginError::Answer {
            name: self.0.name().to_owned(),
            method,
            problem,
        }
    }

    /// Of the first pool that has one; `None` without a pool.
    async fn one_of(
        &self,
        pools: impl Iterator<Item = &PluginPool>,
        wanted: Option<IpAddr>,
        options: &BTreeMap<String, String>,
    ) -> Result<Option<Lent>, PluginError> {
        let fits = |pool: &&PluginPool| wanted.is_none_or(|ip| pool.subnet.contains(&ip));
        let mut refused = None;
        for pool in pools.filter(fits) {
            let asked = self.request_address(&pool.id, pool.subnet, wanted, options.clone());
            match asked.await {
                Ok(lent) => return Ok(Some(lent)),
                Err(error) if error.is_absence() => return Err(error),
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        match (refused, wanted) {
            (Some(error), _) => Err(error),
            (None, Some(address)) => Err(PluginError::Unplaced { address }),
            (None, None) => Ok(None),
        }
    }
}
