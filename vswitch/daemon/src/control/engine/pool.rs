//! Address pools that engines borrow (Docker's IPAM driver).

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_cnm::{LendRequest, LentPool, Returned};
use vswitch_ipam::{AllocationOrder, Family, SubnetRequest};

use crate::control::{Control, ControlError};
use crate::edge::{self, EdgeError};
use crate::store::{Change, StoreError, Table};

impl Control {
    /// Lends a pool; its id and subnet.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn lend_pool(
        &mut self,
        pool: Option<IpNet>,
        range: Option<IpNet>,
        ipv6: bool,
    ) -> Result<(String, IpNet), ControlError> {
        let family = if ipv6 { Family::V6 } else { Family::V4 };
        let subnet = pool.map_or(SubnetRequest::Default(family), SubnetRequest::from);
        let daemon = self.daemon_id();
        let occupied = edge::occupied_routes(&mut self.host, daemon).map_err(EdgeError::from)?;
        let mut model = self.model.clone();
        let lent = model.lend_pool(LendRequest { subnet, range }, &occupied)?;
        self.store.commit(&[put_pool(&lent)?])?;
        self.model = model;
        Ok((lent.id, lent.subnet))
    }

    /// Takes a pool back, if it was lent.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn return_pool(&mut self, id: &str) -> Result<(), ControlError> {
        let mut model = self.model.clone();
        let change = match model.return_pool(id) {
            None => return Ok(()),
            Some(Returned::StillUsed(pool)) => put_pool(&pool)?,
            Some(Returned::Gone(pool)) => Change::delete(Table::Pools, &pool.id),
        };
        self.store.commit(&[change])?;
        self.model = model;
        Ok(())
    }

    /// Lends an address of a pool, with the pool's prefix length.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn lend_address(
        &mut self,
        pool: &str,
        address: Option<IpAddr>,
        serial: bool,
    ) -> Result<IpNet, ControlError> {
        let order = match serial {
            true => AllocationOrder::Serial,
            false => AllocationOrder::LowestFree,
        };
        let mut model = self.model.clone();
        let lent = model.lend_address(pool, address, order)?;
        self.record_pool(model, pool)?;
        Ok(lent)
    }

    /// Takes an address back, if it was lent.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn return_address(
        &mut self,
        pool: &str,
        address: IpAddr,
    ) -> Result<(), ControlError> {
        let mut model = self.model.clone();
        match model.return_address(pool, address) {
            Some(_) => self.record_pool(model, pool),
            None => Ok(()),
        }
    }

    /// Puts a pool that has changed on disk, and then into effect.
    fn record_pool(&mut self, model: vswitch_cnm::Model, id: &str) -> Result<(), ControlError> {
        if let Some(pool) = model.lent_pools().find(|pool| pool.id == id) {
            self.store.commit(&[put_pool(pool)?])?;
        }
        self.model = model;
        Ok(())
    }
}

fn put_pool(pool: &LentPool) -> Result<Change, StoreError> {
    Change::put(Table::Pools, &pool.id, pool)
}
