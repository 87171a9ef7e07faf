//! The ports of the host's addresses: which are taken by a mapping, and by which.

use std::hash::Hasher;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::endpoint::{Address, Endpoint};
use crate::host_ports::HostPorts;
use crate::published::Published;
use crate::tuple::Protocol;

const PORTS: usize = 1 << 16;
/// How many ports are tried at random before looking for one in order.
const RANDOM_TRIES: usize = 8;
/// How many ports the host may refuse before a search is given up.
const REFUSALS: usize = 256;

/// Where a mapping is: its shard, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: usize,
    pub(super) mapping: u32,
}

impl Place {
    /// Never 0, which is no place.
    fn pack(self) -> u64 {
        (self.shard as u64 + 1) << 32 | u64::from(self.mapping)
    }

    fn unpack(packed: u64) -> Option<Self> {
        Some(Self {
            shard: ((packed >> 32) as usize).checked_sub(1)?,
            mapping: packed as u32,
        })
    }
}

/// The ports of one address for one protocol.
pub(super) struct PortSpace {
    address: Address,
    protocol: Protocol,
    /// A bit for each port that is taken.
    taken: Box<[AtomicU64]>,
    places: Box<[AtomicU64]>,
    /// The host has the address no more.
    closed: AtomicBool,
}

/// How a port is found.
pub(super) struct Wish<'w> {
    /// The container's own, which is kept if possible.
    pub(super) port: u16,
    /// The others to choose from.
    pub(super) ports: RangeInclusive<u16>,
    pub(super) published: &'w Published,
    pub(super) host_ports: &'w dyn HostPorts,
}

impl PortSpace {
    fn new(address: Address, protocol: Protocol) -> Self {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            address,
            protocol,
            taken: zeros(PORTS / 64),
            places: zeros(PORTS),
            closed: AtomicBool::new(false),
        }
    }

    #[inline]
    fn is_of(&self, protocol: Protocol, address: Address) -> bool {
        self.protocol == protocol && self.address == address
    }

    /// If it is of that address.
    fn set_closed(&self, address: Address, closed: bool) {
        if self.address == address {
            self.closed.store(closed, Ordering::SeqCst);
        }
    }

    /// Where the mapping at a port may be: it may have ended meanwhile, and its place may be
    /// another's, so whoever goes there checks what he finds.
    #[inline]
    pub(super) fn place(&self, port: u16) -> Option<Place> {
        Place::unpack(self.places[usize::from(port)].load(Ordering::Acquire))
    }

    /// Takes a port, and nothing but its bit. False if it is taken.
    pub(super) fn reserve(&self, port: u16) -> bool {
        let (word, bit) = (&self.taken[usize::from(port) / 64], 1 << (port % 64));
        if word.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return false;
        }
        if self.closed.load(Ordering::SeqCst) {
            self.release(port);
            return false;
        }
        true
    }

    /// Tells where the mapping of a reserved port is.
    pub(super) fn settle(&self, port: u16, place: Place) {
        self.places[usize::from(port)].store(place.pack(), Ordering::Release);
    }

    pub(super) fn release(&self, port: u16) {
        self.places[usize::from(port)].store(0, Ordering::Release);
        let bit = 1u64 << (port % 64);
        self.taken[usize::from(port) / 64].fetch_and(!bit, Ordering::AcqRel);
    }

    /// Reserves a port for a mapping: the container's own, else one at random (RFC 6056, RFC 7857
    /// §9), of the same parity if there is one (RFC 4787 REQ-4). `None` if there is none.
    pub(super) fn draw(&self, wish: &Wish<'_>, mut random: impl FnMut() -> u64) -> Option<u16> {
        let mut search = Search {
            space: self,
            wish,
            refusals: 0,
        };
        // Port 0 is nobody's, but an identifier like any other.
        let keep = wish.port != 0 || self.protocol == Protocol::Echo;
        if keep && search.attempt(wish.port) {
            return Some(wish.port);
        }
        let (start, end) = (u64::from(*wish.ports.start()), u64::from(*wish.ports.end()));
        let count = (end + 1).checked_sub(start).filter(|&count| count > 0)?;
        let parity = wish.port % 2;
        for _ in 0..RANDOM_TRIES {
            let port = (start + random() % count) as u16;
            let port = port & !1 | parity;
            if wish.ports.contains(&port) && search.attempt(port) {
                return Some(port);
            }
        }
        let first = (start + random() % count) as u16;
        [PARITY[usize::from(parity)], u64::MAX]
            .into_iter()
            .find_map(|pattern| {
                search
                    .run(first..=*wish.ports.end(), pattern)
                    .or_else(|| search.run(*wish.ports.start()..=first, pattern))
            })
    }

    /// One of `ports` that a mapping holds: the next after a random one.
    pub(super) fn any_taken(&self, ports: &RangeInclusive<u16>, random: u64) -> Option<u16> {
        let count = (u64::from(*ports.end()) + 1).checked_sub(u64::from(*ports.start()))?;
        let from = u32::from(*ports.start()) + random.checked_rem(count)? as u32;
        self.next(from, *ports.end(), |taken| taken)
            .or_else(|| self.next(u32::from(*ports.start()), *ports.end(), |taken| taken))
    }

    /// The first port from `from` on, up to `last`, whose bit is set in what `choose` makes of the
    /// bits of those that are taken.
    fn next(&self, from: u32, last: u16, choose: impl Fn(u64) -> u64) -> Option<u16> {
        let mut at = from;
        while at <= u32::from(last) {
            let taken = self.taken[at as usize / 64].load(Ordering::Relaxed);
            let chosen = choose(taken) & (u64::MAX << (at % 64));
            if chosen != 0 {
                let port = (at & !63) + chosen.trailing_zeros();
                return u16::try_from(port).ok().filter(|&port| port <= last);
            }
            at = (at & !63) + 64;
        }
        None
    }
}

