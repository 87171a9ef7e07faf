//! Neighbours: which MAC address has which IP address on a bridge, as ARP and ND say.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::net::IpAddr;

use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use vswitch_packet::{MacAddr, Moment};

use crate::port::PortId;

/// How many neighbours a bridge learns before it refuses.
pub const DEFAULT_LIMIT: usize = 4096;

/// How long a learned neighbour stays without being heard again: "on the order of a minute"
/// (RFC 1122 §2.3.2.1), as Linux's `gc_stale_time`.
pub const LIFETIME: Duration = Duration::from_secs(60);

/// How long a learned neighbour is trusted without a question: RFC 4861 §10, `REACHABLE_TIME`.
pub const TRUSTED: Duration = Duration::from_secs(30);

/// How long one round of questions after a neighbour takes at most: three, a second apart, and some.
const ROUND: Duration = Duration::from_secs(5);

/// What is known of one IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its MAC address.
    pub mac: MacAddr,
    /// The port it was heard at.
    pub port: PortId,
    /// When it was last confirmed.
    pub confirmed: Moment,
    /// When it was last asked whether it is still there.
    pub asked: Moment,
    /// Where this is known from.
    pub origin: Origin,
}

impl Neighbour {
    /// Whether it is to be asked if it is still there.
    #[inline]
    #[must_use]
    pub fn is_stale(&self, now: Moment) -> bool {
        self.origin == Origin::Learned
            && now.since(self.confirmed) >= TRUSTED
            && now.since(self.asked) >= ROUND
    }

    /// Whether it is as good as certain.
    #[must_use]
    pub fn is_trusted(&self, now: Moment) -> bool {
        self.origin == Origin::Static || now.since(self.confirmed) < TRUSTED
    }
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Configured: an endpoint's assigned address. Nothing heard changes it, and it does not age.
    Static,
    /// Heard in ARP or ND.
    Learned,
}

