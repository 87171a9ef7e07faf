//! Pools that are lent to an engine.

use vswitch_cnm::{LendRequest, NetworkRequest, Returned};
use vswitch_ipam::{AllocationOrder, Family, SubnetRequest};

use super::{
    ANY, add, create, engines, exact, given, id, ip, lend, lend_address, model, net, refusal,
    restored, with_subnets,
};

#[test]
fn the_same_subnet_and_range_are_the_same_pool() {
    let mut model = model();
    let ranged = LendRequest {
        range: Some(net("10.2.5.0/24")),
        ..exact("10.2.0.0/16")
    };
    for uses in [1, 2] {
        let pool = lend(&mut model, exact("10.1.0.0/24"));
        assert_eq!((pool.id.as_str(), pool.uses), ("vswitch/10.1.0.0/24", uses));
        let pool = lend(&mut model, ranged);
        assert_eq!(pool.id, "vswitch/10.2.0.0/16/10.2.5.0/24");
        assert_eq!(pool.uses, uses);
    }
    lend_address(&mut model, "vswitch/10.1.0.0/24", None).unwrap();
    let Some(Returned::StillUsed(pool)) = model.return_pool("vswitch/10.1.0.0/24") else {
        panic!("it is used once more");
    };
    assert_eq!((pool.uses, pool.addresses.len()), (1, 1));
    let Some(Returned::Gone(pool)) = model.return_pool(&pool.id) else {
        panic!("it was used once");
    };
    assert_eq!(model.lent_pool(&pool.id), None);
    assert_eq!(model.return_pool(&pool.id), None);
    assert_eq!(model.lent_pools().count(), 1);
    let again = lend(&mut model, exact("10.1.0.0/24"));
    assert_eq!((again.uses, again.addresses.len()), (1, 0));
}

#[test]
fn each_default_is_another_until_none_is_left() {
    let mut model = model();
    add(&mut model, 1, with_subnets("web", &["172.18.0.0/24"]));
    let routes = [net("0.0.0.0/0"), net("172.20.0.0/16")];
    let mut subnets = Vec::new();
    let error = loop {
        match model.lend_pool(ANY, &routes) {
            Ok(pool) => subnets.push(pool.subnet),
            Err(error) => break error,
        }
    };
    // Docker has 31; one is a network's, one the host routes.
    assert_eq!(subnets.len(), 29);
    assert_eq!(
        subnets[..3],
        ["172.17.0.0/16", "172.19.0.0/16", "172.21.0.0/16"].map(net)
    );
    assert_eq!(error.code(), "pools_exhausted");
    let v6 = LendRequest {
        subnet: SubnetRequest::Default(Family::V6),
        range: None,
    };
    assert_eq!(lend(&mut model, v6).subnet, net("fd00::/64"));
    let size = LendRequest {
        subnet: net("0.0.0.0/28").into(),
        range: None,
    };
    // A network's subnet is smaller than the default pool that it lies in.
    assert_eq!(lend(&mut model, size).subnet, net("172.18.1.0/28"));
    assert_eq!(restored(&model), model);
}

#[test]
fn what_overlaps_is_refused_either_way() {
    let mut model = model();
    add(&mut model, 1, with_subnets("web", &["10.1.0.0/24"]));
    lend(&mut model, exact("10.2.0.0/16"));
    let ranged = LendRequest {
        range: Some(net("10.2.5.0/24")),
        ..exact("10.2.0.0/16")
    };
    let bare_range = LendRequest {
        range: Some(net("10.3.0.0/24")),
        ..ANY
    };
    for (request, code, message) in [
        (
            exact("10.1.0.0/24"),
            "subnet_overlap",
            "subnet 10.1.0.0/24 is already in use by web; choose another, or remove web",
        ),
        (
            exact("10.1.0.128/25"),
            "subnet_overlap",
            "subnet 10.1.0.128/25 overlaps 10.1.0.0/24 of pool web; choose another, or remove web",
        ),
        (
            exact("10.0.0.0/8"),
            "subnet_overlap",
            "subnet 10.0.0.0/8 overlaps Docker's address pool 10.2.0.0/16; choose another, or remove the \
             Docker network that has it",
        ),
        (
            ranged,
            "subnet_overlap",
            "subnet 10.2.0.0/16 overlaps Docker's address pool 10.2.0.0/16; choose another, or remove the \
             Docker network that has it",
        ),
        (
            exact("10.3.0.5/24"),
            "subnet_invalid",
            "10.3.0.5/24 has host bits set; write 10.3.0.0/24",
        ),
        (
            bare_range,
            "ipam_invalid",
            "ip-range 10.3.0.0/24 needs its subnet; give --subnet too",
        ),
    ] {
        let refused = refusal(&mut model, |model| model.lend_pool(request, &[]));
        assert_eq!(refused.1, message);
        assert_eq!(refused.0, code);
    }
    for request in [
        with_subnets("db", &["10.2.0.0/16"]),
        with_subnets("db", &["10.3.0.0/16", "10.2.7.0/24"]),
        given("db", &["10.2.7.0/24"]),
        given("db", &["10.0.0.0/8"]),
    ] {
        let request = NetworkRequest {
            driver: vswitch_cnm::DriverName::Overlay,
            ..request
        };
        let refused = refusal(&mut model, |model| {
            model.create_network(request, id(2), 0, &[])
        });
        assert_eq!(refused.0, "subnet_overlap", "{}", refused.1);
    }
}

