//! How long packets may be, and who tells.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{
    Conversation, Echo, Host, Place, Underlay, ask_large, discovered_mtu, eventually,
};

use crate::fixture::{Node, PATIENCE, at, inside, ping};
use crate::mesh::Mesh;

fn mtu_of(place: &Place) -> Result<u16> {
    let shown = place
        .program("ip")
        .args(["-o", "link", "show", "eth0"])
        .output()?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "mtu").context("no mtu")?;
    Ok(words.next().unwrap_or_default().parse()?)
}

/// Two hosts on wires of their own with a router between them, whose second wire is narrower.
struct Path {
    nodes: [Node; 2],
    router: Host,
    underlays: [Underlay; 2],
}

impl Path {
    fn new(family: u8, mtu: u16) -> Result<Self> {
        let underlays = [Underlay::new()?, Underlay::second()?];
        let router = underlays[0].join(&underlays[1], mtu)?;
        let addresses = [
            underlays[0].address(family, 1),
            underlays[1].address(family, 2),
        ];
        let node = |number: u8| -> Result<Node> {
            let index = usize::from(number) - 1;
            let host = Host::new()?;
            underlays[index].plug(&host, number)?;
            underlays[index].route_by(&host, None)?;
            let node = Node::on(host, number)?;
            node.add_net(&[addresses[1 - index]], "")?;
            node.attach(10 * number)?;
            Ok(node)
        };
        Ok(Self {
            nodes: [node(1)?, node(2)?],
            router,
            underlays,
        })
    }

    fn containers(&self) -> [Place; 2] {
        [self.nodes[0].container(10), self.nodes[1].container(20)]
    }
}

#[test]
fn containers_have_what_the_tunnel_leaves() -> Result<()> {
    for (underlay_mtu, family, expected) in [(1500, 4, 1450), (1500, 6, 1430), (9000, 4, 8950)] {
        let underlay = Underlay::new()?;
        let mut nodes = Vec::new();
        for number in [1, 2] {
            let host = Host::new()?;
            underlay.plug(&host, number)?;
            underlay.set_mtu(&host, number, underlay_mtu)?;
            let node = Node::on(host, number)?;
            node.add_net(&[underlay.address(family, 3 - number)], "")?;
            let container = node.attach(10 * number)?;
            assert_eq!(mtu_of(&container)?, expected, "over {underlay_mtu}");
            nodes.push(node);
        }
        let (here, there) = (nodes[0].container(10), nodes[1].container(20));
        let _server = Echo::start(&there, 7)?;
        let longest = (expected - 28).to_string();
        let ping = here.program("ping");
        ping.args(["-M", "do", "-s", &longest, "-c", "3", "-i", "0.2"])
            .arg(inside(4, 20).to_string())
            .output()?;
        for inner in [4, 6] {
            Conversation::start(&here, at(inside(inner, 20), 7))?.exchange(4 << 20)?;
        }
        assert_eq!(nodes[0].tunnel_drops("underlay_mtu")?, 0);
    }
    Ok(())
}

#[test]
fn an_mtu_that_does_not_fit_is_warned_of() -> Result<()> {
    let underlay = Underlay::new()?;
    let node = Node::new(&underlay, 1)?;
    let peer = underlay.address(4, 2);
    for (mtu, warned) in [(1500, true), (1450, false)] {
        let line = format!(
            "add-net net{mtu} -d overlay --ip-range 10.{0}.0.0/25 --subnet 10.{0}.0.0/24 \
             -o peers={peer} -o vni={mtu} -o mtu={mtu}",
            mtu / 100
        );
        let words: Vec<_> = line.split_whitespace().collect();
        let made = node.daemon.vsctl_program(&words)?.run()?;
        ensure!(made.status.success(), "{}", made.stderr);
        let says = made.stderr.starts_with("warning: ") && made.stderr.contains("1450");
        ensure!(says == warned, "-o mtu={mtu}: {:?}", made.stderr);
        ensure!(warned || made.stderr.is_empty(), "{:?}", made.stderr);
    }
    Ok(())
}