/// The neighbours on one bridge, shared by all workers. What it returns are copies.
#[derive(Debug)]
pub struct Neighbours {
    table: DashMap<IpAddr, Neighbour, RandomState>,
    limit: usize,
    learned: AtomicUsize,
    refused: AtomicU64,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl Neighbours {
    /// An empty table that learns `limit` neighbours at most; static ones do not count.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            table: DashMap::default(),
            limit,
            learned: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// What is known of `address`.
    #[must_use]
    pub fn get(&self, address: IpAddr) -> Option<Neighbour> {
        self.table.get(&address).map(|entry| *entry)
    }

    /// Enters or updates what was heard of `address`. Says whether it was taken: not over a static
    /// entry, not beyond the limit, and not for addresses that no single station has.
    pub fn learn(&self, address: IpAddr, mac: MacAddr, port: PortId, now: Moment) -> bool {
        if !is_host(address) || !mac.is_valid_source() {
            return false;
        }
        let heard = Neighbour {
            mac,
            port,
            confirmed: now,
            asked: Moment::ORIGIN,
            origin: Origin::Learned,
        };
        match self.table.entry(address) {
            Entry::Occupied(mut entry) => {
                let learned = entry.get().origin == Origin::Learned;
                if learned {
                    entry.insert(heard);
                }
                learned
            }
            Entry::Vacant(entry) => {
                let admitted = self.admit();
                if admitted {
                    entry.insert(heard);
                }
                admitted
            }
        }
    }

    /// Updates what is known of `address`, if anything is: the merge step of RFC 826, which any
    /// packet of the neighbour may trigger. Says whether there was a learned entry.
    pub fn refresh(&self, address: IpAddr, mac: MacAddr, port: PortId, now: Moment) -> bool {
        if !mac.is_valid_source() {
            return false;
        }
        match self.table.get_mut(&address) {
            Some(mut entry) if entry.origin == Origin::Learned => {
                *entry = Neighbour {
                    mac,
                    port,
                    confirmed: now,
                    asked: Moment::ORIGIN,
                    origin: Origin::Learned,
                };
                true
            }
            _ => false,
        }
    }

    /// Enters an assigned address, in the place of whatever was heard of it.
    pub fn set_static(&self, address: IpAddr, mac: MacAddr, port: PortId, now: Moment) {
        let assigned = Neighbour {
            mac,
            port,
            confirmed: now,
            asked: Moment::ORIGIN,
            origin: Origin::Static,
        };
        let former = self.table.insert(address, assigned);
        if former.is_some_and(|former| former.origin == Origin::Learned) {
            self.learned.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes the assigned address of `mac` away. Says whether there was one.
    pub fn clear_static(&self, address: IpAddr, mac: MacAddr) -> bool {
        let assigned = |_: &IpAddr, n: &Neighbour| n.origin == Origin::Static && n.mac == mac;
        self.table.remove_if(&address, assigned).is_some()
    }

    /// Notes that a stale neighbour is being asked. False if it is not stale: somebody else asks.
    pub fn claim_question(&self, address: IpAddr, now: Moment) -> bool {
        match self.table.get_mut(&address) {
            Some(mut entry) if entry.is_stale(now) => {
                entry.asked = now;
                true
            }
            _ => false,
        }
    }

    /// Forgets a learned neighbour that does not answer any more, unless it was confirmed after
    /// `since`.
    pub fn forget(&self, address: IpAddr, since: Moment) {
        let silent =
            |_: &IpAddr, n: &Neighbour| n.origin == Origin::Learned && n.confirmed <= since;
        if self.table.remove_if(&address, silent).is_some() {
            self.learned.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Forgets everything about `port`, static entries too.
    pub fn forget_port(&self, port: PortId) {
        self.retain(|neighbour| neighbour.port != port);
    }

    /// Forgets learned neighbours that were not heard for [`LIFETIME`].
    pub fn sweep(&self, now: Moment) {
        self.retain(|neighbour| {
            neighbour.origin == Origin::Static || now.since(neighbour.confirmed) < LIFETIME
        });
    }

    /// All entries, sorted by address.
    #[must_use]
    pub fn rows(&self) -> Vec<(IpAddr, Neighbour)> {
        let mut rows: Vec<_> = self.table.iter().map(|e| (*e.key(), *e.value())).collect();
        rows.sort_unstable_by_key(|&(address, _)| address);
        rows
    }

    /// How many neighbours are learned now; static ones do not count.
    #[must_use]
    pub fn learned(&self) -> usize {
        self.learned.load(Ordering::Relaxed)
    }

    /// How many neighbours were not learned because the table was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn admit(&self) -> bool {
        let room = |learned| (learned < self.limit).then_some(learned + 1);
        let admitted = self
            .learned
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .is_ok();
        if !admitted {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    fn retain(&self, keep: impl Fn(&Neighbour) -> bool) {
        self.table.retain(|_, neighbour| {
            let keep = keep(neighbour);
            if !keep && neighbour.origin == Origin::Learned {
                self.learned.fetch_sub(1, Ordering::Relaxed);
            }
            keep
        });
    }
}

/// Whether one station can have this address.
fn is_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(broadcast || address.is_unspecified() || address.is_multicast() || address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ALICE: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const BOB: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
    const PORT: PortId = PortId(1);
    const OTHER: PortId = PortId(2);
    const START: Moment = Moment::from_secs(1000);

    fn host(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn later_news_replaces_earlier_but_not_what_was_assigned() {
        let neighbours = Neighbours::default();
        assert!(neighbours.learn(host(2), ALICE, PORT, START));
        assert!(neighbours.learn(host(2), BOB, OTHER, START));
        assert_eq!(neighbours.get(host(2)).unwrap().mac, BOB);

        neighbours.set_static(host(2), ALICE, PORT, START);
        assert_eq!(neighbours.learned(), 0);
        assert!(!neighbours.learn(host(2), BOB, OTHER, START));
        assert!(!neighbours.refresh(host(2), BOB, OTHER, START));
        let entry = neighbours.get(host(2)).unwrap();
        assert_eq!(
            (entry.mac, entry.port, entry.origin),
            (ALICE, PORT, Origin::Static)
        );
    }

    #[test]
    fn refresh_enters_nothing_new() {
        let neighbours = Neighbours::default();
        assert!(!neighbours.refresh(host(2), ALICE, PORT, START));
        assert_eq!(neighbours.get(host(2)), None);
        neighbours.learn(host(2), ALICE, PORT, START);
        assert!(neighbours.refresh(host(2), BOB, OTHER, START));
        assert_eq!(neighbours.get(host(2)).unwrap().mac, BOB);
    }

    #[test]
    fn what_no_station_has_is_not_learned() {
        let neighbours = Neighbours::default();
        for address in [
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "127.0.0.1",
            "::",
            "ff02::1",
        ] {
            assert!(
                !neighbours.learn(address.parse().unwrap(), ALICE, PORT, START),
                "{address}"
            );
        }
        for mac in [
            MacAddr::ZERO,
            MacAddr::BROADCAST,
            MacAddr([1, 0, 0x5e, 0, 0, 1]),
        ] {
            assert!(!neighbours.learn(host(2), mac, PORT, START), "{mac}");
            neighbours.learn(host(3), ALICE, PORT, START);
            assert!(!neighbours.refresh(host(3), mac, PORT, START), "{mac}");
        }
        assert_eq!(neighbours.learned(), 1);
    }

    #[test]
    fn the_limit_holds_and_room_comes_back() {
        let neighbours = Neighbours::with_limit(3);
        neighbours.set_static(host(100), ALICE, PORT, START);
        let taken = (0..10)
            .filter(|&n| neighbours.learn(host(n + 1), BOB, OTHER, START))
            .count();
        assert_eq!(
            (taken, neighbours.refused(), neighbours.rows().len()),
            (3, 7, 4)
        );
        assert!(
            neighbours.learn(host(1), ALICE, PORT, START),
            "a known one is updated when full"
        );

        neighbours.forget_port(OTHER);
        assert_eq!(neighbours.learned(), 1);
        assert!(neighbours.learn(host(50), BOB, OTHER, START));
        neighbours.forget_port(PORT);
        assert_eq!(
            neighbours.get(host(100)),
            None,
            "static entries go with their port"
        );
    }

    #[test]
    fn an_assigned_address_is_taken_away_from_whom_it_was_assigned_to() {
        let neighbours = Neighbours::default();
        neighbours.set_static(host(2), ALICE, PORT, START);
        neighbours.learn(host(3), ALICE, PORT, START);
        assert!(!neighbours.clear_static(host(2), BOB));
        assert!(!neighbours.clear_static(host(3), ALICE), "heard");
        assert!(neighbours.clear_static(host(2), ALICE));
        assert!(!neighbours.clear_static(host(2), ALICE));
        assert_eq!((neighbours.learned(), neighbours.rows().len()), (1, 1));
        assert!(neighbours.learn(host(2), BOB, OTHER, START));
    }

    #[test]
    fn one_question_a_round_goes_to_a_stale_neighbour() {
        let neighbours = Neighbours::default();
        neighbours.learn(host(2), ALICE, PORT, START);
        neighbours.set_static(host(3), BOB, PORT, START);
        assert!(!neighbours.claim_question(host(2), START + Duration::from_secs(29)));
        let stale = START + TRUSTED;
        assert!(neighbours.claim_question(host(2), stale));
        assert!(!neighbours.claim_question(host(2), stale + Duration::from_secs(1)));
        assert!(neighbours.claim_question(host(2), stale + ROUND));
        assert!(!neighbours.claim_question(host(3), stale), "assigned");

        neighbours.refresh(host(2), ALICE, PORT, stale + ROUND);
        neighbours.forget(host(2), stale);
        assert_eq!(neighbours.learned(), 1, "it has answered");
        neighbours.forget(host(2), stale + ROUND);
        neighbours.forget(host(3), stale + ROUND);
        assert_eq!((neighbours.learned(), neighbours.rows().len()), (0, 1));
    }

    #[test]
    fn the_silent_are_swept_and_the_assigned_stay() {
        let neighbours = Neighbours::default();
        neighbours.set_static(host(1), ALICE, PORT, START);
        neighbours.learn(host(2), BOB, PORT, START);
        neighbours.learn(host(3), BOB, PORT, START);
        let later = START + Duration::from_secs(40);
        neighbours.refresh(host(3), BOB, PORT, later);
        neighbours.sweep(START + LIFETIME);
        let left: Vec<_> = neighbours
            .rows()
            .into_iter()
            .map(|(address, _)| address)
            .collect();
        assert_eq!(left, [host(1), host(3)]);
        assert_eq!(neighbours.learned(), 1);
        neighbours.sweep(later + LIFETIME);
        assert_eq!(neighbours.learned(), 0);
    }
}
