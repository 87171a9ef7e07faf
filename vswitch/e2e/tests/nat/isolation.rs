//! Who reaches whom, by everything that decides it: `internal`, `icc`, the gateway's mode, whether the port is
//! published, and the family.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, bail};
use vswitch_e2e::Transport::Tcp;
use vswitch_e2e::{Echo, Place, reaches};

use crate::fixture::{Lab, at};

/// One network of the table.
#[derive(Debug, Clone, Copy)]
struct Case {
    number: u8,
    internal: bool,
    icc: bool,
    mode: &'static str,
}

/// A way that a packet may go, to the first container of a network unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the second container of the network.
    Neighbour,
    /// From a container of an ordinary network.
    OtherNetwork,
    /// From outside, to the container's own address.
    Outside,
    /// From outside, to the published port.
    OutsidePublished,
    /// From the second container, to the published port.
    NeighbourPublished,
    /// From a container of an ordinary network, to the published port.
    OtherNetworkPublished,
    /// From the container to the outside.
    Out,
    /// From the container to one of an ordinary network.
    ToOtherNetwork,
    /// From the host, to the container's own address.
    Host,
    /// From the host, to the published port.
    HostPublished,
}

const WAYS: [Way; 10] = [
    Way::Neighbour,
    Way::OtherNetwork,
    Way::Outside,
    Way::OutsidePublished,
    Way::NeighbourPublished,
    Way::OtherNetworkPublished,
    Way::Out,
    Way::ToOtherNetwork,
    Way::Host,
    Way::HostPublished,
];

/// The container's port that is published where that is possible, and the one that never is.
const PUBLISHED: u16 = 80;
const UNPUBLISHED: u16 = 81;

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for internal in [false, true] {
            for icc in [true, false] {
                for mode in ["nat", "nat-unprotected", "routed", "isolated"] {
                    // No way out for IP at all; only for networks that have none anyway.
                    if mode == "isolated" && !internal {
                        continue;
                    }
                    cases.push(Self {
                        number: 30 + u8::try_from(cases.len()).unwrap_or(0),
                        internal,
                        icc,
                        mode,
                    });
                }
            }
        }
        cases
    }

    /// What users expect who know Docker.
    fn expected(self, way: Way, port: u16) -> bool {
        let published = port == PUBLISHED && !self.internal;
        let translated = self.mode == "nat" || self.mode == "nat-unprotected";
        match way {
            Way::Neighbour => self.icc,
            // Its host port belongs to the network's own segment.
            Way::Host => self.mode != "isolated",
            _ if self.internal => false,
            Way::Out => true,
            Way::ToOtherNetwork => false,
            Way::OtherNetwork => self.mode == "routed" && published,
            Way::Outside => match self.mode {
                "nat-unprotected" => true,
                "routed" => published,
                _ => false,
            },
            // In a routed network the host's port is not used.
            Way::OutsidePublished
            | Way::NeighbourPublished
            | Way::OtherNetworkPublished
            | Way::HostPublished => translated && published,
        }
    }

    fn address(self, family: u8, last: u8) -> IpAddr {
        match family {
            4 => [10, self.number, 0, last].into(),
            _ => [
                0xfd00 + u16::from(self.number),
                0,
                0,
                0,
                0,
                0,
                0,
                u16::from(last),
            ]
            .into(),
        }
    }

    fn host_port(self) -> u16 {
        8000 + u16::from(self.number)
    }

    fn sandbox(self, which: u8) -> String {
        format!("s{}-{which}", self.number)
    }

    fn create(self, lab: &Lab) -> Result<()> {
        let (number, icc, mode) = (self.number, self.icc, self.mode);
        let v6 = self.address(6, 0);
        let internal = if self.internal { "--internal" } else { "" };
        lab.ctl(&format!(
            "add-net n{number} --subnet 10.{number}.0.0/24 --ipv6 --subnet {v6}/64 {internal} \
             -o com.docker.network.bridge.enable_icc={icc} \
             -o com.docker.network.bridge.gateway_mode_ipv4={mode} \
             -o com.docker.network.bridge.gateway_mode_ipv6={mode}"
        ))?;
        for which in [2, 3] {
            let sandbox = self.sandbox(which);
            lab.ctl(&format!("add-sandbox {sandbox}"))?;
            let (ip, ip6) = (self.address(4, which), self.address(6, which));
            lab.ctl(&format!("attach n{number} {sandbox} --ip {ip} --ip6 {ip6}"))?;
        }
        let publish = format!("n{number} {} -p {}:80", self.sandbox(2), self.host_port());
        if self.internal {
            let refusal = lab.daemon.refused(&format!("publish {publish}"))?;
            anyhow::ensure!(refusal.message.contains("internal"), "{refusal:?}");
        } else {
            lab.ctl(&format!("publish {publish}"))?;
        }
        // As if the outside's router had been told where containers are.
        for family in [4, 6] {
            let length = if family == 4 { 24 } else { 64 };
            let (subnet, host) = (self.address(family, 0), lab.outside.host_address(family));
            lab.host.run_in(
                "outside",
                &format!("ip -{family} route add {subnet}/{length} via {host}"),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            internal,
            icc,
            mode,
            ..
        } = self;
        write!(f, "internal {internal}, icc {icc}, {mode}")
    }
}

