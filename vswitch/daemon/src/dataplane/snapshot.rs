//! The configuration as the workers read it: the topology, and the descriptors behind its ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use vswitch_datapath::{PortId, Topology};
use vswitch_netio::epoll::Token;

use super::name::PortName;
use super::queue::Queue;

/// One immutable configuration.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Grows with each configuration.
    pub(super) generation: u64,
    /// What the datapath decides by.
    pub(super) topology: Topology,
    /// By port.
    pub(super) wires: Vec<Option<Arc<Wire>>>,
}

impl Snapshot {
    pub(super) fn wire(&self, port: PortId) -> Option<&Arc<Wire>> {
        self.wires.get(port.0 as usize)?.as_ref()
    }

    /// The configuration after this one, with `topology` and `wires` to be changed.
    pub(super) fn next(&self) -> Self {
        Self {
            generation: self.generation + 1,
            topology: self.topology.clone(),
            wires: self.wires.clone(),
        }
    }
}

/// The queues of one port; worker `n` reads and writes queue `n` alone. The two directions of a conversation come in by
/// queues beside each other if they come from TAPs, and by the same one if they come from a NIC, whose sockets share
/// its frames by a hash that is the same for both.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) port: PortId,
    /// Tells this wire from former ones of the same port number.
    pub(super) incarnation: u32,
    pub(super) name: PortName,
    pub(super) queues: Vec<Queue>,
    gone: AtomicBool,
}

impl Wire {
    pub(super) const fn new(
        port: PortId,
        incarnation: u32,
        name: PortName,
        queues: Vec<Queue>,
    ) -> Self {
        Self {
            port,
            incarnation,
            name,
            queues,
            gone: AtomicBool::new(false),
        }
    }

    pub(super) fn token(&self) -> Token {
        Token((u64::from(self.incarnation) << 32) | u64::from(self.port.0))
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Notes that the device vanished. True for the first to note it.
    pub(super) fn note_gone(&self) -> bool {
        !self.gone.swap(true, Ordering::Relaxed)
    }
}

/// How far each worker has come: which generation of the configuration it works by.
#[derive(Debug)]
pub(super) struct Progress {
    workers: Mutex<Vec<u64>>,
    moved: Condvar,
}

impl Progress {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            workers: Mutex::new(vec![0; workers]),
            moved: Condvar::new(),
        }
    }

    /// `worker` holds nothing of generations before `generation` any more.
    pub(super) fn reached(&self, worker: usize, generation: u64) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = workers.get_mut(worker) {
            *place = generation;
        }
        self.moved.notify_all();
    }

    /// Waits until all workers have reached `generation`.
    pub(super) fn wait(&self, generation: u64) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |workers: &mut Vec<u64>| workers.iter().any(|&at| at < generation);
        drop(self.moved.wait_while(workers, behind));
    }
}
