//! A subnet, and the addresses in use in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocation::{AllocationOrder, Allocations};
use crate::error::{AddressError, SubnetError};
use crate::family::Family;
use crate::request::GatewayRequest;
use crate::span::Span;
use crate::subnet::{assignable, check_subnet, dynamic, usable};

/// One subnet's addresses: each is in use by one holder at most.
///
/// Memory follows what is in use, not the size of the subnet, and each change takes O(log n).
/// Pools are equal when the same addresses are in use for the same purposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    subnet: IpNet,
    range: Option<IpNet>,
    /// What `allocate` chooses from; follows from `subnet` and `range`.
    dynamic: Span,
    gateway: Option<IpAddr>,
    aux: BTreeMap<String, IpAddr>,
    allocations: Allocations,
}

impl Pool {
    /// An empty pool of `subnet`, which gives out addresses of `range` unless asked for another.
    ///
    /// # Errors
    /// [`SubnetError`] if the subnet is none containers can use, or `range` is not part of it.
    pub fn new(subnet: IpNet, range: Option<IpNet>) -> Result<Self, SubnetError> {
        check_subnet(subnet)?;
        Ok(Self {
            subnet,
            range,
            dynamic: dynamic(subnet, range)?,
            gateway: None,
            aux: BTreeMap::new(),
            allocations: Allocations::default(),
        })
    }

    /// The whole subnet.
    #[must_use]
    pub const fn subnet(&self) -> IpNet {
        self.subnet
    }

    /// The part of the subnet addresses are given out from, if it was limited.
    #[must_use]
    pub const fn range(&self) -> Option<IpNet> {
        self.range
    }

    /// The gateway's address.
    #[must_use]
    pub const fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// The auxiliary addresses by name.
    #[must_use]
    pub const fn aux(&self) -> &BTreeMap<String, IpAddr> {
        &self.aux
    }