/// One question of the table.
struct Probe {
    shown: String,
    from: Place,
    to: SocketAddr,
    expected: bool,
}

/// The ordinary network's addresses of its one container.
const ORDINARY: Case = Case {
    number: 20,
    internal: false,
    icc: true,
    mode: "nat",
};

fn probes(lab: &Lab) -> Vec<Probe> {
    let mut probes = Vec::new();
    for case in Case::all() {
        for family in [4, 6] {
            for way in WAYS {
                let container = case.address(family, 2);
                let published = at(lab.outside.host_address(family), case.host_port());
                let first = lab.host.sandbox(&case.sandbox(2));
                let second = lab.host.sandbox(&case.sandbox(3));
                let other = lab.host.sandbox(&ORDINARY.sandbox(2));
                let outside = lab.outside().clone();
                let host = lab.host.place();
                // By port where it is the container's; elsewhere there is one.
                let (from, targets): (Place, Vec<(u16, SocketAddr)>) = match way {
                    Way::Neighbour | Way::OtherNetwork | Way::Outside | Way::Host => {
                        let from = match way {
                            Way::Neighbour => second,
                            Way::OtherNetwork => other,
                            Way::Outside => outside,
                            _ => host,
                        };
                        let ports = [PUBLISHED, UNPUBLISHED];
                        (from, ports.map(|port| (port, at(container, port))).into())
                    }
                    Way::OutsidePublished => (outside, vec![(PUBLISHED, published)]),
                    Way::NeighbourPublished => (second, vec![(PUBLISHED, published)]),
                    Way::OtherNetworkPublished => (other, vec![(PUBLISHED, published)]),
                    Way::HostPublished => (host, vec![(PUBLISHED, published)]),
                    Way::Out => (first, vec![(7, at(lab.outside.address(family), 7))]),
                    Way::ToOtherNetwork => (
                        first,
                        vec![(PUBLISHED, at(ORDINARY.address(family, 2), PUBLISHED))],
                    ),
                };
                probes.extend(targets.into_iter().map(|(port, to)| Probe {
                    shown: format!("{case}: {way:?} to {to}"),
                    from: from.clone(),
                    to,
                    expected: case.expected(way, port),
                }));
            }
        }
    }
    probes
}

