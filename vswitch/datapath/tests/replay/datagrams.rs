//! Datagrams of tunnels: what comes in at an underlay, and what is handed over to one.

use core::fmt;
use core::net::IpAddr;

use vswitch_datapath::{Arrival, Envelope, PortId};

use crate::tap_frame::TapFrame;

/// `UDP_MAX_SEGMENTS` of Linux before 6.9, and the longest UDP payload over IPv4.
const MAX_DATAGRAMS: usize = 64;
const MAX_OCTETS: usize = 65507;

/// Datagrams that leave at once.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HandOver {
    pub(crate) envelope: Envelope,
    pub(crate) datagrams: Vec<Vec<u8>>,
}

/// Datagrams that are read at once; joined by the kernel if there are several.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) from: IpAddr,
    pub(crate) tos: u8,
    pub(crate) group: Option<PortId>,
    pub(crate) datagrams: Vec<Vec<u8>>,
}

impl HandOver {
    /// As a kernel takes it, which asks for datagrams of one length but the last.
    #[track_caller]
    pub(crate) fn new(envelope: Envelope, octets: &[u8]) -> Self {
        let datagrams: Vec<_> = match envelope.segment {
            None => vec![octets.to_vec()],
            Some(segment) => octets.chunks(segment.into()).map(<[u8]>::to_vec).collect(),
        };
        assert!(octets.len() <= MAX_OCTETS, "{} octets", octets.len());
        assert!(datagrams.len() <= MAX_DATAGRAMS, "{}", datagrams.len());
        if envelope.segment.is_some() {
            assert!(datagrams.len() > 1, "a single datagram has no segments");
        }
        Self {
            envelope,
            datagrams,
        }
    }

    /// Octets of the longest outer packet.
    pub(crate) fn outer_len(&self) -> usize {
        let headers = match self.envelope.to.ip() {
            IpAddr::V4(_) => 20 + 8,
            IpAddr::V6(_) => 40 + 8,
        };
        headers + self.datagrams.iter().map(Vec::len).max().unwrap()
    }

    /// The frames inside, all of segment `vni`.
    #[track_caller]
    pub(crate) fn frames(&self, vni: u32) -> Vec<TapFrame> {
        let frames = self.datagrams.iter().map(|datagram| {
            let (header, frame) = datagram.split_at(8);
            assert_eq!(header, vxlan_header(vni), "VXLAN header");
            TapFrame::plain(frame)
        });
        frames.collect()
    }

    /// As it comes in at the other end, which knows the sender as `from`.
    pub(crate) fn delivery(&self, from: IpAddr) -> Delivery {
        Delivery {
            from,
            tos: self.envelope.tos,
            group: None,
            datagrams: self.datagrams.clone(),
        }
    }
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.envelope)?;
        for datagram in &self.datagrams {
            let (header, frame) = datagram.split_at(8.min(datagram.len()));
            let frame = TapFrame::plain(frame);
            write!(f, "\n    {header:02x?} {frame:?}")?;
        }
        Ok(())
    }
}

impl Delivery {
    /// `frame`, alone, from a host without congestion.
    pub(crate) fn one(from: IpAddr, vni: u32, frame: &TapFrame) -> Self {
        Self::joined(from, vni, [frame])
    }

    /// `frames`, all of the same length but the last, which may be shorter.
    pub(crate) fn joined<'f>(
        from: IpAddr,
        vni: u32,
        frames: impl IntoIterator<Item = &'f TapFrame>,
    ) -> Self {
        let frames = frames.into_iter();
        let datagrams = frames.map(|frame| [&vxlan_header(vni)[..], &frame.bytes].concat());
        Self::raw(from, datagrams.collect())
    }

    /// Datagrams that may hold anything.
    pub(crate) fn raw(from: IpAddr, datagrams: Vec<Vec<u8>>) -> Self {
        Self {
            from,
            tos: 0,
            group: None,
            datagrams,
        }
    }

    /// By outer packets of this TOS or traffic class.
    pub(crate) fn marked(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    /// By the group of the tunnel at this port.
    pub(crate) fn by_group(self, tunnel: PortId) -> Self {
        Self {
            group: Some(tunnel),
            ..self
        }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let (last, others) = self.datagrams.split_last().unwrap();
        let len = others.first().unwrap_or(last).len();
        assert!(others.iter().all(|other| other.len() == len), "{self:?}");
        assert!(last.len() <= len, "{self:?}");
        self.datagrams.concat()
    }

    pub(crate) fn arrival(&self) -> Arrival {
        let segment = (self.datagrams.len() > 1).then(|| self.datagrams[0].len() as u16);
        Arrival {
            from: self.from,
            segment,
            tos: self.tos,
            group: self.group,
        }
    }
}

/// Flags, reserved, VNI, reserved (RFC 7348 §5).
pub(crate) fn vxlan_header(vni: u32) -> [u8; 8] {
    let [_, a, b, c] = vni.to_be_bytes();
    [0x08, 0, 0, 0, a, b, c, 0]
}
