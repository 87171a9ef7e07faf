//! The receiving half of a port.

use std::array;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg};
use nix::sys::time::TimeSpec;

use super::frame::{SHORTEST, Stamp};
use super::port::{Port, now};
use super::tally::Tally;

/// What receivers and who waits for them tell each other.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Frames that have arrived at the ports that they are for.
    pub(super) received: AtomicU64,
    /// What waits in the sockets now is all that counts.
    pub(super) ended: AtomicBool,
}

/// A port that receives.
pub(super) struct Receiver<'a> {
    port: &'a Port,
    number: u8,
    trial: u16,
    /// For each stream of the trial, how far apart the numbers of frames for this port are.
    strides: &'a [u32],
    /// The beginning of each frame is enough.
    frames: [[u8; SHORTEST]; BATCH],
    headers: MultiHeaders<()>,
}

/// Frames of one call.
const BATCH: usize = 64;
/// Between two looks at the socket: the kernel notes the time of arrival, so it does not matter, and leaves the
/// processors to the switch.
const NAP: Duration = Duration::from_micros(500);

impl<'a> Receiver<'a> {
    pub(super) fn new(port: &'a Port, number: u8, trial: u16, strides: &'a [u32]) -> Self {
        Self {
            port,
            number,
            trial,
            strides,
            frames: [[0; SHORTEST]; BATCH],
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
        }
    }

    /// Receives until the end, and tells what came of each stream.
    ///
    /// # Errors
    /// If the interface is gone.
    pub(super) fn run(mut self, signals: &Signals) -> Result<Vec<Tally>> {
        let mut tallies = vec![Tally::default(); self.strides.len()];
        loop {
            let ended = signals.ended.load(Ordering::Acquire);
            loop {
                let before = received(&tallies);
                let count = self.receive(&mut tallies)?;
                let more = received(&tallies) - before;
                signals.received.fetch_add(more, Ordering::Relaxed);
                if count < BATCH {
                    break;
                }
            }
            if ended {
                return Ok(tallies);
            }
            thread::sleep(NAP);
        }
    }

    fn receive(&mut self, tallies: &mut [Tally]) -> Result<usize> {
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = {
            let mut frames = self.frames.iter_mut();
            array::from_fn(|_| {
                let frame = frames.next().map(|frame| &mut frame[..]);
                [IoSliceMut::new(frame.unwrap_or_default())]
            })
        };
        let fd = self.port.socket.as_fd().as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = match recvmmsg(fd, &mut self.headers, &mut slices, flags, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut arrived = [(0, 0); BATCH];
        let mut count = 0;
        for (message, arrived) in received.zip(&mut arrived) {
            let time = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(time) => Some(time),
                _ => None,
            });
            *arrived = (message.bytes, time.map_or_else(now, nanoseconds));
            count += 1;
        }
        for (frame, (length, arrived)) in self.frames.iter().zip(&arrived[..count]) {
            // Of former trials, or of somebody else.
            let Some(stamp) = Stamp::read(&frame[..*length]).filter(|s| s.trial == self.trial)
            else {
                continue;
            };
            let stream = usize::from(stamp.stream);
            if let Some((tally, stride)) = tallies.get_mut(stream).zip(self.strides.get(stream)) {
                tally.note(&stamp, *arrived, self.number, *stride);
            }
        }
        Ok(count)
    }
}

fn received(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|tally| tally.received).sum()
}

fn nanoseconds(time: TimeSpec) -> u64 {
    Duration::from(time).as_nanos() as u64
}
