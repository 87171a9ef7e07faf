//! The sockets that hold published ports on the host, for the model that chooses the ports.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use vswitch_cnm::publish::{self, PortHolder, PublishedPort};

use crate::local_ports::{Binding, Held, HoldError, Limits, LocalPorts};

/// What is held, and for which publications.
#[derive(Debug)]
pub struct HeldPorts {
    local: LocalPorts,
    entries: Vec<Entry>,
    /// What was said last of a publication: hardly any changes when one does, and there may be thousands.
    led: HashMap<PublishedPort, Option<IpAddr>>,
}

#[derive(Debug)]
struct Entry {
    /// What is held of it: one piece, until a part is let go of.
    pieces: Vec<PublishedPort>,
    /// The container's port that the first one led to.
    first: u16,
    target: Option<IpAddr>,
    held: Held,
}

impl HeldPorts {
    /// Holds nothing yet.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self {
            local: LocalPorts::start(Limits::default())?,
            entries: Vec::new(),
            led: HashMap::new(),
        })
    }

    /// Lets go of everything.
    pub fn stop(self) {
        drop(self.entries);
        self.local.stop();
    }

    /// Where the host's own programs are led that turn to a published port; `None` leaves them
    /// without an answer.
    pub fn lead(&mut self, port: &PublishedPort, target: Option<IpAddr>) {
        if self.led.get(port) == Some(&target) {
            return;
        }
        let Some(entry) = self.entry(port) else {
            return;
        };
        if entry.target != target {
            let first = target.map(|ip| SocketAddr::new(ip, entry.first));
            entry.held.set_target(first);
            entry.target = target;
        }
        self.led.insert(*port, target);
    }

    /// Takes the ports of one publication.
    ///
    /// # Errors
    /// Of the host.
    pub fn try_hold(&mut self, port: &PublishedPort) -> Result<(), HoldError> {
        let Some(host) = port.host else {
            return Ok(());
        };
        let held = self.local.hold(&Binding {
            protocol: port.protocol,
            host: port.host_ip,
            ports: host.first()..=host.last(),
            target: None,
        })?;
        self.led.remove(port);
        self.entries.push(Entry {
            pieces: vec![*port],
            first: port.container.first(),
            target: None,
            held,
        });
        Ok(())
    }

    /// What holds a publication, or a part of one.
    fn entry(&mut self, part: &PublishedPort) -> Option<&mut Entry> {
        let holds = |entry: &&mut Entry| entry.pieces.iter().any(|p| p.without(part).is_some());
        self.entries.iter_mut().find(holds)
    }
}

impl PortHolder for HeldPorts {
    fn hold(&mut self, port: &PublishedPort) -> Result<(), publish::HoldError> {
        self.try_hold(port).map_err(|error| match error {
            HoldError::InUse { address, .. } => publish::HoldError::InUse {
                port: address.port(),
            },
            HoldError::NoSuchAddress { .. } => publish::HoldError::NoSuchAddress,
            HoldError::NoSuchFamily { .. } => publish::HoldError::NoSuchFamily,
            other => publish::HoldError::Failed(other.to_string()),
        })
    }

    fn let_go(&mut self, port: &PublishedPort) {
        if self.led.remove(port).is_none() {
            // A part of one, whose rest is known by another name from now on.
            self.led.clear();
        }
        if let (Some(entry), Some(host)) = (self.entry(port), port.host) {
            entry.held.let_go(&(host.first()..=host.last()));
            let pieces = std::mem::take(&mut entry.pieces).into_iter();
            let rest = |piece: PublishedPort| piece.without(port).unwrap_or([Some(piece), None]);
            entry.pieces = pieces.flat_map(rest).flatten().collect();
        }
        self.entries.retain(|entry| !entry.pieces.is_empty());
    }
}
