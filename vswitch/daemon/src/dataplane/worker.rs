//! A worker: one thread that waits for its queue of every port, and carries each frame it reads
//! to the end of its way before it reads the next.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::yield_now;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::io::Errno;
use tokio::sync::mpsc::UnboundedSender;
use vswitch_datapath::burst::MAX_READ;
use vswitch_datapath::lan::WireTag;
use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::{
    Arrival, Envelope, Forwarder, Pipeline, Port, PortId, Role, SendError, Wires,
};
use vswitch_netio::clock;
use vswitch_netio::epoll::{Epoll, Events, Interest, Token};
use vswitch_netio::packet_socket::PacketSocket;
use vswitch_netio::wake::Waker;
use vswitch_netio::{tap, thread, udp_tunnel};
use vswitch_packet::ethernet::EtherType;
use vswitch_packet::{Moment, VlanTag};

use super::name::{PortEvent, PortName};
use super::occupation::{Turn, Watch};
use super::placement::Placement;
use super::queue::{Datagrams, Frames, Queue};
use super::snapshot::{Progress, Snapshot, Wire};
use super::starvation::{AWAY, Change, Starvation};

/// Frames read from one port before the others have their turn.
const BURST: usize = 64;
/// Octets after which they have it, too: a super-frame takes as long as 30 small ones, and who has a message beside
/// somebody's stream should wait for one of them only. A full one of TCP has a little less than 64 KiB.
const BURST_OCTETS: usize = 60 * 1024;
/// Frames that are read before the first has its turn, where that pays: it waits for the others to be read.
const TOGETHER: usize = 16;
/// Where a frame begins behind another one.
const CACHE_LINE: usize = 64;
/// Events taken from one wait.
const EVENTS: usize = 64;
/// How often aged entries are swept from the learned tables, by the first worker.
const SWEEP: Duration = Duration::from_secs(10);
/// How often translation looks for what has ended, while there is a way outside; by the first worker.
const NAT_SWEEP: Duration = Duration::from_secs(1);
/// How often a worker asks again for neighbours, while frames wait for them.
const TICK: Duration = Duration::from_millis(250);
/// How long a worker looks for the next frame before it sleeps, while frames come quickly. A
/// sleeping worker has to be woken for each message of a conversation, which costs more than the
/// switching. It hears one direction of a conversation, so it waits for a whole round trip; see ARCHITECTURE.md for what was measured.
const PATIENCE: Duration = Duration::from_micros(40);
/// Frames come quickly when the last wait was no longer than this.
const QUICKLY: Duration = Duration::from_micros(100);
/// How long a worker wants the processor at a time: the least there is, so that one that is woken has it at once.
/// With the kernel's own, 1.4 ms or more, and the share of nice 10, a message waited 2 ms on processors that compute.
const SLICE: Duration = Duration::from_micros(100);
/// No port has this token: port numbers are dense.
const WAKE: Token = Token(u64::MAX);

/// What all workers and the control side share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) snapshot: ArcSwap<Snapshot>,
    pub(super) progress: Progress,
    pub(super) placement: Placement,
    pub(super) stop: AtomicBool,
    pub(super) events: UnboundedSender<PortEvent>,
    pub(super) announcements: Announcements,
    pub(super) strangers: Strangers,
}

/// An endpoint that came here.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) port: PortId,
    pub(super) addresses: Vec<IpAddr>,
}

/// Endpoints that other hosts are to be told of, by the first worker.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    waiting: AtomicBool,
    list: Mutex<Vec<Announcement>>,
}

impl Announcements {
    pub(super) fn add(&self, announcement: Announcement) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(announcement);
        self.waiting.store(true, Ordering::Release);
    }

    fn take(&self) -> Vec<Announcement> {
        if !self.waiting.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut list)
    }
}

/// How many strangers the control side was told of in which second: a flood of forged sources must not
/// become a flood of events.
#[derive(Debug, Default)]
pub(super) struct Strangers(AtomicU64);

/// Strangers told of in a second.
const STRANGERS: u64 = 32;

impl Strangers {
    fn admit(&self, now: Moment) -> bool {
        let second = now.as_secs() << 8;
        let mut seen = self.0.load(Ordering::Relaxed);
        if seen >> 8 != second >> 8 {
            seen = second;
        }
        // Two workers at once may let one more pass.
        let few = seen & 0xff < STRANGERS;
        if few {
            self.0.store(seen + 1, Ordering::Relaxed);
        }
        few
    }
}