/// Even ports, and odd ones.
const PARITY: [u64; 2] = [0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa];

struct Search<'s> {
    space: &'s PortSpace,
    wish: &'s Wish<'s>,
    refusals: usize,
}

impl Search<'_> {
    fn attempt(&mut self, port: u16) -> bool {
        let external = self.external(port);
        let protocol = self.space.protocol;
        if self.wish.published.covering(protocol, external).is_some() || !self.space.reserve(port) {
            return false;
        }
        // Identifiers of echo requests are not shared with the host: it knows its own.
        if protocol != Protocol::Echo && !self.wish.host_ports.take(protocol, external) {
            self.space.release(port);
            self.refusals += 1;
            return false;
        }
        true
    }

    fn external(&self, port: u16) -> SocketAddr {
        Endpoint::new(self.space.address, port).into()
    }

    /// Identifiers of echo requests are not shared with the host.
    fn kept_until(&self, port: u16) -> Option<u16> {
        match self.space.protocol {
            Protocol::Echo => None,
            _ => self.wish.host_ports.kept_until(port),
        }
    }

    fn run(&mut self, ports: RangeInclusive<u16>, pattern: u64) -> Option<u16> {
        let (mut at, last) = (u32::from(*ports.start()), *ports.end());
        while self.refusals < REFUSALS {
            let port = self.space.next(at, last, |taken| !taken & pattern)?;
            if let Some(kept) = self.kept_until(port) {
                at = u32::from(kept) + 1;
                continue;
            }
            let external = self.external(port);
            let covering = self.wish.published.covering(self.space.protocol, external);
            if covering.is_none() && self.attempt(port) {
                return Some(port);
            }
            // A published range is passed over as a whole, unless it is for all addresses: then
            // another may begin within it, but that is published, too.
            at = covering.map_or(u32::from(port), |p| u32::from(*p.ports.end())) + 1;
        }
        None
    }
}

/// The port spaces of all addresses that something was translated to. There are few, and they are
/// read with every packet from outside.
#[derive(Default)]
pub(super) struct PortSpaces {
    /// Of the addresses that came first. To read them takes no more than a load, because they stay for
    /// ever, also when the host has the address no more.
    first: [OnceLock<Arc<PortSpace>>; FIRST],
    /// Of the others.
    more: ArcSwap<Vec<Arc<PortSpace>>>,
}

/// Four addresses with TCP, UDP, SCTP and echo: half a MB each.
const FIRST: usize = 16;

impl PortSpaces {
    /// Where the mapping at an external endpoint may be; see [`PortSpace::place`].
    #[inline]
    pub(super) fn place(&self, protocol: Protocol, external: Endpoint) -> Option<Place> {
        match self.find_first(protocol, external.address()) {
            Some(space) => space.place(external.port()),
            None => self.place_among_more(protocol, external),
        }
    }

    #[inline]
    fn find_first(&self, protocol: Protocol, address: Address) -> Option<&Arc<PortSpace>> {
        let mut there = self.first.iter().map_while(OnceLock::get);
        there.find(|space| space.is_of(protocol, address))
    }

    #[cold]
    fn place_among_more(&self, protocol: Protocol, external: Endpoint) -> Option<Place> {
        let more = self.more.load();
        let space = find(&more, protocol, external.address())?;
        space.place(external.port())
    }

    pub(super) fn get_or_add(&self, protocol: Protocol, address: Address) -> Arc<PortSpace> {
        if let Some(space) = self.find_first(protocol, address) {
            return Arc::clone(space);
        }
        if let Some(space) = find(&self.more.load(), protocol, address) {
            return Arc::clone(space);
        }
        let mut added = Arc::new(PortSpace::new(address, protocol));
        for place in &self.first {
            let space = place.get_or_init(|| Arc::clone(&added));
            // It is ours, or another thread was quicker with the same.
            if space.is_of(protocol, address) {
                return Arc::clone(space);
            }
        }
        self.more.rcu(|more| {
            let mut more = Vec::clone(more);
            match find(&more, protocol, address) {
                // Another thread was quicker.
                Some(space) => added = Arc::clone(space),
                None => more.push(Arc::clone(&added)),
            }
            more
        });
        added
    }

