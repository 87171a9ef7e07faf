//! Pools, networks on them and endpoints that come and go in any order, against the plainest reference
//! for what is lent: counts and sets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::Index;
use vswitch_cnm::{EndpointId, Ipam, LendRequest, Model, NetworkId, Returned};
use vswitch_ipam::AllocationOrder;

use super::{
    ANY, create, engines, exact, given, id, join, lend_address, model, restored, with_subnets,
};

/// Small enough to fill, and the first two overlap; networks may have them whether they are lent or not.
const SUBNETS: [&str; 4] = ["10.0.0.0/29", "10.0.0.4/30", "10.0.1.0/30", "10.0.2.0/29"];

const SANDBOXES: [&str; 3] = ["one", "two", "/three/3"];

#[derive(Clone, Debug)]
enum Step {
    Lend(usize),
    LendAny,
    Return(Index),
    LendAddress(Index, Option<u8>, bool),
    ReturnAddress(Index, Index),
    AddNetwork(usize, bool),
    RemoveNetwork(Index),
    /// With an address of the network that was lent, or with any other of its first few.
    Create(Index, u8),
    Join(Index, usize),
    Leave(Index),
    BeginDetach(Index),
    Remove(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let subnet = || 0..SUBNETS.len();
    let host = proptest::option::weighted(0.5, 0_u8..9);
    prop_oneof![
        3 => subnet().prop_map(Step::Lend),
        1 => Just(Step::LendAny),
        2 => index().prop_map(Step::Return),
        6 => (index(), host, any::<bool>()).prop_map(|(pool, host, serial)| Step::LendAddress(
            pool, host, serial
        )),
        2 => (index(), index()).prop_map(|(pool, address)| Step::ReturnAddress(pool, address)),
        4 => (subnet(), any::<bool>()).prop_map(|(subnet, given)| Step::AddNetwork(subnet, given)),
        1 => index().prop_map(Step::RemoveNetwork),
        6 => (index(), 0_u8..9).prop_map(|(network, host)| Step::Create(network, host)),
        4 => (index(), 0..SANDBOXES.len()).prop_map(|(endpoint, sandbox)| Step::Join(
            endpoint, sandbox
        )),
        2 => index().prop_map(Step::Leave),
        1 => index().prop_map(Step::BeginDetach),
        2 => index().prop_map(Step::Remove),
    ]
}

/// What is lent: how often, and the addresses.
type Reference = BTreeMap<String, (u32, BTreeSet<IpAddr>)>;

struct Run {
    model: Model,
    lent: Reference,
    /// Ids made so far, so that none is made twice.
    drawn: u8,
}

fn pick<T: Clone>(index: &Index, all: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = all.collect();
    (!all.is_empty()).then(|| index.get(&all).clone())
}

fn nth(subnet: IpNet, host: u8) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(first) => IpAddr::V4((u32::from(first) + u32::from(host)).into()),
        IpAddr::V6(first) => IpAddr::V6((u128::from(first) + u128::from(host)).into()),
    }
}

impl Run {
    fn draw(&mut self) -> u8 {
        self.drawn += 1;
        self.drawn
    }

    fn pool(&self, index: &Index) -> Option<String> {
        pick(index, self.lent.keys().cloned())
    }

    fn network(&self, index: &Index) -> Option<NetworkId> {
        let networks = self.model.networks().filter(|net| !net.is_predefined());
        pick(index, networks.map(|network| network.id))
    }

    fn endpoint(&self, index: &Index) -> Option<EndpointId> {
        pick(index, self.model.endpoints().map(|endpoint| endpoint.id))
    }

    /// Whether the step has changed anything; what is done and what the reference says agree.
    fn take(&mut self, step: &Step) -> Result<bool, TestCaseError> {
        let done = match step {
            Step::Lend(subnet) => return self.lend(exact(SUBNETS[*subnet])),
            Step::LendAny => return self.lend(ANY),
            Step::Return(index) => match self.pool(index) {
                Some(pool) => return self.return_pool(&pool),
                None => self.model.return_pool("vswitch/10.0.0.0/29").is_some(),
            },
            Step::LendAddress(index, host, serial) => match self.pool(index) {
                Some(pool) => return self.lend_address(&pool, *host, *serial),
                None => lend_address(&mut self.model, "vswitch/10.0.0.0/29", None).is_ok(),
            },
            Step::ReturnAddress(index, address) => {
                let Some(pool) = self.pool(index) else {
                    return Ok(false);
                };
                let held = &mut self.lent.get_mut(&pool).unwrap().1;
                let Some(address) = pick(address, held.iter().copied()) else {
                    return Ok(false);
                };
                held.remove(&address);
                let record = self.model.return_address(&pool, address);
                prop_assert!(record.is_some_and(|record| record.addresses == *held));
                prop_assert_eq!(self.model.return_address(&pool, address), None);
                true
            }
            Step::AddNetwork(subnet, is_given) => {
                let n = self.draw();
                let (name, subnets) = (format!("n{n}"), &[SUBNETS[*subnet]]);
                let request = match is_given {
                    true => given(&name, subnets),
                    false => with_subnets(&name, subnets),
                };
                self.model.create_network(request, id(n), 0, &[]).is_ok()
            }
            Step::RemoveNetwork(index) => match self.network(index) {
                Some(network) => self.model.remove_network(network).is_ok(),
                None => false,
            },
            Step::Create(index, host) => match self.network(index) {
                Some(network) => {
                    let record = self.model.network(network).unwrap();
                    let address = nth(record.subnets[0].subnet, *host).to_string();
                    let n = self.draw();
                    let request = engines(0, Some(&address));
                    let request = vswitch_cnm::AttachRequest { network, ..request };
                    create(&mut self.model, n, request).is_ok()
                }
                None => false,
            },
            Step::Join(index, sandbox) => match self.endpoint(index) {
                Some(endpoint) => {
                    let n = endpoint.octets()[0];
                    join(&mut self.model, n, SANDBOXES[*sandbox]).is_ok()
                }
                None => false,
            },
            Step::Leave(index) => match self.endpoint(index) {
                Some(endpoint) => self.model.leave_endpoint(endpoint).is_ok(),
                None => false,
            },
            Step::BeginDetach(index) => match self.endpoint(index) {
                Some(endpoint) => self.model.begin_detach(endpoint).is_ok(),
                None => false,
            },
            Step::Remove(index) => match self.endpoint(index) {
                Some(endpoint) => self.model.remove_endpoint(endpoint).is_ok(),
                None => false,
            },
        };
        Ok(done)
    }

