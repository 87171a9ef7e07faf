//! Finding ports that neither endpoints nor the host have.

use super::let_go;
use super::wish::Wish;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::model::Model;
use crate::publish::{HoldError, PortHolder, PortRange, PublishedPort};
use crate::segment::family_of;

/// Why ports are not to be had.
enum Obstacle {
    /// They are in use, up to this one.
    Taken { until: u16, error: Error },
    /// No others would be had either.
    Fatal(Error),
}

impl Model {
    /// Finds the ports of a wish and holds them, besides those `taken` just before.
    pub(super) fn grant(
        &mut self,
        endpoint: &Endpoint,
        wish: &Wish,
        taken: &[PublishedPort],
        holder: &mut dyn PortHolder,
    ) -> Result<Vec<PublishedPort>, Error> {
        let is_open =
            |port: &PublishedPort| endpoint.published.contains(port) || taken.contains(port);
        let mut granted = wish.openings();
        granted.retain(|port| !is_open(port));
        if wish.held.is_empty() {
            return Ok(granted);
        }
        let (range, sections) = match wish.spec.host {
            Some(host) => (host, vec![host]),
            None => {
                let range = self.settings.ephemeral_ports;
                (range, self.rotation.sections(wish.spec.protocol, range))
            }
        };
        let mut held = None;
        for section in sections {
            held = self.search(endpoint, wish, section, taken, holder)?;
            if held.is_some() {
                break;
            }
        }
        let held = held.ok_or(Error::PortsExhausted {
            port: wish.spec,
            count: wish.spec.container.count(),
            range,
        })?;
        if let (None, Some(host)) = (wish.spec.host, held.first().and_then(|port| port.host)) {
            self.rotation.advance(wish.spec.protocol, host);
        }
        granted.splice(0..0, held);
        Ok(granted)
    }

    /// Holds the first free ports of a section; `None` if there are none, of several that there might be.
    fn search(
        &self,
        endpoint: &Endpoint,
        wish: &Wish,
        section: PortRange,
        taken: &[PublishedPort],
        holder: &mut dyn PortHolder,
    ) -> Result<Option<Vec<PublishedPort>>, Error> {
        let count = wish.spec.container.count();
        let mut next = Some(section.first());
        while let Some(ports) = next
            .and_then(|first| PortRange::starting_at(first, count))
            .filter(|ports| ports.last() <= section.last())
        {
            match self.hold(endpoint, wish, ports, taken, holder) {
                Ok(held) => return Ok(Some(held)),
                Err(Obstacle::Taken { error, .. }) if ports == section => return Err(error),
                Err(Obstacle::Taken { until, .. }) => next = until.checked_add(1),
                Err(Obstacle::Fatal(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Holds these very ports at all addresses of a wish, or at none.
    fn hold(
        &self,
        endpoint: &Endpoint,
        wish: &Wish,
        ports: PortRange,
        taken: &[PublishedPort],
        holder: &mut dyn PortHolder,
    ) -> Result<Vec<PublishedPort>, Obstacle> {
        let candidates = wish.candidates(ports);
        let conflicts = candidates
            .iter()
            // Of several, the first is named.
            .rev()
            .filter_map(|port| self.conflict(endpoint, port, taken));
        if let Some((until, error)) = conflicts.max_by_key(|(until, _)| *until) {
            return Err(Obstacle::Taken { until, error });
        }
        let mut held = Vec::with_capacity(candidates.len());
        let mut absent = None;
        for port in candidates {
            match holder.hold(&port) {
                Ok(()) => held.push(port),
                Err(HoldError::NoSuchFamily) if wish.implied => absent = Some(port),
                Err(error) => {
                    let_go(holder, &held);
                    return Err(obstacle(&port, ports, error));
                }
            }
        }
        match absent {
            Some(port) if held.is_empty() && wish.open.is_empty() => {
                Err(obstacle(&port, ports, HoldError::NoSuchFamily))
            }
            _ => Ok(held),
        }
    }

    /// Whoever has a port already, and the last of the ports in the way; `taken` is `endpoint`'s.
    pub(super) fn conflict(
        &self,
        endpoint: &Endpoint,
        port: &PublishedPort,
        taken: &[PublishedPort],
    ) -> Option<(u16, Error)> {
        let others = self
            .endpoints
            .values()
            .flat_map(|other| other.published.iter().map(move |theirs| (other, theirs)));
        let own = taken.iter().map(|theirs| (endpoint, theirs));
        let (until, other, host) = others
            .chain(own)
            .filter(|(_, theirs)| theirs.conflicts(port))
            .filter_map(|(other, theirs)| {
                let common = theirs.host?.intersection(port.host?)?;
                Some((theirs.host?.last(), other, common))
            })
            .max_by_key(|(until, ..)| *until)?;
        let network = self.networks.get(&other.network);
        let error = Error::PortInUse {
            port: PublishedPort {
                host: Some(host),
                ..*port
            }
            .to_string(),
            holder: other.called("container"),
            network: network
                .map(|network| network.name.clone())
                .unwrap_or_default(),
        };
        Some((until, error))
    }
}

/// What the holder's words mean for one of several `ports` that were tried.
fn obstacle(port: &PublishedPort, ports: PortRange, error: HoldError) -> Obstacle {
    let refused = |reason| {
        Obstacle::Fatal(Error::PortRefused {
            port: port.to_string(),
            reason,
        })
    };
    match error {
        HoldError::InUse { port: used } => {
            // Whatever the holder says, the search goes on.
            let until = used.clamp(ports.first(), ports.last());
            let used = PublishedPort {
                host: PortRange::new(until, until),
                ..*port
            };
            Obstacle::Taken {
                until,
                error: Error::PortInUseByHost {
                    port: used.to_string(),
                },
            }
        }
        HoldError::NoSuchAddress => refused(format!(
            "{} is none of the host's addresses; `ip address` shows them",
            port.host_ip
        )),
        HoldError::NoSuchFamily => refused(format!("the host has no {}", family_of(port.host_ip))),
        HoldError::Failed(reason) => refused(reason),
    }
}
