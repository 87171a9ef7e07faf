//! What is known of the way to a peer.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use vswitch_packet::ethernet;
use vswitch_packet::ip::Version;

use crate::header::HEADER_LEN;

const UDP_HEADER_LEN: usize = 8;

/// Less than this is not believed, as by Linux (`ip_rt_min_pmtu`, ip-sysctl): a forged "too big" must
/// not shrink a path to nothing.
const LEAST: u16 = 552;

/// Octets by which a packet inside must be shorter than the underlay's MTU: Ethernet, VXLAN, UDP and IP
/// headers. 50, or 70 over IPv6.
#[must_use]
pub const fn overhead(underlay: Version) -> u16 {
    let ip = match underlay {
        Version::V4 => 20,
        Version::V6 => 40,
    };
    (ethernet::HEADER_LEN + HEADER_LEN + UDP_HEADER_LEN + ip) as u16
}

/// The way to a peer: how much it carries, and whether several datagrams may be handed over as one.
/// Shared by those who send and those who ask the kernel.
#[derive(Debug)]
pub struct Path {
    /// Of the underlay, outer IP header included.
    mtu: AtomicU16,
    overhead: u16,
    joined: AtomicBool,
}

impl Path {
    /// A path of which the kernel says that it carries `mtu` octets.
    #[must_use]
    pub const fn new(underlay: Version, mtu: u16) -> Self {
        Self {
            mtu: AtomicU16::new(believed(mtu)),
            overhead: overhead(underlay),
            joined: AtomicBool::new(true),
        }
    }

    /// The longest outer packet, in octets.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu.load(Ordering::Relaxed)
    }

    /// Notes the longest outer packet. True if that is news.
    pub fn set_mtu(&self, mtu: u16) -> bool {
        let mtu = believed(mtu);
        self.mtu.swap(mtu, Ordering::Relaxed) != mtu
    }

    /// The longest packet inside, without its Ethernet header, in octets.
    #[must_use]
    #[inline]
    pub fn inner_mtu(&self) -> u16 {
        self.mtu() - self.overhead
    }

    /// Whether several datagrams may be handed to the kernel as one (`UDP_SEGMENT`).
    #[must_use]
    #[inline]
    pub fn takes_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    /// Notes whether the way out takes joined datagrams: not where it cannot do checksums (EIO).
    pub fn set_takes_joined(&self, joined: bool) {
        self.joined.store(joined, Ordering::Relaxed);
    }
}

const fn believed(mtu: u16) -> u16 {
    if mtu < LEAST { LEAST } else { mtu }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_inside_is_shorter_by_all_headers() {
        assert_eq!(Path::new(Version::V4, 1500).inner_mtu(), 1450);
        assert_eq!(Path::new(Version::V6, 1500).inner_mtu(), 1430);
        assert_eq!(Path::new(Version::V6, u16::MAX).inner_mtu(), 65465);
    }

    #[test]
    fn a_change_is_news_once() {
        let path = Path::new(Version::V4, 1500);
        assert!(!path.set_mtu(1500));
        assert!(path.set_mtu(1400));
        assert!(!path.set_mtu(1400));
        assert_eq!((path.mtu(), path.inner_mtu()), (1400, 1350));
        assert!(path.set_mtu(9000));
        assert_eq!(path.mtu(), 9000);
    }

    #[test]
    fn too_little_is_not_believed() {
        for mtu in [0, 49, 551] {
            for underlay in [Version::V4, Version::V6] {
                let path = Path::new(underlay, mtu);
                assert_eq!(path.mtu(), 552);
                assert!(!path.set_mtu(mtu), "no news");
                assert_eq!(path.inner_mtu(), 552 - overhead(underlay));
            }
        }
    }

    #[test]
    fn takes_joined_datagrams_until_told_otherwise() {
        let path = Path::new(Version::V4, 1500);
        assert!(path.takes_joined());
        path.set_takes_joined(false);
        assert!(!path.takes_joined());
        path.set_takes_joined(true);
        assert!(path.takes_joined());
    }
}
