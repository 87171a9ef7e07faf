//! The datapath at work: worker threads, the configuration they read, and what they learn.

mod lan;
mod name;
mod occupation;
mod overlay;
mod placement;
mod policy;
mod queue;
mod router;
mod snapshot;
mod starvation;
mod tables;
mod worker;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use vswitch_cnm::{BridgeSettings, NetworkId, PortSettings, SegmentId};
use vswitch_datapath::neighbour;
use vswitch_datapath::snoop::Groups;
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{
    Bridge, BridgeId, Fdb, Gateway, GatewayLink, Neighbours, Port, PortCounters, PortId, Role,
    StormLimit,
};
use vswitch_nat::{Nat, Owner};
use vswitch_netio::clock;
use vswitch_netio::tap::{self, Offloads, Tap};
use vswitch_netio::wake::Waker;
use vswitch_packet::{Capabilities, MacAddr};

pub use lan::{ParentSpec, addresses_behind};
pub use name::{ParentKey, PortEvent, PortName, UnderlayKey};
pub use overlay::TunnelSpec;
pub use router::{EndpointPorts, HostRoute, HostWay, UplinkSpec};
pub use tables::{FdbRow, NeighbourRow, Origin, PortStats};

use placement::Placement;
use queue::{Frames, Queue};
use snapshot::{Progress, Snapshot, Wire};
use worker::{Announcement, Announcements, Shared, Strangers, Worker};

/// The switch: add bridges and ports to it, and frames flow.
#[derive(Debug)]
pub struct Dataplane {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    wakers: Vec<Waker>,
    directory: Mutex<Directory>,
    nat: Arc<Nat>,
}

/// A port that is to be added.
#[derive(Clone, Debug)]
pub enum PortSpec {
    /// An endpoint's.
    Endpoint {
        /// The model's part.
        settings: PortSettings,
        /// The interface's address: the endpoint's own, or that of the NIC it shares.
        mac: MacAddr,
    },
    /// The host port of a segment.
    Host(SegmentId),
}

/// Which network and which port is where in the topology.
#[derive(Debug, Default)]
struct Directory {
    bridges: HashMap<SegmentId, (BridgeId, BridgeSettings)>,
    ports: HashMap<PortName, PortId>,
    incarnations: u32,
}

impl Directory {
    fn bridge(&self, segment: SegmentId) -> Option<BridgeId> {
        self.bridges.get(&segment).map(|(id, _)| *id)
    }

    fn incarnation(&mut self) -> u32 {
        self.incarnations += 1;
        self.incarnations
    }
}

