//! Publishing ports, as the daemon does it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use vswitch_cnm::publish::{AllFree, HoldError};
use vswitch_cnm::{
    AttachRequest, Endpoint, EndpointId, Error, Model, Network, NetworkId, NetworkRequest,
    PortHolder, PortSpec, PublishedPort, Settings, option_key,
};

/// A host with programs of its own on some ports, that keeps account.
#[derive(Debug, Default)]
struct Host {
    own: Vec<(IpAddr, u16)>,
    without_ipv6: bool,
    held: Vec<PublishedPort>,
}

impl PortHolder for Host {
    fn hold(&mut self, port: &PublishedPort) -> Result<(), HoldError> {
        if self.without_ipv6 && port.host_ip.is_ipv6() {
            return Err(HoldError::NoSuchFamily);
        }
        let wanted = port.host.unwrap();
        let mut used = self.own.iter().filter(|(address, used)| {
            let same = *address == port.host_ip
                || port.host_ip.is_unspecified()
                || address.is_unspecified();
            same && address.is_ipv4() == port.host_ip.is_ipv4() && wanted.ports().contains(used)
        });
        if let Some((_, used)) = used.next() {
            return Err(HoldError::InUse { port: *used });
        }
        assert!(!self.held.contains(port), "{port} is asked for twice");
        self.held.push(*port);
        Ok(())
    }

    fn let_go(&mut self, port: &PublishedPort) {
        let at = self.held.iter().position(|held| held == port);
        self.held.remove(at.expect("held before"));
    }
}

impl Host {
    fn using(own: &[(&str, u16)]) -> Self {
        Self {
            own: own
                .iter()
                .map(|(address, port)| (address.parse().unwrap(), *port))
                .collect(),
            ..Self::default()
        }
    }
}

fn endpoint_id(n: u8) -> EndpointId {
    EndpointId::from_octets([n; 32])
}

fn with_subnet(name: &str, subnet: &str) -> NetworkRequest {
    NetworkRequest {
        subnets: vec![subnet.parse().unwrap()],
        ..NetworkRequest::new(name)
    }
}

fn add_network(model: &mut Model, n: u8, request: NetworkRequest) -> Network {
    let id = NetworkId::from_octets([n; 32]);
    model.create_network(request, id, 0, &[]).unwrap()
}

fn attach(model: &mut Model, n: u8, network: &str, sandbox: &str) {
    let network = model.find_network(network).unwrap().id;
    let request = AttachRequest::new(network, sandbox.parse().unwrap());
    let made = model.create_endpoint(request, endpoint_id(n), 0, &mut AllFree);
    model.endpoint_attached(made.unwrap().id).unwrap();
}

/// The model as its own records make it.
fn restored(model: &Model) -> Model {
    Model::restore(
        model.settings().clone(),
        model.networks().cloned(),
        model.endpoints().cloned(),
        model.sandboxes().cloned(),
        model.lent_pools().cloned(),
    )
    .unwrap()
}

fn specs(text: &str) -> Vec<PortSpec> {
    text.split_whitespace()
        .map(|spec| spec.parse().unwrap())
        .collect()
}

/// As `docker ps` shows them.
fn shown(ports: &[PublishedPort]) -> String {
    let ports: Vec<String> = ports
        .iter()
        .map(|port| match port.host {
            Some(_) => format!("{port}>{}", port.container),
            None => format!("{}>{port}", port.host_ip),
        })
        .collect();
    ports.join(" ")
}

fn option(key: &str, value: &str) -> BTreeMap<String, String> {
    [(key.to_owned(), value.to_owned())].into()
}

/// Endpoint 1 of sandbox `web1` on network `web`, of IPv4 unless told otherwise.
fn model_of(request: NetworkRequest) -> Model {
    let mut model = Model::new(Settings::default());
    add_network(&mut model, 1, request);
    attach(&mut model, 1, "web", "web1");
    model
}

