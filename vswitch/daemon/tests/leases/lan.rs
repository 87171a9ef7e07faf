//! A host with a NIC, and the other end of its cable.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use vswitch_cnm::EndpointId;
use vswitch_dhcp::{Identity, Outgoing, frame};
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket, VlanTag};
use vswitch_netio::sysctl;
use vswitch_packet::ethernet::EtherType;
use vswitch_packet::{MacAddr, VlanId};
use vswitchd::leases::{Event, Leases, Place};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const MAC: MacAddr = MacAddr([2, 0x42, 0, 0, 0, 7]);
pub(crate) const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub(crate) const HOLDER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 99]);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

pub(crate) const DISCOVER: u8 = 1;
pub(crate) const OFFER: u8 = 2;
pub(crate) const REQUEST: u8 = 3;
pub(crate) const DECLINE: u8 = 4;
pub(crate) const ACK: u8 = 5;
pub(crate) const NAK: u8 = 6;
pub(crate) const RELEASE: u8 = 7;

pub(crate) fn endpoint() -> EndpointId {
    EndpointId::from_octets([7; 32])
}

pub(crate) fn identity() -> Identity {
    Identity {
        mac: MAC,
        client_id: None,
        hostname: None,
        broadcast: false,
    }
}

/// A frame from the host, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) tag: Option<(u16, u16)>,
    pub(crate) from: MacAddr,
    pub(crate) to: MacAddr,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Who has it? From nobody, if it is a probe.
    Arp {
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    /// A neighbour solicitation.
    Nd,
    Dhcp(Question),
}

/// A message to servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) kind: u8,
    /// The IPv4 destination.
    pub(crate) to: Ipv4Addr,
    /// The address in use (`ciaddr`), or the one that is wanted (option 50).
    pub(crate) about: Option<Ipv4Addr>,
    payload: Vec<u8>,
}

/// What somebody on the LAN sends.
pub(crate) struct Reply {
    /// EtherType and number.
    pub(crate) tag: Option<(u16, u16)>,
    pub(crate) frame: Vec<u8>,
}

/// The host's side of a test.
pub(crate) struct Host<'l> {
    pub(crate) leases: Leases,
    pub(crate) events: mpsc::Receiver<(EndpointId, Event)>,
    pub(crate) interface: u32,
    lan: &'l Lan,
    runtime: tokio::runtime::Runtime,
}