impl Dataplane {
    /// Starts `workers` threads (at least one) with the given nice value, 0 to 19.
    ///
    /// # Errors
    /// If threads or descriptors are not to be had.
    pub fn start(
        workers: usize,
        nice: i32,
        nat: Nat,
    ) -> anyhow::Result<(Self, UnboundedReceiver<PortEvent>)> {
        let workers = workers.max(1);
        if workers > 1 {
            tap::load_steering();
        }
        let (events, listener) = unbounded_channel();
        let nat = Arc::new(nat);
        let mut first = Snapshot::default();
        first.edit_router(|router| router.nat = Some(Arc::clone(&nat)));
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(first),
            progress: Progress::new(workers),
            placement: Placement::new(workers, clock::now()),
            stop: AtomicBool::new(false),
            events,
            announcements: Announcements::default(),
            strangers: Strangers::default(),
        });
        let mut dataplane = Self {
            shared,
            threads: Vec::new(),
            wakers: Vec::new(),
            directory: Mutex::default(),
            nat,
        };
        for number in 0..workers {
            let waker = Waker::new().context("cannot make a worker's eventfd")?;
            let worker = Worker::new(number, nice, waker.clone(), Arc::clone(&dataplane.shared))
                .context("cannot make a worker's epoll set")?;
            let spawned = std::thread::Builder::new()
                .name(format!("vswitch-w{number}"))
                .spawn(|| worker.run());
            dataplane
                .threads
                .push(spawned.context("cannot start a worker thread")?);
            dataplane.wakers.push(waker);
        }
        Ok((dataplane, listener))
    }

    /// How many workers there are, which is how many queues a TAP must have.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.wakers.len()
    }

    /// Adds a bridge for a segment of a network.
    ///
    /// # Errors
    /// If the segment has one, or no randomness is to be had.
    pub fn add_bridge(&self, settings: BridgeSettings) -> anyhow::Result<()> {
        let mut directory = self.directory();
        if directory.bridges.contains_key(&settings.id()) {
            bail!("network {} is switched already", settings.name);
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).context("no random numbers")?;
        let fdb = Fdb::new(
            settings.fdb_limit as usize,
            settings.ageing_secs,
            u64::from_ne_bytes(seed),
        );
        let gateway = gateway(&settings);
        let present = directory.bridges.iter();
        let present = present.map(|(segment, (id, _))| (*segment, *id));
        let id = self.change(|next| {
            let id = next.topology.vacant_bridge();
            next.topology.set_bridge(Bridge {
                id,
                ports: Vec::new(),
                fdb: Arc::new(fdb),
                neighbours: Arc::new(Neighbours::default()),
                groups: settings.snooping.then(Arc::<Groups>::default),
                gateway,
                overlay: overlay::overlay(&settings),
                lan: lan::internal(
                    &settings,
                    lan::SegmentNumber::of(settings.id(), present, id),
                ),
            });
            id
        });
        directory.bridges.insert(settings.id(), (id, settings));
        Ok(())
    }

    /// Takes a segment's bridge away, with all its ports. Returns when no worker holds any of
    /// their descriptors.
    pub fn remove_bridge(&self, segment: SegmentId) {
        let mut directory = self.directory();
        let Some((bridge, _)) = directory.bridges.remove(&segment) else {
            return;
        };
        self.change(|next| {
            let ports: Vec<_> = next
                .topology
                .bridge(bridge)
                .map_or_else(Vec::new, |bridge| bridge.ports.clone());
            for port in ports {
                next.unwire(port);
            }
            next.topology.remove_bridge(bridge);
        });
        self.settle();
        let snapshot = self.shared.snapshot.load();
        directory.ports.retain(|_, port| {
            let stays = snapshot.topology.port(*port).is_some();
            if !stays {
                self.forget(*port);
            }
            stays
        });
    }

    /// Adds a port to its network's bridge. `tap` has as many queues as there are workers.
    ///
    /// # Errors
    /// If the network is not switched or the port exists.
    pub fn add_port(&self, spec: PortSpec, tap: Tap) -> anyhow::Result<()> {
        let mut directory = self.directory();
        let (segment, name) = match &spec {
            PortSpec::Endpoint { settings, .. } => {
                (settings.segment_id(), PortName::Endpoint(settings.endpoint))
            }
            PortSpec::Host(segment) => (*segment, PortName::Host(*segment)),
        };
        let Some((bridge, settings)) = directory.bridges.get(&segment).cloned() else {
            bail!("network {} is not switched", segment.network);
        };
        if directory.ports.contains_key(&name) {
            bail!("{name:?} is a port already");
        }
        if tap.queues.len() != self.workers() {
            bail!(
                "{} has {} queues for {} workers",
                tap.name,
                tap.queues.len(),
                self.workers()
            );
        }
        let incarnation = directory.incarnation();
        let capabilities = if settings.offload {
            capabilities(tap.offloads)
        } else {
            Capabilities::NONE
        };
        let counters = Arc::new(PortCounters::new(self.workers()));
        let now = clock::now();
        let id = self.change(|next| {
            let id = next.topology.vacant_port();
            let port = port(id, bridge, &spec, &settings, capabilities, counters);
            if let (Some(bridge), PortSpec::Endpoint { settings, .. }) =
                (next.topology.bridge(bridge), &spec)
            {
                introduce(bridge, &port, settings, now);
            }
            if port.role == Role::Host {
                next.topology.edit_bridge(bridge, |bridge| {
                    if let Some(gateway) = &mut bridge.gateway {
                        gateway.host_port = Some(id);
                    }
                });
            }
            next.topology.add_port(port);
            let queues = tap.queues.into_iter().map(Frames::Tap).map(Queue::Frames);
            next.wire_up(Wire::new(id, incarnation, name, queues.collect()));
            id
        });
        directory.ports.insert(name, id);
        if let PortSpec::Endpoint {
            settings: endpoint, ..
        } = &spec
            && (settings.overlay.is_some() || settings.lan.is_some())
        {
            self.announce(id, &endpoint.addresses);
        }
        Ok(())
    }

    /// Has other hosts told that an endpoint is here.
    fn announce(&self, port: PortId, addresses: &[IpAddr]) {
        self.shared.announcements.add(Announcement {
            port,
            addresses: addresses.to_vec(),
        });
        if let Some(first) = self.wakers.first() {
            first.wake();
        }
    }

    /// Takes a port away. Returns when no worker holds its descriptors, and nothing learned
    /// points at it.
    pub fn remove_port(&self, name: &PortName) {
        let mut directory = self.directory();
        let Some(port) = directory.ports.remove(name) else {
            return;
        };
        let bridge = {
            let before = self.shared.snapshot.load();
            let bridge = before
                .topology
                .port(port)
                .and_then(|p| before.topology.bridge(p.bridge?));
            bridge.cloned()
        };
        self.change(|next| next.unwire(port));
        self.settle();
        // Only now, when no worker can learn anything more of the port.
        self.forget(port);
        if let Some(bridge) = bridge {
            bridge.fdb.forget_port(port);
            bridge.neighbours.forget_port(port);
            if let Some(groups) = bridge.groups {
                groups.forget_port(port);
            }
        }
    }

    /// Replaces the set of the host's own addresses, which containers reach through their gateway.
    pub fn set_host_addresses(&self, addresses: Vec<IpAddr>) {
        let _directory = self.directory();
        self.change(|next| next.topology.set_host_addresses(addresses));
    }

    /// The addresses that are known, of one network or of all.
    #[must_use]
    pub fn fdb(&self, network: Option<NetworkId>) -> Vec<FdbRow> {
        let now = clock::now();
        self.look(network, |look, network, bridge| {
            let gateway = bridge.gateway.iter().map(|gateway| FdbRow {
                network,
                mac: gateway.mac,
                vlan: 0,
                port: gateway.host_port.and_then(|port| look.name(port)),
                age: None,
                origin: Origin::Gateway,
            });
            let entries = bridge.fdb.entries(now).into_iter().map(|entry| FdbRow {
                network,
                mac: entry.mac,
                vlan: entry.vlan.get(),
                port: look.name(entry.port),
                age: entry.age,
                origin: match entry.age {
                    Some(_) => Origin::Learned,
                    None => look.configured(entry.port),
                },
            });
            gateway.chain(entries).collect()
        })
    }

    /// The neighbours that are known, of one network or of all.
    #[must_use]
    pub fn neighbours(&self, network: Option<NetworkId>) -> Vec<NeighbourRow> {
        let now = clock::now();
        self.look(network, |look, network, bridge| {
            let rows = bridge.neighbours.rows().into_iter();
            rows.map(|(ip, known)| {
                let (origin, age) = match known.origin {
                    neighbour::Origin::Static => (look.configured(known.port), None),
                    neighbour::Origin::Learned => {
                        (Origin::Learned, Some(now.since(known.confirmed).as_secs()))
                    }
                };
                NeighbourRow {
                    network,
                    ip,
                    mac: known.mac,
                    port: look.name(known.port),
                    age,
                    origin,
                }
            })
            .collect()
        })
    }

    /// The counters of the ports of one network, or of all ports.
    #[must_use]
    pub fn stats(&self, network: Option<NetworkId>) -> Vec<PortStats> {
        let mut stats = self.look(network, |look, network, bridge| {
            let ports = bridge
                .ports
                .iter()
                .filter_map(|&id| look.snapshot.topology.port(id));
            ports
                .filter_map(|port| {
                    let totals = port.counters.total();
                    Some(PortStats {
                        network: Some(network),
                        port: look.name(port.id)?,
                        totals,
                    })
                })
                .collect()
        });
        if network.is_none() {
            stats.extend(self.outer_stats());
        }
        stats
    }

    /// Ends the workers and closes the descriptors. TAPs that are persistent stay.
    pub fn stop(self) {
        drop(self);
    }

    /// What the router knows of a port that no worker sees any more.
    fn forget(&self, port: PortId) {
        self.nat.forget_owner(Owner(port.0));
        let snapshot = self.shared.snapshot.load();
        snapshot.topology.router().pending.forget_port(port);
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the next configuration. Called with the directory locked, so that there is one
    /// change at a time.
    fn change<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let mut next = self.shared.snapshot.load().next();
        let result = change(&mut next);
        self.shared.snapshot.store(Arc::new(next));
        for waker in &self.wakers {
            waker.wake();
        }
        result
    }

    /// Waits until every worker works by the present configuration.
    fn settle(&self) {
        let generation = self.shared.snapshot.load().generation;
        self.shared.progress.wait(generation);
    }

    fn look<T>(
        &self,
        network: Option<NetworkId>,
        rows: impl Fn(&Look<'_>, NetworkId, &Bridge) -> Vec<T>,
    ) -> Vec<T> {
        let directory = self.directory();
        let snapshot = self.shared.snapshot.load();
        let look = Look {
            snapshot: &snapshot,
        };
        let mut bridges: Vec<_> = directory
            .bridges
            .values()
            .filter(|(_, settings)| network.is_none_or(|network| network == settings.network))
            .collect();
        bridges.sort_by(|(_, a), (_, b)| (&a.name, a.segment).cmp(&(&b.name, b.segment)));
        let bridges = bridges
            .into_iter()
            .filter_map(|(id, settings)| Some((settings.network, snapshot.topology.bridge(*id)?)));
        bridges
            .flat_map(|(network, bridge)| rows(&look, network, bridge))
            .collect()
    }
}

