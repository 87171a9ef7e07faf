//! The NICs that containers are put on: which segments and stations each carries, and how it is.

mod nic;
mod opened;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use anyhow::Context as _;
use vswitch_api::ParentFilter;
use vswitch_cnm::{EndpointId, SegmentId};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::NetlinkError;

pub use nic::Nic;
pub use opened::{KnownBy, Station};

use crate::daemon_id::DaemonId;
use crate::dataplane::{Dataplane, ParentKey};
use crate::edge::Namespace;
use opened::Opened;

/// The NICs in use, by name.
#[derive(Debug)]
pub struct Parents {
    daemon: DaemonId,
    parents: BTreeMap<InterfaceName, Parent>,
    keys: u32,
}

/// A NIC that segments are on, whether it is there now or not.
#[derive(Debug)]
struct Parent {
    nic: Option<Nic>,
    /// The workers' port; none as long as the segments on it are routed, and need no sockets.
    key: Option<ParentKey>,
    /// The sockets, unless the NIC is gone or cannot be used.
    opened: Option<Opened>,
    /// True for those that are switched, false for those that are routed.
    segments: BTreeMap<SegmentId, bool>,
    stations: HashMap<EndpointId, Station>,
}

impl Parents {
    /// None yet.
    #[must_use]
    pub const fn new(daemon: DaemonId) -> Self {
        Self {
            daemon,
            parents: BTreeMap::new(),
            keys: 0,
        }
    }

