//! Frames that cross a switch by its ports and tunnels alike, and switches that are wired together.

use vswitch_datapath::{DropReason, PortId};

use crate::bench::Bench;
use crate::counters::{Change, on};
use crate::datagrams::Delivery;
use crate::tap_frame::TapFrame;

impl Bench {
    /// Lets `frame` come in at `ingress`, which may be a tunnel; says what that has to count.
    pub(crate) fn come(&mut self, ingress: PortId, frame: &TapFrame) -> Vec<Change> {
        let Some(tunnel) = self.port(ingress).tunnel.clone() else {
            self.enter(ingress, frame);
            return vec![on(ingress).received([frame])];
        };
        let delivery = Delivery::one(tunnel.peer.ip(), tunnel.vni.get(), frame);
        self.arrive(tunnel.underlay, [&delivery]);
        vec![
            on(tunnel.underlay).arrived([&delivery]),
            on(ingress).received([frame]),
        ]
    }

    /// Takes what came out of ports, and then what came out of tunnels, as plain octets.
    pub(crate) fn came_out(&mut self) -> Vec<(PortId, TapFrame)> {
        let plain = |(port, frame): (PortId, TapFrame)| (port, TapFrame::plain(frame.bytes));
        let mut out: Vec<_> = self.sent().into_iter().map(plain).collect();
        for sent in self.handed_over() {
            let envelope = sent.envelope;
            let port = self.topology().ports().find_map(|port| {
                let tunnel = port.tunnel.as_ref()?;
                let vni = sent.datagrams[0][4..7] == tunnel.vni.get().to_be_bytes()[1..];
                let same = (tunnel.peer, tunnel.underlay) == (envelope.to, envelope.underlay);
                (same && vni).then_some((port.id, tunnel.vni.get()))
            });
            // A tunnel of the topology.
            let (port, vni) = port.unwrap();
            out.extend(sent.frames(vni).into_iter().map(|frame| (port, frame)));
        }
        out
    }

    /// `frame` from `ingress` comes out as `egress` says, and nowhere else.
    #[track_caller]
    pub(crate) fn crosses(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        egress: &[(PortId, &TapFrame)],
    ) {
        self.crosses_with(ingress, frame, egress, []);
    }

    /// And counts `others`.
    #[track_caller]
    pub(crate) fn crosses_with(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        egress: &[(PortId, &TapFrame)],
        others: impl IntoIterator<Item = Change>,
    ) {
        let entered = self.come(ingress, frame);
        let out = self.came_out();
        let expected: Vec<_> = egress.iter().map(|&(p, f)| (p, f.clone())).collect();
        assert!(
            out == expected,
            "came out:\n{out:#?}\nexpected:\n{expected:#?}"
        );
        let sent = egress.iter().map(|&(port, frame)| on(port).sent([frame]));
        self.assert_counted(entered.into_iter().chain(sent).chain(others));
    }

    /// `frame` from `ingress` comes out as it is at each of `egress`.
    #[track_caller]
    pub(crate) fn spreads(&mut self, ingress: PortId, frame: &TapFrame, egress: &[PortId]) {
        let egress: Vec<_> = egress.iter().map(|&port| (port, frame)).collect();
        self.crosses(ingress, frame, &egress);
    }

    /// `frame` from `ingress` is dropped there.
    #[track_caller]
    pub(crate) fn stops(&mut self, ingress: PortId, frame: &TapFrame, reason: DropReason) {
        self.crosses_with(ingress, frame, &[], [on(ingress).dropped(reason, 1)]);
    }

    /// `frame` from `ingress` is dropped there, and an answer goes back, which is returned.
    #[track_caller]
    pub(crate) fn objects(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        reason: DropReason,
    ) -> TapFrame {
        let entered = self.come(ingress, frame);
        let mut out = self.came_out();
        assert_eq!(out.len(), 1, "{out:#?}");
        let (port, answer) = out.remove(0);
        assert_eq!(port, ingress);
        let told = on(ingress).dropped(reason, 1).sent([&answer]);
        self.assert_counted(entered.into_iter().chain([told]));
        answer
    }
}