impl Drop for Dataplane {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for waker in &self.wakers {
            waker.wake();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
    }
}

/// One reading of the configuration.
struct Look<'a> {
    snapshot: &'a Snapshot,
}

impl Look<'_> {
    fn name(&self, port: PortId) -> Option<PortName> {
        self.snapshot.wire(port).map(|wire| wire.name)
    }

    /// Who configured an entry at `port`.
    fn configured(&self, port: PortId) -> Origin {
        match self.name(port) {
            Some(PortName::Vtep(..)) => Origin::Programmed,
            _ => Origin::Static,
        }
    }
}

impl Snapshot {
    fn wire_up(&mut self, wire: Wire) {
        let place = wire.port.0 as usize;
        if self.wires.len() <= place {
            self.wires.resize(place + 1, None);
        }
        self.wires[place] = Some(Arc::new(wire));
    }

    fn unwire(&mut self, port: PortId) {
        self.topology.remove_port(port);
        if let Some(wire) = self.wires.get_mut(port.0 as usize) {
            *wire = None;
        }
    }
}

/// The router's interface on a segment, if it has one.
fn gateway(settings: &BridgeSettings) -> Option<Gateway> {
    let subnets = settings.l3.as_ref().map(|l3| l3.subnets.clone());
    (subnets.is_some() || !settings.gateways.is_empty()).then(|| Gateway {
        mac: settings.gateway_mac,
        addresses: settings.gateways.clone(),
        host_port: None,
        policy: policy::policy(settings, Vec::new()),
        link: match subnets {
            Some(_) => GatewayLink::PointToPoint,
            None => GatewayLink::Broadcast,
        },
        subnets: subnets.unwrap_or_default(),
    })
}

