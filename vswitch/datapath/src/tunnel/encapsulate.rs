//! A frame on its way into a tunnel: what goes in front of it, and into how many datagrams.

use std::io::IoSlice;

use vswitch_packet::Frame;
use vswitch_packet::segment::{ChecksumMode, Segments};
use vswitch_vxlan::ecn::{self, Dscp};
use vswitch_vxlan::{HEADER_LEN, entropy, header};

use super::batch::Batch;
use super::{Envelope, Tunnel};
use crate::fragment::Fragments;
use crate::pipeline::Egress;
use crate::transmit::{SendError, Transmit, Wires};
use crate::vlan::{Retagged, TagAction};

/// What the outer headers of a flow's datagrams have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    entropy: u16,
    tos: u8,
}

impl Tunnel {
    /// The outer headers of `frame`.
    #[inline]
    pub(crate) fn outer(&self, frame: &Frame<'_>) -> Outer {
        Outer {
            entropy: entropy(frame),
            tos: ecn::outer_tos(frame, self.dscp),
        }
    }

    /// The outer headers of what the switch says itself.
    const fn outer_of_own(&self) -> Outer {
        let tos = match self.dscp {
            Dscp::Fixed(dscp) => dscp << 2,
            Dscp::Inherit => 0,
        };
        Outer { entropy: 0, tos }
    }

    const fn envelope(&self, outer: Outer, segment: Option<u16>) -> Envelope {
        Envelope {
            underlay: self.underlay,
            to: self.peer,
            entropy: outer.entropy,
            tos: outer.tos,
            ttl: self.ttl,
            segment,
        }
    }
}