#[test]
fn the_table() -> Result<()> {
    let lab = Lab::empty()?;
    let mut echoes = vec![Echo::start(lab.outside(), 7)?];
    ORDINARY.create(&lab)?;
    for case in Case::all() {
        case.create(&lab).with_context(|| case.to_string())?;
        for port in [PUBLISHED, UNPUBLISHED] {
            echoes.push(Echo::start(&lab.host.sandbox(&case.sandbox(2)), port)?);
        }
    }
    echoes.push(Echo::start(
        &lab.host.sandbox(&ORDINARY.sandbox(2)),
        PUBLISHED,
    )?);
    let probes = probes(&lab);
    // Most of the time passes in waiting for answers that do not come.
    let mut wrong = Vec::new();
    for some in probes.chunks(40) {
        let answers: Vec<Result<bool>> = thread::scope(|scope| {
            let asking: Vec<_> = some
                .iter()
                .map(|probe| scope.spawn(|| reaches(&probe.from, Tcp, probe.to)))
                .collect();
            let answers = asking.into_iter().map(ScopedJoinHandle::join);
            answers
                .map(|answer| answer.unwrap_or_else(|_| bail!("a probe panicked")))
                .collect()
        });
        for (probe, answer) in some.iter().zip(answers) {
            let answer = answer.with_context(|| probe.shown.clone())?;
            if answer != probe.expected {
                wrong.push(format!("{}: {answer}", probe.shown));
            }
        }
    }
    let reached = probes.iter().filter(|probe| probe.expected).count();
    println!("{} ways, of which {reached} lead somewhere", probes.len());
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn networks_that_are_routed_to_each_other_are_one_world() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net db --subnet 10.21.0.0/24 --ipv6 --subnet fd21::/64 -o vswitch.route-to=net")?;
    lab.ctl("add-net apart --subnet 10.22.0.0/24 --ipv6 --subnet fd22::/64")?;
    lab.daemon.populate("db", &["c"])?;
    lab.daemon.populate("apart", &["d"])?;
    let (c, d) = (lab.host.sandbox("c"), lab.host.sandbox("d"));
    let _echoes = [
        Echo::start(&c, 7)?,
        Echo::start(&d, 7)?,
        Echo::start(&lab.a(), 7)?,
    ];
    for (from, own, to) in [
        (lab.a(), "10.20.0.2", "10.21.0.2:7"),
        (lab.a(), "fd20::2", "[fd21::2]:7"),
        (c.clone(), "10.21.0.2", "10.20.0.2:7"),
        (c.clone(), "fd21::2", "[fd20::2]:7"),
    ] {
        let seen = vswitch_e2e::ask(&from, Tcp, to.parse()?)?;
        assert_eq!(seen.ip().to_string(), own, "untranslated");
    }
    for (from, to) in [
        (lab.a(), "10.22.0.2:7"),
        (c, "[fd22::2]:7"),
        (d, "10.20.0.2:7"),
    ] {
        assert!(!reaches(&from, Tcp, to.parse()?)?, "{to}");
    }
    assert!(lab.daemon.drops("a", "isolated")? > 0);
    Ok(())
}

#[test]
fn a_routed_network_goes_out_by_its_own_addresses() -> Result<()> {
    let lab = Lab::empty()?;
    lab.add_two(
        "-o com.docker.network.bridge.gateway_mode_ipv4=routed \
         -o com.docker.network.bridge.gateway_mode_ipv6=routed",
    )?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for (family, subnet) in [(4, "10.20.0.0/24"), (6, "fd20::/64")] {
        let host = lab.outside.host_address(family);
        let route = format!("ip -{family} route add {subnet} via {host}");
        lab.host.run_in("outside", &route)?;
        let own = crate::fixture::inside(family, crate::fixture::A);
        for transport in [Tcp, vswitch_e2e::Transport::Udp] {
            let to = at(lab.outside.address(family), 7);
            assert_eq!(vswitch_e2e::ask(&lab.a(), transport, to)?.ip(), own);
        }
        // Containers of such networks may be pinged.
        crate::fixture::ping(lab.outside(), own)?;
        vswitch_e2e::ask_large(&lab.a(), at(lab.outside.address(family), 7), 8000)?;
    }
    Ok(())
}
