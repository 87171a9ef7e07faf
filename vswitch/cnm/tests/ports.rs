//! Publishing against the plainest reference there is: a set of single ports, and whose each is.

#![expect(clippy::unwrap_used, reason = "the strategies make what is valid")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use vswitch_cnm::publish::{AllFree, HoldError, PortRange, Protocol};
use vswitch_cnm::{
    AttachRequest, EndpointId, Model, NetworkId, NetworkRequest, PortHolder, PortSpec,
    PublishedPort, Settings,
};

/// Few enough for everything to be in the way of everything.
const ADDRESSES: [&str; 5] = ["0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"];
const PORTS: std::ops::RangeInclusive<u16> = 1..=12;
const ENDPOINTS: u8 = 3;

#[derive(Clone, Debug)]
enum Step {
    Publish(u8, Vec<PortSpec>),
    Unpublish(u8, PortSpec),
    Remove(u8),
    Restore,
}

fn range() -> impl Strategy<Value = PortRange> {
    (PORTS, PORTS).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap())
}

fn spec() -> impl Strategy<Value = PortSpec> {
    let address = proptest::option::of(proptest::sample::select(&ADDRESSES[..]));
    let protocol = proptest::sample::select(&[Protocol::Tcp, Protocol::Udp][..]);
    let host = proptest::option::weighted(0.7, range());
    (address, host, range(), protocol).prop_map(|(address, host, container, protocol)| {
        // As long as the host's, from the same start; or one port.
        let container = match host {
            Some(host) if container.count() > 1 => {
                PortRange::new(container.first(), container.first() + host.count() - 1)
            }
            _ => PortRange::new(container.first(), container.first()),
        };
        PortSpec {
            host_ip: address.map(|address| address.parse().unwrap()),
            host,
            container: container.unwrap(),
            protocol,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let endpoint = || 0..ENDPOINTS;
    let specs = || proptest::collection::vec(spec(), 1..3);
    prop_oneof![
        6 => (endpoint(), specs()).prop_map(|(endpoint, specs)| Step::Publish(endpoint, specs)),
        3 => (endpoint(), spec()).prop_map(|(endpoint, spec)| Step::Unpublish(endpoint, spec)),
        1 => endpoint().prop_map(Step::Remove),
        1 => Just(Step::Restore),
    ]
}

/// Each held port by itself, as the kernel would know it. The host has one of its own.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kernel(BTreeMap<(Protocol, IpAddr, u16), ()>);

const OWN: (Protocol, &str, u16) = (Protocol::Tcp, "::1", 7);

impl Kernel {
    fn in_the_way(&self, protocol: Protocol, address: IpAddr, port: u16) -> bool {
        let own = (OWN.0, OWN.1.parse().unwrap(), OWN.2);
        let mut held = self.0.keys().copied().chain([own]);
        held.any(|(other, theirs, number)| {
            let same = theirs == address || theirs.is_unspecified() || address.is_unspecified();
            let family = theirs.is_ipv4() == address.is_ipv4();
            other == protocol && number == port && same && family
        })
    }
}

impl PortHolder for Kernel {
    fn hold(&mut self, port: &PublishedPort) -> Result<(), HoldError> {
        for number in port.host.unwrap().ports() {
            if self.in_the_way(port.protocol, port.host_ip, number) {
                return Err(HoldError::InUse { port: number });
            }
        }
        for number in port.host.unwrap().ports() {
            self.0.insert((port.protocol, port.host_ip, number), ());
        }
        Ok(())
    }

    fn let_go(&mut self, port: &PublishedPort) {
        for number in port.host.unwrap().ports() {
            let held = self.0.remove(&(port.protocol, port.host_ip, number));
            assert!(held.is_some(), "{port} was not held");
        }
    }
}

fn id(endpoint: u8) -> EndpointId {
    EndpointId::from_octets([endpoint + 1; 32])
}

fn attach(model: &mut Model, endpoint: u8) {
    let network = model.find_network("web").unwrap().id;
    let sandbox = format!("box{endpoint}").parse().unwrap();
    let request = AttachRequest::new(network, sandbox);
    model
        .create_endpoint(request, id(endpoint), 0, &mut AllFree)
        .unwrap();
}

fn start() -> Model {
    let mut model = Model::new(Settings {
        ephemeral_ports: PortRange::new(3, 9).unwrap(),
        ..Settings::default()
    });
    let request = NetworkRequest {
        ipv6: true,
        ..NetworkRequest::new("web")
    };
    model
        .create_network(request, NetworkId::from_octets([1; 32]), 0, &[])
        .unwrap();
    for endpoint in 0..ENDPOINTS {
        attach(&mut model, endpoint);
    }
    model
}

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

/// Whether the kernel holds what the records say, each port once.
fn agree(model: &Model, kernel: &Kernel) -> bool {
    let mut expected = Vec::new();
    for port in model.endpoints().flat_map(|endpoint| &endpoint.published) {
        let numbers = port.host.unwrap().ports();
        expected.extend(numbers.map(|number| (port.protocol, port.host_ip, number)));
    }
    expected.sort_unstable();
    expected.iter().eq(kernel.0.keys())
}

proptest! {
    #[test]
    fn what_is_held_is_what_is_published(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut model, mut kernel) = (start(), Kernel::default());
        for step in steps {
            let before = (model.clone(), kernel.clone());
            match &step {
                Step::Publish(endpoint, specs) => {
                    let result = model.publish(id(*endpoint), specs, &mut kernel);
                    if result.is_err() {
                        prop_assert_eq!((&model, &kernel), (&before.0, &before.1), "{:?}", step);
                    }
                    // One fixed port at one address is had exactly if nobody is in the way.
                    if let [PortSpec { host_ip: Some(ip), host: Some(host), protocol, container }] = &specs[..]
                        && host.count() == container.count()
                    {
                        let taken = host.ports().any(|port| before.1.in_the_way(*protocol, *ip, port));
                        prop_assert_eq!(result.is_err(), taken, "{:?}", step);
                    }
                }
                Step::Unpublish(endpoint, spec) => {
                    match model.unpublish(id(*endpoint), &[*spec]) {
                        Ok(gone) => {
                            prop_assert!(!gone.is_empty());
                            gone.iter().for_each(|port| kernel.let_go(port));
                        }
                        Err(_) => prop_assert_eq!(&model, &before.0),
                    }
                }
                Step::Remove(endpoint) => {
                    let removed = model.remove_endpoint(id(*endpoint)).unwrap().endpoint;
                    removed.published.iter().for_each(|port| kernel.let_go(port));
                    attach(&mut model, *endpoint);
                }
                Step::Restore => model = restored(&model),
            }
            prop_assert!(agree(&model, &kernel), "{:?}", step);
        }
    }

    #[test]
    fn specs_round_trip(spec in spec()) {
        prop_assert_eq!(spec.to_string().parse(), Ok(spec));
    }

    #[test]
    fn no_text_is_too_odd(text in "[\\[\\]0-9a-f:./tcpud-]{0,24}") {
        if let Ok(spec) = text.parse::<PortSpec>() {
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }
}
