//! Stations whose leases are managed for them hear of no DHCP server.

use vswitch_datapath::DropReason::ManagedDhcp;
use vswitch_datapath::Mode::Bridge;
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC, ROUTER, UNTAGGED, with_modes};
use crate::counters::on;
use crate::crafted::{everybody, udp};
use crate::station::{A, ALICE, B, BOB};

#[test]
fn its_server_s_answers_are_dropped_at_the_station() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.edit_station(A, |station| station.managed_dhcp = true);
    let answer = |from, to| udp(V4, from, to, 300).ports(67, 68).complete();
    bench.refuses_at(NIC, &answer(ROUTER, ALICE), A, ManagedDhcp);
    bench.refuses_at(B, &answer(BOB, ALICE), A, ManagedDhcp);
    bench.carries(NIC, &answer(ROUTER, BOB), &[B]);
    let frame = answer(ROUTER, everybody(ALICE));
    bench.enter(NIC, &frame);
    bench.assert_sent([(B, &frame)]);
    bench.assert_counted([
        on(NIC).received([&frame]),
        on(A).dropped(ManagedDhcp, 1),
        on(B).sent([&frame]),
    ]);
}

#[test]
fn it_hears_everything_else() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.edit_station(A, |station| station.managed_dhcp = true);
    for frame in [
        udp(V4, ROUTER, ALICE, 300).ports(68, 67).complete(),
        udp(V4, ROUTER, ALICE, 300).ports(67, 69).complete(),
        udp(V6, ROUTER, ALICE, 300).ports(67, 68).complete(),
    ] {
        bench.carries(NIC, &frame, &[A]);
    }
}

/// It could give back what others have been lent, or take all there is.
#[test]
fn it_is_no_client_itself() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    bench.edit_station(A, |station| station.managed_dhcp = true);
    let request = |from, to| udp(V4, from, to, 300).ports(68, 67).complete();
    bench.refuses(A, &request(ALICE, ROUTER), ManagedDhcp);
    bench.refuses(A, &request(ALICE, everybody(ROUTER)), ManagedDhcp);
    bench.carries(B, &request(BOB, ROUTER), &[NIC]);
}
