//! Ports that are held.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, mpsc};

use tokio::sync::watch;
use vswitch_netio::local_delivery::{LocalDelivery, RangeId};

use super::binding::Binding;
use super::error::HoldError;
use super::holder::Holder;

/// Ports that are held. Dropping it lets them go at once: when the drop is done, listeners are closed,
/// proxied connections are reset, and other programs can take the ports.
#[derive(Debug)]
#[must_use = "dropping it lets the ports go"]
pub struct Held {
    holder: Arc<Holder>,
    binding: Binding,
    parts: Vec<Part>,
}

/// What one task serves. It ends when `target` is dropped.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) ports: RangeInclusive<u16>,
    /// Of the binding's first port.
    pub(super) target: watch::Sender<Option<SocketAddr>>,
    /// Of a range.
    pub(super) _delivered: Option<Delivered>,
    /// Closed when the task has ended. Nothing is ever sent.
    pub(super) ended: mpsc::Receiver<Infallible>,
}

/// Has the kernel deliver a range, as long as it lives.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) delivery: Arc<LocalDelivery>,
    pub(super) range: RangeId,
}

impl Held {
    /// Takes all ports of a binding, or none.
    ///
    /// # Errors
    /// [`HoldError`].
    pub(super) fn new(holder: Arc<Holder>, binding: &Binding) -> Result<Self, HoldError> {
        let parts = holder.hold(binding, binding.ports.clone(), binding.target)?;
        Ok(Self {
            holder,
            binding: binding.clone(),
            parts,
        })
    }

    /// Has the first port of the binding lead to `target` from now on, the next one to the next, and so
    /// on. Connections to an earlier target are reset. `None`: nowhere.
    pub fn set_target(&mut self, target: Option<SocketAddr>) {
        self.binding.target = target;
        for part in &self.parts {
            part.target.send_if_modified(|current| {
                let modified = *current != target;
                *current = target;
                modified
            });
        }
    }

    /// Lets some of the ports go, as a drop does all of them; the others lead where they led. Ports that are
    /// not held are passed over.
    ///
    /// Of a range that one socket serves, the others are let go for a moment, too, and their connections
    /// are reset.
    pub fn let_go(&mut self, ports: &RangeInclusive<u16>) {
        let touched = |part: &mut Part| overlap(&part.ports, ports);
        let ending: Vec<_> = self.parts.extract_if(.., touched).collect();
        let rests: Vec<_> = ending
            .iter()
            .flat_map(|part| without(&part.ports, ports))
            .collect();
        end(ending);
        for rest in rests {
            match self
                .holder
                .hold(&self.binding, rest.clone(), self.binding.target)
            {
                Ok(parts) => self.parts.extend(parts),
                Err(error) => tracing::warn!(
                    "published ports {}-{} are not reached from the host itself any more: {error}",
                    rest.start(),
                    rest.end()
                ),
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        end(std::mem::take(&mut self.parts));
    }
}

impl Drop for Delivered {
    fn drop(&mut self) {
        self.delivery.remove(self.range);
    }
}

/// All are told before any is waited for.
fn end(parts: Vec<Part>) {
    let ended: Vec<_> = parts.into_iter().map(|part| part.ended).collect();
    for ended in ended {
        // An error is what is waited for: the task is gone.
        let _ = ended.recv();
    }
}

fn overlap(a: &RangeInclusive<u16>, b: &RangeInclusive<u16>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

/// What is left of `whole` below and above `gone`.
fn without(
    whole: &RangeInclusive<u16>,
    gone: &RangeInclusive<u16>,
) -> impl Iterator<Item = RangeInclusive<u16>> {
    let below = gone.start().checked_sub(1).map(|end| *whole.start()..=end);
    let above = gone.end().checked_add(1).map(|start| start..=*whole.end());
    below
        .into_iter()
        .chain(above)
        .filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_range() {
        for (gone, left) in [
            (15..=17, vec![10..=14, 18..=20]),
            (10..=10, vec![11..=20]),
            (5..=12, vec![13..=20]),
            (20..=30, vec![10..=19]),
            (0..=u16::MAX, vec![]),
        ] {
            assert!(overlap(&(10..=20), &gone));
            assert_eq!(without(&(10..=20), &gone).collect::<Vec<_>>(), left);
        }
        assert!(!overlap(&(10..=20), &(21..=30)));
        assert!(!overlap(&(10..=20), &(1..=9)));
    }
}