fn v4() -> NetworkRequest {
    with_subnet("web", "10.0.0.0/24")
}

fn v6() -> NetworkRequest {
    NetworkRequest {
        ipv4: false,
        ..with_subnet("web", "fd00::/64")
    }
}

fn dual() -> NetworkRequest {
    NetworkRequest { ipv6: true, ..v4() }
}

fn publish(model: &mut Model, text: &str, host: &mut Host) -> Result<String, Error> {
    let published = model.publish(endpoint_id(1), &specs(text), host)?;
    Ok(shown(&published))
}

#[test]
fn addresses_are_dockers() {
    let network = |key: &str, value: &str| NetworkRequest {
        options: option(key, value),
        ..dual()
    };
    let bound_to = |value: &str| network(option_key::HOST_BINDING_IPV4, value);
    for (request, spec, expected) in [
        (dual(), "8080:80", "0.0.0.0:8080/tcp>80 [::]:8080/tcp>80"),
        (v4(), "8080:80", "0.0.0.0:8080/tcp>80 [::]:8080/tcp>80"),
        (v6(), "8080:80", "[::]:8080/tcp>80"),
        (dual(), "0.0.0.0:8080:80", "0.0.0.0:8080/tcp>80"),
        (dual(), "[::]:8080:80/udp", "[::]:8080/udp>80"),
        (v4(), "[::1]:8080:80", "[::1]:8080/tcp>80"),
        (v4(), "127.0.0.1:8080:80", "127.0.0.1:8080/tcp>80"),
        (bound_to("127.0.0.1"), "8080:80", "127.0.0.1:8080/tcp>80"),
        (bound_to("::"), "8080:80", "[::]:8080/tcp>80"),
        (
            bound_to("0.0.0.0"),
            "8080:80",
            "0.0.0.0:8080/tcp>80 [::]:8080/tcp>80",
        ),
        (
            network(option_key::GATEWAY_MODE_IPV4, "nat-unprotected"),
            "8000-8010:80-90",
            "0.0.0.0:8000-8010/tcp>80-90 [::]:8000-8010/tcp>80-90",
        ),
        (
            network(option_key::GATEWAY_MODE_IPV6, "routed"),
            "8080:80",
            "0.0.0.0:8080/tcp>80 ::>80/tcp",
        ),
        (
            NetworkRequest {
                options: option(option_key::GATEWAY_MODE_IPV4, "routed"),
                ..v4()
            },
            "127.0.0.1:8080:80 8081:80",
            "0.0.0.0>80/tcp",
        ),
    ] {
        let mut model = model_of(request);
        let mut host = Host::default();
        assert_eq!(
            publish(&mut model, spec, &mut host),
            Ok(expected.to_owned()),
            "{spec}"
        );
        let endpoint = model.endpoint(endpoint_id(1)).unwrap();
        assert_eq!(shown(&endpoint.published), expected);
        let at_host = endpoint.published.iter().filter(|port| port.host.is_some());
        assert!(at_host.eq(&host.held), "{host:?}");
        assert_eq!(restored(&model), model);
    }
}

#[test]
fn the_networks_address_goes_before_the_daemons() {
    let settings = Settings {
        default_publish_address: Some("127.0.0.1".parse().unwrap()),
        ..Settings::default()
    };
    for (options, expected) in [
        (BTreeMap::new(), "127.0.0.1:80/tcp>80"),
        (
            option(option_key::HOST_BINDING_IPV4, "::1"),
            "[::1]:80/tcp>80",
        ),
        (
            option(option_key::HOST_BINDING_IPV4, "0.0.0.0"),
            "0.0.0.0:80/tcp>80 [::]:80/tcp>80",
        ),
    ] {
        let mut model = Model::new(settings.clone());
        add_network(&mut model, 1, NetworkRequest { options, ..v4() });
        attach(&mut model, 1, "web", "web1");
        let published = publish(&mut model, "80:80", &mut Host::default());
        assert_eq!(published, Ok(expected.to_owned()));
    }
}

