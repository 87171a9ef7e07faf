//! Records: those of older versions, and those that contradict themselves or each other.

use vswitch_cnm::{
    Configurator, Endpoint, Ipam, LentPool, Model, Network, Phase, PluginInterface, RestoreError,
    Settings,
};

use super::{
    add, create, endpoint_id, engines, exact, given, id, join, key, lend, lend_address, model, net,
    with_subnets,
};

#[test]
fn records_of_older_versions_are_read() {
    let (network, endpoint) = ("cd".repeat(32), "ab".repeat(32));
    let network: Network = serde_json::from_str(&format!(
        r#"{{"id":"{network}","name":"web","driver":"bridge",
             "subnets":[{{"subnet":"10.1.0.0/24","gateway":"10.1.0.1"}}]}}"#
    ))
    .unwrap();
    assert_eq!((&network.plugin, &network.ipam), (&None, &Ipam::Default));
    assert_eq!(network.driver_name(), "bridge");
    let endpoint: Endpoint = serde_json::from_str(&format!(
        r#"{{"id":"{endpoint}","network":"{}","sandbox":"box","ifname":"eth0","mac":"02:42:0a:01:00:02",
             "addresses":["10.1.0.2/24"],"phase":"attached"}}"#,
        network.id
    ))
    .unwrap();
    assert_eq!(endpoint.sandbox, Some(key("box")));
    assert_eq!(endpoint.configured_by, Configurator::Switch);
    assert_eq!((endpoint.labels.len(), &endpoint.plugin), (0, &None));
    let model = Model::restore(Settings::default(), [network], [endpoint.clone()], [], []).unwrap();
    assert_eq!(
        model.endpoints_in(&key("box")).collect::<Vec<_>>(),
        [&endpoint]
    );
}

#[test]
fn what_is_stored_is_readable() {
    let mut model = model();
    let pool = lend(&mut model, exact("10.1.0.0/24")).id;
    lend_address(&mut model, &pool, None).unwrap();
    add(&mut model, 1, given("web", &["10.1.0.0/24"]));
    let endpoint = create(&mut model, 1, engines(1, Some("10.1.0.2"))).unwrap();
    let json = |record| serde_json::to_value::<&LentPool>(record).unwrap();
    assert_eq!(
        json(model.lent_pool(&pool).unwrap()),
        serde_json::json!({
            "id": "vswitch/10.1.0.0/24", "subnet": "10.1.0.0/24", "range": null, "uses": 1,
            "addresses": ["10.1.0.1"],
        })
    );
    let json = serde_json::to_value(&endpoint).unwrap();
    assert_eq!(
        (&json["phase"], json.get("sandbox")),
        (&"created".into(), None)
    );
    assert_eq!(json["configured_by"], "engine");
}

#[test]
fn an_endpoints_phase_agrees_with_its_sandbox() {
    let mut model = model();
    add(&mut model, 1, with_subnets("web", &["10.1.0.0/24"]));
    let created = create(&mut model, 1, engines(1, None)).unwrap();
    let joined = join(&mut model, 1, "box").unwrap();
    let restored = |endpoint: Endpoint| {
        let networks = model.networks().cloned();
        Model::restore(Settings::default(), networks, [endpoint], [], [])
    };
    let sound = |endpoint: &Endpoint, phase| {
        let endpoint = Endpoint {
            phase,
            ..endpoint.clone()
        };
        restored(endpoint)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let refused = Err(
        "the stored record of endpoint 010101010101 cannot be used: endpoint 010101010101 needs a \
         sandbox if it is attached, and none if it is not"
            .to_owned(),
    );
    assert_eq!(sound(&created, Phase::Created), Ok(()));
    assert_eq!(sound(&created, Phase::Detaching), Ok(()));
    assert_eq!(sound(&created, Phase::Attached), refused);
    assert_eq!(sound(&created, Phase::Attaching), refused);
    assert_eq!(sound(&joined, Phase::Attached), Ok(()));
    assert_eq!(sound(&joined, Phase::Created), refused);
    let named = Endpoint {
        ifname: Some("eth0".into()),
        ..created
    };
    assert_eq!(sound(&named, Phase::Created), refused);
}

fn restore_pools(pools: &[&LentPool], networks: &[Network]) -> Result<Model, RestoreError> {
    let pools = pools.iter().copied().cloned();
    Model::restore(Settings::default(), networks.to_vec(), [], [], pools)
}

#[test]
fn pools_that_contradict_each_other_are_refused() {
    let mut model = model();
    let pool = lend(&mut model, exact("10.1.0.0/24"));
    let with = |edit: fn(&mut LentPool)| {
        let mut pool = pool.clone();
        edit(&mut pool);
        pool
    };
    let other = with(|pool| pool.id = "vswitch/10.2.0.0/24".into());
    let unused = with(|pool| pool.uses = 0);
    let outside = with(|pool| pool.addresses = [[10, 2, 0, 1].into()].into());
    let inside = with(|pool| {
        pool.subnet = "10.1.0.0/25".parse().unwrap();
        pool.id = "vswitch/10.1.0.0/25".into();
    });
    for (pools, code) in [
        (vec![&other], "pool_invalid"),
        (vec![&unused], "pool_invalid"),
        (vec![&outside], "address_outside_subnet"),
        (vec![&pool, &inside], "subnet_overlap"),
        (vec![&inside, &pool], "subnet_overlap"),
    ] {
        let error = restore_pools(&pools, &[]).unwrap_err();
        assert_eq!(error.reason.code(), code, "{error}");
        assert!(error.record.starts_with("address pool vswitch/"), "{error}");
    }
    let network = add(&mut model, 1, given("web", &["10.1.0.0/24"]));
    assert!(restore_pools(&[&pool], std::slice::from_ref(&network)).is_ok());
    let ours = Network {
        ipam: Ipam::Default,
        ..network
    };
    let error = restore_pools(&[&pool], &[ours]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stored record of network web cannot be used: subnet 10.1.0.0/24 overlaps Docker's address pool \
         10.1.0.0/24; choose another, or remove the Docker network that has it"
    );
}

#[test]
fn a_plugins_words_survive() {
    let mut model = model();
    add(&mut model, 1, with_subnets("web", &["10.1.0.0/24"]));
    create(&mut model, 1, engines(1, None)).unwrap();
    let endpoint = Endpoint {
        plugin: Some(PluginInterface {
            source: "veth1".into(),
            routes: vec![(net("10.9.0.0/16"), vswitch_cnm::NextHop::Link)],
            ..PluginInterface::default()
        }),
        ..model.endpoint(endpoint_id(1)).unwrap().clone()
    };
    let json = serde_json::to_string(&endpoint).unwrap();
    assert_eq!(serde_json::from_str::<Endpoint>(&json).unwrap(), endpoint);
    assert_eq!(endpoint.network, id(1));
}
