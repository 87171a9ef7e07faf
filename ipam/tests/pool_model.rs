//! A pool against the plainest model there is: a set of addresses.

#![expect(clippy::unwrap_used, reason = "the strategies parse literals")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::Index;
use vswitch_ipam::{
    AddressError, AddressSpace, AllocationOrder, DefaultPools, GatewayRequest, Pool, PoolError,
    PoolRequest,
};

#[derive(Clone, Debug)]
enum Step {
    Allocate(AllocationOrder),
    /// Any address of the subnet, those it keeps for itself included.
    Reserve(Index),
    Release(Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => order().prop_map(Step::Allocate),
        1 => any::<Index>().prop_map(Step::Reserve),
        2 => any::<Index>().prop_map(Step::Release),
    ]
}

fn order() -> impl Strategy<Value = AllocationOrder> {
    prop_oneof![
        Just(AllocationOrder::LowestFree),
        Just(AllocationOrder::Serial)
    ]
}

/// Subnets small enough to fill, with what may be given out in each, asked for or not.
#[derive(Clone, Debug)]
struct Case {
    subnet: IpNet,
    range: Option<IpNet>,
    hosts: Vec<IpAddr>,
    dynamic: Vec<IpAddr>,
}

fn case() -> impl Strategy<Value = Case> {
    prop::sample::select(vec![
        ("10.0.0.0/28", None, 1..15),
        ("10.0.0.240/28", Some("10.0.0.248/29"), 1..15),
        ("10.0.0.0/28", Some("10.0.0.4/30"), 1..15),
        ("10.0.0.0/30", None, 1..3),
        ("10.0.0.6/31", None, 0..2),
        ("10.0.0.7/32", None, 0..1),
        ("fd00::/124", None, 1..16),
        ("fd00::/124", Some("fd00::/126"), 1..16),
        ("fd00::6/127", None, 0..2),
        ("fd00::7/128", None, 0..1),
    ])
    .prop_map(|(subnet, range, usable)| {
        let subnet: IpNet = subnet.parse().unwrap();
        let range: Option<IpNet> = range.map(|range: &str| range.parse().unwrap());
        let hosts = every_address(subnet)[usable].to_vec();
        let in_range = |address: &&IpAddr| range.is_none_or(|range| range.contains(*address));
        let dynamic = hosts.iter().filter(in_range).copied().collect();
        Case {
            subnet,
            range,
            hosts,
            dynamic,
        }
    })
}

fn every_address(subnet: IpNet) -> Vec<IpAddr> {
    subnet
        .subnets(subnet.max_prefix_len())
        .unwrap()
        .map(|single| single.addr())
        .collect()
}

fn take(space: &mut AddressSpace, owner: &str, case: &Case, step: &Step) -> Result<(), PoolError> {
    match step {
        Step::Allocate(order) => space.allocate(owner, case.subnet, *order).map(drop),
        Step::Reserve(index) => space.reserve(owner, case.subnet, *index.get(&case.hosts)),
        Step::Release(index) => space.free(owner, case.subnet, *index.get(&case.hosts)),
    }
}

