//! The sending half of a port.

use std::array;
use std::io::IoSlice;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};

use super::frame::{HEADERS, Route, Stamp, cut};
use super::pacer::Pacer;
use super::port::{Port, now};
use super::stream::{Damage, End, Phase, Stream, Variety};

/// What was sent in one phase.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Frames that were handed to the interface.
    pub(super) frames: u64,
    /// When it began, as [`Stamp::sent`] counts.
    pub(super) start: u64,
    /// How long it took.
    pub(super) seconds: f64,
}

/// A port that sends one stream.
pub(super) struct Sender<'a> {
    port: &'a Port,
    variety: Variety,
    /// The headers of the frames to each target, and its number.
    targets: Vec<([u8; HEADERS], u8)>,
    /// The next frame's.
    stamp: Stamp,
    frames: [Vec<u8>; BATCH],
    headers: MultiHeaders<()>,
}

/// Frames of one call. All have the time before the call, so the last one's latency seems longer by what the
/// sending of the others takes: more would falsify it, fewer would cost more.
const BATCH: usize = 8;
/// How long an interface may take no frame.
const PATIENCE: Duration = Duration::from_secs(1);

impl<'a> Sender<'a> {
    /// Prepares the frames of a stream, which has a number in a trial.
    ///
    /// # Errors
    /// If there is nobody to send to, or the frames are too short.
    pub(super) fn new(
        port: &'a Port,
        stream: &Stream,
        routes: &[Route],
        (trial, number): (u16, u8),
    ) -> Result<Self> {
        let mut frame = Vec::new();
        let mut targets = Vec::new();
        for route in routes {
            frame = route.frame(stream.length)?;
            if stream.damage == Damage::Cut {
                cut(&mut frame);
            }
            let mut headers = [0; HEADERS];
            headers.copy_from_slice(&frame[..HEADERS]);
            targets.push((headers, route.to));
        }
        anyhow::ensure!(!targets.is_empty(), "a stream to nobody");
        Ok(Self {
            port,
            variety: stream.variety,
            targets,
            stamp: Stamp {
                trial,
                stream: number,
                to: 0,
                sequence: 0,
                sent: 0,
            },
            frames: array::from_fn(|_| frame.clone()),
            headers: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// Sends all phases, and tells of each.
    ///
    /// # Errors
    /// If the interface is gone, or takes nothing for a second.
    pub(super) fn run(mut self, phases: &[Phase]) -> Result<Vec<Sent>> {
        // A sleep ends when it is over, and not 50 µs later.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        phases.iter().map(|phase| self.phase(phase)).collect()
    }

    fn phase(&mut self, phase: &Phase) -> Result<Sent> {
        let mut pacer = phase.rate.map(Pacer::new);
        let mut sent = Sent {
            start: now(),
            ..Sent::default()
        };
        let start = Instant::now();
        loop {
            let passed = start.elapsed();
            let left = match phase.end {
                End::After(time) if passed >= time => 0,
                End::After(_) => BATCH,
                End::Frames(frames) => (frames - sent.frames).min(BATCH as u64) as usize,
            };
            if left == 0 {
                break;
            }
            let due = pacer.as_mut().map_or(BATCH, |pacer| pacer.due(passed));
            let count = due.min(left);
            if count > 0 {
                self.send(count)?;
                sent.frames += count as u64;
            }
            if let Some(pacer) = &mut pacer {
                pacer.spend(count);
                if count == due {
                    thread::sleep(pacer.pause());
                }
            }
        }
        sent.seconds = start.elapsed().as_secs_f64();
        Ok(sent)
    }

    /// Sends the next few frames.
    fn send(&mut self, count: usize) -> Result<()> {
        self.stamp.sent = now();
        for frame in &mut self.frames[..count] {
            let sequence = self.stamp.sequence;
            let (headers, to) = &self.targets[sequence as usize % self.targets.len()];
            frame[..HEADERS].copy_from_slice(headers);
            self.variety.apply(sequence, frame);
            self.stamp.to = *to;
            self.stamp.write(frame);
            self.stamp.sequence = sequence.wrapping_add(1);
        }
        let mut done = 0;
        let mut since = None;
        while done < count {
            match self.call(done..count) {
                Ok(taken) => done += taken,
                // The interface's queue is full: this frame is lost, as it would be for any program that does
                // not keep it.
                Err(Errno::ENOBUFS) => done += 1,
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    let since: &mut Instant = since.get_or_insert_with(Instant::now);
                    if since.elapsed() > PATIENCE {
                        bail!("an interface took no frame for {PATIENCE:?}");
                    }
                    thread::yield_now();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn call(&mut self, range: std::ops::Range<usize>) -> nix::Result<usize> {
        let slices: [[IoSlice<'_>; 1]; BATCH] =
            array::from_fn(|at| [IoSlice::new(&self.frames[at])]);
        let fd = self.port.socket.as_fd().as_raw_fd();
        let nowhere = [None; BATCH];
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(fd, &mut self.headers, &slices[range], nowhere, [], flags)?;
        Ok(sent.count())
    }
}