/// One worker thread's own state.
pub(super) struct Worker {
    number: usize,
    /// How nice it is unless it starves.
    nice: i32,
    starvation: Starvation,
    watch: Watch,
    /// What it did since it waited last.
    turn: Turn,
    epoll: Epoll,
    waker: Waker,
    shared: Arc<Shared>,
    /// What is in the epoll set. Held here so that a descriptor leaves the set before it closes.
    polled: HashMap<Token, Arc<Wire>>,
    forwarder: Forwarder,
    swept: Moment,
    nat_swept: Moment,
    ticked: Moment,
    /// How long to sleep at most.
    nap: Option<Duration>,
    /// How long the last wait was.
    last_wait: Duration,
}

impl Worker {
    pub(super) fn new(
        number: usize,
        nice: i32,
        waker: Waker,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&waker, WAKE, Interest::Read)?;
        Ok(Self {
            number,
            nice,
            epoll,
            waker,
            shared,
            polled: HashMap::new(),
            forwarder: Forwarder::default(),
            swept: clock::now_coarse(),
            nat_swept: clock::now_coarse(),
            ticked: clock::now_coarse(),
            nap: None,
            last_wait: Duration::MAX,
            starvation: Starvation::new(),
            watch: Watch::new(clock::now_coarse()),
            turn: Turn::default(),
        })
    }

    /// Works until told to stop.
    pub(super) fn run(mut self) {
        if let Err(error) = thread::set_nice(self.nice) {
            let (worker, nice) = (self.number, self.nice);
            tracing::warn!(worker, nice, %error, "cannot set the nice value");
        }
        if let Err(error) = thread::set_slice(SLICE) {
            tracing::debug!(worker = self.number, %error, "cannot set the time slice");
        }
        self.shared.placement.enter(self.number);
        let mut events = Events::with_capacity(EVENTS);
        let shared = Arc::clone(&self.shared);
        let mut cache = arc_swap::Cache::new(&shared.snapshot);
        let mut generation = 0;
        let mut idle_since = clock::now();
        while !shared.stop.load(Ordering::Relaxed) {
            let at_once = match self.wait(&mut events, idle_since) {
                Ok(at_once) => at_once,
                Err(error) => {
                    tracing::error!(worker = self.number, %error, "cannot wait for ports; worker ends");
                    break;
                }
            };
            // Before the snapshot is loaded: a ring that is heard now was for it, or for an
            // earlier one; the next one's will be heard next time.
            if events.iter().any(|event| event.token == WAKE) {
                self.waker.drain();
            }
            let snapshot = cache.load();
            if snapshot.generation != generation {
                generation = snapshot.generation;
                self.poll_what_is_wired(snapshot);
                shared.progress.reached(self.number, generation);
            }
            let now = clock::now();
            self.last_wait = now.since(idle_since);
            self.mind_starvation(at_once, now);
            for event in events.iter().filter(|event| event.token != WAKE) {
                if event.failed && !self.is_socket(event.token) {
                    self.let_go(event.token);
                } else {
                    self.serve(snapshot, event.token, now);
                }
            }
            self.tell_occupation(now);
            self.keep_time(snapshot, now);
            idle_since = clock::now();
        }
        shared.placement.leave(self.number);
        // The control side may be waiting for a generation this worker will not see.
        shared.progress.reached(self.number, u64::MAX);
    }

    fn mind_starvation(&mut self, at_once: bool, now: Moment) {
        let change = self.starvation.look(at_once, now, clock::thread_time);
        self.change_share(change);
    }

    /// Somebody computed when the worker yielded. Beside streams that is what yielding is for.
    fn mind_absence(&mut self, now: Moment) {
        if !self.shared.placement.has_streams(now) {
            let change = self.starvation.was_away(now);
            self.change_share(change);
        }
    }

    fn change_share(&self, change: Option<Change>) {
        let nice = match change {
            Some(Change::Compete) => self.nice.min(0),
            Some(Change::Yield) => self.nice,
            None => return,
        };
        // Without CAP_SYS_NICE there is no way back from what it began with.
        let _ = thread::set_nice(nice);
    }

    fn tell_occupation(&mut self, now: Moment) {
        let turn = std::mem::take(&mut self.turn);
        let slow = self.starvation.is_found() || self.last_wait > QUICKLY;
        if let Some(occupation) = self.watch.look(turn, slow, now) {
            self.shared.placement.tell(self.number, occupation, now);
        }
    }

    /// Waits for something to do: patiently for a while if that is likely to come soon, then
    /// asleep. True if there was something at once.
    fn wait(&mut self, events: &mut Events, idle_since: Moment) -> io::Result<bool> {
        self.epoll.wait(events, Some(Duration::ZERO))?;
        if !events.is_empty() {
            return Ok(true);
        }
        // One that starves would give its processor away again.
        if self.last_wait <= QUICKLY && !self.starvation.is_found() {
            let mut now = clock::now();
            while now.since(idle_since) < PATIENCE {
                // The container that a frame was written to may wait for just this processor.
                yield_now();
                let before = std::mem::replace(&mut now, clock::now());
                if now.since(before) >= AWAY {
                    self.mind_absence(now);
                }
                self.epoll.wait(events, Some(Duration::ZERO))?;
                if !events.is_empty() {
                    return Ok(false);
                }
            }
        }
        self.epoll.wait(events, self.nap)?;
        Ok(false)
    }

    /// Does what is due, and sets the time when something will be.
    fn keep_time(&mut self, snapshot: &Snapshot, now: Moment) {
        let router = snapshot.topology.router();
        if router.pending.is_waiting() && now.since(self.ticked) >= TICK {
            self.ticked = now;
            let pipeline = Pipeline::new(&snapshot.topology, self.number, now);
            let mut outputs = Outputs::new(snapshot, self.number, &self.shared, now);
            self.forwarder.tick(&pipeline, &mut outputs);
        }
        if self.number == 0 {
            self.announce(snapshot, now);
        }
        let translates = self.number == 0 && !router.uplinks.is_empty();
        if translates && now.since(self.nat_swept) >= NAT_SWEEP {
            self.nat_swept = now;
            if let Some(nat) = &router.nat {
                nat.sweep(now);
            }
        }
        if self.number == 0 && now.since(self.swept) >= SWEEP {
            self.swept = now;
            sweep(snapshot, now);
        }
        // Whoever had a frame wait comes by here before it sleeps.
        self.nap = if router.pending.is_waiting() {
            Some(TICK)
        } else if translates {
            Some(NAT_SWEEP)
        } else {
            (self.number == 0).then_some(SWEEP)
        };
    }

    /// Makes the epoll set that of the snapshot.
    fn poll_what_is_wired(&mut self, snapshot: &Snapshot) {
        let (epoll, number) = (&self.epoll, self.number);
        self.polled.retain(|token, wire| {
            let stays = snapshot
                .wire(wire.port)
                .is_some_and(|now| now.token() == *token);
            if !stays && let Some(queue) = wire.queues.get(number) {
                // ENOENT: it was taken out when its device vanished.
                let _ = epoll.remove(queue);
            }
            stays
        });
        for wire in snapshot.wires.iter().flatten() {
            let Some(queue) = wire.queues.get(number) else {
                continue;
            };
            if self.polled.contains_key(&wire.token()) {
                continue;
            }
            if let Err(error) = epoll.add(queue, wire.token(), Interest::Read) {
                tracing::error!(worker = number, port = ?wire.name, %error, "cannot poll port");
                continue;
            }
            self.polled.insert(wire.token(), Arc::clone(wire));
        }
    }

    /// Reads a burst from one port.
    fn serve(&mut self, snapshot: &Snapshot, token: Token, now: Moment) {
        let Some(wire) = self.polled.get(&token) else {
            return;
        };
        let (Some(queue), Some(ingress)) = (
            wire.queues.get(self.number),
            snapshot.topology.port(wire.port),
        ) else {
            return;
        };
        let pipeline = Pipeline::new(&snapshot.topology, self.number, now);
        let mut outputs = Outputs::new(snapshot, self.number, &self.shared, now);
        let gone = match queue {
            Queue::Frames(queue) => {
                read_frames(queue, &mut self.forwarder, ingress, &pipeline, &mut outputs)
            }
            Queue::Tagged(socket) => {
                read_tagged(
                    socket,
                    &mut self.forwarder,
                    ingress,
                    &pipeline,
                    &mut outputs,
                );
                false
            }
            Queue::Datagrams(queue) => {
                read_datagrams(queue, &mut self.forwarder, ingress, &pipeline, &mut outputs);
                false
            }
        };
        self.forwarder.flush(&pipeline, &mut outputs);
        self.turn.frames += outputs.frames;
        self.turn.octets += outputs.octets;
        if let Some(to) = outputs.last.and_then(|port| snapshot.topology.port(port)) {
            self.turn.home = tap::sent_from(to.mac.0);
        }
        if gone {
            self.let_go(token);
        }
    }

    /// Tells other hosts of endpoints that came here.
    fn announce(&mut self, snapshot: &Snapshot, now: Moment) {
        for announcement in self.shared.announcements.take() {
            let pipeline = Pipeline::new(&snapshot.topology, self.number, now);
            let mut outputs = Outputs::new(snapshot, self.number, &self.shared, now);
            let port = snapshot.topology.port(announcement.port);
            if let Some(bridge) = port.and_then(|port| port.bridge) {
                self.forwarder.announce(
                    (bridge, announcement.port),
                    &announcement.addresses,
                    &pipeline,
                    &mut outputs,
                );
            }
        }
    }

    /// Whether an error is one of the socket's peers, or of a link that is down, and it goes on.
    fn is_socket(&self, token: Token) -> bool {
        let wire = self.polled.get(&token);
        let queue = wire.and_then(|wire| wire.queues.get(self.number));
        matches!(queue, Some(Queue::Datagrams(_) | Queue::Tagged(_)))
    }

    /// Stops polling a port whose device vanished, which epoll would report for ever, and tells
    /// the control side.
    fn let_go(&mut self, token: Token) {
        let Some(wire) = self.polled.get(&token) else {
            return;
        };
        if let Some(queue) = wire.queues.get(self.number) {
            let _ = self.epoll.remove(queue);
        }
        if wire.note_gone() {
            // Nobody listens any more only while the daemon stops.
            let _ = self.shared.events.send(PortEvent::Gone(wire.name));
        }
    }
}