proptest! {
    #[test]
    fn a_pool_does_what_a_set_does(case in case(), steps in prop::collection::vec(step(), 0..120)) {
        let all = every_address(case.subnet);
        let mut pool = Pool::new(case.subnet, case.range).unwrap();
        let mut model = BTreeSet::new();
        let mut last_given = None;
        for step in steps {
            match step {
                Step::Allocate(order) => {
                    let mut free = case.dynamic.iter().filter(|address| !model.contains(*address));
                    let lowest = free.clone().next();
                    let expected = match order {
                        AllocationOrder::LowestFree => lowest,
                        AllocationOrder::Serial => {
                            free.find(|address| Some(**address) > last_given).or(lowest)
                        }
                    };
                    let given = pool.allocate(order);
                    prop_assert_eq!(given.as_ref().ok(), expected);
                    match given {
                        Ok(address) => {
                            prop_assert!(model.insert(address), "{address} given twice");
                            last_given = Some(address);
                        }
                        Err(error) => {
                            let block = case.range.unwrap_or(case.subnet);
                            let capacity = case.dynamic.len() as u128;
                            prop_assert_eq!(error, AddressError::Exhausted { block, capacity });
                        }
                    }
                }
                Step::Reserve(index) => {
                    let address = *index.get(&all);
                    let possible = case.hosts.contains(&address) && model.insert(address);
                    prop_assert_eq!(pool.reserve(address).is_ok(), possible);
                }
                Step::Release(index) => {
                    let address = *index.get(&all);
                    prop_assert_eq!(pool.release(address).is_ok(), model.remove(&address));
                }
            }
            prop_assert_eq!(pool.in_use(), model.len() as u128);
        }
        prop_assert_eq!(pool.capacity(), case.hosts.len() as u128);
        prop_assert!(pool.addresses().eq(model.iter().copied()));
        for address in all {
            prop_assert_eq!(pool.is_in_use(address), model.contains(&address));
        }
    }

    #[test]
    fn serial_visits_every_free_address_before_it_repeats_one(
        case in case(),
        held in prop::collection::vec(any::<Index>(), 0..8),
        head_start in 0..20_usize,
    ) {
        let mut pool = Pool::new(case.subnet, case.range).unwrap();
        let held: BTreeSet<IpAddr> = held.iter().map(|index| *index.get(&case.hosts)).collect();
        for &address in &held {
            pool.reserve(address).unwrap();
        }
        let free: BTreeSet<IpAddr> =
            case.dynamic.iter().filter(|address| !held.contains(*address)).copied().collect();
        prop_assume!(!free.is_empty());
        let mut visit = || {
            let address = pool.allocate(AllocationOrder::Serial).unwrap();
            pool.release(address).unwrap();
            address
        };
        for _ in 0..head_start {
            visit();
        }
        let round: BTreeSet<IpAddr> = (0..free.len()).map(|_| visit()).collect();
        prop_assert_eq!(round, free);
    }

    #[test]
    fn a_space_is_rebuilt_from_subnets_and_reservations(
        case in case(),
        gateway in prop::option::of(any::<Index>()),
        aux in any::<Index>(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let aux = *aux.get(&case.hosts);
        let request = PoolRequest {
            range: case.range,
            gateway: gateway.map_or(GatewayRequest::FirstFree, |index| {
                GatewayRequest::Address(*index.get(&case.hosts))
            }),
            aux: [("router".to_owned(), aux)].into(),
            ..PoolRequest::new(case.subnet)
        };
        let mut space = AddressSpace::new("local", DefaultPools::docker(0));
        let before = space.clone();
        if space.request("web", &request, &[]).is_err() {
            // The gateway is the auxiliary address, or nothing is left for it.
            prop_assert_eq!(space, before);
            return Ok(());
        }
        for step in steps {
            // What is refused changes nothing, which the comparison below would show.
            let _ = take(&mut space, "web", &case, &step);
        }

        let pool = space.pool("web", case.subnet).unwrap().clone();
        let mut rebuilt = before;
        let stored = PoolRequest {
            range: pool.range(),
            gateway: pool.gateway().map_or(GatewayRequest::None, GatewayRequest::Address),
            aux: pool.aux().clone(),
            ..PoolRequest::new(pool.subnet())
        };
        rebuilt.request("web", &stored, &[]).unwrap();
        for address in pool.addresses() {
            let of_the_pool = pool.gateway() == Some(address) || address == aux;
            if !of_the_pool {
                rebuilt.reserve("web", case.subnet, address).unwrap();
            }
        }
        let again = rebuilt.pool("web", case.subnet).unwrap();
        prop_assert!(again.addresses().eq(pool.addresses()));
        prop_assert_eq!(&rebuilt, &space);

        // Equal in what they do next, too.
        let next = |space: &mut AddressSpace| {
            space.allocate("web", case.subnet, AllocationOrder::LowestFree)
        };
        prop_assert_eq!(next(&mut rebuilt), next(&mut space));
    }

    #[test]
    fn an_address_on_a_link_has_one_holder_whatever_pool_it_is_of(
        case in case(),
        router in any::<Index>(),
        steps in prop::collection::vec((any::<bool>(), step()), 0..60),
    ) {
        let router = *router.get(&case.hosts);
        let mut space = AddressSpace::new("local", DefaultPools::docker(0));
        let ranged = PoolRequest {
            range: case.range,
            gateway: GatewayRequest::Address(router),
            link: Some("eth0".to_owned()),
            ..PoolRequest::new(case.subnet)
        };
        space.request("a", &ranged, &[]).unwrap();
        space.request("b", &PoolRequest { range: None, ..ranged }, &[]).unwrap();
        let held = |space: &AddressSpace, owner| {
            let pool = space.pool(owner, case.subnet).unwrap();
            pool.addresses().filter(|address| *address != router).collect::<BTreeSet<_>>()
        };
        for (first, step) in steps {
            let (owner, other) = if first { ("a", "b") } else { ("b", "a") };
            let (own, others) = (held(&space, owner), held(&space, other));
            let free = |address| address != router && !own.contains(&address) && !others.contains(&address);
            let taken = take(&mut space, owner, &case, &step);
            let expected = match step {
                Step::Allocate(_) if first => case.dynamic.iter().any(|address| free(*address)),
                Step::Allocate(_) => case.hosts.iter().any(|address| free(*address)),
                Step::Reserve(index) => free(*index.get(&case.hosts)),
                Step::Release(index) => own.contains(index.get(&case.hosts)),
            };
            prop_assert_eq!(taken.is_ok(), expected);
            prop_assert!(held(&space, "a").is_disjoint(&held(&space, "b")));
            prop_assert_eq!(held(&space, other), others);
        }
    }
}
