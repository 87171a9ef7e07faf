//! Who reaches whom in each mode of macvlan: ours and the kernel's, in the same topology.

use anyhow::Result;
use vswitch_e2e::{Host, Party, Place, UNDERLAY_NIC, Underlay, Way, kernel_macvlan};

use crate::fixture::{Node, OUTSIDER, mac_of, mac_text, on_wire, plain, sandbox};
use crate::table::{Maker, Table, is_as};

/// Two containers of each mode on one NIC; one of mode bridge on another host, which is "there"; a machine that
/// knows nothing of containers; and the host of the six.
const PARTIES: [(&str, u8); 9] = [
    ("bridge", 17),
    ("bridge2", 18),
    ("private", 33),
    ("private2", 34),
    ("vepa", 49),
    ("vepa2", 50),
    ("there", 65),
    ("outsider", OUTSIDER),
    ("host", 1),
];

/// Behind an ordinary switch, however it is tried.
const BEHIND_A_SWITCH: Table<9> = [
    "-x....xx.", // bridge
    "x-....xx.", // bridge2
    "..-...xx.", // private
    "...-..xx.", // private2
    "....-.xx.", // vepa
    ".....-xx.", // vepa2
    "xxxxxx-xx", // there
    "xxxxxxx-x", // outsider
    "......xx-", // host
];

/// Behind a switch that sends back what came from the same NIC: those who may hear it.
const REFLECTED_PINGS: Table<9> = [
    "-x..xxxxx", // bridge
    "x-..xxxxx", // bridge2
    "..-...xxx", // private
    "...-..xxx", // private2
    "xx..-xxxx", // vepa
    "xx..x-xxx", // vepa2
    "xxxxxx-xx", // there
    "xxxxxxx-x", // outsider
    "xxxxxxxx-", // host
];

/// A private container's own broadcasts never reach its own host with the kernel, whose macvlan keeps them from
/// the rest of its network stack. What comes in at the NIC is the host's to hear, with ours.
const REFLECTED_BROADCASTS: Table<9> = [
    "-x..xxxxx", // bridge
    "x-..xxxxx", // bridge2
    "..-...xxo", // private
    "...-..xxo", // private2
    "xx..-xxxx", // vepa
    "xx..x-xxx", // vepa2
    "xxxxxx-xx", // there
    "xxxxxxx-x", // outsider
    "xxxxxxxx-", // host
];

/// The kernel keeps a private container from its siblings by keeping it from their ARP only: who knows its MAC
/// address reaches it by a switch that reflects. Ours does not deliver that.
const REFLECTED_DATAGRAMS: Table<9> = [
    "-xkkxxxxx", // bridge
    "x-kkxxxxx", // bridge2
    "kk-kkkxxx", // private
    "kkk-kkxxx", // private2
    "xxkk-xxxx", // vepa
    "xxkkx-xxx", // vepa2
    "xxxxxx-xx", // there
    "xxxxxxx-x", // outsider
    "xxxxxxxx-", // host
];

/// A container of mode passthru, and the last three of [`PARTIES`].
const PASSTHRU: [(&str, u8); 4] = [
    ("passthru", 17),
    ("there", 65),
    ("outsider", OUTSIDER),
    ("host", 1),
];

/// The kernel takes the NIC away from its host: what is for the host's MAC address goes to the container, which
/// has the same one. Ours leaves the host what is the host's.
const PASSTHRU_PINGS: Table<4> = [
    "-xx.", // passthru
    "x-xo", // there
    "xx-o", // outsider
    ".oo-", // host
];
const PASSTHRU_BROADCASTS: Table<4> = [
    "-xx.", // passthru
    "x-xx", // there
    "xx-x", // outsider
    ".xx-", // host
];
const PASSTHRU_DATAGRAMS: Table<4> = [
    "-xx.", // passthru
    "x-xo", // there
    "xx-o", // outsider
    ".xx-", // host
];

/// Host 1, with containers; host 2, with one; and the outsider.
struct Topology {
    maker: Maker,
    parties: Vec<Party>,
    // Dropped in this order: daemons first.
    nodes: Vec<Node>,
    hosts: Vec<Host>,
    wire: Underlay,
}

impl Topology {
    fn new(maker: Maker, parties: &[(&str, u8)]) -> Result<Self> {
        let wire = Underlay::new()?;
        let mut topology = Self {
            maker,
            parties: Vec::new(),
            nodes: Vec::new(),
            hosts: vec![plain(&wire, OUTSIDER)?],
            wire,
        };
        match maker {
            Maker::Kernel => {
                for number in [1, 2] {
                    topology.hosts.push(plain(&topology.wire, number)?);
                }
            }
            Maker::Switch => {
                for number in [1, 2] {
                    topology.nodes.push(Node::new(&topology.wire, number)?);
                }
            }
        }
        for &(name, number) in parties {
            let place = topology.join(name, number)?;
            topology.parties.push(Party {
                name: name.to_owned(),
                place,
                addresses: [on_wire(4, number), on_wire(6, number)],
            });
        }
        Ok(topology)
    }