impl<W: Wires> Transmit<'_, W> {
    /// Sends `frame` into `tunnel`, and counts what became of it. Kept apart, as the way to a port must
    /// not be longer for it.
    #[inline(never)]
    pub(crate) fn encapsulate(&mut self, tunnel: &Tunnel, frame: &Frame<'_>, egress: &Egress) {
        let outer = tunnel.outer(frame);
        let sent = if egress.tag != TagAction::Keep || egress.fragments.is_some() {
            self.rewritten(tunnel, outer, frame, egress)
        } else if frame.offload().gso.is_some() {
            self.segments(tunnel, outer, frame)
        } else if frame.offload().checksum.is_some() {
            self.completed(tunnel, outer, frame)
        } else {
            self.datagram(tunnel, outer, &[frame.bytes()])
        };
        if let Err(error) = sent {
            self.lane.dropped(error.into());
        }
    }

    /// Sends octets that are a plain frame by themselves.
    pub(crate) fn encapsulate_plain(&mut self, tunnel: &Tunnel, bytes: &[u8], tag: TagAction) {
        if let Err(error) = self.retagged(tunnel, tunnel.outer_of_own(), bytes, tag) {
            self.lane.dropped(error.into());
        }
    }

    /// Sends whole frames of one flow, all of the same length but the last, which may be shorter, in
    /// datagrams that are handed over as one where possible.
    pub(crate) fn together<'f>(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        frames: impl Iterator<Item = &'f [u8]>,
    ) {
        let header = header(tunnel.vni);
        let mut batch = Batch::new();
        for frame in frames {
            if !batch.has_room(HEADER_LEN + frame.len()) {
                self.train(tunnel, outer, &batch);
                batch.clear();
            }
            batch.add(&header, frame, &[]);
        }
        self.train(tunnel, outer, &batch);
    }

    fn train(&mut self, tunnel: &Tunnel, outer: Outer, batch: &Batch<'_>) {
        match self.joined(tunnel, outer, batch) {
            Ok(true) if batch.len() > 1 => self.lane.coalesced.add(batch.len() as u64),
            Ok(_) => {}
            Err(Lost { error, datagrams }) => {
                (0..datagrams).for_each(|_| self.lane.dropped(error.into()));
            }
        }
    }

    /// A frame of its own, with its checksum completed.
    fn completed(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        frame: &Frame<'_>,
    ) -> Result<(), SendError> {
        let scratch = std::mem::take(&mut self.scratch);
        let mut only = Segments::new(frame, ChecksumMode::Complete);
        let sent = match only.next_gathered(scratch) {
            Some((len, payload)) => {
                let headers = scratch.get(..len).unwrap_or_default();
                self.datagram(tunnel, outer, &[headers, payload])
            }
            None => Err(SendError::Refused),
        };
        self.scratch = scratch;
        sent
    }

    /// The segments of a super-frame: headers are made for each, payloads stay where they are.
    fn segments(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        frame: &Frame<'_>,
    ) -> Result<(), SendError> {
        let mut segments = Segments::new(frame, ChecksumMode::Complete);
        let header = header(tunnel.vni);
        let scratch = std::mem::take(&mut self.scratch);
        let mut sent = Ok(());
        while segments.remaining() > 0 && sent.is_ok() {
            let mut batch = Batch::new();
            let mut free = &mut *scratch;
            while batch.has_room(HEADER_LEN + segments.next_len())
                && let Some((len, payload)) = segments.next_gathered(free)
            {
                let (headers, rest) = free.split_at_mut(len);
                free = rest;
                batch.add(&header, headers, payload);
            }
            sent = match batch.len() {
                0 => Err(SendError::Refused),
                _ => self
                    .joined(tunnel, outer, &batch)
                    .map(drop)
                    .map_err(|lost| lost.error),
            };
        }
        self.scratch = scratch;
        sent
    }

    /// A frame that needs another tag, or fragments, in datagrams one by one.
    #[cold]
    fn rewritten(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        frame: &Frame<'_>,
        egress: &Egress,
    ) -> Result<(), SendError> {
        if frame.offload().gso.is_some() {
            self.lane.segmented.add(1);
        }
        let mut segments = Segments::new(frame, ChecksumMode::Complete);
        let scratch = std::mem::take(&mut self.scratch);
        let link_len = usize::from(frame.layout().link_len);
        let mut sent = Ok(());
        while let Some(segment) = segments.next_into(scratch) {
            let bytes = scratch.get(..segment.len).unwrap_or_default();
            sent = match egress.fragments {
                Some(mtu) if bytes.len() - link_len > usize::from(mtu) => {
                    self.fragments(tunnel, outer, bytes, link_len, mtu)
                }
                _ => self.retagged(tunnel, outer, bytes, egress.tag),
            };
            if sent.is_err() {
                break;
            }
        }
        self.scratch = scratch;
        sent
    }

    fn fragments(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        bytes: &[u8],
        link_len: usize,
        mtu: u16,
    ) -> Result<(), SendError> {
        for fragment in Fragments::new(bytes, link_len, mtu).into_iter().flatten() {
            self.datagram(tunnel, outer, &[fragment.headers(), fragment.data])?;
        }
        Ok(())
    }

    fn retagged(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        bytes: &[u8],
        tag: TagAction,
    ) -> Result<(), SendError> {
        let frame = Retagged::new(bytes, tag);
        self.datagram(tunnel, outer, &[frame.macs, frame.tag(), frame.rest])
    }

    /// A datagram of its own, with a frame in `pieces`.
    #[inline]
    fn datagram<const N: usize>(
        &mut self,
        tunnel: &Tunnel,
        outer: Outer,
        pieces: &[&[u8]; N],
    ) -> Result<(), SendError> {
        let header = header(tunnel.vni);
        let mut parts = [IoSlice::new(&[]); 4];
        parts[0] = IoSlice::new(&header);
        for (part, piece) in parts[1..].iter_mut().zip(pieces) {
            *part = IoSlice::new(piece);
        }
        self.hand_over(tunnel, tunnel.envelope(outer, None), &parts[..=N])
    }

    /// As one if that is possible, which is told, or else one by one up to the first that is lost.
    fn joined(&mut self, tunnel: &Tunnel, outer: Outer, batch: &Batch<'_>) -> Result<bool, Lost> {
        let envelope = tunnel.envelope(outer, batch.segment());
        let takes_joined = tunnel.path.takes_joined();
        if takes_joined || batch.len() == 1 {
            match self.hand_over(tunnel, envelope, batch.parts()) {
                Err(SendError::NotJoined) => {}
                Ok(()) => return Ok(true),
                Err(error) => {
                    let datagrams = batch.len();
                    return Err(Lost { error, datagrams });
                }
            }
        }
        self.lane.segmented.add(1);
        let mut datagrams = batch.len();
        for datagram in batch.one_by_one() {
            self.hand_over(tunnel, tunnel.envelope(outer, None), datagram)
                .map_err(|error| Lost { error, datagrams })?;
            datagrams -= 1;
        }
        // That they were joined was what stood against it, and nothing else.
        tunnel.path.set_takes_joined(false);
        Ok(false)
    }

    /// Sends one datagram, or several as one, counts that, and keeps what an error tells of the path.
    #[inline]
    fn hand_over(
        &mut self,
        tunnel: &Tunnel,
        envelope: Envelope,
        parts: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        match self.wires.send_datagrams(&envelope, parts) {
            Ok(()) => {
                let octets: usize = parts.iter().map(|part| part.len()).sum();
                let datagrams = match envelope.segment {
                    Some(segment) => octets.div_ceil(usize::from(segment)),
                    None => 1,
                };
                self.lane.sent_frames.add(1);
                self.lane
                    .sent_bytes
                    .add((octets - datagrams * HEADER_LEN) as u64);
                self.lane.sent_super.add(envelope.segment.is_some().into());
                Ok(())
            }
            Err(error) => {
                if let SendError::TooLong(mtu) = error {
                    tunnel.path.set_mtu(mtu);
                }
                Err(error)
            }
        }
    }
}

/// So many datagrams were not sent.
struct Lost {
    error: SendError,
    datagrams: usize,
}
