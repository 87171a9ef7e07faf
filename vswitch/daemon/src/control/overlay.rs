//! Overlay networks: the ends of their tunnels, what is known of the ways there, and what is said to be
//! there. This is where a control plane that knows all hosts would plug in: it adds and
//! removes peers and remotes as `vsctl vtep` and `vsctl remote` do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vswitch_api as api;
use vswitch_cnm::{BridgeSettings, Network, NetworkId, OverlaySettings, Remote, SegmentId};
use vswitch_datapath::tunnel::Stranger;
use vswitch_netio::udp_tunnel::{self, GroupSocket, TunnelConfig, TunnelSocket};
use vswitch_packet::ip::Version;
use vswitch_vxlan::Path;

use super::{Control, ControlError, convert};
use crate::dataplane::{TunnelSpec, UnderlayKey};
use crate::edge;
use crate::store::{Change, Table};

/// What is known of overlay networks beside the records.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    vteps: BTreeMap<(SegmentId, IpAddr), Vtep>,
    /// Of which way there is one for all segments.
    paths: HashMap<(UnderlayKey, IpAddr), Arc<Path>>,
    /// Segments whose tunnels could not be had yet.
    waiting: BTreeSet<SegmentId>,
    looked: Option<Instant>,
}

/// The end of a tunnel.
#[derive(Debug)]
struct Vtep {
    origin: api::VtepOrigin,
    underlay: UnderlayKey,
    path: Arc<Path>,
    /// Frames that had come when it was looked at last.
    frames: u64,
    /// When some had come since the look before that.
    heard: Option<Instant>,
    since: Instant,
}

/// Strangers that become peers of a segment at most.
const LEARNED_VTEPS: usize = 256;
/// How often a way that did not take joined datagrams is tried again.
const TRY_JOINED: Duration = Duration::from_secs(60);

