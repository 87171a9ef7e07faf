//! Which ports are held, and where they lead.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use tokio::sync::watch;
use vswitch_cnm::publish::Protocol;

use super::error::HoldError;

/// Ports of the host to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What is spoken there.
    pub protocol: Protocol,
    /// One of the host's addresses; the unspecified one stands for all of its family.
    pub host: IpAddr,
    /// The ports, without 0.
    pub ports: RangeInclusive<u16>,
    /// Where the first port leads, the next one to the next, and so on; of either family. `None`: nowhere yet.
    pub target: Option<SocketAddr>,
}

/// Where the ports of a socket lead, which may change.
#[derive(Debug)]
pub(super) struct Targets {
    told: watch::Receiver<Option<SocketAddr>>,
    /// Of the binding's first port.
    current: Option<SocketAddr>,
    first: u16,
    host: IpAddr,
    /// Those of the socket.
    ports: RangeInclusive<u16>,
}

impl Binding {
    /// Whether it has ports, and the target as many.
    ///
    /// # Errors
    /// [`HoldError::NoPorts`], [`HoldError::BeyondLastPort`].
    pub(super) fn check(&self) -> Result<(), HoldError> {
        let (&first, &last) = (self.ports.start(), self.ports.end());
        if first == 0 || first > last {
            return Err(HoldError::NoPorts { first, last });
        }
        match self.target {
            Some(target) if target.port().checked_add(last - first).is_none() => {
                Err(HoldError::BeyondLastPort {
                    first,
                    last,
                    target,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Targets {
    /// Of some of a binding's ports.
    pub(super) fn new(
        mut told: watch::Receiver<Option<SocketAddr>>,
        binding: &Binding,
        ports: RangeInclusive<u16>,
    ) -> Self {
        let current = *told.borrow_and_update();
        Self {
            told,
            current,
            first: *binding.ports.start(),
            host: binding.host,
            ports,
        }
    }

    /// Waits until there is another target. `false`: the ports are let go.
    pub(super) async fn changed(&mut self) -> bool {
        let held = self.told.changed().await.is_ok();
        self.current = *self.told.borrow_and_update();
        held
    }

    /// Takes another target, if there is one: `true` then.
    pub(super) fn renew(&mut self) -> bool {
        let renewed = self.told.has_changed().unwrap_or(false);
        self.current = *self.told.borrow_and_update();
        renewed
    }

    /// Where a port leads, as of the last change that was taken; `None` also for what is not of the binding.
    pub(super) fn of(&self, local: SocketAddr) -> Option<SocketAddr> {
        let at_host = self.host.is_unspecified() || self.host == local.ip();
        if !at_host || !self.ports.contains(&local.port()) {
            return None;
        }
        let mut target = self.current?;
        let nth = local.port().checked_sub(self.first)?;
        target.set_port(target.port().checked_add(nth)?);
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(ports: RangeInclusive<u16>, target: Option<&str>) -> Binding {
        Binding {
            protocol: Protocol::Tcp,
            host: "0.0.0.0".parse().unwrap(),
            ports,
            target: target.map(|target| target.parse().unwrap()),
        }
    }

    #[test]
    fn a_binding_needs_ports_and_room_at_its_target() {
        assert!(binding(80..=80, None).check().is_ok());
        assert!(binding(1..=65535, Some("10.0.0.2:1")).check().is_ok());
        assert!(binding(80..=81, Some("10.0.0.2:65534")).check().is_ok());
        for (ports, target, text) in [
            (
                0..=1,
                None,
                "ports 0-1 cannot be held: ports are 1 to 65535",
            ),
            #[expect(clippy::reversed_empty_ranges, reason = "what is refused")]
            (
                9..=8,
                None,
                "ports 9-8 cannot be held: ports are 1 to 65535",
            ),
            (
                80..=82,
                Some("10.0.0.2:65534"),
                "ports 80-82 cannot lead to as many from 10.0.0.2:65534 on: the last port is 65535",
            ),
        ] {
            let error = binding(ports, target).check().unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_nth_port_leads_to_the_nth() {
        let (teller, told) = watch::channel(Some("[fd00::2]:80".parse().unwrap()));
        let mut targets = Targets::new(told, &binding(8000..=8009, None), 8001..=8002);
        let of = |targets: &Targets, port| {
            let local = SocketAddr::new("192.0.2.1".parse().unwrap(), port);
            targets.of(local).map(|target| target.to_string())
        };
        assert_eq!(of(&targets, 8000), None);
        assert_eq!(of(&targets, 8001).as_deref(), Some("[fd00::2]:81"));
        assert_eq!(of(&targets, 8002).as_deref(), Some("[fd00::2]:82"));
        assert_eq!(of(&targets, 8003), None);
        teller.send_replace(Some("10.0.0.2:65534".parse().unwrap()));
        assert_eq!(of(&targets, 8001).as_deref(), Some("[fd00::2]:81"));
        assert!(targets.renew());
        assert!(!targets.renew());
        assert_eq!(of(&targets, 8001).as_deref(), Some("10.0.0.2:65535"));
        assert_eq!(of(&targets, 8002), None);
        teller.send_replace(None);
        assert!(targets.renew());
        assert_eq!(of(&targets, 8001), None);
    }

    #[test]
    fn only_the_bindings_address_leads_anywhere() {
        let (_teller, told) = watch::channel(Some("10.0.0.2:80".parse().unwrap()));
        let of = |host: &str, local: &str| {
            let binding = Binding {
                host: host.parse().unwrap(),
                ..binding(80..=80, None)
            };
            let targets = Targets::new(told.clone(), &binding, 80..=80);
            targets.of(local.parse().unwrap()).is_some()
        };
        assert!(of("0.0.0.0", "127.0.0.1:80"));
        assert!(of("127.0.0.1", "127.0.0.1:80"));
        assert!(!of("127.0.0.1", "127.0.0.2:80"));
        assert!(of("::", "[::1]:80"));
    }
}