    /// Leaves NICs to the kernel that were parents of a former daemon, and are none any more. To be called
    /// when all stations are there.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn leave_others(&self, host: &mut Namespace) -> Result<(), NetlinkError> {
        let is_kept = |parent: &Parent, index| {
            let opened = parent.opened.as_ref();
            opened.is_some_and(|opened| opened.index == index && opened.is_kept)
        };
        let mark = self.daemon.to_string();
        for link in host.netlink.links()? {
            if !self
                .parents
                .values()
                .any(|parent| is_kept(parent, link.index))
            {
                opened::leave_to_kernel(host, link.index, &mark);
            }
        }
        Ok(())
    }

    /// Puts a segment on a NIC. If that is not there, the segment waits for it.
    ///
    /// # Errors
    /// If the NIC is there and cannot be used.
    pub fn join(
        &mut self,
        segment: SegmentId,
        name: &InterfaceName,
        host: &mut Namespace,
        dataplane: &Dataplane,
    ) -> anyhow::Result<ParentKey> {
        let vacant = ParentKey(self.keys + 1);
        let daemon = self.daemon;
        let parent = self.parent(name, host)?;
        let key = match parent.key {
            Some(key) => key,
            None => {
                dataplane.add_parent(vacant)?;
                parent.key = Some(vacant);
                if let Err(error) = parent.open(vacant, host, dataplane, daemon) {
                    dataplane.remove_parent(vacant);
                    parent.key = None;
                    return Err(error.context(format!("cannot use {name} as a parent")));
                }
                vacant
            }
        };
        parent.segments.insert(segment, true);
        self.keys = self.keys.max(key.0);
        Ok(key)
    }

    /// Follows the NIC of a segment that is routed.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn watch(
        &mut self,
        segment: SegmentId,
        name: &InterfaceName,
        host: &mut Namespace,
    ) -> Result<(), NetlinkError> {
        self.parent(name, host)?.segments.insert(segment, false);
        Ok(())
    }

    /// Takes a segment off its NIC; the last one takes the sockets with it.
    pub fn leave(&mut self, segment: SegmentId, host: &mut Namespace, dataplane: &Dataplane) {
        self.parents.retain(|_, parent| {
            parent.segments.remove(&segment);
            if !parent.segments.values().any(|switched| *switched) {
                if let Some(opened) = parent.opened.take() {
                    opened.close(host);
                }
                if let Some(key) = parent.key.take() {
                    dataplane.remove_parent(key);
                }
            }
            !parent.segments.is_empty()
        });
    }

    /// Lets in what is for a station.
    ///
    /// # Errors
    /// If the kernel refuses; nothing is let in then.
    pub fn admit(
        &mut self,
        name: &InterfaceName,
        endpoint: EndpointId,
        station: Station,
        host: &mut Namespace,
    ) -> anyhow::Result<()> {
        let parent = self.parents.get_mut(name).context("no such parent")?;
        if let Some(former) = parent.stations.remove(&endpoint)
            && let Some(opened) = &parent.opened
        {
            opened.dismiss(&former)?;
        }
        if let Some(opened) = &mut parent.opened
            && let Err(error) = opened.admit(host, &station)
        {
            // What it came to is taken back; the first error is the one that tells.
            let _ = opened.dismiss(&station);
            return Err(error);
        }
        parent.stations.insert(endpoint, station);
        Ok(())
    }

    /// The reverse of [`Parents::admit`].
    pub fn dismiss(&mut self, endpoint: EndpointId) {
        for (name, parent) in &mut self.parents {
            if let Some(station) = parent.stations.remove(&endpoint)
                && let Some(opened) = &parent.opened
                && let Err(error) = opened.dismiss(&station)
            {
                tracing::warn!(parent = %name, "cannot take a station off the NIC's filter: {error:#}");
            }
        }
    }

    /// Makes sockets and workers agree with what the kernel tells of the NICs. Returns the names of those
    /// whose address or MTU changed, or that came back.
    ///
    /// # Errors
    /// If the kernel cannot be asked. What is wrong with one NIC is logged.
    pub fn refresh(
        &mut self,
        host: &mut Namespace,
        dataplane: &Dataplane,
    ) -> Result<Vec<InterfaceName>, NetlinkError> {
        if self.parents.is_empty() {
            return Ok(Vec::new());
        }
        let links = host.netlink.links()?;
        let mut changed = Vec::new();
        for (name, parent) in &mut self.parents {
            let nic = Nic::find(&links, name);
            if parent.follow(name, nic, host, dataplane, self.daemon) {
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }

    /// The NIC of that name; `None` if it is gone, or no segment is on it.
    #[must_use]
    pub fn nic(&self, name: &InterfaceName) -> Option<&Nic> {
        self.parents.get(name)?.nic.as_ref()
    }

    /// How the NIC selects frames; `None` if there are no sockets on it.
    #[must_use]
    pub fn filtering(&self, name: &InterfaceName) -> Option<ParentFilter> {
        Some(self.parents.get(name)?.opened.as_ref()?.filtering())
    }

    /// The name of a NIC.
    #[must_use]
    pub fn name(&self, key: ParentKey) -> Option<&InterfaceName> {
        let mut parents = self.parents.iter();
        let (name, _) = parents.find(|(_, parent)| parent.key == Some(key))?;
        Some(name)
    }

    fn parent(
        &mut self,
        name: &InterfaceName,
        host: &mut Namespace,
    ) -> Result<&mut Parent, NetlinkError> {
        let links = host.netlink.links()?;
        let parent = self.parents.entry(name.clone());
        Ok(parent.or_insert_with(|| Parent {
            nic: Nic::find(&links, name),
            key: None,
            opened: None,
            segments: BTreeMap::new(),
            stations: HashMap::new(),
        }))
    }
}

impl Parent {
    /// Opens sockets on the NIC, if it is there, and lets in what is for the stations.
    fn open(
        &mut self,
        key: ParentKey,
        host: &mut Namespace,
        dataplane: &Dataplane,
        daemon: DaemonId,
    ) -> anyhow::Result<()> {
        let Some(nic) = &self.nic else {
            return Ok(());
        };
        let workers = NonZeroUsize::new(dataplane.workers()).context("no workers")?;
        let (mut opened, sockets) = Opened::open(host, nic, workers, daemon)?;
        for station in self.stations.values() {
            opened.admit(host, station)?;
        }
        dataplane.open_parent(key, nic.spec(), sockets)?;
        self.opened = Some(opened);
        Ok(())
    }

    /// Goes by what is told of the NIC now. True if those on it have to follow.
    fn follow(
        &mut self,
        name: &InterfaceName,
        nic: Option<Nic>,
        host: &mut Namespace,
        dataplane: &Dataplane,
        daemon: DaemonId,
    ) -> bool {
        let before = std::mem::replace(&mut self.nic, nic);
        let is_another =
            |opened: &Opened| self.nic.as_ref().map(|nic| nic.index) != Some(opened.index);
        if self.opened.as_ref().is_some_and(is_another) {
            // It may have another name now.
            if let Some(opened) = self.opened.take() {
                opened.close(host);
            }
            if let Some(key) = self.key {
                dataplane.close_parent(key);
            }
        }
        let Some(nic) = &self.nic else {
            if before.is_some() {
                tracing::warn!(parent = %name, "the parent is gone: its networks wait for it");
            }
            return false;
        };
        if before.as_ref().map(Nic::state) != Some(nic.state()) {
            tracing::info!(parent = %name, state = ?nic.state(), "parent");
        }
        let (spec, known) = (nic.spec(), before.as_ref().map(Nic::spec));
        if let Some(opened) = &mut self.opened
            && let Err(error) = opened.look(host)
        {
            tracing::debug!(parent = %name, "cannot look at the parent: {error:#}");
        }
        let mut is_new = before.as_ref().map(|nic| nic.index) != Some(nic.index);
        match (self.key, &self.opened) {
            (Some(key), None) => {
                if let Err(error) = self.open(key, host, dataplane, daemon) {
                    tracing::debug!(parent = %name, "cannot use the parent, trying again: {error:#}");
                    return false;
                }
                is_new = true;
            }
            (Some(key), Some(opened)) if known != Some(spec) => {
                dataplane.set_parent(key, spec);
                opened.set_shared(spec.mac);
            }
            _ => {}
        }
        is_new || known != Some(spec)
    }
}