#[test]
fn ports_nobody_chose_are_the_same_everywhere_and_rotate() {
    let mut model = model_of(dual());
    let mut host = Host::using(&[("::", 49_154), ("127.0.0.1", 49_156)]);
    let mut next = |spec: &str| publish(&mut model, spec, &mut host).unwrap();
    assert_eq!(next("80"), "0.0.0.0:49153/tcp>80 [::]:49153/tcp>80");
    assert_eq!(next("80"), "0.0.0.0:49155/tcp>80 [::]:49155/tcp>80");
    assert_eq!(next("80/udp"), "0.0.0.0:49153/udp>80 [::]:49153/udp>80");
    assert_eq!(
        next("127.0.0.1::80 [::1]::80"),
        "127.0.0.1:49157/tcp>80 [::1]:49157/tcp>80"
    );
    assert_eq!(next("0.0.0.0::7-9"), "0.0.0.0:49158-49160/tcp>7-9");
}

#[test]
fn a_port_that_was_given_up_rests() {
    let mut model = Model::new(Settings {
        ephemeral_ports: "40000-40003".parse().unwrap(),
        ..Settings::default()
    });
    add_network(&mut model, 1, v4());
    attach(&mut model, 1, "web", "web1");
    let mut host = Host::default();
    let mut next = |model: &mut Model, spec: &str| publish(model, spec, &mut host);
    let one = |port: u16| Ok(format!("0.0.0.0:{port}/tcp>80"));
    assert_eq!(next(&mut model, "0.0.0.0::80"), one(40_000));
    assert_eq!(next(&mut model, "0.0.0.0::80"), one(40_001));
    let gone = model.unpublish(endpoint_id(1), &specs("40000:80"));
    assert_eq!(shown(&gone.unwrap()), "0.0.0.0:40000/tcp>80");
    host.held.remove(0);
    let mut next = |model: &mut Model, spec: &str| publish(model, spec, &mut host);
    assert_eq!(next(&mut model, "0.0.0.0::80"), one(40_002));
    assert_eq!(
        next(&mut model, "0.0.0.0::80-81").unwrap_err().to_string(),
        "no 2 in a row of ports 40000-40003 of the host free for 0.0.0.0::80-81/tcp; unpublish \
         something, or choose a host port"
    );
    assert_eq!(next(&mut model, "0.0.0.0::80"), one(40_003));
    assert_eq!(next(&mut model, "0.0.0.0::80"), one(40_000));
    assert_eq!(
        next(&mut model, "0.0.0.0::80").unwrap_err().to_string(),
        "no one of ports 40000-40003 of the host free for 0.0.0.0::80/tcp; unpublish something, \
         or choose a host port"
    );
}

#[test]
fn a_single_port_takes_the_first_free_of_a_range() {
    let mut model = model_of(v4());
    let mut host = Host::using(&[("0.0.0.0", 8001), ("::", 8002)]);
    let mut next = || publish(&mut model, "8000-8004:80", &mut host);
    assert!(next().unwrap().starts_with("0.0.0.0:8000/tcp>80 "));
    assert!(next().unwrap().starts_with("0.0.0.0:8003/tcp>80 "));
    assert!(next().unwrap().starts_with("0.0.0.0:8004/tcp>80 "));
    assert_eq!(next().unwrap_err().code(), "ports_exhausted");
    assert_eq!(host.held.len(), 6);
}