    /// Host 1 or 2.
    fn host(&self, number: usize) -> &Host {
        match self.maker {
            Maker::Kernel => &self.hosts[number],
            Maker::Switch => &self.nodes[number - 1].host,
        }
    }

    fn join(&self, name: &str, number: u8) -> Result<Place> {
        let (host, mode) = match name {
            "outsider" => return Ok(self.hosts[0].place()),
            "host" => return Ok(self.host(1).place()),
            "there" => (2, "bridge"),
            of_a_mode => (1, of_a_mode.trim_end_matches('2')),
        };
        if self.maker == Maker::Kernel {
            let addresses = [on_wire(4, number), on_wire(6, number)];
            let (name, mac) = (sandbox(number), mac_text(number));
            return kernel_macvlan(self.host(host), UNDERLAY_NIC, mode, &name, &mac, addresses);
        }
        let node = &self.nodes[host - 1];
        if !name.ends_with('2') {
            // Networks of one subnet share the wire, and each has addresses of its own to give.
            let first = number & 0xf0;
            let [v4, v6] = [on_wire(4, first), on_wire(6, first)];
            node.add_net(
                mode,
                "macvlan",
                &format!(
                    "--ip-range {v4}/28 --ip-range {v6}/124 -o macvlan_mode={mode} -o dad=false"
                ),
            )?;
        }
        node.attach(mode, number)
    }

    /// Tells each the MAC addresses of all others.
    fn introduce(&self) -> Result<()> {
        let mut batch = String::new();
        for party in &self.parties {
            let (address, mac) = (party.addresses[0], mac_of(&party.place, "eth0")?);
            batch.push_str(&format!(
                "neighbour replace {address} lladdr {mac} dev eth0 nud permanent\n"
            ));
        }
        let file = self.host(1).folder().join("neighbours");
        std::fs::write(&file, batch)?;
        for party in &self.parties {
            party
                .place
                .program("ip")
                .arg("-batch")
                .arg(&file)
                .output()?;
        }
        Ok(())
    }

    fn is_as<const N: usize>(&self, what: &str, way: Way, table: &Table<N>) -> Result<()> {
        is_as(&self.parties, self.maker, what, way, table)
    }
}

fn bridge_private_and_vepa(maker: Maker) -> Result<()> {
    let topology = Topology::new(maker, &PARTIES)?;
    let everyone = [Way::Broadcast(4), Way::Broadcast(6)];
    for way in [Way::Ping(4), Way::Ping(6)].into_iter().chain(everyone) {
        topology.is_as("an ordinary switch", way, &BEHIND_A_SWITCH)?;
    }
    topology.wire.set_hairpin(1, true)?;
    for way in [Way::Ping(4), Way::Ping(6)] {
        topology.is_as("a reflecting switch", way, &REFLECTED_PINGS)?;
    }
    for way in everyone {
        topology.is_as("a reflecting switch", way, &REFLECTED_BROADCASTS)?;
    }
    topology.introduce()?;
    topology.is_as("a reflecting switch", Way::Datagram, &REFLECTED_DATAGRAMS)?;
    topology.wire.set_hairpin(1, false)?;
    topology.is_as("an ordinary switch", Way::Datagram, &BEHIND_A_SWITCH)
}

fn passthru(maker: Maker) -> Result<()> {
    let topology = Topology::new(maker, &PASSTHRU)?;
    for family in [4, 6] {
        topology.is_as("passthru", Way::Ping(family), &PASSTHRU_PINGS)?;
        topology.is_as("passthru", Way::Broadcast(family), &PASSTHRU_BROADCASTS)?;
    }
    topology.introduce()?;
    topology.is_as("passthru", Way::Datagram, &PASSTHRU_DATAGRAMS)
}

#[test]
fn bridge_private_and_vepa_of_the_kernel() -> Result<()> {
    bridge_private_and_vepa(Maker::Kernel)
}

#[test]
fn bridge_private_and_vepa_of_the_switch() -> Result<()> {
    bridge_private_and_vepa(Maker::Switch)
}

#[test]
fn passthru_of_the_kernel() -> Result<()> {
    passthru(Maker::Kernel)
}

#[test]
fn passthru_of_the_switch() -> Result<()> {
    passthru(Maker::Switch)
}
