//! The tester: all of its ports, and how a trial is run.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};
use vswitch_packet::MacAddr;

use super::frame::{Route, SHORTEST, Stamp};
use super::port::Port;
use super::receiver::{Receiver, Signals};
use super::sender::Sender;
use super::stream::{Aim, Damage, Phase, Stations, Stream, Variety};
use super::trial::{Trial, expected};
use crate::lab::site::Site;

/// A port in each container of a site.
pub(in crate::lab) struct Rig {
    ports: Vec<Port>,
    trials: Cell<u16>,
}

/// How long frames may be on their way after the last was sent (RFC 2544 §23).
const RESIDUE: Duration = Duration::from_secs(2);
/// Frames a second at which nothing should be lost, but if others keep the machine busy.
const SLOW: [u64; 5] = [100_000, 50_000, 25_000, 12_500, 6_000];
/// If nothing arrives for that long, nothing will: while frames are missing, and when only those could come that
/// are for no port.
const SILENCE: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(20)];

impl Rig {
    /// Opens all ports, and has each send learning frames (RFC 2544 §23).
    ///
    /// # Errors
    /// If a port cannot be opened, or does not hear from another.
    pub(in crate::lab) fn open(site: &Site<'_>) -> Result<Self> {
        let containers = site.containers();
        let ports = containers.into_iter().map(Port::open);
        let rig = Self {
            ports: ports.collect::<Result<_>>()?,
            trials: Cell::new(0),
        };
        let learning = |from| Stream {
            from,
            aim: Aim::Everybody,
            length: SHORTEST,
            variety: Variety::One,
            damage: Damage::None,
            phases: vec![Phase::counting(Some(1000), 3)],
        };
        let streams: Vec<_> = (0..rig.ports.len()).map(learning).collect();
        let trial = rig.trial(&streams)?;
        ensure!(
            trial.received() > 0 && trial.loss() < 0.5,
            "{} of {} learning frames were lost",
            trial.lost(),
            trial.expected()
        );
        Ok(rig)
    }

    /// How many ports there are.
    pub(in crate::lab) fn ports(&self) -> usize {
        self.ports.len()
    }

    /// Sends all streams at the same time, and waits for what is still on its way.
    ///
    /// # Errors
    /// If a port fails.
    pub(in crate::lab) fn trial(&self, streams: &[Stream]) -> Result<Trial> {
        let trial = self.trials.get().wrapping_add(1);
        self.trials.set(trial);
        let routes: Vec<_> = streams.iter().map(|stream| self.routes(stream)).collect();
        let strides: Vec<_> = routes.iter().map(|routes| routes.len() as u32).collect();
        for port in &self.ports {
            port.socket.take_dropped()?;
        }
        let copies_of = |stream: &Stream| match stream.aim {
            Aim::Ports(_) => 1,
            Aim::Everybody => self.ports.len() as u64 - 1,
        };
        let copies: Vec<_> = streams.iter().map(copies_of).collect();
        let signals = Signals::default();
        let start = Barrier::new(streams.len());
        let (sent, arrived) = thread::scope(|scope| {
            let receivers = self.ports.iter().zip(0..).map(|(port, number)| {
                let (strides, signals) = (&strides, &signals);
                scope.spawn(move || Receiver::new(port, number, trial, strides).run(signals))
            });
            let receivers: Vec<_> = receivers.collect();
            let senders = streams.iter().zip(&routes).zip(0..);
            let senders = senders.map(|((stream, routes), number)| {
                let (port, start) = (&self.ports[stream.from], &start);
                scope.spawn(move || {
                    let sender = Sender::new(port, stream, routes, (trial, number));
                    start.wait();
                    sender?.run(&stream.phases)
                })
            });
            let senders: Vec<_> = senders.collect();
            let sent: Result<Vec<_>> = senders.into_iter().map(join).collect();
            if let Ok(sent) = &sent {
                wait_for_silence(&signals, expected(sent, &copies));
            }
            signals.ended.store(true, Ordering::Release);
            let arrived: Result<Vec<_>> = receivers.into_iter().map(join).collect();
            (sent, arrived)
        });
        let mut overrun = 0;
        for port in &self.ports {
            overrun += u64::from(port.socket.take_dropped()?);
        }
        Ok(Trial {
            sent: sent?,
            copies,
            arrived: arrived?,
            overrun,
        })
    }

    /// Lets the switch see that stations are behind a port, by a frame from each of them to another port. Returns how
    /// many arrived.
    ///
    /// # Errors
    /// As [`Rig::whole`].
    pub(in crate::lab) fn teach(&self, from: usize, to: usize, stations: Stations) -> Result<u64> {
        let trial = self.whole(|rate| {
            let phase = Phase::counting(Some(rate), stations.count.into());
            let mut stream = Stream::new(from, to, SHORTEST, phase);
            stream.variety = Variety::From(stations);
            stream
        })?;
        Ok(trial.received())
    }

    /// Sends a stream, slower and slower, until nothing of it is lost.
    ///
    /// # Errors
    /// If a port fails, or something is lost at the slowest.
    pub(in crate::lab) fn whole(&self, stream: impl Fn(u64) -> Stream) -> Result<Trial> {
        for rate in SLOW {
            let trial = self.trial(&[stream(rate)])?;
            if trial.lost() == 0 {
                return Ok(trial);
            }
        }
        bail!("frames are lost at each of {SLOW:?} a second")
    }

    fn routes(&self, stream: &Stream) -> Vec<Route> {
        let sender = &self.ports[stream.from];
        let source = (sender.mac, sender.address);
        match &stream.aim {
            Aim::Everybody => vec![Route {
                source,
                destination: MacAddr::BROADCAST,
                to: Stamp::EVERYBODY,
            }],
            Aim::Ports(ports) => {
                let route = |&port: &usize| Route {
                    source,
                    destination: self.ports[port].mac,
                    to: port as u8,
                };
                ports.iter().map(route).collect()
            }
        }
    }
}

fn wait_for_silence(signals: &Signals, expected: u64) {
    let received = || signals.received.load(Ordering::Relaxed);
    let start = Instant::now();
    let (mut last, mut since) = (received(), start);
    while since.elapsed() < SILENCE[usize::from(last >= expected)] && start.elapsed() < RESIDUE {
        thread::sleep(Duration::from_millis(5));
        let now = received();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let ended = handle.join();
    ended.map_err(|_| anyhow!("a port of the tester panicked"))?
}
