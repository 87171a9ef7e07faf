//! Both ends of an exchange: a client on a virtual clock, and servers that say what they are told to.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};
use vswitch_dhcp::{Client, Event, Identity, Lease, Outgoing, Output, State};
use vswitch_packet::{MacAddr, Moment};

pub(crate) const MAC: MacAddr = MacAddr([2, 0x42, 0, 0, 0, 7]);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 70);

pub(crate) const OFFER: u8 = 2;
pub(crate) const ACK: u8 = 5;
pub(crate) const NAK: u8 = 6;

/// Mask, router and a lease of an hour.
pub(crate) const USUAL: [(u8, &[u8]); 3] = [
    (1, &[255, 255, 255, 0]),
    (3, &[192, 0, 2, 254]),
    (51, &[0, 0, 14, 16]),
];

pub(crate) fn identity() -> Identity {
    Identity {
        mac: MAC,
        client_id: None,
        hostname: None,
        broadcast: false,
    }
}

/// The lease that [`USUAL`] gives.
pub(crate) fn usual_lease(obtained: Moment) -> Lease {
    Lease {
        address: ADDRESS,
        prefix_len: 24,
        router: Some(Ipv4Addr::new(192, 0, 2, 254)),
        server: SERVER,
        dns: vec![],
        obtained,
        seconds: 3600,
        renew_after: 1800,
        rebind_after: 3150,
    }
}

/// A server's answer to a question.
pub(crate) fn answer(
    question: &[u8],
    kind: u8,
    server: Ipv4Addr,
    address: Ipv4Addr,
    options: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut answer = question[..240].to_vec();
    answer[0] = 2;
    // `secs` and `ciaddr` of an answer are zero, or not; nobody looks.
    answer[16..20].copy_from_slice(&address.octets());
    let server = server.octets();
    let own: [(u8, &[u8]); 2] = [(53, &[kind]), (54, &server)];
    for (code, value) in own.iter().chain(options) {
        answer.extend([*code, u8::try_from(value.len()).unwrap()]);
        answer.extend(*value);
    }
    answer.push(255);
    answer
}

/// A client and its clock.
pub(crate) struct Lab {
    pub(crate) client: Client,
    pub(crate) now: Moment,
}

impl Lab {
    pub(crate) fn new(identity: Identity) -> Self {
        let now = Moment::from_secs(1000);
        Self::of(Client::new(identity, 7, now))
    }

    pub(crate) fn of(client: Client) -> Self {
        Self {
            client,
            now: Moment::from_secs(1000),
        }
    }

    /// The clock goes on to the next deadline, but not beyond `seconds`; how many went by.
    pub(crate) fn wait(&mut self, seconds: u64) -> u64 {
        let limit = self.now + Duration::from_secs(seconds);
        let before = self.now;
        self.now = self
            .client
            .deadline()
            .map_or(limit, |deadline| deadline.clamp(self.now, limit));
        self.now.since(before).as_secs()
    }

    /// Has nothing to do now.
    pub(crate) fn assert_idle(&mut self) {
        assert_eq!(self.client.poll(self.now), None);
    }

    /// The one message that the client sends now.
    pub(crate) fn sends(&mut self) -> Outgoing {
        let Some(Output::Send(outgoing)) = self.client.poll(self.now) else {
            panic!("nothing is sent in state {:?}", self.client.state());
        };
        self.assert_idle();
        outgoing
    }

    /// The one event that time brings.
    pub(crate) fn event(&mut self) -> Event {
        let Some(Output::Event(event)) = self.client.poll(self.now) else {
            panic!("nothing happens in state {:?}", self.client.state());
        };
        event
    }

    pub(crate) fn hears(&mut self, answer: &[u8]) -> Option<Event> {
        self.client.receive(answer, self.now)
    }

    /// Gets the usual lease.
    pub(crate) fn bind(&mut self) -> Lease {
        let discover = self.sends();
        let offer = answer(&discover.payload, OFFER, SERVER, ADDRESS, &USUAL);
        assert_eq!(self.hears(&offer), None);
        let request = self.sends();
        let ack = answer(&request.payload, ACK, SERVER, ADDRESS, &USUAL);
        let lease = usual_lease(self.now);
        assert_eq!(self.hears(&ack), Some(Event::Bound(lease.clone())));
        assert_eq!(self.client.state(), State::Bound);
        self.assert_idle();
        lease
    }
}

/// Reads a client's message with smoltcp, and checks what all have in common.
pub(crate) fn read(outgoing: &Outgoing, check: impl FnOnce(&DhcpRepr<'_>)) {
    assert!(outgoing.payload.len() >= 300, "relay agents drop less");
    let packet = DhcpPacket::new_checked(&outgoing.payload[..]).unwrap();
    let message = DhcpRepr::parse(&packet).unwrap();
    assert_eq!(message.client_hardware_address.0, MAC.0);
    assert_eq!(message.your_ip, Ipv4Addr::UNSPECIFIED);
    assert_eq!(message.relay_agent_ip, Ipv4Addr::UNSPECIFIED);
    check(&message);
}

pub(crate) fn kind(outgoing: &Outgoing) -> DhcpMessageType {
    let mut kind = DhcpMessageType::Unknown(0);
    read(outgoing, |message| kind = message.message_type);
    kind
}

/// The transaction's number and `secs`.
pub(crate) fn exchange(outgoing: &Outgoing) -> (u32, u16) {
    let mut exchange = (0, 0);
    read(outgoing, |message| {
        exchange = (message.transaction_id, message.secs);
    });
    exchange
}
