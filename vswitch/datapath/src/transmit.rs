//! The last step of a frame's way: it leaves by a port as that port can take it, with the tag it
//! needs, in segments if it must, and the outcome is counted.

use std::io::IoSlice;

use vswitch_packet::segment::{ChecksumMode, Segments};
use vswitch_packet::{Frame, Offload, VNET_HEADER_LEN};

use crate::counters::Lane;
use crate::fragment::Fragments;
use crate::pipeline::Egress;
use crate::port::{Port, PortId};
use crate::tunnel::{Envelope, Stranger};
use crate::verdict::DropReason;
use crate::vlan::{Retagged, TagAction};

/// The outputs of a worker, one for each port.
pub trait Wires {
    /// Writes one frame, virtio header first, in `parts`, without waiting.
    ///
    /// # Errors
    /// Why the frame is lost.
    fn send(&mut self, port: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError>;

    /// Sends the datagrams in `parts`, one behind the other, without waiting: one, or several of
    /// [`Envelope::segment`] octets, of which the last may be shorter.
    ///
    /// # Errors
    /// Why the datagrams are lost.
    fn send_datagrams(
        &mut self,
        envelope: &Envelope,
        parts: &[IoSlice<'_>],
    ) -> Result<(), SendError>;

    /// A datagram came from a host that is not yet a peer of a segment that anybody may join.
    fn stranger(&mut self, stranger: Stranger);
}

/// Why an output did not take a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The port has no output, or its device vanished.
    Gone,
    /// The device is down.
    Down,
    /// No room now.
    Full,
    /// The frame is not acceptable.
    Refused,
    /// The datagram is longer than the way carries: so many octets, IP header included.
    TooLong(u16),
    /// There is no way.
    Unreachable,
    /// The host's firewall forbids it.
    Forbidden,
    /// Several datagrams cannot be handed over as one.
    NotJoined,
}

impl From<SendError> for DropReason {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Gone => Self::PortGone,
            SendError::Down => Self::PortDown,
            SendError::Full => Self::QueueFull,
            SendError::Refused | SendError::NotJoined => Self::Refused,
            SendError::TooLong(_) => Self::UnderlayMtu,
            SendError::Unreachable => Self::UnderlayUnreachable,
            SendError::Forbidden => Self::UnderlayForbidden,
        }
    }
}

/// One frame, as it is to leave.
pub(crate) struct Transmit<'a, W> {
    pub(crate) wires: &'a mut W,
    pub(crate) port: &'a Port,
    pub(crate) lane: &'a Lane,
    /// Where segments are made.
    pub(crate) scratch: &'a mut [u8],
}

impl<W: Wires> Transmit<'_, W> {
    /// Sends `frame`, and counts what became of it.
    #[inline]
    pub(crate) fn frame(&mut self, frame: &Frame<'_>, egress: &Egress) {
        if let Some(tunnel) = &self.port.tunnel {
            return self.encapsulate(tunnel, frame, egress);
        }
        let sent = if egress.in_software || egress.fragments.is_some() {
            self.in_segments(frame, egress)
        } else {
            match self.whole(
                frame.bytes(),
                frame.offload(),
                frame.headers_len(),
                egress.tag,
            ) {
                // A kernel may refuse super-frames of a kind it does not know (UDP before 6.2).
                Err(SendError::Refused) if frame.offload().gso.is_some() => {
                    self.in_segments(frame, egress)
                }
                sent => sent,
            }
        };
        if let Err(error) = sent {
            self.lane.dropped(error.into());
        }
    }

    /// Sends octets that are a plain frame by themselves.
    pub(crate) fn plain(&mut self, bytes: &[u8], tag: TagAction) {
        if let Some(tunnel) = &self.port.tunnel {
            return self.encapsulate_plain(tunnel, bytes, tag);
        }
        if let Err(error) = self.whole(bytes, Offload::NONE, 0, tag) {
            self.lane.dropped(error.into());
        }
    }

    fn in_segments(&mut self, frame: &Frame<'_>, egress: &Egress) -> Result<(), SendError> {
        // A checksum that covers several fragments cannot be left to the output.
        let mode = if self.port.capabilities.checksum && egress.fragments.is_none() {
            ChecksumMode::Partial
        } else {
            ChecksumMode::Complete
        };
        if frame.offload().gso.is_some() {
            self.lane.segmented.add(1);
        }
        let mut segments = Segments::new(frame, mode);
        let scratch = std::mem::take(&mut self.scratch);
        let mut sent = Ok(());
        while let Some(segment) = segments.next_into(scratch) {
            let bytes = scratch.get(..segment.len).unwrap_or_default();
            let link_len = usize::from(frame.layout().link_len);
            sent = match egress.fragments {
                Some(mtu) if bytes.len() - link_len > usize::from(mtu) => {
                    self.in_fragments(bytes, link_len, mtu)
                }
                _ => self.whole(bytes, segment.offload, frame.headers_len(), egress.tag),
            };
            if sent.is_err() {
                break;
            }
        }
        self.scratch = scratch;
        sent
    }

    fn in_fragments(&mut self, bytes: &[u8], link_len: usize, mtu: u16) -> Result<(), SendError> {
        let header = Offload::NONE.to_header(0).to_bytes();
        for fragment in Fragments::new(bytes, link_len, mtu).into_iter().flatten() {
            let parts = [
                IoSlice::new(&header),
                IoSlice::new(fragment.headers()),
                IoSlice::new(fragment.data),
            ];
            self.send(&parts, fragment.headers().len() + fragment.data.len())?;
        }
        Ok(())
    }

    fn whole(
        &mut self,
        bytes: &[u8],
        offload: Offload,
        headers_len: usize,
        tag: TagAction,
    ) -> Result<(), SendError> {
        self.with_tag(bytes, offload, headers_len, tag)?;
        self.lane.sent_super.add(offload.gso.is_some().into());
        Ok(())
    }

    fn with_tag(
        &mut self,
        bytes: &[u8],
        offload: Offload,
        headers_len: usize,
        tag: TagAction,
    ) -> Result<(), SendError> {
        if tag == TagAction::Keep {
            let header = offload.to_header(headers_len).to_bytes();
            return self.send(&[IoSlice::new(&header), IoSlice::new(bytes)], bytes.len());
        }
        let mut offload = offload;
        if let Some(partial) = &mut offload.checksum {
            // Where a sender may have put it, the header may not be able to say any more.
            let start = tag.applied_to(usize::from(partial.start));
            partial.start = u16::try_from(start).map_err(|_| SendError::Refused)?;
        }
        let header = offload.to_header(tag.applied_to(headers_len)).to_bytes();
        let frame = Retagged::new(bytes, tag);
        let parts = [
            IoSlice::new(&header),
            IoSlice::new(frame.macs),
            IoSlice::new(frame.tag()),
            IoSlice::new(frame.rest),
        ];
        self.send(&parts, frame.len())
    }

    /// Writes `parts`, which are a virtio header and a frame of `len` octets.
    pub(crate) fn send(&mut self, parts: &[IoSlice<'_>], len: usize) -> Result<(), SendError> {
        self.wires.send(self.port.id, parts)?;
        self.lane.sent_frames.add(1);
        self.lane.sent_bytes.add(len as u64);
        Ok(())
    }
}

/// The virtio header's place in front of a frame in the worker's buffer.
pub(crate) const FRAME_START: usize = VNET_HEADER_LEN;
