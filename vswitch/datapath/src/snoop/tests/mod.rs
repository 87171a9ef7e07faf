//! Frames and time in, audiences out.

mod frames;

use super::*;
use frames::*;
use proptest::prelude::*;
use smoltcp::wire::{IgmpRepr, IgmpVersion, MldRecordType};
use vswitch_packet::MacAddr;

const START: Moment = Moment::from_secs(1000);
const ROUTER: PortId = PortId(9);
const ONE: PortId = PortId(1);
const TWO: PortId = PortId(2);

struct Lab {
    groups: Groups,
    now: Moment,
}

impl Lab {
    fn new() -> Self {
        Self {
            groups: Groups::default(),
            now: START,
        }
    }

    /// With queriers of both families behind [`ROUTER`] that everybody has had the time to answer.
    fn queried() -> Self {
        let mut lab = Self::new();
        lab.hear(ROUTER, query(ROUTER4, None));
        lab.hear(ROUTER, query6(ROUTER6, None));
        lab.pass(10);
        lab
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn hear(&self, port: PortId, bytes: Vec<u8>) -> Reach {
        self.hear_in(Vlan::NONE, port, bytes)
    }

    fn hear_in(&self, vlan: Vlan, port: PortId, mut bytes: Vec<u8>) -> Reach {
        let frame = Frame::parse_plain(&mut bytes).unwrap();
        self.groups.observe(port, vlan, &frame, self.now)
    }

    /// Where a packet to `group` goes; `None` for everywhere.
    fn audience(&self, group: &str) -> Option<Vec<u32>> {
        self.audience_in(Vlan::NONE, group)
    }

    fn audience_in(&self, vlan: Vlan, group: &str) -> Option<Vec<u32>> {
        let reach = self.hear_in(vlan, PortId(50), data(group));
        ports(&self.groups.audience(vlan, reach, self.now))
    }

    /// Keeps the queriers going for `seconds`, with nobody answering.
    fn query_for(&mut self, seconds: u64) {
        for _ in 0..seconds / 125 {
            self.pass(125);
            self.hear(ROUTER, query(ROUTER4, None));
            self.hear(ROUTER, query6(ROUTER6, None));
        }
        self.pass(seconds % 125);
    }
}

fn ports(audience: &Audience) -> Option<Vec<u32>> {
    match audience {
        Audience::Everyone => None,
        Audience::Ports(ports) => Some(ports.iter().map(|port| port.0).collect()),
    }
}

fn vlan(id: u16) -> Vlan {
    Vlan::from(vswitch_packet::VlanId::new(id))
}

#[test]
fn without_a_querier_everything_is_flooded() {
    let lab = Lab::new();
    assert_eq!(lab.hear(ONE, report2(GROUP)), Reach::Bridge);
    assert_eq!(
        lab.hear(ONE, report6(MldRecordType::ChangeToExclude, GROUP6)),
        Reach::Bridge
    );
    assert_eq!(lab.audience(GROUP), None);
    assert_eq!(lab.audience(GROUP6), None);
    assert_eq!(
        lab.groups.rows(lab.now).len(),
        2,
        "members are known all the same"
    );
}

#[test]
fn a_querier_makes_the_members_the_audience() {
    let mut lab = Lab::new();
    lab.hear(ONE, report2(GROUP));
    assert_eq!(lab.hear(ROUTER, query(ROUTER4, None)), Reach::Bridge);
    assert_eq!(
        lab.audience(GROUP),
        None,
        "others may not have answered yet"
    );
    assert_eq!(lab.hear(TWO, report2(GROUP)), Reach::Routers);
    lab.pass(9);
    assert_eq!(lab.audience(GROUP), None);
    lab.pass(1);
    assert_eq!(lab.audience(GROUP), Some(vec![1, 2, 9]));
    assert_eq!(
        lab.audience("239.9.9.9"),
        None,
        "a group nobody joined is flooded"
    );
    let routers = lab.groups.audience(Vlan::NONE, Reach::Routers, lab.now);
    assert_eq!(ports(&routers), Some(vec![9]));
    // IGMP's querier says nothing of MLD.
    lab.hear(ONE, mld1(131, HOST6, GROUP6, GROUP6));
    assert_eq!(lab.audience(GROUP6), None);
}

#[test]
fn every_version_joins_and_leaves() {
    use MldRecordType as Mld;
    let cases = [
        ("igmp 2", GROUP, report2(GROUP), Some(leave2(GROUP))),
        (
            "igmp 1",
            GROUP,
            igmp(
                HOST4,
                GROUP,
                &IgmpRepr::MembershipReport {
                    group_addr: v4(GROUP),
                    version: IgmpVersion::Version1,
                },
            ),
            None,
        ),
        (
            "igmp 3",
            GROUP,
            report3(1, &[record3(JOIN, GROUP, 0)]),
            Some(report3(1, &[record3(LEAVE, GROUP, 0)])),
        ),
        (
            "igmp 3, state",
            GROUP,
            report3(1, &[record3(2, GROUP, 0)]),
            Some(report3(1, &[record3(1, GROUP, 0)])),
        ),
        (
            "igmp 3, sources",
            GROUP,
            report3(1, &[record3(5, GROUP, 2)]),
            None,
        ),
        (
            "igmp 3, among others",
            GROUP,
            report3(
                3,
                &[
                    record3(6, "239.0.0.1", 1),
                    record3(77, "239.0.0.2", 0),
                    record3(1, GROUP, 3),
                ],
            ),
            None,
        ),
        (
            "mld 1",
            GROUP6,
            mld1(131, HOST6, GROUP6, GROUP6),
            Some(mld1(132, HOST6, "ff02::2", GROUP6)),
        ),
        (
            "mld 2",
            GROUP6,
            report6(Mld::ChangeToExclude, GROUP6),
            Some(report6(Mld::ChangeToInclude, GROUP6)),
        ),
        (
            "mld 2, no address yet",
            GROUP6,
            {
                let mut message = vec![143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0];
                message.extend(v6(GROUP6).octets());
                ipv6("::", ALL_REPORTS6, message)
            },
            None,
        ),
    ];
    for (what, group, join, leave) in cases {
        let mut lab = Lab::queried();
        lab.hear(
            TWO,
            if group == GROUP {
                report2(group)
            } else {
                mld1(131, HOST6, group, group)
            },
        );
        assert_eq!(lab.hear(ONE, join), Reach::Routers, "{what}");
        assert_eq!(lab.audience(group), Some(vec![1, 2, 9]), "{what}");
        if let Some(leave) = leave {
            assert_eq!(lab.hear(ONE, leave), Reach::Routers, "{what}");
            lab.pass(1);
            assert_eq!(
                lab.audience(group),
                Some(vec![1, 2, 9]),
                "{what}: not at once"
            );
            lab.pass(1);
            assert_eq!(lab.audience(group), Some(vec![2, 9]), "{what}");
        }
    }
}

#[test]
fn a_leave_is_taken_back_by_another_member_behind_the_port() {
    let mut lab = Lab::queried();
    lab.hear(ONE, report2(GROUP));
    lab.hear(ONE, leave2(GROUP));
    lab.pass(1);
    lab.hear(ONE, report2(GROUP));
    lab.pass(100);
    assert_eq!(lab.audience(GROUP), Some(vec![1, 9]));
}

#[test]
fn a_query_for_one_group_forgets_who_does_not_answer() {
    for query in [query(ROUTER4, Some(GROUP)), query3(GROUP, 2, 0)] {
        let mut lab = Lab::queried();
        lab.hear(ONE, report2(GROUP));
        lab.hear(TWO, report2(GROUP));
        assert_eq!(lab.hear(ROUTER, query), Reach::Bridge);
        lab.pass(1);
        lab.hear(TWO, report2(GROUP));
        lab.pass(1);
        assert_eq!(lab.audience(GROUP), Some(vec![2, 9]));
    }
    let mut lab = Lab::queried();
    lab.hear(ONE, report6(MldRecordType::ModeIsExclude, GROUP6));
    lab.hear(ROUTER, query6(ROUTER6, Some(GROUP6)));
    lab.pass(2);
    assert_eq!(
        lab.audience(GROUP6),
        None,
        "nobody is left: flooded as any unknown group"
    );

    // With the flag that suppresses, or for certain sources, nobody is forgotten.
    for query in [query3(GROUP, 0x0a, 0), query3(GROUP, 2, 3)] {
        let mut lab = Lab::queried();
        lab.hear(ONE, report2(GROUP));
        lab.hear(ROUTER, query);
        lab.pass(20);
        assert_eq!(lab.audience(GROUP), Some(vec![1, 9]));
    }
}

#[test]
fn members_and_queriers_go_when_they_fall_silent() {
    let mut lab = Lab::queried();
    lab.hear(ONE, report2(GROUP));
    lab.query_for(200);
    lab.hear(TWO, report2(GROUP));
    lab.query_for(60);
    assert_eq!(lab.audience(GROUP), Some(vec![2, 9]), "without a sweep");
    lab.query_for(200);
    assert_eq!(lab.audience(GROUP), None);

    let mut lab = Lab::queried();
    lab.hear(ONE, report2(GROUP));
    lab.pass(244);
    assert_eq!(lab.audience(GROUP), Some(vec![1, 9]));
    lab.pass(1);
    assert_eq!(lab.audience(GROUP), None, "the querier is gone");
    assert_eq!(lab.hear(ONE, report2(GROUP)), Reach::Bridge);
    assert_eq!(
        ports(&lab.groups.audience(Vlan::NONE, Reach::Routers, lab.now)),
        None
    );
    lab.pass(260);
    lab.groups.sweep(lab.now);
    assert!(lab.groups.rows(lab.now).is_empty());
}

#[test]
fn a_query_of_no_router_makes_none() {
    let lab = Lab::new();
    assert_eq!(lab.hear(ROUTER, query("0.0.0.0", None)), Reach::Bridge);
    lab.hear(ROUTER, query6("::", None));
    lab.hear(ROUTER, query6("fd00::9", None));
    assert!(lab.groups.rows(lab.now).is_empty());
}

#[test]
fn the_links_own_groups_are_always_flooded() {
    let lab = Lab::queried();
    for group in [
        "224.0.0.1",
        "224.0.0.251",
        ALL_NODES,
        "ff02::fb",
        "ff01::1",
        "ff02::1:ff00:1",
    ] {
        match group.parse::<IpAddr>().unwrap() {
            IpAddr::V4(_) => lab.hear(ONE, report2(group)),
            IpAddr::V6(_) => lab.hear(ONE, mld1(131, HOST6, group, group)),
        };
        assert_eq!(lab.hear(ONE, data(group)), Reach::Bridge, "{group}");
    }
    assert_eq!(lab.groups.rows(lab.now).len(), 1, "the router alone");
    let lldp = ethernet(MacAddr([1, 0x80, 0xc2, 0, 0, 0x20]), 0x88cc, &[0; 20]);
    assert_eq!(lab.hear(ONE, lldp), Reach::Bridge);
    assert_eq!(
        lab.hear(ONE, ipv4(HOST4, "10.0.0.7", 17, &[0; 8])),
        Reach::Bridge
    );
}

#[test]
fn what_is_damaged_or_forged_teaches_nothing() {
    let lab = Lab::queried();
    let damaged = |mut bytes: Vec<u8>, at: usize, value: u8| {
        bytes[at] = value;
        bytes
    };
    let v4_report = report2(GROUP);
    let v6_report = report6(MldRecordType::ChangeToExclude, GROUP6);
    let cases = [
        (
            "igmp checksum",
            damaged(v4_report.clone(), 40, v4_report[40] ^ 1),
        ),
        (
            "ip checksum",
            damaged(v4_report.clone(), 24, v4_report[24] ^ 1),
        ),
        (
            "short",
            ipv4(HOST4, GROUP, 2, &sealed(vec![0x16, 0, 0, 0, 239, 1, 2])),
        ),
        (
            "unicast group",
            ipv4(HOST4, GROUP, 2, &sealed(vec![0x16, 0, 0, 0, 10, 1, 2, 3])),
        ),
        (
            "odd query",
            ipv4(
                HOST4,
                GROUP,
                2,
                &sealed(vec![0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
        ),
        (
            "mld checksum",
            damaged(v6_report.clone(), 64, v6_report[64] ^ 1),
        ),
        ("hop limit", damaged(v6_report.clone(), 21, 2)),
        ("global source", mld1(131, "fd00::1", GROUP6, GROUP6)),
        (
            "short mld",
            ipv6(HOST6, GROUP6, vec![131, 0, 0, 0, 0, 0, 0, 0, 0xff, 5]),
        ),
        (
            "odd mld query",
            ipv6(
                HOST6,
                GROUP6,
                [&[130, 0, 0, 0, 0, 0, 0, 0][..], &[0; 18]].concat(),
            ),
        ),
        ("no hop-by-hop header", {
            let mut bytes = mld1(131, HOST6, GROUP6, GROUP6);
            bytes[20] = 58;
            bytes.drain(54..62);
            bytes[19] -= 8;
            bytes
        }),
        ("types of others", ipv6(HOST6, GROUP6, vec![151; 24])),
    ];
    for (what, bytes) in cases {
        lab.hear(ONE, bytes);
        assert_eq!(lab.groups.rows(lab.now).len(), 1, "{what}");
    }
}

#[test]
fn counts_that_lie_end_at_the_last_whole_record() {
    let lab = Lab::queried();
    lab.hear(
        ONE,
        report3(
            u16::MAX,
            &[
                record3(JOIN, GROUP, 0),
                vec![4, 0, 0xff, 0xff, 239, 9, 9, 9],
            ],
        ),
    );
    lab.hear(ONE, report3(1, &[vec![4, 0xff, 0, 0, 239, 8, 8, 8]]));
    lab.hear(ONE, report3(0, &[record3(JOIN, "239.7.7.7", 0)]));
    let mut message = vec![143, 0, 0, 0, 0, 0, 0xff, 0xff, 4, 0, 0, 9];
    message.extend(v6(GROUP6).octets());
    lab.hear(ONE, ipv6(HOST6, ALL_REPORTS6, message));
    let groups: Vec<_> = lab
        .groups
        .rows(lab.now)
        .into_iter()
        .filter_map(|row| row.group)
        .collect();
    assert_eq!(groups, [Group(v4(GROUP).into())]);
}

#[test]
fn the_table_is_bounded_and_the_rest_flooded() {
    let lab = Lab {
        groups: Groups::with_limit(2),
        now: START,
    };
    lab.hear(ROUTER, query(ROUTER4, None));
    let mut lab = Lab {
        now: START + Duration::from_secs(10),
        ..lab
    };
    let joins: Vec<_> = (0..4)
        .map(|n| record3(JOIN, &format!("239.0.0.{n}"), 0))
        .collect();
    lab.hear(ONE, report3(4, &joins));
    assert_eq!(lab.groups.refused(), 2);
    lab.hear(TWO, report2("239.0.0.1"));
    assert_eq!(lab.audience("239.0.0.1"), Some(vec![1, 2, 9]));
    assert_eq!(lab.audience("239.0.0.3"), None);
    lab.pass(260);
    lab.groups.sweep(lab.now);
    lab.hear(ONE, report2("239.0.0.3"));
    assert_eq!(lab.groups.rows(lab.now).len(), 1, "room again");

    let many: Vec<_> = (0..400u16)
        .map(|n| record3(JOIN, &format!("239.1.{}.{}", n / 256, n % 256), 0))
        .collect();
    let lab = Lab::queried();
    lab.hear(ONE, report3(400, &many));
    assert_eq!(lab.groups.rows(lab.now).len(), 1 + 256);
}

#[test]
fn a_port_is_forgotten_everywhere() {
    let mut lab = Lab::queried();
    lab.hear(PortId(8), query(ROUTER4, None));
    lab.hear(ONE, report2(GROUP));
    lab.hear(TWO, report2(GROUP));
    assert_eq!(lab.audience(GROUP), Some(vec![1, 2, 8, 9]));
    lab.groups.forget_port(TWO);
    assert_eq!(lab.audience(GROUP), Some(vec![1, 8, 9]));
    lab.groups.forget_port(PortId(8));
    assert_eq!(lab.audience(GROUP), None, "it was the querier's");
    lab.hear(ROUTER, query(ROUTER4, None));
    lab.pass(10);
    assert_eq!(lab.audience(GROUP), Some(vec![1, 9]));
    lab.groups.forget_port(ROUTER);
    lab.groups.forget_port(ONE);
    assert!(lab.groups.rows(lab.now).is_empty());
}

#[test]
fn vlans_are_apart() {
    let mut lab = Lab::queried();
    lab.hear_in(vlan(5), ROUTER, query(ROUTER4, None));
    lab.hear_in(vlan(5), ONE, report2(GROUP));
    lab.pass(10);
    assert_eq!(lab.audience_in(vlan(5), GROUP), Some(vec![1, 9]));
    assert_eq!(lab.audience_in(Vlan::NONE, GROUP), None);
    assert_eq!(lab.audience_in(vlan(6), GROUP), None);
}

#[test]
fn rows_are_in_order_and_tell_the_time_left() {
    let mut lab = Lab::queried();
    lab.hear(TWO, report2(GROUP));
    lab.pass(5);
    lab.hear(ONE, report2(GROUP));
    let rows: Vec<_> = lab
        .groups
        .rows(lab.now)
        .into_iter()
        .map(|row| (row.group.is_some(), row.port.0, row.remaining.as_secs()))
        .collect();
    assert_eq!(rows, [(false, 9, 240), (true, 1, 260), (true, 2, 255)]);
}

#[test]
fn the_audience_of_a_frame_is_shared() {
    let lab = Lab::queried();
    lab.hear(ONE, report2(GROUP));
    let reach = lab.hear(TWO, data(GROUP));
    let twice = [(); 2].map(|()| lab.groups.audience(Vlan::NONE, reach, lab.now));
    match twice {
        [Audience::Ports(a), Audience::Ports(b)] => assert!(Arc::ptr_eq(&a, &b)),
        other => panic!("{other:?}"),
    }
}

fn seeds() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(query(ROUTER4, None)),
        Just(query(ROUTER4, Some(GROUP))),
        Just(query3(GROUP, 2, 1)),
        Just(query6(ROUTER6, None)),
        Just(query6(ROUTER6, Some(GROUP6))),
        Just(report2(GROUP)),
        Just(leave2(GROUP)),
        Just(report3(
            2,
            &[record3(JOIN, GROUP, 0), record3(1, "239.5.5.5", 2)]
        )),
        Just(report6(MldRecordType::ChangeToExclude, GROUP6)),
        Just(report6(MldRecordType::ChangeToInclude, GROUP6)),
        Just(mld1(131, HOST6, GROUP6, GROUP6)),
        Just(mld1(132, HOST6, "ff02::2", GROUP6)),
        Just(data(GROUP)),
        Just(data(GROUP6)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes in and whenever: nothing panics, the bounds hold, an audience is sorted and
    /// has exactly the members and routers whose time has not come, as the rows tell them.
    #[test]
    fn hostile_frames(
        script in proptest::collection::vec(
            (
                seeds(),
                proptest::collection::vec((38usize..90, any::<u8>()), 0..3),
                any::<bool>(),
                0u32..5,
                0u64..100,
            ),
            1..40,
        ),
    ) {
        let mut lab = Lab { groups: Groups::with_limit(4), now: START };
        for (mut bytes, changes, resealed, port, seconds) in script {
            for (at, value) in changes {
                if let Some(octet) = bytes.get_mut(at) {
                    *octet = value;
                }
            }
            if resealed {
                reseal(&mut bytes);
            }
            let mut copy = bytes.clone();
            let frame = Frame::parse_plain(&mut copy).unwrap();
            let reach = lab.groups.observe(PortId(port), Vlan::NONE, &frame, lab.now);
            let _ = lab.groups.audience(Vlan::NONE, reach, lab.now);
            lab.pass(seconds);

            let rows = lab.groups.rows(lab.now);
            let mut joined: Vec<_> = rows.iter().filter_map(|row| row.group).collect();
            joined.dedup();
            prop_assert!(joined.len() <= 4);
            for group in joined {
                let audience = lab.groups.audience(Vlan::NONE, Reach::Group(group), lab.now);
                if let Some(ports) = ports(&audience) {
                    let mut expected: Vec<_> = rows
                        .iter()
                        .filter(|row| row.group.is_none_or(|of| of == group))
                        .map(|row| row.port.0)
                        .collect();
                    expected.sort_unstable();
                    expected.dedup();
                    prop_assert_eq!(ports, expected);
                }
            }
        }
    }
}
