//! Where a load runs: a switch, the way through it, and the clock of the processors.

use anyhow::{Context, Result};

use super::attacher::Attacher;
use super::engine::Engine;
use super::growth::Growth;
use super::load::Cost;
use super::path::{End, Path};
use super::peer::Peer;
use super::processor::ProcessorTime;

/// A switch that is set up, seen by a load.
pub(crate) struct Site<'a> {
    /// From the client to the server.
    pub(crate) path: Path<'a>,
    peer: &'a Peer,
}

impl<'a> Site<'a> {
    pub(crate) const fn new(peer: &'a Peer, path: Path<'a>) -> Self {
        Self { path, peer }
    }

    /// All containers, those of the path first.
    pub(crate) fn containers(&self) -> Vec<&'a End> {
        let Peer { ends, others, .. } = self.peer;
        [&ends.left, &ends.right]
            .into_iter()
            .chain(others)
            .collect()
    }

    /// What starts containers.
    ///
    /// # Errors
    /// If the switch has none.
    pub(crate) fn engine(&self) -> Result<&'a Engine> {
        let engine = self.peer.engine.as_ref();
        engine.context("nobody starts containers")
    }

    /// What attaches namespaces that wait.
    ///
    /// # Errors
    /// If the switch has none.
    pub(crate) fn attacher(&self) -> Result<&'a Attacher> {
        let attacher = self.peer.attacher.as_ref();
        attacher.context("nobody attaches containers")
    }

    /// What the switch's ports took.
    ///
    /// # Errors
    /// If nobody looked when they came.
    pub(crate) fn growth(&self) -> Result<Growth> {
        self.peer.growth.context("nobody looked at its memory")
    }

    /// The processes that switch; none if the kernel does.
    pub(crate) fn processes(&self) -> &'a [u32] {
        &self.peer.processes
    }

    /// Does something, and says what it cost; `work` tells how much was carried.
    ///
    /// # Errors
    /// Those of what is done.
    pub(crate) fn metered<T>(
        &self,
        act: impl FnOnce() -> Result<T>,
        work: impl FnOnce(&T) -> f64,
    ) -> Result<(T, Cost)> {
        let before = ProcessorTime::read(self.processes())?;
        let done = act()?;
        let spent = ProcessorTime::read(self.processes())?.since(before);
        let cost = Cost {
            work: work(&done),
            machine_seconds: spent.machine,
            switch_seconds: spent.switch,
        };
        Ok((done, cost))
    }
}
