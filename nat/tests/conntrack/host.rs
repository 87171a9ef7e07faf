//! A host with a table, its ports and its ledger.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use vswitch_nat::conntrack::{Conntrack, Inside, Step, flag};
use vswitch_nat::{
    Admit, Config, Filtering, HostPorts, Ledger, Outbound, Owner, Protocol, Published, Record,
    Refusal, State, Timeouts, Tuple,
};
use vswitch_packet::Moment;

pub(crate) const SYN: Step = tcp(flag::SYN, 1000, 0);
pub(crate) const SYN_ACK: Step = tcp(flag::SYN | flag::ACK, 5000, 1001);
pub(crate) const ACK: Step = tcp(flag::ACK, 1001, 5001);
pub(crate) const ACK_BACK: Step = tcp(flag::ACK, 5001, 1001);

pub(crate) const fn tcp(flags: u8, sequence: u32, acknowledgement: u32) -> Step {
    Step::Tcp {
        flags,
        sequence,
        acknowledgement,
    }
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Ports that are ours, and those that the host uses. Panics if one is taken twice, or given back
/// and not taken.
#[derive(Clone, Default)]
pub(crate) struct Ports {
    pub(crate) ours: Arc<Mutex<HashSet<(Protocol, SocketAddr)>>>,
    pub(crate) hosts: Arc<Mutex<HashSet<u16>>>,
}

impl HostPorts for Ports {
    fn take(&self, protocol: Protocol, external: SocketAddr) -> bool {
        if self.hosts.lock().unwrap().contains(&external.port()) {
            return false;
        }
        assert!(matches!(
            protocol,
            Protocol::Tcp | Protocol::Udp | Protocol::Sctp
        ));
        assert!(
            self.ours.lock().unwrap().insert((protocol, external)),
            "{external} taken twice"
        );
        true
    }

    fn give_back(&self, protocol: Protocol, external: SocketAddr) {
        assert!(
            self.ours.lock().unwrap().remove(&(protocol, external)),
            "{external} given back and not taken"
        );
    }
}

/// Slots in memory.
#[derive(Clone)]
pub(crate) struct Slots(pub(crate) Arc<Vec<Mutex<Record>>>);

impl Slots {
    fn new(count: usize) -> Self {
        Self(Arc::new((0..count).map(|_| Mutex::default()).collect()))
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.iter().map(|slot| *slot.lock().unwrap()).collect()
    }

    pub(crate) fn used(&self) -> usize {
        self.records()
            .iter()
            .filter(|record| **record != [0; 8])
            .count()
    }
}

impl Ledger for Slots {
    fn write(&self, slot: u32, record: &Record) {
        // No two threads at once.
        let mut place = self.0[slot as usize].try_lock().unwrap();
        *place = *record;
    }
}

pub(crate) struct Host {
    pub(crate) table: Conntrack,
    pub(crate) ports: Ports,
    pub(crate) slots: Slots,
    pub(crate) published: Published,
    pub(crate) source: Option<IpAddr>,
    pub(crate) filtering: Filtering,
    pub(crate) now: Moment,
}

pub(crate) struct Limits {
    pub(crate) sessions: usize,
    pub(crate) per_owner: usize,
    pub(crate) ports: std::ops::RangeInclusive<u16>,
    pub(crate) timeouts: Timeouts,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 10_000,
            per_owner: 5_000,
            ports: 40_000..=49_999,
            timeouts: Timeouts::default(),
        }
    }
}

impl Host {
    pub(crate) fn new(limits: Limits) -> Self {
        let ports = Ports::default();
        let slots = Slots::new(limits.sessions);
        Self {
            table: Conntrack::new(Config {
                max_sessions: limits.sessions,
                max_sessions_per_owner: limits.per_owner,
                timeouts: limits.timeouts,
                ports: limits.ports,
                host_ports: Box::new(ports.clone()),
                ledger: Some(Box::new(slots.clone())),
                seed: 0x5eed,
            }),
            ports,
            slots,
            published: Published::default(),
            source: Some(ip("192.0.2.1")),
            filtering: Filtering::default(),
            now: Moment::from_secs(1000),
        }
    }

    /// Whose an address is: its last octet says.
    pub(crate) fn owner(inside: IpAddr) -> Owner {
        match inside {
            IpAddr::V4(v4) => Owner(u32::from(v4.octets()[3])),
            IpAddr::V6(v6) => Owner(u32::from(v6.octets()[15])),
        }
    }

    pub(crate) fn send(
        &self,
        protocol: Protocol,
        inside: SocketAddr,
        remote: SocketAddr,
        step: Step,
    ) -> Result<SocketAddr, Refusal> {
        let tuple = Tuple {
            protocol,
            inside,
            remote,
        };
        let way = Outbound {
            owner: Self::owner(inside.ip()),
            source: self.source,
            filtering: self.filtering,
            published: &self.published,
            ingress: 0,
        };
        self.table.outbound(&tuple, step, &way, self.now)
    }

    pub(crate) fn udp(&self, inside: &str, remote: &str) -> Result<SocketAddr, Refusal> {
        self.send(Protocol::Udp, at(inside), at(remote), Step::Plain)
    }

    pub(crate) fn receive(
        &self,
        protocol: Protocol,
        external: SocketAddr,
        remote: SocketAddr,
        step: Step,
    ) -> Result<SocketAddr, Refusal> {
        let inside =
            self.table
                .inbound(protocol, external, remote, step, &self.published, self.now)?;
        let Inside { owner, endpoint } = inside;
        assert_eq!(owner, Self::owner(endpoint.ip()));
        Ok(endpoint)
    }

    pub(crate) fn udp_back(
        &self,
        external: SocketAddr,
        remote: &str,
    ) -> Result<SocketAddr, Refusal> {
        self.receive(Protocol::Udp, external, at(remote), Step::Plain)
    }

    pub(crate) fn direct(
        &self,
        protocol: Protocol,
        inside: &str,
        remote: &str,
        step: Step,
        admit: Admit,
    ) -> Result<(), Refusal> {
        let tuple = Tuple {
            protocol,
            inside: at(inside),
            remote: at(remote),
        };
        let owner = Self::owner(tuple.inside.ip());
        self.table
            .direct(&tuple, step, owner, admit, &self.published, self.now)
    }

    /// A connection from inside, established.
    pub(crate) fn connect(&self, inside: &str, remote: &str) -> SocketAddr {
        let (inside, remote) = (at(inside), at(remote));
        let external = self.send(Protocol::Tcp, inside, remote, SYN).unwrap();
        self.receive(Protocol::Tcp, external, remote, SYN_ACK)
            .unwrap();
        self.send(Protocol::Tcp, inside, remote, ACK).unwrap();
        assert_eq!(self.state(inside, remote), Some(State::Established));
        external
    }

    pub(crate) fn state(&self, inside: SocketAddr, remote: SocketAddr) -> Option<State> {
        let rows = self.table.sessions(self.now);
        let mut rows = rows.iter();
        rows.find(|row| (row.tuple.inside, row.tuple.remote) == (inside, remote))
            .map(|row| row.state)
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.table.counts().sessions
    }

    /// Nothing is left, of nothing.
    pub(crate) fn assert_empty(&self) {
        let counts = self.table.counts();
        assert_eq!((counts.sessions, counts.mappings), (0, 0));
        assert_eq!(self.table.sessions(self.now), []);
        assert_eq!(*self.ports.ours.lock().unwrap(), HashSet::new());
        assert_eq!(self.slots.used(), 0);
    }
}