/// The worker's own queue of each port, and what was sent by these.
struct Outputs<'s> {
    snapshot: &'s Snapshot,
    worker: usize,
    shared: &'s Shared,
    now: Moment,
    frames: usize,
    octets: usize,
    last: Option<PortId>,
}

impl<'s> Outputs<'s> {
    const fn new(snapshot: &'s Snapshot, worker: usize, shared: &'s Shared, now: Moment) -> Self {
        Self {
            snapshot,
            worker,
            shared,
            now,
            frames: 0,
            octets: 0,
            last: None,
        }
    }

    fn note(&mut self, port: PortId, octets: usize) {
        self.frames += 1;
        self.octets += octets;
        self.last = Some(port);
    }

    fn queue(&self, port: PortId) -> Option<(&Queue, PortName)> {
        let wire = self.snapshot.wire(port)?;
        Some((wire.queues.get(self.worker)?, wire.name))
    }
}

impl Wires for Outputs<'_> {
    fn send(&mut self, port: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        let written = match self.queue(port) {
            Some((Queue::Frames(queue), _)) => queue.write_vectored(parts),
            Some((Queue::Tagged(socket), _)) => socket.write_vectored(parts),
            _ => return Err(SendError::Gone),
        };
        self.note(port, written.as_ref().copied().unwrap_or_default());
        written
            .map(|_| ())
            .map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::BADFD | Errno::NODEV) => SendError::Gone,
                // `tun_get_user`, and `packet_snd`, while the interface is not up.
                Some(Errno::IO | Errno::NETDOWN | Errno::NXIO) => SendError::Down,
                Some(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => SendError::Full,
                _ => SendError::Refused,
            })
    }

    #[inline]
    fn send_datagrams(
        &mut self,
        envelope: &Envelope,
        parts: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        self.note(envelope.underlay, parts.iter().map(|part| part.len()).sum());
        let Some((Queue::Datagrams(Datagrams::Underlay(socket)), PortName::Underlay(key))) =
            self.queue(envelope.underlay)
        else {
            return Err(SendError::Gone);
        };
        let Envelope {
            to,
            entropy,
            tos,
            ttl,
            segment,
            ..
        } = *envelope;
        socket
            .send(to, entropy, tos, ttl, segment, parts)
            .map_err(|error| datagram_error(&error, key.local, to, segment.is_some()))
    }

    fn stranger(&mut self, stranger: Stranger) {
        if self.shared.strangers.admit(self.now) {
            // Nobody listens any more only while the daemon stops.
            let _ = self.shared.events.send(PortEvent::Stranger(stranger));
        }
    }
}

