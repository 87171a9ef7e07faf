//! A model against the plainest reference there is: lists of who holds what.

#![expect(clippy::unwrap_used, reason = "the strategies parse literals")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::Index;
use vswitch_cnm::publish::AllFree;
use vswitch_cnm::{
    AttachRequest, Endpoint, EndpointId, Model, NetworkId, NetworkRequest, Phase, SandboxKey,
    Settings,
};
use vswitch_packet::MacAddr;

/// Networks to choose from: the second and third overlap, and all are small enough to fill.
const NETWORKS: [(&str, &str); 4] = [
    ("a", "10.0.1.0/29"),
    ("b", "10.0.2.0/29"),
    ("c", "10.0.2.4/30"),
    ("d", "10.0.4.0/31"),
];

const SANDBOXES: [&str; 6] = ["one", "two", "three", "pid:4", "/proc/5/ns/net", "/a/b"];

#[derive(Clone, Debug)]
enum Step {
    CreateNetwork(usize),
    RemoveNetwork(usize),
    Attach(Attach),
    Attached(Index),
    BeginDetach(Index),
    Remove(Index),
    AddSandbox(usize),
    RemoveSandbox(usize),
    Restore,
}

/// `network` beyond those above is `none`.
#[derive(Clone, Debug)]
struct Attach {
    network: usize,
    sandbox: usize,
    host: Option<u8>,
    mac: Option<u8>,
    ifname: Option<u8>,
}

fn step() -> impl Strategy<Value = Step> {
    let network = || 0..NETWORKS.len();
    let sandbox = || 0..SANDBOXES.len();
    prop_oneof![
        3 => network().prop_map(Step::CreateNetwork),
        1 => network().prop_map(Step::RemoveNetwork),
        9 => attach().prop_map(Step::Attach),
        1 => any::<Index>().prop_map(Step::Attached),
        1 => any::<Index>().prop_map(Step::BeginDetach),
        3 => any::<Index>().prop_map(Step::Remove),
        1 => sandbox().prop_map(Step::AddSandbox),
        1 => sandbox().prop_map(Step::RemoveSandbox),
        1 => Just(Step::Restore),
    ]
}

fn attach() -> impl Strategy<Value = Attach> {
    (
        0..=NETWORKS.len(),
        0..SANDBOXES.len(),
        proptest::option::weighted(0.3, 0_u8..9),
        proptest::option::weighted(0.2, 0_u8..4),
        proptest::option::weighted(0.2, 0_u8..4),
    )
        .prop_map(|(network, sandbox, host, mac, ifname)| Attach {
            network,
            sandbox,
            host,
            mac,
            ifname,
        })
}

/// Who holds what.
#[derive(Debug, Default)]
struct Reference {
    networks: BTreeMap<usize, NetworkId>,
    endpoints: Vec<Held>,
    added: BTreeSet<SandboxKey>,
}

#[derive(Debug)]
struct Held {
    id: EndpointId,
    network: usize,
    sandbox: SandboxKey,
    address: Option<Ipv4Addr>,
    mac: Option<MacAddr>,
    ifname: Option<String>,
}

fn key(sandbox: usize) -> SandboxKey {
    SANDBOXES[sandbox].parse().unwrap()
}

/// Network addresses of a /29 and so on are no one's; the first of the rest is the gateway.
fn hosts(network: usize) -> (Ipv4Addr, Vec<Ipv4Addr>) {
    let subnet: ipnet::Ipv4Net = NETWORKS[network].1.parse().unwrap();
    let mut hosts = subnet.hosts();
    (hosts.next().unwrap(), hosts.collect())
}

impl Reference {
    fn on(&self, network: usize) -> impl Iterator<Item = &Held> {
        self.endpoints
            .iter()
            .filter(move |held| held.network == network)
    }

    fn within(&self, sandbox: &SandboxKey) -> impl Iterator<Item = &Held> {
        self.endpoints
            .iter()
            .filter(move |held| held.sandbox == *sandbox)
    }

    fn can_create(&self, network: usize) -> bool {
        let overlaps = |other: usize| matches!((network, other), (1, 2) | (2, 1));
        !self
            .networks
            .keys()
            .any(|other| *other == network || overlaps(*other))
    }

