//! What comes out of a switch, and outputs that fail.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::IpAddr;

use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::{Envelope, PortId, SendError, Wires};

use crate::datagrams::HandOver;
use crate::tap_frame::TapFrame;

/// What came out, in order, and which outputs fail.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) sent: Vec<(PortId, TapFrame)>,
    pub(crate) handed_over: Vec<HandOver>,
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) faults: BTreeMap<PortId, Fault>,
    /// By where the datagrams go.
    pub(crate) tunnel_faults: BTreeMap<IpAddr, Fault>,
}

/// How an output fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Always(SendError),
    /// Super-frames, and datagrams that are joined, only.
    Super(SendError),
    /// Datagrams that make outer packets of more octets than this.
    PathMtu(u16),
    /// After this many frames, or hand-overs.
    After(usize, SendError),
    /// One frame in so many is lost, the first in `left`.
    Periodic {
        period: usize,
        left: usize,
        lost: u64,
    },
}

impl Fault {
    /// What becomes of the next frame, or of the next datagrams.
    fn strike(&mut self, is_super: bool, outer_len: usize) -> Result<(), SendError> {
        match self {
            Self::Always(error) => return Err(*error),
            Self::Super(error) if is_super => return Err(*error),
            Self::PathMtu(mtu) if outer_len > usize::from(*mtu) => {
                return Err(SendError::TooLong(*mtu));
            }
            Self::After(left, error) => match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return Err(*error),
            },
            Self::Periodic { period, left, lost } => {
                *left -= 1;
                if *left == 0 {
                    (*left, *lost) = (*period, *lost + 1);
                    return Err(SendError::Full);
                }
            }
            Self::Super(_) | Self::PathMtu(_) => {}
        }
        Ok(())
    }
}

fn concat(parts: &[IoSlice<'_>]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.iter().copied()).collect()
}

impl Wires for Outputs {
    fn send(&mut self, port: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        let frame = TapFrame::read(&concat(parts));
        if let Some(fault) = self.faults.get_mut(&port) {
            fault.strike(frame.is_super(), 0)?;
        }
        self.sent.push((port, frame));
        Ok(())
    }

    fn send_datagrams(
        &mut self,
        envelope: &Envelope,
        parts: &[IoSlice<'_>],
    ) -> Result<(), SendError> {
        let handed_over = HandOver::new(*envelope, &concat(parts));
        if let Some(fault) = self.tunnel_faults.get_mut(&envelope.to.ip()) {
            fault.strike(envelope.segment.is_some(), handed_over.outer_len())?;
        }
        self.handed_over.push(handed_over);
        Ok(())
    }

    fn stranger(&mut self, stranger: Stranger) {
        self.strangers.push(stranger);
    }
}