    fn lend(&mut self, request: LendRequest) -> Result<bool, TestCaseError> {
        let Ok(pool) = self.model.lend_pool(request, &[]) else {
            return Ok(false);
        };
        let is_new = !self.lent.contains_key(&pool.id);
        prop_assert!(
            is_new || request != ANY,
            "a default is never the same twice"
        );
        let (uses, addresses) = self.lent.entry(pool.id.clone()).or_default();
        *uses += 1;
        prop_assert_eq!((pool.uses, &pool.addresses), (*uses, &*addresses));
        Ok(true)
    }

    fn return_pool(&mut self, id: &str) -> Result<bool, TestCaseError> {
        let (uses, _) = self.lent.get_mut(id).unwrap();
        *uses -= 1;
        let left = *uses;
        match self.model.return_pool(id) {
            Some(Returned::StillUsed(pool)) => prop_assert!(left > 0 && pool.uses == left),
            Some(Returned::Gone(_)) => {
                prop_assert_eq!(left, 0);
                self.lent.remove(id);
            }
            None => prop_assert!(false, "{} is lent", id),
        }
        Ok(true)
    }

    fn lend_address(
        &mut self,
        id: &str,
        host: Option<u8>,
        serial: bool,
    ) -> Result<bool, TestCaseError> {
        let subnet = self.model.lent_pool(id).unwrap().subnet;
        let wanted = host.map(|host| nth(subnet, host));
        let order = match serial {
            true => AllocationOrder::Serial,
            false => AllocationOrder::LowestFree,
        };
        let held = &mut self.lent.get_mut(id).unwrap().1;
        match self.model.lend_address(id, wanted, order) {
            Ok(lent) => {
                prop_assert_eq!(lent.trunc(), subnet);
                prop_assert!(wanted.is_none_or(|wanted| wanted == lent.addr()));
                prop_assert!(held.insert(lent.addr()), "{} is lent twice", lent);
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let model = &self.model;
        let lent: Reference = model
            .lent_pools()
            .map(|pool| (pool.id.clone(), (pool.uses, pool.addresses.clone())))
            .collect();
        prop_assert_eq!(&lent, &self.lent);
        let overlap = |a: IpNet, b: IpNet| a.contains(&b) || b.contains(&a);
        let pools: Vec<IpNet> = model.lent_pools().map(|pool| pool.subnet).collect();
        for (index, pool) in pools.iter().enumerate() {
            prop_assert!(!pools[..index].iter().any(|other| overlap(*pool, *other)));
            for network in model.networks() {
                for record in &network.subnets {
                    let its = network.ipam == Ipam::Given && record.subnet == *pool;
                    prop_assert!(its || !overlap(record.subnet, *pool));
                }
            }
        }
        for network in model.networks().filter(|network| !network.is_predefined()) {
            let record = &network.subnets[0];
            let mut held: Vec<IpAddr> = model
                .endpoints_of(network.id)
                .flat_map(|endpoint| endpoint.addresses.iter().map(IpNet::addr))
                .chain(record.gateway)
                .collect();
            held.sort_unstable();
            let space = model.address_space();
            let pool = space.pool(&network.name, record.subnet).unwrap();
            prop_assert_eq!(pool.addresses().collect::<Vec<_>>(), held);
        }
        for sandbox in model.sandboxes() {
            prop_assert!(model.endpoints_in(&sandbox.key).next().is_some());
        }
        for endpoint in model.endpoints() {
            prop_assert_eq!(endpoint.sandbox.is_some(), endpoint.ifname.is_some());
        }
        Ok(())
    }

    /// Takes everything away again.
    fn clear(&mut self) {
        let endpoints: Vec<_> = self.model.endpoints().map(|it| it.id).collect();
        for id in endpoints {
            self.model.remove_endpoint(id).unwrap();
        }
        let networks: Vec<_> = self.model.networks().cloned().collect();
        for network in networks.iter().filter(|network| !network.is_predefined()) {
            self.model.remove_network(network.id).unwrap();
        }
        for (id, (uses, _)) in std::mem::take(&mut self.lent) {
            for _ in 0..uses {
                self.model.return_pool(&id).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_lent_is_lent_once_and_records_suffice(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut run = Run { model: model(), lent: Reference::new(), drawn: 0 };
        for step in &steps {
            let before = run.model.clone();
            if !run.take(step)? {
                prop_assert_eq!(&run.model, &before, "a failure changes nothing: {:?}", step);
            }
            run.check()?;
            prop_assert_eq!(&restored(&run.model), &run.model, "{:?}", step);
        }
        run.clear();
        prop_assert_eq!(run.model, model());
    }
}