    /// What attaching should give; `None` if it should be refused.
    fn expect(&self, attach: &Attach) -> Option<Held> {
        let sandbox = key(attach.sandbox);
        let id = EndpointId::from_octets([0; 32]);
        let network = attach.network;
        if network == NETWORKS.len() {
            let alone = self.within(&sandbox).next().is_none();
            let plain = attach.host.is_none() && attach.mac.is_none() && attach.ifname.is_none();
            return (alone && plain).then_some(Held {
                id,
                network,
                sandbox,
                address: None,
                mac: None,
                ifname: None,
            });
        }
        let in_the_way = |held: &Held| held.network == network || held.network == NETWORKS.len();
        if !self.networks.contains_key(&network) || self.within(&sandbox).any(in_the_way) {
            return None;
        }
        let (gateway, hosts) = hosts(network);
        let is_free = |host: &Ipv4Addr| !self.on(network).any(|held| held.address == Some(*host));
        let address = match attach.host {
            Some(_) => Some(chosen_host(attach)?)
                .filter(|host| hosts.contains(host))
                .filter(is_free)?,
            None => hosts.iter().copied().find(is_free)?,
        };
        let has_mac = |mac: MacAddr| {
            mac == MacAddr::from_ipv4(gateway) || self.on(network).any(|held| held.mac == Some(mac))
        };
        let mac = match chosen_mac(attach) {
            Some(mac) if has_mac(mac) || mac.is_multicast() => return None,
            Some(mac) => Some(mac),
            None => Some(MacAddr::from_ipv4(address)).filter(|mac| !has_mac(*mac)),
        };
        let has_name = |name: &String| {
            self.within(&sandbox)
                .any(|held| held.ifname.as_ref() == Some(name))
        };
        let ifname = match chosen_name(attach) {
            Some(name) => Some(name).filter(|name| !has_name(name))?,
            None => (0..)
                .map(|n| format!("eth{n}"))
                .find(|name| !has_name(name))?,
        };
        Some(Held {
            id,
            network,
            sandbox,
            address: Some(address),
            mac,
            ifname: Some(ifname),
        })
    }
}

/// An address in or near the network's subnet.
fn chosen_host(attach: &Attach) -> Option<Ipv4Addr> {
    let subnet: ipnet::Ipv4Net = NETWORKS.get(attach.network)?.1.parse().unwrap();
    let first = u32::from(subnet.network());
    attach
        .host
        .map(|host| Ipv4Addr::from(first + u32::from(host)))
}

/// The default of an address that may be given out later, or a multicast one.
fn chosen_mac(attach: &Attach) -> Option<MacAddr> {
    attach.mac.map(|mac| match mac {
        3 => MacAddr([1, 0, 0x5e, 0, 0, 1]),
        _ => MacAddr([2, 0x42, 10, 0, 1, mac + 1]),
    })
}

fn chosen_name(attach: &Attach) -> Option<String> {
    attach.ifname.map(|number| format!("eth{number}"))
}

fn request(attach: &Attach, reference: &Reference) -> AttachRequest {
    let network = match reference.networks.get(&attach.network) {
        Some(id) => *id,
        None if attach.network == NETWORKS.len() => {
            let model = Model::new(Settings::default());
            model.find_network("none").unwrap().id
        }
        None => NetworkId::from_octets([0xee; 32]),
    };
    let host = attach.host.map(|host| Ipv4Addr::new(10, 9, 9, host));
    AttachRequest {
        ip: chosen_host(attach).or(host),
        mac: chosen_mac(attach),
        ifname: chosen_name(attach),
        ..AttachRequest::new(network, key(attach.sandbox))
    }
}

struct Run {
    model: Model,
    reference: Reference,
    /// Ids made so far, so that none is made twice.
    drawn: u32,
}

impl Run {
    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut octets = [0x77; 32];
        octets[..4].copy_from_slice(&self.drawn.to_be_bytes());
        octets
    }

    /// Whether the step succeeded, and whether it should have.
    fn take(&mut self, step: &Step) -> (bool, bool) {
        match step {
            Step::CreateNetwork(network) => self.create_network(*network),
            Step::RemoveNetwork(network) => self.remove_network(*network),
            Step::Attach(attach) => self.attach(attach),
            Step::Attached(index) => self.phase(*index, Phase::Attached),
            Step::BeginDetach(index) => self.phase(*index, Phase::Detaching),
            Step::Remove(index) => self.remove(*index),
            Step::AddSandbox(sandbox) => {
                let key = key(*sandbox);
                let named = matches!(key, SandboxKey::Name(_));
                let known = self.reference.within(&key).next().is_some();
                let expected = named && !known && self.reference.added.insert(key.clone());
                (self.model.add_sandbox(key, None).is_ok(), expected)
            }
            Step::RemoveSandbox(sandbox) => {
                let key = key(*sandbox);
                let in_use = self.reference.within(&key).next().is_some();
                let expected = !in_use && self.reference.added.remove(&key);
                (self.model.remove_sandbox(&key).is_ok(), expected)
            }
            Step::Restore => {
                let again = restored(&self.model);
                let same = again == self.model;
                self.model = again;
                (same, true)
            }
        }
    }

    fn create_network(&mut self, network: usize) -> (bool, bool) {
        let (name, subnet) = NETWORKS[network];
        let request = NetworkRequest {
            subnets: vec![subnet.parse().unwrap()],
            ..NetworkRequest::new(name)
        };
        let id = NetworkId::from_octets(self.draw());
        let expected = self.reference.can_create(network);
        let result = self.model.create_network(request, id, 0, &[]);
        if expected {
            self.reference.networks.insert(network, id);
        }
        (result.is_ok(), expected)
    }

    fn remove_network(&mut self, network: usize) -> (bool, bool) {
        let Some(&id) = self.reference.networks.get(&network) else {
            return (false, false);
        };
        let expected = self.reference.on(network).next().is_none();
        if expected {
            self.reference.networks.remove(&network);
        }
        (self.model.remove_network(id).is_ok(), expected)
    }

    fn attach(&mut self, attach: &Attach) -> (bool, bool) {
        let id = EndpointId::from_octets(self.draw());
        let request = request(attach, &self.reference);
        let result = self.model.create_endpoint(request, id, 0, &mut AllFree);
        let Some(expected) = self.reference.expect(attach) else {
            return (result.is_ok(), false);
        };
        let Ok(endpoint) = result else {
            return (false, true);
        };
        let as_expected = endpoint.ipv4() == expected.address
            && endpoint.ifname == expected.ifname
            && expected.mac.is_none_or(|mac| mac == endpoint.mac);
        let mac = endpoint.has_interface().then_some(endpoint.mac);
        self.reference.endpoints.push(Held {
            id,
            mac,
            ..expected
        });
        (as_expected, true)
    }

    fn phase(&mut self, index: Index, phase: Phase) -> (bool, bool) {
        let Some(id) = self.pick(index) else {
            return (true, true);
        };
        let before = self.model.endpoint(id).unwrap().phase;
        let result = match phase {
            Phase::Attached => self.model.endpoint_attached(id),
            _ => self.model.begin_detach(id),
        };
        let expected = before != Phase::Detaching || phase == Phase::Detaching;
        (
            result.is_ok_and(|endpoint| endpoint.phase == phase),
            expected,
        )
    }

    fn remove(&mut self, index: Index) -> (bool, bool) {
        let Some(id) = self.pick(index) else {
            return (true, true);
        };
        self.reference.endpoints.retain(|held| held.id != id);
        (self.model.remove_endpoint(id).is_ok(), true)
    }

    fn pick(&self, index: Index) -> Option<EndpointId> {
        let endpoints = &self.reference.endpoints;
        (!endpoints.is_empty()).then(|| index.get(endpoints).id)
    }

    /// Takes everything away again.
    fn clear(&mut self) {
        for held in std::mem::take(&mut self.reference.endpoints) {
            self.model.remove_endpoint(held.id).unwrap();
        }
        for id in std::mem::take(&mut self.reference.networks).into_values() {
            self.model.remove_network(id).unwrap();
        }
        for key in std::mem::take(&mut self.reference.added) {
            self.model.remove_sandbox(&key).unwrap();
        }
    }
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

