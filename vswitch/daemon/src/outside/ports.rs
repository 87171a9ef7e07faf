//! The host's ports, and who of the host's programs, its kernel and translation has which.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Instant;

use anyhow::Context as _;
use vswitch_nat::Protocol;
use vswitch_netio::{TransportProtocol, clock, ephemeral_ports, sockets};

use super::Outside;
use super::division::Division;
use crate::dataplane::Dataplane;
use crate::local_ports::MAX_SINGLE_PORTS;

/// Between two looks at the host's sockets is so many times the processor time that one takes: it passes through
/// the hash tables of the whole machine, and hosts may have very many sockets.
const LOOK_EVERY: u32 = 400;

impl Outside {
    /// Looks which ports the host's own sockets have, unless the last look was too long for another one so soon.
    /// Where one has a port of a mapping, the host wins.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn look_at_sockets(&mut self, dataplane: &Dataplane) -> anyhow::Result<()> {
        let (last, took) = self.looked;
        if self.nics.is_empty() || last.elapsed() < took * LOOK_EVERY {
            return Ok(());
        }
        let start = clock::thread_time();
        let looked = self.end_mappings_in_use(dataplane);
        self.looked = (Instant::now(), clock::thread_time() - start);
        looked
    }

    fn end_mappings_in_use(&self, dataplane: &Dataplane) -> anyhow::Result<()> {
        let mut used = HashSet::new();
        for socket in sockets::bound().context("cannot list the host's sockets")? {
            let protocol = match socket.protocol {
                TransportProtocol::Tcp => Protocol::Tcp,
                _ => Protocol::Udp,
            };
            if !socket.local.ip().is_loopback() {
                used.insert((protocol, socket.local.port()));
            }
        }
        let used = self.ports.set_used(used);
        // All of them: what was just beginning when its port became known as used is found by the next look.
        for &(protocol, port) in used.iter() {
            for &address in &self.addresses {
                let external = SocketAddr::new(address, port);
                // At published ports, the sockets are our own.
                if !self.is_published(protocol, external)
                    && dataplane.nat().forget_mapping(protocol, external)
                {
                    tracing::info!(%external, ?protocol, "the host uses this port now: its mapping ended");
                }
            }
        }
        Ok(())
    }

    fn is_published(&self, protocol: Protocol, external: SocketAddr) -> bool {
        let port = external.port();
        self.published.iter().any(|&(address, of, first, last)| {
            (address, of) == (external.ip(), protocol) && (first..=last).contains(&port)
        })
    }

    /// Keeps the kernel from choosing published ports that no socket of ours holds one by one, and ends
    /// the mappings that the new division leaves in its part.
    pub(super) fn divide_again(&mut self, dataplane: &Dataplane) {
        let ranges: Vec<RangeInclusive<u16>> = self
            .hosts
            .iter()
            .filter(|(_, _, ports)| ports.len() > MAX_SINGLE_PORTS)
            .map(|(_, _, ports)| ports.clone())
            .collect();
        let before = self.ports.division();
        self.divide(&ranges);
        for port in self.ports.division().kernels.iter().cloned().flatten() {
            if before.is_kernels(port) {
                continue;
            }
            for &address in &self.addresses {
                for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                    dataplane.end_mappings(protocol, address, port..=port);
                }
            }
        }
    }

    /// Divides the ephemeral ports but for `published` ones between the kernel and translation.
    pub(super) fn divide(&mut self, published: &[RangeInclusive<u16>]) {
        if self.divert.is_none() {
            return;
        }
        let division = Division::of(&self.ephemeral, published).unwrap_or_else(|| {
            tracing::warn!(
                "nearly all ephemeral ports are published: the host's own connections may get some of them"
            );
            Division::none(&self.ephemeral)
        });
        let before = self.ports.division();
        if division == *before {
            return;
        }
        match ephemeral_ports::reserve(&division.reserved, &before.reserved) {
            Ok(()) => self.ports.set_division(division),
            Err(error) => tracing::warn!(
                "the ephemeral ports stay divided as they were: {error}; translation keeps none of the kernel's"
            ),
        }
    }
}