    /// From now on no mapping finds a port at this address; those there are, are still to be ended.
    pub(super) fn close(&self, address: Address) {
        self.set_closed(address, true);
        for space in self.more.load().iter() {
            space.set_closed(address, true);
        }
    }

    /// Takes out what was closed, or makes it ready for the address to come back. Not before its mappings
    /// have ended: it would have two mappings at one port.
    pub(super) fn remove_closed(&self, address: Address) {
        self.set_closed(address, false);
        self.more.rcu(|more| {
            let mut more = Vec::clone(more);
            more.retain(|space| space.address != address || !space.closed.load(Ordering::SeqCst));
            more
        });
    }

    fn set_closed(&self, address: Address, closed: bool) {
        for space in self.first.iter().filter_map(OnceLock::get) {
            space.set_closed(address, closed);
        }
    }
}

fn find(
    spaces: &[Arc<PortSpace>],
    protocol: Protocol,
    address: Address,
) -> Option<&Arc<PortSpace>> {
    spaces.iter().find(|space| space.is_of(protocol, address))
}

/// Random numbers from a secret: a hash of how many there were before (RFC 6056 §3.3.3 has such an
/// offset, too). The standard library's hash is SipHash, which does not give its key away.
#[derive(Debug)]
pub(super) struct Dice {
    seed: u64,
    thrown: AtomicU64,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            thrown: AtomicU64::new(0),
        }
    }

    pub(super) fn throw(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write_u64(self.thrown.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_space_gives_no_port_and_makes_way_later() {
        let spaces = PortSpaces::default();
        // One of the first, and one of the others.
        let others = (0..FIRST as u8).map(|n| Address::v4([192, 0, 2, n]));
        for address in others.chain([Address::v4([198, 51, 100, 1])]) {
            makes_way(&spaces, address);
        }
        assert_eq!(spaces.more.load().len(), 1);
    }

    fn makes_way(spaces: &PortSpaces, address: Address) {
        let before = spaces.get_or_add(Protocol::Udp, address);
        assert!(before.reserve(1));
        spaces.close(address);
        assert!(!before.reserve(2));
        // While mappings are being ended it is the only one.
        let meanwhile = spaces.get_or_add(Protocol::Udp, address);
        assert!(Arc::ptr_eq(&before, &meanwhile));
        before.release(1);
        spaces.remove_closed(address);
        let after = spaces.get_or_add(Protocol::Udp, address);
        assert!(after.reserve(1) && !after.reserve(1));
        spaces.remove_closed(address);
        assert!(Arc::ptr_eq(
            &after,
            &spaces.get_or_add(Protocol::Udp, address)
        ));
    }

    /// A host that keeps so many ports that a search would give up within them.
    struct Keeping(RangeInclusive<u16>);

    impl HostPorts for Keeping {
        fn take(&self, _protocol: Protocol, external: SocketAddr) -> bool {
            !self.0.contains(&external.port())
        }

        fn kept_until(&self, port: u16) -> Option<u16> {
            self.0.contains(&port).then_some(*self.0.end())
        }

        fn give_back(&self, _protocol: Protocol, _external: SocketAddr) {}
    }

    #[test]
    fn what_the_host_keeps_is_passed_over_and_all_else_is_found() {
        let kept = 20_000..=40_000;
        assert!(kept.len() > 10 * REFUSALS);
        let space = PortSpace::new(Address::v4([192, 0, 2, 1]), Protocol::Udp);
        let wish = Wish {
            port: 30_000,
            ports: 19_000..=41_000,
            published: &Published::default(),
            host_ports: &Keeping(kept.clone()),
        };
        let free = wish.ports.len() - kept.len();
        // The dice always show a port that is kept.
        let drawn: Vec<u16> = std::iter::from_fn(|| space.draw(&wish, || 11_000)).collect();
        assert_eq!(drawn.len(), free);
        assert!(drawn.iter().all(|port| !kept.contains(port)));
    }

    #[test]
    fn a_search_goes_all_around() {
        let space = PortSpace::new(Address::v4([192, 0, 2, 1]), Protocol::Udp);
        assert_eq!(space.any_taken(&(100..=200), 7), None);
        assert!(space.reserve(150) && space.reserve(99) && space.reserve(201));
        for random in 0..300 {
            assert_eq!(space.any_taken(&(100..=200), random), Some(150));
        }
        for port in (0..=u16::MAX).filter(|port| ![150, 99, 201, 65_535].contains(port)) {
            assert!(space.reserve(port));
        }
        let wish = Wish {
            port: 10,
            ports: 0..=65_535,
            published: &Published::default(),
            host_ports: &crate::host_ports::AllFree,
        };
        assert_eq!(
            space.draw(&wish, || 12_345),
            Some(65_535),
            "of the other parity"
        );
        assert_eq!(space.draw(&wish, || 12_345), None);
    }

    #[test]
    fn dice_follow_the_seed() {
        let throws = |seed| {
            let dice = Dice::new(seed);
            [(); 4].map(|()| dice.throw())
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
    }
}