fn check_invariants(run: &Run) -> Result<(), TestCaseError> {
    let Run {
        model, reference, ..
    } = run;
    prop_assert_eq!(model.endpoints().count(), reference.endpoints.len());
    prop_assert_eq!(model.networks().count(), reference.networks.len() + 2);
    for (network, id) in &reference.networks {
        let record = model.network(*id).unwrap();
        let endpoints: Vec<&Endpoint> = model.endpoints_of(*id).collect();
        let sandboxes: BTreeSet<_> = endpoints.iter().map(|endpoint| &endpoint.sandbox).collect();
        prop_assert_eq!(
            sandboxes.len(),
            endpoints.len(),
            "one endpoint of a network each"
        );
        let macs: BTreeSet<_> = endpoints.iter().map(|endpoint| endpoint.mac).collect();
        prop_assert_eq!(macs.len(), endpoints.len(), "no MAC twice");
        let mut held: Vec<IpAddr> = endpoints
            .iter()
            .flat_map(|endpoint| endpoint.addresses.iter().map(ipnet::IpNet::addr))
            .chain(record.subnets[0].gateway)
            .collect();
        held.sort_unstable();
        let pool = model
            .address_space()
            .pool(&record.name, record.subnets[0].subnet)
            .unwrap();
        let in_use: Vec<IpAddr> = pool.addresses().collect();
        prop_assert_eq!(
            in_use,
            held,
            "no address twice and none leaked on {}",
            network
        );
    }
    for sandbox in model.sandboxes() {
        let names: Vec<_> = model
            .endpoints_in(&sandbox.key)
            .filter_map(|endpoint| endpoint.ifname.as_ref())
            .collect();
        let different: BTreeSet<_> = names.iter().collect();
        prop_assert_eq!(different.len(), names.len(), "no interface name twice");
        let needed = sandbox.owned || model.endpoints_in(&sandbox.key).next().is_some();
        prop_assert!(needed, "no sandbox left behind");
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_model_keeps_to_the_reference(steps in proptest::collection::vec(step(), 1..60)) {
        let mut run = Run {
            model: Model::new(Settings::default()),
            reference: Reference::default(),
            drawn: 0,
        };
        for step in &steps {
            let before = run.model.clone();
            let (succeeded, expected) = run.take(step);
            prop_assert_eq!(succeeded, expected, "{:?}", step);
            if !succeeded {
                prop_assert_eq!(&run.model, &before, "a failure changes nothing: {:?}", step);
            }
            check_invariants(&run)?;
            prop_assert_eq!(&restored(&run.model), &run.model);
        }
        run.clear();
        prop_assert_eq!(run.model, Model::new(Settings::default()));
    }

    /// What users type is refused or understood, and what is understood means the same again.
    #[test]
    fn sandbox_keys_round_trip(text in "(pid:)?[/a-z0-9._:-]{0,20}") {
        if let Ok(key) = text.parse::<SandboxKey>() {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
