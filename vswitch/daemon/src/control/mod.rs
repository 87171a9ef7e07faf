//! Control: the model, what is on disk, what the kernel has and what the workers do, kept in step.
//!
//! All of it belongs to one thread, which executes commands one after another. Each command that
//! fails leaves everything as it was.

mod acquire;
mod conntrack;
mod convert;
mod endpoint;
mod engine;
mod errand;
mod error;
mod handle;
mod host_access;
mod host_port;
mod lan;
mod leases;
mod network;
mod outside;
mod overlay;
mod plugin;
mod publish;
mod reconcile;
mod sandbox;
mod sweep;
mod tables;
mod thread;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::sync::mpsc::UnboundedSender;
use vswitch_cnm::publish::PortRange;
use vswitch_cnm::{EndpointId, Model, NetnsId, NetworkId, SandboxKey, SegmentId, Settings};
use vswitch_ipam::DefaultPools;
use vswitch_nat::Record;

use crate::config::Config;
use crate::daemon_id::DaemonId;
use crate::dataplane::{Dataplane, EndpointPorts};
use crate::edge::{self, Namespace};
use crate::held_ports::HeldPorts;
use crate::leases::Leases;
use crate::outside::Outside;
use crate::parents::Parents;
use crate::plugins::Plugins;
use crate::store::{Store, Table};
use overlay::Overlays;

pub use acquire::RouterQuestion;
pub use engine::{Engine, EngineEndpoint, EngineError, EngineNetwork, Joined, Made};
pub use errand::{Begun, Errand, run_errands};
pub use error::ControlError;
pub use handle::{Handle, Stopped};
pub use thread::ControlThread;

/// Everything that commands change.
#[derive(Debug)]
pub struct Control {
    model: Model,
    store: Store,
    /// The namespace of the daemon, and so of its threads.
    host: Namespace,
    dataplane: Dataplane,
    /// How many queues each TAP has.
    queues: NonZeroUsize,
    outside: Outside,
    overlays: Overlays,
    /// The NICs that containers are on.
    parents: Parents,
    /// Segments whose NIC could not be used yet.
    lans_waiting: BTreeSet<SegmentId>,
    /// Who asks the physical network for addresses.
    leases: Leases,
    /// Endpoints that an errand is about: others are asked before they are connected, or told before they go.
    acquiring: BTreeSet<EndpointId>,
    /// Somebody else's drivers.
    plugins: Plugins,
    /// Networks that a plugin is just making or removing.
    unsettled: BTreeSet<NetworkId>,
    /// How many endpoints plugins are just asked for, of each network.
    arriving: BTreeMap<NetworkId, usize>,
    /// To who runs errands that no command waits for.
    errands: UnboundedSender<Errand<()>>,
    /// The sockets that keep the host's programs off published ports.
    held_ports: HeldPorts,
    /// What the workers know of published ports.
    published: Vec<EndpointPorts>,
    /// By which the workers know the host.
    host_addresses: Vec<IpAddr>,
    /// Sandboxes that our own queues keep alive, as these were opened inside.
    pinned: BTreeSet<SandboxKey>,
    /// Endpoints that are attached as far as the records go, and whose interface could not be had yet.
    waiting: BTreeSet<EndpointId>,
    /// No command comes after this one.
    ending: bool,
}

/// Docker's default: Ethernet's payload.
const DEFAULT_MTU: u16 = 1500;

impl Control {
    /// From what is on disk; call it in the host's namespace. What is on disk and in the kernel is
    /// made to agree.
    ///
    /// # Errors
    /// Records that contradict each other, and a kernel that does not answer. What is wrong with one
    /// network or sandbox is logged.
    pub fn start(
        config: &Config,
        store: Store,
        dataplane: Dataplane,
        outside: Outside,
        leases: Leases,
        sessions: Vec<Record>,
        errands: UnboundedSender<Errand<()>>,
    ) -> anyhow::Result<Self> {
        let mut host = Namespace::current()?;
        let settings = Settings {
            default_pools: DefaultPools::configured(
                config.default_address_pools.clone(),
                store.daemon_id().number(),
            ),
            default_mtu: default_mtu(&mut host, config)?,
            host_netns: Some(netns_id(host.id())),
            started: now(),
            ephemeral_ports: ephemeral_ports(&outside),
            default_publish_address: config.default_publish_address,
        };
        let model = Model::restore(
            settings,
            store.load(Table::Networks)?,
            store.load(Table::Endpoints)?,
            store.load(Table::Sandboxes)?,
            store.load(Table::Pools)?,
        )
        .with_context(|| format!("cannot use the state in {}", config.state_dir.display()))?;
        let queues = NonZeroUsize::new(dataplane.workers()).context("there are no workers")?;
        let daemon = store.daemon_id();
        let mut control = Self {
            model,
            store,
            host,
            dataplane,
            queues,
            outside,
            overlays: Overlays::default(),
            parents: Parents::new(daemon),
            lans_waiting: BTreeSet::new(),
            leases,
            acquiring: BTreeSet::new(),
            plugins: Plugins::new(config.plugins.clone(), config.docker_plugin.as_deref()),
            unsettled: BTreeSet::new(),
            arriving: BTreeMap::new(),
            errands,
            held_ports: HeldPorts::start()?,
            published: Vec::new(),
            host_addresses: Vec::new(),
            pinned: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ending: false,
        };
        control.reconcile()?;
        control.parents.leave_others(&mut control.host)?;
        control
            .outside
            .prepare(&mut control.host, &control.dataplane)?;
        control.apply_policies();
        control.restore_published();
        let restored = control.restore_sessions(sessions);
        // Last: the kernel begins to leave frames to us.
        control.refresh_host();
        tracing::info!(
            networks = control.model.networks().count(),
            sandboxes = control.model.sandboxes().count(),
            endpoints = control.model.endpoints().count(),
            sessions = restored,
            "state restored"
        );
        Ok(control)
    }

    /// Executes no command after this one.
    pub(crate) const fn end(&mut self) {
        self.ending = true;
    }

    const fn daemon_id(&self) -> DaemonId {
        self.store.daemon_id()
    }

    /// The mark of an interface.
    fn alias(&self, id: &impl std::fmt::Display) -> String {
        self.daemon_id().alias(id)
    }
}

fn default_mtu(host: &mut Namespace, config: &Config) -> anyhow::Result<u16> {
    if let Some(mtu) = config.mtu {
        return Ok(mtu);
    }
    let uplink = edge::uplink_mtu(host, &config.uplink)?;
    let uplink = uplink.and_then(|mtu| u16::try_from(mtu).ok());
    Ok(uplink.map_or(DEFAULT_MTU, |mtu| mtu.min(DEFAULT_MTU)))
}

fn ephemeral_ports(outside: &Outside) -> PortRange {
    let ports = outside.ports_for_any();
    PortRange::new(*ports.start(), *ports.end()).unwrap_or(Settings::default().ephemeral_ports)
}

/// Seconds since 1970 UTC.
fn now() -> u64 {
    // A clock before 1970 is a clock that was not set.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn draw() -> Result<[u8; 32], ControlError> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(ControlError::Random)?;
    Ok(octets)
}

/// The model has a type of its own, as it knows no Linux.
const fn netns_id(id: vswitch_netio::netns::NetnsId) -> NetnsId {
    NetnsId {
        dev: id.dev,
        ino: id.ino,
    }
}

const fn edge_id(id: NetnsId) -> vswitch_netio::netns::NetnsId {
    vswitch_netio::netns::NetnsId {
        dev: id.dev,
        ino: id.ino,
    }
}
