//! Which port is tried first where nobody chose one.

use crate::publish::{PortRange, Protocol};

/// The port of each protocol behind the last that was chosen, so that one that was given up rests before
/// it is used again.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::model) struct Rotation([u16; 3]);

impl Rotation {
    /// The range from where the last search ended, and then all of it.
    pub(super) fn sections(self, protocol: Protocol, range: PortRange) -> Vec<PortRange> {
        let next = PortRange::new(self.0[protocol as usize], range.last());
        let rest = next.filter(|rest| rest.first() > range.first());
        rest.into_iter().chain([range]).collect()
    }

    pub(super) fn advance(&mut self, protocol: Protocol, chosen: PortRange) {
        self.0[protocol as usize] = chosen.last().wrapping_add(1);
    }
}

/// A hint that does not survive a restart, so it does not count.
impl PartialEq for Rotation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Rotation {}