#[test]
fn whoever_has_the_port_is_named_and_nothing_is_left_half_made() {
    let mut model = model_of(v4());
    add_network(&mut model, 2, with_subnet("db", "10.2.0.0/24"));
    attach(&mut model, 2, "db", "pg");
    let mut host = Host::using(&[("127.0.0.1", 22), ("::", 5353)]);
    publish(&mut model, "8080:80 127.0.0.1:9000-9009:1-10", &mut host).unwrap();
    let before = (model.clone(), host.held.clone());
    for (spec, code, message) in [
        (
            "8080:80",
            "port_in_use",
            "port 0.0.0.0:8080/tcp is already in use by container web1 on network web; choose \
             another host port",
        ),
        (
            "81:81 127.0.0.1:8080:80",
            "port_in_use",
            "port 127.0.0.1:8080/tcp is already in use by container web1 on network web; choose \
             another host port",
        ),
        (
            "9005-9020:5-20",
            "port_in_use",
            "port 0.0.0.0:9005-9009/tcp is already in use by container web1 on network web; \
             choose another host port",
        ),
        (
            "81:81 81:82",
            "port_in_use",
            "port 0.0.0.0:81/tcp is already in use by container pg on network db; choose another \
             host port",
        ),
        (
            "81:81 20-25:20-25",
            "port_in_use",
            "port 0.0.0.0:22/tcp is already in use by the host; choose another host port, or \
             stop what uses it",
        ),
        (
            "5353:53/udp",
            "port_in_use",
            "port [::]:5353/udp is already in use by the host; choose another host port, or \
             stop what uses it",
        ),
    ] {
        let error = model
            .publish(endpoint_id(2), &specs(spec), &mut host)
            .unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        assert_eq!((model.clone(), host.held.clone()), before, "{spec}");
    }
    let elsewhere = "127.0.0.2:9000:80 8080:80/udp [::1]:9000:80";
    let published = model.publish(endpoint_id(2), &specs(elsewhere), &mut host);
    assert_eq!(published.unwrap().len(), 4);
}

#[test]
fn an_endpoint_is_made_with_its_ports_or_not_at_all() {
    let mut model = Model::new(Settings::default());
    let network = add_network(&mut model, 1, v4()).id;
    let request = |publish: &str| AttachRequest {
        publish: specs(publish),
        ..AttachRequest::new(network, "box".parse().unwrap())
    };
    let before = model.clone();
    let mut host = Host::using(&[("0.0.0.0", 443)]);
    let refused = model.create_endpoint(request("80:80 443:443"), endpoint_id(1), 0, &mut host);
    assert_eq!(refused.unwrap_err().code(), "port_in_use");
    assert_eq!((&model, host.held.len()), (&before, 0));

    let endpoint = model
        .create_endpoint(
            request("80:80 1000-60000:1000-60000/udp"),
            endpoint_id(1),
            0,
            &mut host,
        )
        .unwrap();
    assert_eq!(endpoint.published, host.held);
    assert_eq!(endpoint.published.len(), 4);
    let settings = model.port_settings(endpoint.id).unwrap().unwrap();
    assert_eq!(settings.published, endpoint.published);
    let removed = model.remove_endpoint(endpoint.id).unwrap().endpoint;
    assert_eq!(removed.published, host.held);
    let again = model.create_endpoint(request("80:80"), endpoint_id(2), 0, &mut AllFree);
    assert!(again.is_ok());
}