/// What the other end of the cable has seen.
#[derive(Default)]
pub(crate) struct Lan {
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

/// Runs a test in a new host, whose LAN answers by the script.
pub(crate) fn with_lan(
    script: impl FnMut(&Seen) -> Vec<Reply> + Send,
    test: impl FnOnce(&Host<'_>) + Send,
) {
    let (inside, outside) = (Netns::create().unwrap(), Netns::create().unwrap());
    let lan = Lan::default();
    inside
        .run(|| {
            run("ip link add eth0 type veth peer name lan0");
            let mut netlink = Netlink::open().unwrap();
            let index = |netlink: &mut Netlink, name: &str| {
                netlink.link(&name.parse().unwrap()).unwrap().unwrap().index
            };
            let peer = index(&mut netlink, "lan0");
            netlink.set_netns(peer, &outside).unwrap();
            let interface = index(&mut netlink, "eth0");
            quiet("eth0", interface);
            let socket = outside
                .run(|| {
                    let peer = index(&mut Netlink::open().unwrap(), "lan0");
                    quiet("lan0", peer);
                    let options = PacketOptions {
                        vlan_tags: true,
                        ignore_outgoing: true,
                        ..PacketOptions::default()
                    };
                    PacketSocket::open(peer, &options).unwrap()
                })
                .unwrap();
            // Until then, the kernel swallows what is sent (`noop_qdisc`).
            eventually("the link is up", || {
                let link = netlink.link_at(interface).unwrap();
                link.is_some_and(|link| link.running)
            });
            let (sender, events) = mpsc::channel();
            let leases = Leases::start(move |endpoint, event| {
                sender.send((endpoint, event)).unwrap();
            })
            .unwrap();
            let host = Host {
                leases,
                events,
                interface,
                lan: &lan,
                runtime: tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap(),
            };
            thread::scope(|scope| {
                scope.spawn(|| lan.serve(&socket, script));
                // The LAN is not served any longer, whatever becomes of the test.
                let _stop = Stop(&lan.stop);
                test(&host);
            });
        })
        .unwrap();
}

struct Stop<'l>(&'l AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn quiet(name: &str, index: u32) {
    sysctl::set_ipv6_disabled(&name.parse().unwrap(), true).unwrap();
    Netlink::open().unwrap().set_up(index).unwrap();
}

/// Runs a command of the system.
pub(crate) fn run(line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
}

/// Waits until the condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Host<'_> {
    /// The NIC's wire, with or without a tag.
    pub(crate) fn place(&self, tag: Option<(EtherType, u16)>) -> Place {
        Place {
            interface: self.interface,
            tag: tag.map(|(ethertype, id)| (ethertype, VlanId::new(id).unwrap())),
            mac: MAC,
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What happens next to a lease.
    pub(crate) fn event(&self) -> Event {
        let (of, event) = self.events.recv_timeout(PATIENCE).unwrap();
        assert_eq!(of, endpoint());
        event
    }

    /// All that was seen until now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lan.seen.lock().unwrap().clone()
    }

    /// The DHCP messages that were seen until now.
    pub(crate) fn questions(&self) -> Vec<(Seen, Question)> {
        let question = |seen: Seen| match seen.what.clone() {
            What::Dhcp(question) => Some((seen, question)),
            _ => None,
        };
        self.seen().into_iter().filter_map(question).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<u8> {
        let questions = self.questions();
        questions
            .iter()
            .map(|(_, question)| question.kind)
            .collect()
    }

    /// Nothing is read from the NIC.
    pub(crate) fn is_deaf(&self) -> bool {
        let sockets = std::fs::read_to_string("/proc/thread-self/net/packet").unwrap();
        sockets.lines().count() == 1
    }
}

impl Lan {
    fn serve(&self, socket: &PacketSocket, mut script: impl FnMut(&Seen) -> Vec<Reply>) {
        let mut buffer = [0; 2048];
        while !self.stop.load(Ordering::Relaxed) {
            let timeout = Timespec::try_from(Duration::from_millis(50)).unwrap();
            poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)).unwrap();
            while let Ok(received) = socket.receive(&mut buffer) {
                let Some(seen) = read(&buffer[..received.length], received.vlan) else {
                    continue;
                };
                self.seen.lock().unwrap().push(seen.clone());
                for Reply { tag, mut frame } in script(&seen) {
                    if let Some((ethertype, id)) = tag {
                        let tag = [ethertype.to_be_bytes(), id.to_be_bytes()].concat();
                        frame.splice(12..12, tag);
                    }
                    socket.write(&frame).unwrap();
                }
            }
        }
    }
}

fn read(frame: &[u8], vlan: Option<VlanTag>) -> Option<Seen> {
    let address = |at: usize| Ipv4Addr::from_octets(frame[at..at + 4].try_into().unwrap());
    let what = match frame[12..14] {
        [8, 6] => What::Arp {
            sender: address(28),
            target: address(38),
        },
        [0x86, 0xdd] => What::Nd,
        [8, 0] => {
            // From port 68 to 67, without IPv4 options.
            assert_eq!(frame[34..38], [0, 68, 0, 67]);
            let payload = frame[42..].to_vec();
            let in_use = Ipv4Addr::from_octets(payload[12..16].try_into().unwrap());
            let wanted = option(&payload, 50)
                .map(|octets| Ipv4Addr::from_octets(octets.try_into().unwrap()));
            What::Dhcp(Question {
                kind: option(&payload, 53).unwrap()[0],
                to: address(30),
                about: Some(in_use)
                    .filter(|address| !address.is_unspecified())
                    .or(wanted),
                payload,
            })
        }
        _ => return None,
    };
    Some(Seen {
        tag: vlan.map(|tag| (tag.protocol, tag.control)),
        from: MacAddr(frame[6..12].try_into().unwrap()),
        to: MacAddr(frame[..6].try_into().unwrap()),
        what,
    })
}

fn option(payload: &[u8], code: u8) -> Option<&[u8]> {
    let mut options = &payload[240..];
    while let [kind, length, rest @ ..] = options {
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *kind == code {
            return Some(value);
        }
        options = rest;
    }
    None
}

impl Question {
    /// A server's answer, in the VLAN `tag`.
    pub(crate) fn answer(
        &self,
        kind: u8,
        address: Ipv4Addr,
        seconds: u32,
        tag: Option<(u16, u16)>,
    ) -> Reply {
        let mut payload = self.payload[..240].to_vec();
        payload[0] = 2;
        payload[16..20].copy_from_slice(&address.octets());
        payload.extend([53, 1, kind, 54, 4]);
        payload.extend(SERVER.octets());
        payload.extend([1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 254, 51, 4]);
        payload.extend(seconds.to_be_bytes());
        payload.push(255);
        let outgoing = Outgoing {
            payload,
            source: SERVER,
            destination: address,
        };
        let mut frame = frame::wrap(&outgoing, SERVER_MAC, MAC);
        // A server's ports; the checksum is the same.
        frame[34..38].copy_from_slice(&[0, 67, 0, 68]);
        Reply { tag, frame }
    }
}

/// "`address` is at `mac`".
pub(crate) fn arp_reply(address: Ipv4Addr, mac: MacAddr, tag: Option<(u16, u16)>) -> Reply {
    let mut frame = [MAC.0, mac.0].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(mac.0);
    frame.extend(address.octets());
    frame.extend(MAC.0);
    frame.extend([0; 4]);
    Reply { tag, frame }
}

/// A server that gives everybody the next of these addresses, for so long, untagged, and confirms everything.
pub(crate) fn server<const N: usize>(
    addresses: [Ipv4Addr; N],
    seconds: u32,
) -> impl FnMut(&Seen) -> Vec<Reply> + Send {
    let mut addresses = addresses.into_iter();
    move |seen| match &seen.what {
        What::Dhcp(question) if question.kind == DISCOVER => {
            let next = addresses.next();
            let offer = |address| question.answer(OFFER, address, seconds, None);
            next.into_iter().map(offer).collect()
        }
        What::Dhcp(question) if question.kind == REQUEST => {
            vec![question.answer(ACK, question.about.unwrap(), seconds, None)]
        }
        _ => vec![],
    }
}

pub(crate) fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