impl Control {
    /// The ends of tunnels, of one network or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn vteps(&self, network: Option<&str>) -> Result<Vec<api::Vtep>, ControlError> {
        let only = self.network_id(network)?;
        let mut rows = Vec::new();
        for (&(segment, address), vtep) in &self.overlays.vteps {
            if only.is_some_and(|only| only != segment.network) {
                continue;
            }
            let (Some(network), Some(overlay)) =
                (self.network_name(segment.network), self.overlay(segment))
            else {
                continue;
            };
            let now = Instant::now();
            let since = if self.dataplane.heard(segment, address) > vtep.frames {
                Some(now)
            } else {
                vtep.heard
            };
            rows.push(api::Vtep {
                network,
                vni: overlay.vni,
                address,
                port: overlay.port,
                origin: vtep.origin,
                mtu: vtep.path.inner_mtu(),
                macs: self.dataplane.macs_behind(segment, address),
                heard: since.map(|at| now.duration_since(at).as_secs()),
            });
        }
        rows.sort_by(|a, b| (&a.network, a.vni, a.address).cmp(&(&b.network, b.vni, b.address)));
        Ok(rows)
    }

    /// Adds a host to an overlay network.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn add_vtep(
        &mut self,
        network: &str,
        request: &api::VtepCreate,
    ) -> Result<(), ControlError> {
        let id = self.model.find_network(network)?.id;
        self.check_foreign(&[request.address])?;
        self.change_overlay(id, |model| model.add_peer(id, request.address))
    }

    /// Takes a host, and what was said to be there, from an overlay network.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn remove_vtep(&mut self, network: &str, address: &str) -> Result<(), ControlError> {
        let id = self.model.find_network(network)?.id;
        let address = address
            .parse()
            .map_err(|_| ControlError::Request(format!("{address:?} is no IP address")))?;
        self.change_overlay(id, |model| model.remove_peer(id, address))
    }

    /// What is said to be at other hosts, of one network or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn remotes(&self, network: Option<&str>) -> Result<Vec<api::Remote>, ControlError> {
        let only = self.network_id(network)?;
        let mut networks: Vec<&Network> = self.model.networks().collect();
        networks.retain(|network| only.is_none_or(|only| only == network.id));
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let rows = networks.into_iter().flat_map(|network| {
            let remotes = network.overlay.iter().flat_map(|overlay| &overlay.remotes);
            remotes.map(|remote| api::Remote {
                network: Some(network.name.clone()),
                mac: remote.mac.to_string(),
                vtep: remote.vtep,
                addresses: remote.addresses.clone(),
            })
        });
        Ok(rows.collect())
    }

    /// Says that a MAC address is at another host.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn add_remote(&mut self, network: &str, request: api::Remote) -> Result<(), ControlError> {
        let id = self.model.find_network(network)?.id;
        let remote = Remote {
            mac: convert::mac(&request.mac)?,
            vtep: request.vtep,
            addresses: request.addresses,
        };
        self.change_overlay(id, |model| model.add_remote(id, remote))
    }

    /// The reverse of [`Control::add_remote`].
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn remove_remote(&mut self, network: &str, mac: &str) -> Result<(), ControlError> {
        let id = self.model.find_network(network)?.id;
        let mac = convert::mac(mac)?;
        self.change_overlay(id, |model| model.remove_remote(id, mac))
    }

    /// What tables call the end of a tunnel: with its VNI where the network has several.
    pub(super) fn vtep_name(&self, segment: SegmentId, address: IpAddr) -> String {
        let vnis = self.model.network(segment.network).map(Network::vnis);
        match vnis {
            Some(vnis @ [_, _, ..]) => {
                let vni = vnis.get(usize::from(segment.index)).copied();
                format!("vtep-{address}/{}", vni.unwrap_or_default())
            }
            _ => format!("vtep-{address}"),
        }
    }

    /// What tables call the sockets of tunnels: with their address where that says something.
    pub(super) fn underlay_name(&self, key: UnderlayKey) -> String {
        let UnderlayKey { local, port } = key;
        let same_port = self.dataplane.underlays();
        match same_port.iter().filter(|other| other.port == port).count() {
            0 | 1 => format!("underlay-{port}"),
            _ => format!("underlay-{}", SocketAddr::new(local, port)),
        }
    }

    /// Makes the tunnels of a bridge that is there, if it is to have any. On failure nothing is left of
    /// them.
    pub(super) fn open_tunnels(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let Some(overlay) = &settings.overlay else {
            return Ok(());
        };
        let opened = self.try_open_tunnels(settings.id(), overlay);
        if opened.is_err() {
            self.close_tunnels(settings.id());
        }
        opened
    }

    /// As [`Control::open_tunnels`], for a network that was there before: what fails is logged, and tried
    /// again.
    pub(super) fn restore_tunnels(&mut self, settings: &BridgeSettings) {
        if let Err(error) = self.open_tunnels(settings) {
            let network = &settings.name;
            tracing::error!(network, "cannot restore the tunnels, trying again: {error}");
            self.overlays.waiting.insert(settings.id());
        }
    }

    /// Takes all tunnels of a segment away, and sockets that no other uses.
    pub(super) fn close_tunnels(&mut self, segment: SegmentId) {
        self.overlays.waiting.remove(&segment);
        let ends = self.overlays.vteps.keys();
        let ends: Vec<_> = ends.filter(|(of, _)| *of == segment).copied().collect();
        for (segment, address) in ends {
            self.close_tunnel(segment, address);
        }
        self.dataplane.set_underlays(segment, &[]);
        self.close_unused_underlays();
    }

    /// What the ways to the peers of a network to be carry, or the way outside if it has none yet.
    pub(super) fn survey_underlay(&mut self, id: NetworkId) -> Result<(), ControlError> {
        let settings = self.model.bridge_settings(id)?;
        let Some(overlay) = settings.into_iter().find_map(|settings| settings.overlay) else {
            return Ok(());
        };
        self.check_foreign(&overlay.peers)?;
        let mtu = self.underlay_mtu(&overlay);
        self.model.set_underlay_mtu(id, mtu)?;
        Ok(())
    }

    /// A host that nobody named sent a frame to a network that takes peers so.
    pub(super) fn stranger(&mut self, stranger: &Stranger) {
        let Some(segment) = self.dataplane.segment_of(stranger.bridge) else {
            return;
        };
        let address = stranger.address;
        let Some(overlay) = self.overlay(segment) else {
            return;
        };
        let learned =
            self.overlays.vteps.iter().filter(|((of, _), vtep)| {
                *of == segment && vtep.origin == api::VtepOrigin::Learned
            });
        let known = self.overlays.vteps.contains_key(&(segment, address));
        if known || learned.count() >= LEARNED_VTEPS || self.check_foreign(&[address]).is_err() {
            return;
        }
        match self.open_tunnel(segment, &overlay, address, api::VtepOrigin::Learned) {
            Ok(()) => tracing::info!(vni = overlay.vni, %address, "a new peer was heard"),
            Err(error) => {
                tracing::warn!(vni = overlay.vni, %address, "cannot add the peer: {error}");
            }
        }
    }

    /// Looks at the ways, and at who was heard.
    pub(super) fn look_after_tunnels(&mut self) {
        for segment in self.overlays.waiting.clone() {
            let Some(settings) = self.segment_settings(segment) else {
                self.overlays.waiting.remove(&segment);
                continue;
            };
            match self.open_tunnels(&settings) {
                Ok(()) => {
                    self.overlays.waiting.remove(&segment);
                    tracing::info!(network = settings.name, "tunnels restored");
                }
                Err(error) => {
                    self.overlays.waiting.insert(segment);
                    tracing::debug!(network = settings.name, "still no tunnels: {error}");
                }
            }
        }
        self.look_at_paths();
        self.look_at_peers();
        self.follow_underlay_mtu();
    }

    fn try_open_tunnels(
        &mut self,
        segment: SegmentId,
        overlay: &OverlaySettings,
    ) -> Result<(), ControlError> {
        let key = underlay_of(overlay);
        self.open_underlay(key, overlay)?;
        self.dataplane.set_underlays(segment, &[key]);
        let group = overlay.group.map(|group| (group, api::VtepOrigin::Group));
        let peers = overlay.peers.iter();
        let peers = peers.map(|&peer| (peer, api::VtepOrigin::Configured));
        for (address, origin) in group.into_iter().chain(peers) {
            self.open_tunnel(segment, overlay, address, origin)?;
        }
        for remote in &overlay.remotes {
            self.dataplane.add_remote(segment, remote);
        }
        Ok(())
    }

    fn open_underlay(
        &mut self,
        key: UnderlayKey,
        overlay: &OverlaySettings,
    ) -> Result<(), ControlError> {
        if self.dataplane.has_underlay(key) {
            return Ok(());
        }
        let config = self.tunnel_config(key, overlay);
        let sockets = TunnelSocket::open_group(&config, self.queues.get()).map_err(|source| {
            ControlError::Underlay {
                local: key.local,
                port: key.port,
                source,
            }
        })?;
        self.dataplane
            .add_underlay(key, sockets)
            .map_err(ControlError::Dataplane)
    }

    fn open_tunnel(
        &mut self,
        segment: SegmentId,
        overlay: &OverlaySettings,
        address: IpAddr,
        origin: api::VtepOrigin,
    ) -> Result<(), ControlError> {
        let underlay = underlay_of(overlay);
        let group = match origin {
            api::VtepOrigin::Group => {
                let config = self.tunnel_config(underlay, overlay);
                let joined = GroupSocket::join(address, &config);
                Some(joined.map_err(|source| ControlError::Group {
                    group: address,
                    source,
                })?)
            }
            _ => None,
        };
        let path = self.path(underlay, address);
        let spec = TunnelSpec {
            segment,
            peer: address,
            underlay,
            path: Arc::clone(&path),
            // Who was heard in a group hears the group.
            is_flooded: origin != api::VtepOrigin::Learned || overlay.group.is_none(),
        };
        self.dataplane
            .add_tunnel(&spec, group)
            .map_err(ControlError::Dataplane)?;
        let vtep = Vtep {
            origin,
            underlay,
            path,
            frames: 0,
            heard: None,
            since: Instant::now(),
        };
        self.overlays.vteps.insert((segment, address), vtep);
        Ok(())
    }

    fn close_tunnel(&mut self, segment: SegmentId, address: IpAddr) {
        self.dataplane.remove_tunnel(segment, address);
        self.overlays.vteps.remove(&(segment, address));
        let is_used = |path: &Arc<Path>| Arc::strong_count(path) > 1;
        self.overlays.paths.retain(|_, path| is_used(path));
    }

    /// Takes sockets away that no segment uses any more.
    pub(super) fn close_unused_underlays(&mut self) {
        let networks: Vec<_> = self.model.networks().map(|network| network.id).collect();
        let segments = networks
            .into_iter()
            .filter_map(|id| self.model.bridge_settings(id).ok())
            .flatten();
        let wanted: BTreeSet<UnderlayKey> = segments
            .filter_map(|settings| settings.overlay)
            .map(|overlay| underlay_of(&overlay))
            .collect();
        for key in self.dataplane.underlays() {
            if !wanted.contains(&key) {
                self.dataplane.remove_underlay(key);
            }
        }
    }

    /// Changes the record of an overlay network, and the tunnels of its segments with it.
    fn change_overlay(
        &mut self,
        id: NetworkId,
        change: impl FnOnce(&mut vswitch_cnm::Model) -> Result<Network, vswitch_cnm::Error>,
    ) -> Result<(), ControlError> {
        let before = self.model.bridge_settings(id)?;
        let mut changed = self.model.clone();
        let network = change(&mut changed)?;
        let after = changed.bridge_settings(id)?;
        let former = std::mem::replace(&mut self.model, changed);
        let result = self.follow_segments(&before, &after).and_then(|()| {
            let change = Change::put(Table::Networks, id, &network)?;
            Ok(self.store.commit(&[change])?)
        });
        if result.is_err() {
            self.model = former;
            // The way back needs nothing that was not there a moment ago.
            if let Err(error) = self.follow_segments(&after, &before) {
                tracing::error!(network = network.name, "cannot undo the change: {error}");
            }
        }
        self.close_unused_underlays();
        result
    }

    fn follow_segments(
        &mut self,
        before: &[BridgeSettings],
        after: &[BridgeSettings],
    ) -> Result<(), ControlError> {
        for (before, after) in before.iter().zip(after) {
            if let (Some(old), Some(new)) = (&before.overlay, &after.overlay) {
                self.follow_segment(after.id(), old, new)?;
            }
        }
        Ok(())
    }

    /// From one set of peers and remotes to another.
    fn follow_segment(
        &mut self,
        segment: SegmentId,
        before: &OverlaySettings,
        after: &OverlaySettings,
    ) -> Result<(), ControlError> {
        let gone = before.remotes.iter().filter(|r| !after.remotes.contains(r));
        for remote in gone {
            self.dataplane.remove_remote(segment, remote);
        }
        let gone = before.peers.iter().filter(|p| !after.peers.contains(p));
        for &peer in gone {
            self.close_tunnel(segment, peer);
        }
        let key = underlay_of(after);
        self.open_underlay(key, after)?;
        self.dataplane.set_underlays(segment, &[key]);
        // The first peer that is given may be of another family than those that were learned.
        let ends = self.overlays.vteps.iter();
        let strays = ends.filter(|((of, _), vtep)| *of == segment && vtep.underlay != key);
        for address in strays.map(|((_, address), _)| *address).collect::<Vec<_>>() {
            self.close_tunnel(segment, address);
        }
        let new = after.peers.iter().filter(|p| !before.peers.contains(p));
        for &peer in new {
            // It may have been learned before.
            self.close_tunnel(segment, peer);
            self.open_tunnel(segment, after, peer, api::VtepOrigin::Configured)?;
        }
        let new = after.remotes.iter().filter(|r| !before.remotes.contains(r));
        for remote in new {
            self.dataplane.add_remote(segment, remote);
        }
        Ok(())
    }

    fn look_at_paths(&mut self) {
        let try_joined = self
            .overlays
            .looked
            .is_none_or(|at| at.elapsed() >= TRY_JOINED);
        if try_joined {
            self.overlays.looked = Some(Instant::now());
        }
        for ((underlay, peer), path) in &self.overlays.paths {
            if try_joined {
                path.set_takes_joined(true);
            }
            // Without a route, what was known stays.
            if let Ok(mtu) = udp_tunnel::path_mtu(underlay.local, *peer, underlay.port)
                && path.set_mtu(mtu)
            {
                tracing::info!(%peer, mtu, "the way to the peer carries another length now");
            }
        }
    }

    fn look_at_peers(&mut self) {
        let now = Instant::now();
        let mut learned = Vec::new();
        for (&(segment, address), vtep) in &mut self.overlays.vteps {
            let frames = self.dataplane.heard(segment, address);
            if frames != vtep.frames {
                vtep.frames = frames;
                vtep.heard = Some(now);
            }
            if vtep.origin == api::VtepOrigin::Learned {
                let silence = now.duration_since(vtep.heard.unwrap_or(vtep.since));
                learned.push((segment, address, silence));
            }
        }
        for (segment, address, silence) in learned {
            let ageing = self.segment_settings(segment).map(|s| s.ageing_secs);
            if ageing.is_none_or(|ageing| silence > Duration::from_secs(ageing.into())) {
                tracing::info!(%address, "a learned peer is silent: removed");
                self.close_tunnel(segment, address);
            }
        }
    }

    /// Endpoints that come now get the MTU that the ways have now.
    fn follow_underlay_mtu(&mut self) {
        let networks = self.model.networks();
        let overlays = networks.filter_map(|network| Some((network.id, network.overlay.clone()?)));
        for (id, record) in overlays.collect::<Vec<_>>() {
            let settings = self.model.bridge_settings(id).ok();
            let overlay = settings.and_then(|s| s.into_iter().find_map(|s| s.overlay));
            let Some(mtu) = overlay.and_then(|overlay| self.underlay_mtu(&overlay)) else {
                continue;
            };
            if record.underlay_mtu == Some(mtu) {
                continue;
            }
            let changed = self.model.set_underlay_mtu(id, Some(mtu));
            let stored = changed.map_err(ControlError::from).and_then(|network| {
                let change = Change::put(Table::Networks, id, &network)?;
                self.store.commit(&[change])?;
                Ok(network.name)
            });
            match stored {
                Ok(network) => tracing::warn!(
                    network,
                    from = record.underlay_mtu,
                    to = mtu,
                    "the underlay's MTU changed: endpoints that are attached now get what fits; those that are \
                     there are told when they send too much"
                ),
                Err(error) => tracing::error!("cannot record the underlay's MTU: {error}"),
            }
        }
    }

    /// The smallest of what the ways to the peers carry.
    fn underlay_mtu(&mut self, overlay: &OverlaySettings) -> Option<u16> {
        let ways = overlay.peers.iter().chain(&overlay.group);
        let key = underlay_of(overlay);
        let mtus = ways.filter_map(|&peer| match self.overlays.paths.get(&(key, peer)) {
            Some(path) => Some(path.mtu()),
            None => udp_tunnel::path_mtu(key.local, peer, overlay.port).ok(),
        });
        mtus.min().or_else(|| {
            let mtu = edge::underlay_mtu(&mut self.host, overlay.local).ok()??;
            u16::try_from(mtu).ok()
        })
    }

    fn path(&mut self, underlay: UnderlayKey, peer: IpAddr) -> Arc<Path> {
        let known = self.overlays.paths.entry((underlay, peer));
        let path = known.or_insert_with(|| {
            let version = if peer.is_ipv4() {
                Version::V4
            } else {
                Version::V6
            };
            let mtu = udp_tunnel::path_mtu(underlay.local, peer, underlay.port);
            // Without a route, nothing goes there in any case; with one, it is asked for again.
            Arc::new(Path::new(version, mtu.unwrap_or(super::DEFAULT_MTU)))
        });
        Arc::clone(path)
    }

    fn tunnel_config(&mut self, key: UnderlayKey, overlay: &OverlaySettings) -> TunnelConfig {
        TunnelConfig {
            local: key.local,
            port: key.port,
            interface: overlay
                .local
                .and_then(|local| edge::interface_of(&mut self.host, local).ok().flatten()),
        }
    }

    /// Refuses the host's own addresses as peers.
    fn check_foreign(&mut self, peers: &[IpAddr]) -> Result<(), ControlError> {
        let own = edge::addresses(&mut self.host).map_err(edge::EdgeError::from)?;
        let is_own = |peer: &&IpAddr| own.contains(peer) || peer.is_loopback();
        match peers.iter().find(is_own) {
            Some(peer) => Err(ControlError::Request(format!(
                "{peer} is this host's own address: a peer is another host"
            ))),
            None => Ok(()),
        }
    }

    fn overlay(&self, segment: SegmentId) -> Option<OverlaySettings> {
        self.segment_settings(segment)?.overlay
    }

    pub(super) fn segment_settings(&self, segment: SegmentId) -> Option<BridgeSettings> {
        self.model.network(segment.network)?;
        let segments = self.model.bridge_settings(segment.network).ok()?;
        segments
            .into_iter()
            .find(|settings| settings.id() == segment)
    }
}

/// Which sockets a segment uses: those of its own address, or of the family that its peers have; IPv4 as
/// long as it has none.
fn underlay_of(overlay: &OverlaySettings) -> UnderlayKey {
    let ends = overlay.group.iter().chain(&overlay.peers);
    let any = match ends.copied().next() {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        Some(IpAddr::V4(_)) | None => Ipv4Addr::UNSPECIFIED.into(),
    };
    UnderlayKey {
        local: overlay.local.unwrap_or(any),
        port: overlay.port,
    }
}