#[test]
fn what_cannot_be_published_says_why() {
    let internal = NetworkRequest {
        internal: true,
        ..v4()
    };
    let without_gateway = NetworkRequest {
        options: option(option_key::INHIBIT_IPV4, "true"),
        ..v4()
    };
    for (request, spec, code, message) in [
        (
            internal,
            "80",
            "not_publishable",
            "ports cannot be published on network web: it is internal",
        ),
        (
            without_gateway,
            "80",
            "not_publishable",
            "ports cannot be published on network web: it has no gateway of ours",
        ),
        (
            v6(),
            "127.0.0.1:8080:80",
            "port_without_address",
            "port 127.0.0.1:8080:80/tcp cannot be published: sandbox web1 is not reached by \
             IPv4 on network web; publish on an address of the other family",
        ),
    ] {
        let mut model = model_of(request);
        let error = publish(&mut model, spec, &mut Host::default()).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
    let mut model = model_of(v4());
    attach(&mut model, 2, "none", "alone");
    let error = model.publish(endpoint_id(2), &specs("80"), &mut AllFree);
    assert_eq!(
        error.unwrap_err().to_string(),
        "ports cannot be published on network none: endpoints have no interface of their own \
         there"
    );
    let tagged = AttachRequest {
        options: option(option_key::VLAN, "7"),
        publish: specs("80"),
        ..AttachRequest::new(
            model.find_network("web").unwrap().id,
            "box".parse().unwrap(),
        )
    };
    let error = model.create_endpoint(tagged, endpoint_id(3), 0, &mut AllFree);
    assert_eq!(error.unwrap_err().code(), "not_publishable");
    model.begin_detach(endpoint_id(1)).unwrap();
    let error = publish(&mut model, "80", &mut Host::default());
    assert_eq!(error.unwrap_err().code(), "endpoint_detaching");
}

#[test]
fn a_host_without_ipv6_publishes_on_ipv4() {
    let mut model = model_of(v4());
    let mut host = Host {
        without_ipv6: true,
        ..Host::default()
    };
    let published = publish(&mut model, "8080:80", &mut host);
    assert_eq!(published, Ok("0.0.0.0:8080/tcp>80".to_owned()));
    let error = publish(&mut model, "[::]:8081:80", &mut host).unwrap_err();
    assert_eq!(
        error.to_string(),
        "port [::]:8081/tcp cannot be published: the host has no IPv6"
    );
    let mut six = model_of(v6());
    let error = publish(&mut six, "8080:80", &mut host).unwrap_err();
    assert_eq!(error.code(), "port_refused");
}

#[test]
fn what_is_unpublished_is_what_was_meant() {
    let mut model = model_of(v4());
    let published = "8080:80 127.0.0.1:9090:80 8000-8010:1000-1010 53:53/udp";
    publish(&mut model, published, &mut Host::default()).unwrap();
    let before = model.clone();
    let error = model.unpublish(endpoint_id(1), &specs("53:53/udp 54"));
    assert_eq!(
        error.unwrap_err().to_string(),
        "port 54/tcp of sandbox web1 is not published on network web; `vsctl ports` shows what is"
    );
    assert_eq!(model, before);
    let mut unpublish = |spec: &str| {
        let gone = model.unpublish(endpoint_id(1), &specs(spec)).unwrap();
        shown(&gone)
    };
    assert_eq!(
        unpublish("8005:1005"),
        "0.0.0.0:8005/tcp>1005 [::]:8005/tcp>1005"
    );
    assert_eq!(unpublish("[::]:8080:80"), "[::]:8080/tcp>80");
    assert_eq!(unpublish("80"), "0.0.0.0:8080/tcp>80 127.0.0.1:9090/tcp>80");
    assert_eq!(
        shown(&model.endpoint(endpoint_id(1)).unwrap().published),
        "0.0.0.0:8000-8004/tcp>1000-1004 0.0.0.0:8006-8010/tcp>1006-1010 \
         [::]:8000-8004/tcp>1000-1004 [::]:8006-8010/tcp>1006-1010 0.0.0.0:53/udp>53 [::]:53/udp>53"
    );
    assert_eq!(restored(&model), model);
}

#[test]
fn records_that_contradict_each_other_are_refused() {
    let mut model = model_of(v4());
    attach(&mut model, 2, "web", "web2");
    publish(&mut model, "8080:80", &mut Host::default()).unwrap();
    let port = model.endpoint(endpoint_id(1)).unwrap().published[0];
    let longer = PublishedPort {
        container: "80-81".parse().unwrap(),
        host: "90".parse().ok(),
        ..port
    };
    for (published, reason) in [
        (port, "already in use by container web"),
        (longer, "as many ports of the host as of the container"),
    ] {
        let mut endpoints: Vec<Endpoint> = model.endpoints().cloned().collect();
        endpoints[1].published.push(published);
        let result = Model::restore(
            model.settings().clone(),
            model.networks().cloned(),
            endpoints,
            [],
            [],
        );
        let error = result.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