/// Every container is told, and none waits for what never comes.
fn a_narrow_path(family: u8, expected: u16) -> Result<()> {
    let path = Path::new(family, 1400)?;
    let [here, there] = path.containers();
    let _servers = [Echo::start(&here, 7)?, Echo::start(&there, 7)?];
    for inner in [4, 6] {
        // Super-frames, first of all: nobody knows of the narrow part.
        Conversation::start(&here, at(inside(inner, 20), 7))?.exchange(4 << 20)?;
        Conversation::start(&there, at(inside(inner, 10), 7))?.exchange(1 << 20)?;
        let to = at(inside(inner, 20), 7);
        assert_eq!(
            discovered_mtu(&here, to, 1390)?,
            u32::from(expected),
            "{to}"
        );
        ask_large(&here, to, 3000)?;
    }
    ensure!(path.nodes[0].tunnel_drops("underlay_mtu")? > 0);
    // And where it may be cut, it is cut before it goes into the tunnel.
    here.program("ip").args(["route", "flush", "cache"]).run()?;
    let ping = here.program("ping");
    ping.args([
        "-M", "dont", "-s", "1410", "-c", "1", "-i", "0.2", "-w", "5",
    ])
    .arg(inside(4, 20).to_string())
    .output()?;
    Ok(())
}

#[test]
fn a_narrow_path_over_ipv4() -> Result<()> {
    a_narrow_path(4, 1350)
}

#[test]
fn a_narrow_path_over_ipv6() -> Result<()> {
    a_narrow_path(6, 1330)
}

#[test]
fn ping_is_told_of_a_narrow_path() -> Result<()> {
    let path = Path::new(4, 1400)?;
    let [here, _] = path.containers();
    for (family, payload, says) in [(4, "1422", "mtu = 1350"), (6, "1402", "mtu=1350")] {
        let to = inside(family, 20).to_string();
        eventually("ping is told", PATIENCE, || {
            // The container's kernel remembers what it was told, and then says so itself, without a packet.
            here.program("ip")
                .args([&format!("-{family}"), "route", "flush", "cache"])
                .run()?;
            let ping = here.program("ping");
            let ping = ping.args(["-M", "do", "-s", payload, "-c", "1", "-W", "1", &to]);
            let told = ping.run()?;
            let told = format!("{}{}", told.stdout, told.stderr);
            let from = told.contains(&format!("rom {to} "));
            println!("{told}");
            Ok(from && told.contains(says))
        })?;
    }
    Ok(())
}

#[test]
fn a_path_that_shrinks_meanwhile() -> Result<()> {
    let path = Path::new(4, 1500)?;
    let [here, there] = path.containers();
    let _server = Echo::start(&there, 7)?;
    let mut open = Vec::new();
    for inner in [4, 6] {
        let mut conversation = Conversation::start(&here, at(inside(inner, 20), 7))?;
        conversation.exchange(4 << 20)?;
        open.push(conversation);
    }
    assert_eq!(path.nodes[0].tunnel_drops("underlay_mtu")?, 0);
    path.underlays[1].narrow(&path.router, 1400)?;
    for conversation in &mut open {
        conversation.exchange(4 << 20)?;
    }
    // And it grows again.
    path.underlays[1].narrow(&path.router, 1500)?;
    for conversation in &mut open {
        conversation.exchange(4 << 20)?;
    }
    ping(&there, inside(4, 10))
}

#[test]
fn links_that_shrink_meanwhile() -> Result<()> {
    let mesh = Mesh::of(2)?;
    let _server = Echo::start(&mesh.container(2), 7)?;
    let mut open = Vec::new();
    for inner in [4, 6] {
        let mut conversation = Conversation::start(&mesh.container(1), at(inside(inner, 20), 7))?;
        conversation.exchange(1 << 20)?;
        open.push(conversation);
    }
    for mtu in [1400, 1500] {
        for node in &mesh.nodes {
            mesh.underlay.set_mtu(&node.host, node.number, mtu)?;
        }
        for conversation in &mut open {
            conversation.exchange(4 << 20)?;
        }
        // Who comes now begins with what fits.
        let late = mesh.node(1).attach(11)?;
        eventually("a new container has what fits", PATIENCE, || {
            if mtu_of(&late)? == mtu - 50 {
                return Ok(true);
            }
            mesh.node(1).ctl("detach net c11")?;
            mesh.node(1).attach_again(11)?;
            Ok(false)
        })?;
        mesh.node(1).ctl("detach net c11")?;
        mesh.node(1).ctl("rm-sandbox c11")?;
    }
    ensure!(mesh.node(1).tunnel_drops("underlay_mtu")? > 0);
    Ok(())
}