    /// Whether `address` is part of the subnet, in use or not.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.subnet.contains(&address)
    }

    /// Whether `address` is in use, be it by the gateway, an auxiliary name or an endpoint.
    #[must_use]
    pub fn is_in_use(&self, address: IpAddr) -> bool {
        assignable(self.subnet, address)
            .is_ok_and(|number| self.allocations.in_use().contains(number))
    }

    /// How many addresses are in use, gateway and auxiliary ones included.
    #[must_use]
    pub const fn in_use(&self) -> u128 {
        self.allocations.in_use().len()
    }

    /// How many addresses can be in use at once: the subnet without those it keeps for itself.
    ///
    /// Addresses outside the range count, as they can be reserved.
    #[must_use]
    pub fn capacity(&self) -> u128 {
        usable(self.subnet).len()
    }

    /// The addresses in use, ascending.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let family = Family::of(self.subnet);
        self.allocations
            .in_use()
            .iter()
            .map(move |number| family.address(number))
    }

    /// Gives out a free address of the range, or of the subnet where there is no range.
    ///
    /// # Errors
    /// [`AddressError::Exhausted`] if none is free.
    pub fn allocate(&mut self, order: AllocationOrder) -> Result<IpAddr, AddressError> {
        self.allocate_beside(order, &[])
    }

    /// As [`allocate`](Self::allocate), an address that is free in all of `others`, too: pools of the same
    /// subnet.
    pub(crate) fn allocate_beside(
        &mut self,
        order: AllocationOrder,
        others: &[&Self],
    ) -> Result<IpAddr, AddressError> {
        let others: Vec<&Allocations> = others.iter().map(|pool| &pool.allocations).collect();
        self.allocations
            .allocate(order, self.dynamic, &others)
            .map(|number| Family::of(self.subnet).address(number))
            .ok_or_else(|| AddressError::Exhausted {
                block: self.range.unwrap_or(self.subnet),
                // Exhausted means that each of them is in use.
                capacity: self.dynamic.len(),
            })
    }

    /// Takes `address`, anywhere in the subnet.
    ///
    /// # Errors
    /// [`AddressError::Outside`], [`AddressError::Reserved`]; [`AddressError::InUse`],
    /// [`AddressError::HeldByGateway`] or [`AddressError::HeldByAux`] by who holds it.
    pub fn reserve(&mut self, address: IpAddr) -> Result<(), AddressError> {
        let number = self.check_free(address)?;
        self.allocations.reserve(number);
        Ok(())
    }

    /// Checks that [`reserve`](Self::reserve) would take `address`, and returns it as a number.
    pub(crate) fn check_free(&self, address: IpAddr) -> Result<u128, AddressError> {
        let number = assignable(self.subnet, address)?;
        if !self.allocations.in_use().contains(number) {
            return Ok(number);
        }
        let subnet = self.subnet;
        if self.gateway == Some(address) {
            return Err(AddressError::HeldByGateway { address, subnet });
        }
        Err(match self.aux_name(address) {
            Some(name) => AddressError::HeldByAux {
                address,
                name,
                subnet,
            },
            None => AddressError::InUse { address, subnet },
        })
    }

    /// The gateway's address and the auxiliary ones, which other pools of the subnet may set aside as well.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = IpAddr> {
        self.gateway.into_iter().chain(self.aux.values().copied())
    }

    /// Frees an endpoint's address.
    ///
    /// # Errors
    /// [`AddressError::NotInUse`] if nobody holds it: an address released twice may by then be
    /// another endpoint's, so the caller must hear of it. [`AddressError::IsGateway`] and
    /// [`AddressError::IsAux`] for addresses that last as long as the pool.
    pub fn release(&mut self, address: IpAddr) -> Result<(), AddressError> {
        let subnet = self.subnet;
        if self.gateway == Some(address) {
            return Err(AddressError::IsGateway { address, subnet });
        }
        if let Some(name) = self.aux_name(address) {
            return Err(AddressError::IsAux {
                address,
                name,
                subnet,
            });
        }
        self.free(address)
    }

    /// Takes the gateway's address and returns it; [`GatewayRequest::None`] leaves all as it is.
    ///
    /// With a range, the first free address of the range is the gateway, as in Docker.
    ///
    /// # Errors
    /// [`AddressError::GatewayTaken`] if the pool has a gateway, else as [`allocate`](Self::allocate)
    /// and [`reserve`](Self::reserve).
    pub fn assign_gateway(
        &mut self,
        request: GatewayRequest,
    ) -> Result<Option<IpAddr>, AddressError> {
        if let (Some(gateway), true) = (self.gateway, request != GatewayRequest::None) {
            return Err(AddressError::GatewayTaken {
                gateway,
                subnet: self.subnet,
            });
        }
        match request {
            GatewayRequest::None => {}
            GatewayRequest::FirstFree => {
                self.gateway = Some(self.allocate(AllocationOrder::LowestFree)?);
            }
            GatewayRequest::Address(address) => {
                self.reserve(address)?;
                self.gateway = Some(address);
            }
        }
        Ok(self.gateway)
    }

    /// Frees the gateway's address and returns it, if there was a gateway.
    pub fn release_gateway(&mut self) -> Option<IpAddr> {
        let gateway = self.gateway.take()?;
        self.free(gateway).ok().map(|()| gateway)
    }

    /// Sets `address` aside under `name`, for as long as the pool lasts.
    ///
    /// # Errors
    /// [`AddressError::AuxNameTaken`], else as [`reserve`](Self::reserve).
    pub fn reserve_aux(&mut self, name: &str, address: IpAddr) -> Result<(), AddressError> {
        if let Some(&address) = self.aux.get(name) {
            let name = name.to_owned();
            return Err(AddressError::AuxNameTaken { name, address });
        }
        self.reserve(address)?;
        self.aux.insert(name.to_owned(), address);
        Ok(())
    }

    fn aux_name(&self, address: IpAddr) -> Option<String> {
        let mut aux = self.aux.iter();
        aux.find(|(_, held)| **held == address)
            .map(|(name, _)| name.clone())
    }

    fn free(&mut self, address: IpAddr) -> Result<(), AddressError> {
        let number = assignable(self.subnet, address)?;
        if self.allocations.release(number) {
            Ok(())
        } else {
            Err(AddressError::NotInUse {
                address,
                subnet: self.subnet,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AllocationOrder::{LowestFree, Serial};

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn pool(subnet: &str) -> Pool {
        Pool::new(net(subnet), None).unwrap()
    }

    fn pool_with_range(subnet: &str, range: &str) -> Pool {
        Pool::new(net(subnet), Some(net(range))).unwrap()
    }

    fn fill(pool: &mut Pool) -> Vec<String> {
        std::iter::from_fn(|| pool.allocate(LowestFree).ok())
            .map(|address| address.to_string())
            .collect()
    }

    #[test]
    fn small_subnets_give_out_all_they_have() {
        for (subnet, expected) in [
            (
                "10.0.0.0/29",
                &[
                    "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6",
                ][..],
            ),
            ("10.0.0.0/30", &["10.0.0.1", "10.0.0.2"]),
            ("10.0.0.2/31", &["10.0.0.2", "10.0.0.3"]),
            ("10.0.0.9/32", &["10.0.0.9"]),
            ("fd00::/126", &["fd00::1", "fd00::2", "fd00::3"]),
            ("fd00::/127", &["fd00::", "fd00::1"]),
            ("fd00::9/128", &["fd00::9"]),
        ] {
            let mut pool = pool(subnet);
            assert_eq!(fill(&mut pool), expected, "{subnet}");
            assert_eq!(pool.in_use(), pool.capacity(), "{subnet}");
        }
    }

    #[test]
    fn exhaustion_says_how_full_it_is() {
        let mut pool = pool("172.18.0.0/29");
        fill(&mut pool);
        for order in [LowestFree, Serial] {
            let error = pool.allocate(order).unwrap_err().to_string();
            assert!(
                error.starts_with("no free address in 172.18.0.0/29: 6 of 6 in use"),
                "{error}"
            );
        }
    }

    #[test]
    fn huge_subnets_work_at_both_ends() {
        let mut v4 = pool("10.0.0.0/8");
        assert_eq!(v4.capacity(), (1 << 24) - 2);
        v4.reserve(ip("10.255.255.254")).unwrap();
        assert_eq!(v4.allocate(LowestFree), Ok(ip("10.0.0.1")));

        let mut v6 = pool("fd00::/16");
        v6.reserve(ip("fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
            .unwrap();
        assert_eq!(v6.allocate(Serial), Ok(ip("fd00::1")));
        assert_eq!(v6.in_use(), 2);
    }

    #[test]
    fn a_range_limits_only_what_is_not_asked_for() {
        let mut pool = pool_with_range("172.28.0.0/16", "172.28.30.0/30");
        pool.reserve(ip("172.28.0.2")).unwrap();
        let given = fill(&mut pool);
        assert_eq!(
            given,
            ["172.28.30.0", "172.28.30.1", "172.28.30.2", "172.28.30.3"]
        );
        let error = pool.allocate(LowestFree).unwrap_err().to_string();
        assert!(error.contains("172.28.30.0/30: 4 of 4"), "{error}");
        assert_eq!(pool.reserve(ip("172.28.255.254")), Ok(()));
    }

    #[test]
    fn a_range_at_the_subnets_end_spares_the_broadcast_address() {
        let mut pool = pool_with_range("10.0.0.0/24", "10.0.0.254/31");
        assert_eq!(fill(&mut pool), ["10.0.0.254"]);
    }

    #[test]
    fn the_gateway_is_the_first_free_address() {
        let first_free = |pool: &mut Pool| pool.assign_gateway(GatewayRequest::FirstFree);

        let mut plain = pool("10.0.0.0/24");
        plain.reserve_aux("router", ip("10.0.0.1")).unwrap();
        assert_eq!(first_free(&mut plain), Ok(Some(ip("10.0.0.2"))));
        assert_eq!(plain.gateway(), Some(ip("10.0.0.2")));

        let mut ranged = pool_with_range("10.0.0.0/16", "10.0.5.0/24");
        assert_eq!(first_free(&mut ranged), Ok(Some(ip("10.0.5.0"))));

        let mut single = pool("10.0.0.9/32");
        assert_eq!(first_free(&mut single), Ok(Some(ip("10.0.0.9"))));
        assert!(single.allocate(LowestFree).is_err());
    }

    #[test]
    fn a_refusal_names_who_holds_the_address() {
        let mut pool = pool("10.0.0.0/29");
        pool.assign_gateway(GatewayRequest::FirstFree).unwrap();
        pool.reserve_aux("nas", ip("10.0.0.2")).unwrap();
        pool.reserve(ip("10.0.0.3")).unwrap();
        for (address, message) in [
            (
                "10.0.0.1",
                "address 10.0.0.1 is the gateway's of subnet 10.0.0.0/29; choose another",
            ),
            (
                "10.0.0.2",
                "address 10.0.0.2 is aux-address nas of subnet 10.0.0.0/29; choose another",
            ),
            (
                "10.0.0.3",
                "address 10.0.0.3 is already in use in subnet 10.0.0.0/29; choose another",
            ),
        ] {
            let error = pool.reserve(ip(address)).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_pool_has_one_gateway_at_a_time() {
        let mut pool = pool("10.0.0.0/24");
        let asked = GatewayRequest::Address(ip("10.0.0.254"));
        assert_eq!(pool.assign_gateway(GatewayRequest::None), Ok(None));
        assert_eq!(pool.assign_gateway(asked), Ok(Some(ip("10.0.0.254"))));
        assert!(matches!(
            pool.assign_gateway(GatewayRequest::FirstFree),
            Err(AddressError::GatewayTaken { .. })
        ));
        assert_eq!(pool.release_gateway(), Some(ip("10.0.0.254")));
        assert_eq!(pool.release_gateway(), None);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn a_refused_gateway_leaves_no_trace() {
        let mut pool = pool("10.0.0.0/24");
        let untouched = pool.clone();
        for text in ["10.0.0.0", "10.0.0.255", "10.0.1.1"] {
            let asked = GatewayRequest::Address(ip(text));
            assert!(pool.assign_gateway(asked).is_err(), "{text}");
        }
        assert_eq!(pool, untouched);
    }

    #[test]
    fn an_address_has_one_holder() {
        let mut pool = pool("10.0.0.0/24");
        pool.reserve(ip("10.0.0.5")).unwrap();
        assert_eq!(
            pool.reserve(ip("10.0.0.5")).unwrap_err().to_string(),
            "address 10.0.0.5 is already in use in subnet 10.0.0.0/24; choose another"
        );
        assert_eq!(pool.in_use(), 1);
    }

    #[test]
    fn release_frees_what_was_given_and_nothing_else() {
        let mut pool = pool("10.0.0.0/24");
        let gateway = pool
            .assign_gateway(GatewayRequest::FirstFree)
            .unwrap()
            .unwrap();
        pool.reserve_aux("router", ip("10.0.0.9")).unwrap();
        let address = pool.allocate(LowestFree).unwrap();

        assert!(matches!(
            pool.release(gateway),
            Err(AddressError::IsGateway { .. })
        ));
        assert!(matches!(
            pool.release(ip("10.0.0.9")),
            Err(AddressError::IsAux { .. })
        ));
        assert_eq!(pool.release(address), Ok(()));
        assert!(!pool.is_in_use(address));
        assert!(matches!(
            pool.release(address),
            Err(AddressError::NotInUse { .. })
        ));
        assert_eq!(pool.in_use(), 2);
    }

    #[test]
    fn an_auxiliary_name_stands_for_one_address() {
        let mut pool = pool("10.0.0.0/24");
        pool.reserve_aux("router", ip("10.0.0.9")).unwrap();
        assert_eq!(
            pool.reserve_aux("router", ip("10.0.0.10")),
            Err(AddressError::AuxNameTaken {
                name: "router".to_owned(),
                address: ip("10.0.0.9"),
            })
        );
        assert!(!pool.is_in_use(ip("10.0.0.10")));
    }

    #[test]
    fn serial_lets_a_released_address_rest() {
        let mut pool = pool("10.0.0.0/29");
        let first = pool.allocate(Serial).unwrap();
        pool.release(first).unwrap();
        let given: Vec<IpAddr> = (0..6).map(|_| pool.allocate(Serial).unwrap()).collect();
        assert_eq!(given[0], ip("10.0.0.2"));
        assert_eq!(given[5], first);
    }
}