fn port(
    id: PortId,
    bridge: BridgeId,
    spec: &PortSpec,
    network: &BridgeSettings,
    capabilities: Capabilities,
    counters: Arc<PortCounters>,
) -> Port {
    match spec {
        PortSpec::Host(_) => Port {
            id,
            bridge: Some(bridge),
            role: Role::Host,
            mac: network.gateway_mac,
            mtu: network.mtu,
            capabilities,
            vlan: None,
            isolated: false,
            identity: None,
            storm: None,
            tunnel: None,
            station: lan::host_station(network),
            counters,
        },
        PortSpec::Endpoint { settings, mac } => Port {
            id,
            bridge: Some(bridge),
            role: Role::Endpoint,
            mac: *mac,
            mtu: settings.mtu,
            capabilities,
            vlan: settings.vlan,
            isolated: settings.isolated,
            identity: lan::identity(settings, *mac),
            storm: settings.storm_pps.map(|pps| Arc::new(StormLimit::new(pps))),
            tunnel: None,
            station: lan::station(settings, network),
            counters,
        },
    }
}

/// Tells the bridge what is known of a port before its first frame. Where the sender is not held
/// to its addresses, they may move, so they have to be learned; stations of a LAN are, to their MAC
/// address.
fn introduce(bridge: &Bridge, port: &Port, settings: &PortSettings, now: vswitch_packet::Moment) {
    if !settings.anti_spoof && port.station.is_none() {
        return;
    }
    bridge
        .fdb
        .set_static(Vlan::from(port.vlan), port.mac, port.id);
    for &address in &settings.addresses {
        bridge
            .neighbours
            .set_static(address, port.mac, port.id, now);
    }
}

const fn capabilities(offloads: Offloads) -> Capabilities {
    Capabilities {
        checksum: offloads.checksum,
        tso4: offloads.tcp_segmentation,
        tso6: offloads.tcp_segmentation,
        uso: offloads.udp_segmentation,
    }
}