/// What the kernel says of datagrams that it does not take; see [`udp_tunnel::TunnelSocket::send`].
#[cold]
fn datagram_error(error: &io::Error, local: IpAddr, to: SocketAddr, joined: bool) -> SendError {
    let path_mtu = || udp_tunnel::path_mtu(local, to.ip(), to.port());
    match Errno::from_io_error(error) {
        Some(Errno::MSGSIZE) => path_mtu().map_or(SendError::Refused, SendError::TooLong),
        Some(Errno::IO | Errno::INVAL) if joined => SendError::NotJoined,
        Some(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => SendError::Full,
        Some(Errno::PERM) => SendError::Forbidden,
        Some(
            Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::ADDRNOTAVAIL
            | Errno::ACCESS
            | Errno::INVAL,
        ) => SendError::Unreachable,
        _ => SendError::Refused,
    }
}

/// Reads a burst of frames. True if their device vanished.
fn read_frames(
    queue: &Frames,
    forwarder: &mut Forwarder,
    ingress: &Port,
    pipeline: &Pipeline<'_>,
    outputs: &mut Outputs<'_>,
) -> bool {
    if Forwarder::looks_ahead(pipeline.topology(), ingress) {
        return read_together(queue, forwarder, ingress, pipeline, outputs);
    }
    let mut octets = 0;
    for _ in 0..BURST {
        let Some(room) = forwarder.room() else {
            break;
        };
        match queue.read(room) {
            Ok(len) => {
                forwarder.receive(len, ingress, pipeline, outputs);
                octets += len;
                if octets >= BURST_OCTETS {
                    break;
                }
            }
            Err(error) => return is_gone(&error),
        }
    }
    false
}

/// As [`read_frames`], but what is known of frames is fetched from memory while others have their turn.
fn read_together(
    queue: &Frames,
    forwarder: &mut Forwarder,
    ingress: &Port,
    pipeline: &Pipeline<'_>,
    outputs: &mut Outputs<'_>,
) -> bool {
    let mut octets = 0;
    for _ in 0..BURST / TOGETHER {
        let Some(rooms) = forwarder.rooms() else {
            break;
        };
        let mut frames = [const { 0..0 }; TOGETHER];
        let (mut count, mut at, mut end) = (0, 0, None);
        for frame in &mut frames {
            let room = rooms.get_mut(at..).filter(|room| room.len() >= MAX_READ);
            let Some(room) = room.filter(|_| octets < BURST_OCTETS) else {
                break;
            };
            match queue.read(room) {
                Ok(len) => {
                    *frame = at..at + len;
                    count += 1;
                    octets += len;
                    at = (at + len).next_multiple_of(CACHE_LINE);
                }
                Err(error) => {
                    end = Some(is_gone(&error));
                    break;
                }
            }
        }
        let read = frames.get(..count).unwrap_or_default();
        forwarder.receive_together(read, ingress, pipeline, outputs);
        if let Some(gone) = end {
            return gone;
        }
        if octets >= BURST_OCTETS {
            break;
        }
    }
    false
}

fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::BADFD)
}

