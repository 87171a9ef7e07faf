//! The kernel's bridge and veth pairs, by netlink: the least that an engine can do.

use anyhow::Result;

use super::{Hand, Waiting};
use crate::lab::container::GATEWAY;
use crate::wiring::Wiring;

pub(super) struct Netlink(Wiring);

impl Netlink {
    pub(super) fn new(bridge: &str) -> Result<Self> {
        Ok(Self(Wiring::open(bridge, Some(GATEWAY))?))
    }
}

impl Hand for Netlink {
    fn attach(&mut self, waiting: &Waiting) -> Result<()> {
        self.0.connect(&waiting.container, &waiting.namespace)
    }

    fn detach(&mut self, waiting: &Waiting) -> Result<()> {
        self.0.disconnect(&waiting.container)
    }
}
