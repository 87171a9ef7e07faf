//! A worker during a burst, and what it sends.

#![allow(dead_code, reason = "each program uses a part")]

use std::hint::black_box;
use std::io::IoSlice;
use std::ops::Range;

use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::{
    Arrival, Envelope, Forwarder, Pipeline, PortId, SendError, Topology, WireTag, Wires,
};
use vswitch_packet::Moment;

/// Where a system call would be: how many octets it would have taken.
#[derive(Default)]
pub(crate) struct Octets(pub(crate) usize);

impl Octets {
    fn take(&mut self, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        let parts = black_box(parts).iter();
        self.0 += parts.map(|part| part.len()).sum::<usize>();
        Ok(())
    }
}

impl Wires for Octets {
    fn send(&mut self, _: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.take(parts)
    }

    fn send_datagrams(&mut self, _: &Envelope, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.take(parts)
    }

    fn stranger(&mut self, _: Stranger) {}
}

pub(crate) struct Worker<'t> {
    topology: &'t Topology,
    pipeline: Pipeline<'t>,
    forwarder: Forwarder,
    places: Vec<Range<usize>>,
    pub(crate) sent: Octets,
}

impl<'t> Worker<'t> {
    pub(crate) fn new(topology: &'t Topology) -> Self {
        Self {
            topology,
            pipeline: Pipeline::new(topology, 0, Moment::from_secs(1)),
            forwarder: Forwarder::default(),
            places: Vec::new(),
            sent: Octets::default(),
        }
    }

    /// `read` begins with a virtio header.
    pub(crate) fn receive(&mut self, port: PortId, read: &[u8]) {
        let ingress = self.topology.port(port).unwrap();
        self.forwarder.room().unwrap()[..read.len()].copy_from_slice(read);
        self.forwarder
            .receive(read.len(), ingress, &self.pipeline, &mut self.sent);
    }

    /// Several that were read together, each with a virtio header.
    pub(crate) fn receive_together<'r>(
        &mut self,
        port: PortId,
        reads: impl Iterator<Item = &'r Vec<u8>>,
    ) {
        let ingress = self.topology.port(port).unwrap();
        let rooms = self.forwarder.rooms().unwrap();
        self.places.clear();
        let mut at: usize = 0;
        for read in reads {
            let place = at..at + read.len();
            rooms[place.clone()].copy_from_slice(read);
            at = place.end.next_multiple_of(64);
            self.places.push(place);
        }
        let (pipeline, sent) = (&self.pipeline, &mut self.sent);
        self.forwarder
            .receive_together(&self.places, ingress, pipeline, sent);
    }

    /// As [`Worker::receive`], with a tag that the kernel has taken off.
    pub(crate) fn receive_tagged(&mut self, port: PortId, tag: WireTag, read: &[u8]) {
        let ingress = self.topology.port(port).unwrap();
        self.forwarder.room().unwrap()[..read.len()].copy_from_slice(read);
        let (pipeline, sent) = (&self.pipeline, &mut self.sent);
        self.forwarder
            .receive_tagged(read.len(), Some(tag), ingress, pipeline, sent);
    }

    /// A datagram at the sockets of tunnels.
    pub(crate) fn receive_datagram(&mut self, port: PortId, arrival: &Arrival, datagram: &[u8]) {
        let underlay = self.topology.port(port).unwrap();
        let len = datagram.len();
        self.forwarder.room().unwrap()[..len].copy_from_slice(datagram);
        let (pipeline, sent) = (&self.pipeline, &mut self.sent);
        self.forwarder
            .receive_datagrams(len, arrival, underlay, pipeline, sent);
    }

    /// The end of the burst.
    pub(crate) fn flush(&mut self) {
        self.forwarder.flush(&self.pipeline, &mut self.sent);
    }
}