#[test]
fn a_networks_default_is_never_a_lent_one() {
    let mut model = model();
    assert_eq!(lend(&mut model, ANY).subnet, net("172.17.0.0/16"));
    let network = add(&mut model, 1, NetworkRequest::new("web"));
    assert_eq!(network.subnets[0].subnet, net("172.18.0.0/16"));
    let sized = add(&mut model, 2, with_subnets("db", &["0.0.0.0/24"]));
    assert_eq!(sized.subnets[0].subnet, net("172.19.0.0/24"));
}

#[test]
fn an_address_is_lent_once() {
    let mut model = model();
    let ranged = LendRequest {
        range: Some(net("10.1.0.8/30")),
        ..exact("10.1.0.0/24")
    };
    let pool = lend(&mut model, ranged).id;
    let mut next = |address| lend_address(&mut model, &pool, address);
    assert_eq!(next(Some("10.1.0.9")).unwrap(), "10.1.0.9/24");
    assert_eq!(next(None).unwrap(), "10.1.0.8/24");
    assert_eq!(next(None).unwrap(), "10.1.0.10/24");
    assert_eq!(next(Some("10.1.0.77")).unwrap(), "10.1.0.77/24");
    assert_eq!(next(None).unwrap(), "10.1.0.11/24");
    for (address, code, message) in [
        (
            Some("10.1.0.77"),
            "address_in_use",
            "address 10.1.0.77 is already in use in subnet 10.1.0.0/24; choose another",
        ),
        (
            Some("10.1.0.255"),
            "address_invalid",
            "address 10.1.0.255 is the broadcast address of subnet 10.1.0.0/24; choose another",
        ),
        (
            Some("10.9.0.1"),
            "address_outside_subnet",
            "address 10.9.0.1 is outside subnet 10.1.0.0/24; choose one inside",
        ),
        (
            None,
            "addresses_exhausted",
            "no free address in 10.1.0.8/30: 4 of 4 in use; remove containers, or create the network with a \
             larger subnet or ip-range",
        ),
    ] {
        let refused = refusal(&mut model, |model| lend_address(model, &pool, address));
        assert_eq!(refused, (code, message.into()));
    }
    assert_eq!(
        refusal(&mut model, |model| lend_address(model, "elsewhere", None)),
        (
            "pool_not_found",
            "address pool elsewhere was not lent, or was returned; ask for one first".into()
        )
    );
    assert_eq!(restored(&model), model);

    let record = model.return_address(&pool, ip("10.1.0.10")).unwrap();
    assert_eq!(record.addresses.len(), 4);
    assert_eq!(model.return_address(&pool, ip("10.1.0.10")), None);
    assert_eq!(model.return_address("elsewhere", ip("10.1.0.10")), None);
    assert_eq!(
        lend_address(&mut model, &pool, None).unwrap(),
        "10.1.0.10/24"
    );
}

#[test]
fn serial_order_lets_addresses_rest() {
    let mut model = model();
    let pool = lend(&mut model, exact("10.1.0.0/24")).id;
    for expected in ["10.1.0.1/24", "10.1.0.2/24", "10.1.0.3/24"] {
        let lent = model
            .lend_address(&pool, None, AllocationOrder::Serial)
            .unwrap();
        assert_eq!(lent, net(expected));
        model.return_address(&pool, lent.addr()).unwrap();
    }
}

/// dockerd 20.10 deletes the network first, newer ones return the pool first.
#[test]
fn network_and_pool_may_end_in_either_order() {
    for pool_first in [true, false] {
        let mut model = model();
        let pool = lend(&mut model, ANY);
        let gateway = lend_address(&mut model, &pool.id, None).unwrap();
        assert_eq!(gateway, "172.17.0.1/16");
        let network = add(&mut model, 1, given("web", &["172.17.0.0/16"]));
        assert_eq!(network.subnets[0].gateway, Some(ip("172.17.0.1")));
        let address = lend_address(&mut model, &pool.id, None).unwrap();
        assert_eq!(address, "172.17.0.2/16");
        create(&mut model, 1, engines(1, Some("172.17.0.2"))).unwrap();
        assert_eq!(restored(&model), model);

        model.remove_endpoint(super::endpoint_id(1)).unwrap();
        if pool_first {
            model.return_pool(&pool.id).unwrap();
            assert_eq!(restored(&model), model);
            let other = lend(&mut model, ANY);
            assert_eq!(other.subnet, net("172.18.0.0/16"), "the network is there");
            model.return_pool(&other.id).unwrap();
            let refused = refusal(&mut model, |model| {
                model.lend_pool(exact("172.17.0.0/16"), &[])
            });
            assert_eq!(refused.0, "subnet_overlap");
            model.remove_network(id(1)).unwrap();
        } else {
            model.remove_network(id(1)).unwrap();
            assert_eq!(restored(&model), model);
            let next = add(&mut model, 2, NetworkRequest::new("next"));
            assert_eq!(
                next.subnets[0].subnet,
                net("172.18.0.0/16"),
                "the pool is lent"
            );
            model.remove_network(id(2)).unwrap();
            model.return_pool(&pool.id).unwrap();
        }
        assert_eq!(model, super::model());
    }
}

#[test]
fn two_networks_do_not_share_a_lent_pool() {
    let mut model = model();
    lend(&mut model, exact("10.1.0.0/24"));
    add(&mut model, 1, given("web", &["10.1.0.0/24"]));
    let second = given("db", &["10.1.0.0/24"]);
    assert_eq!(
        refusal(&mut model, |model| model.create_network(
            second,
            id(2),
            0,
            &[]
        )),
        (
            "subnet_overlap",
            "subnet 10.1.0.0/24 is already in use by web; choose another, or remove web".into()
        )
    );
}