/// Reads a burst of frames from a NIC that containers are put on.
fn read_tagged(
    socket: &PacketSocket,
    forwarder: &mut Forwarder,
    ingress: &Port,
    pipeline: &Pipeline<'_>,
    outputs: &mut Outputs<'_>,
) {
    for _ in 0..BURST {
        let Some(room) = forwarder.room() else {
            break;
        };
        // The link may be down, which is told once; it may come back.
        let Ok(received) = socket.receive(room) else {
            break;
        };
        let tag = received.vlan.map(|vlan| WireTag {
            ethertype: EtherType(vlan.protocol),
            tag: VlanTag(vlan.control),
        });
        forwarder.receive_tagged(received.length, tag, ingress, pipeline, outputs);
    }
}

/// Reads a burst of datagrams, from the sockets of an underlay or of a tunnel's group.
fn read_datagrams(
    queue: &Datagrams,
    forwarder: &mut Forwarder,
    port: &Port,
    pipeline: &Pipeline<'_>,
    outputs: &mut Outputs<'_>,
) {
    let (underlay, group) = match &port.tunnel {
        Some(tunnel) => (pipeline.topology().port(tunnel.underlay), Some(port.id)),
        None => (Some(port), None),
    };
    let Some(underlay) = underlay.filter(|port| port.role == Role::Underlay) else {
        return;
    };
    for _ in 0..BURST {
        let Some(room) = forwarder.room() else {
            break;
        };
        let received = match queue {
            Datagrams::Underlay(socket) => socket.receive(room),
            Datagrams::Group(socket) => socket.receive(room),
        };
        let received = match received {
            Ok(received) => received,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => continue,
            Err(_) => break,
        };
        let arrival = Arrival {
            from: received.from,
            segment: received.segment,
            tos: received.tos,
            group,
        };
        forwarder.receive_datagrams(received.len, &arrival, underlay, pipeline, outputs);
    }
}

fn sweep(snapshot: &Snapshot, now: Moment) {
    snapshot.topology.router().sweep(now);
    for bridge in snapshot.topology.bridges() {
        bridge.fdb.sweep(now);
        bridge.neighbours.sweep(now);
        if let Some(groups) = &bridge.groups {
            groups.sweep(now);
        }
    }
}
