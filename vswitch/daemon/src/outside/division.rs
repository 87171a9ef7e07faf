//! The host's ephemeral ports, divided between its kernel and translation.

use std::ops::RangeInclusive;

/// Who has which of the ephemeral ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Division {
    /// The kernel chooses from these for its own connections.
    pub(crate) kernels: Vec<RangeInclusive<u16>>,
    /// It is kept from these.
    pub(crate) reserved: Vec<RangeInclusive<u16>>,
}

/// With fewer ports, the host could hardly connect to anything.
const FEWEST: usize = 16;

impl Division {
    /// The kernel has everything.
    pub(crate) fn none(ephemeral: &RangeInclusive<u16>) -> Self {
        Self {
            kernels: vec![ephemeral.clone()],
            reserved: Vec::new(),
        }
    }

    /// The lower half of what is not published is the kernel's. `None` if that is too little to live on.
    pub(crate) fn of(
        ephemeral: &RangeInclusive<u16>,
        published: &[RangeInclusive<u16>],
    ) -> Option<Self> {
        let is_free = |port: &u16| !published.iter().any(|ports| ports.contains(port));
        let free = ephemeral.clone().filter(is_free).count();
        let mut left = free.div_ceil(2);
        if left < FEWEST {
            return None;
        }
        let mut division = Self::default();
        for port in ephemeral.clone() {
            let kernels = left > 0 && is_free(&port);
            left -= usize::from(kernels);
            extend(
                if kernels {
                    &mut division.kernels
                } else {
                    &mut division.reserved
                },
                port,
            );
        }
        Some(division)
    }

    /// Whether the kernel may choose a port at any time.
    pub(crate) fn is_kernels(&self, port: u16) -> bool {
        self.kernels_until(port).is_some()
    }

    /// The end of the kernel's ports that one is among.
    pub(crate) fn kernels_until(&self, port: u16) -> Option<u16> {
        let ports = self.kernels.iter().find(|ports| ports.contains(&port))?;
        Some(*ports.end())
    }
}

/// Ports come in order.
fn extend(ranges: &mut Vec<RangeInclusive<u16>>, port: u16) {
    match ranges.last_mut() {
        Some(last) if last.end() + 1 == port => *last = *last.start()..=port,
        _ => ranges.push(port..=port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

    #[test]
    fn each_has_a_half() {
        let division = Division::of(&EPHEMERAL, &[]).unwrap();
        assert_eq!(division.kernels, [32768..=46883]);
        assert_eq!(division.reserved, [46884..=60999]);
        assert!(division.is_kernels(40000) && !division.is_kernels(50000));
        assert_eq!(division.kernels_until(32768), Some(46883));
    }

    #[test]
    fn what_is_published_is_nobodys_and_the_rest_is_halved() {
        let division = Division::of(&EPHEMERAL, &[20000..=59999]).unwrap();
        assert_eq!(division.kernels, [60000..=60499]);
        assert_eq!(division.reserved, [32768..=59999, 60500..=60999]);
        let middle = Division::of(&(100..=199), &[110..=119, 150..=159]).unwrap();
        assert_eq!(middle.kernels, [100..=109, 120..=149]);
        assert_eq!(middle.reserved, [110..=119, 150..=199]);
    }

    #[test]
    fn the_host_must_be_able_to_connect() {
        assert_eq!(Division::of(&EPHEMERAL, &[1024..=60990]), None);
        assert_eq!(Division::none(&EPHEMERAL).kernels, [EPHEMERAL]);
        let last = Division::of(&(65500..=65535), &[]).unwrap();
        assert_eq!(last.reserved, [65518..=65535]);
    }
}
