//! One client and the servers at its place.

use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::time::sleep;
use vswitch_dhcp::conflict::Conflict;
use vswitch_dhcp::{Client, Event, Lease, Outgoing, Output, frame};
use vswitch_netio::clock;
use vswitch_packet::{MacAddr, Moment};

use super::error::WireError;
use super::place::Place;
use super::question;
use super::wires::{Ear, Wires};

/// How long an answer is listened for, if the next message is not due before.
const LISTEN: Duration = Duration::from_secs(10);

/// A client, as those see it who do not carry its messages.
#[derive(Clone, Debug)]
pub(super) struct Held(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    client: Client,
    /// Where its server's last answer came from.
    server: Option<MacAddr>,
}

/// A client whose messages are carried.
#[derive(Debug)]
pub(super) struct Conversation {
    wires: Arc<Wires>,
    place: Place,
    held: Held,
    /// Only while an answer may come.
    ear: Option<Ear>,
    listen_until: Moment,
}

impl Held {
    pub(super) fn new(client: Client) -> Self {
        Self(Arc::new(Mutex::new(State {
            client,
            server: None,
        })))
    }

    /// Looks at the client, or changes it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Client) -> T) -> T {
        look(&mut self.state().client)
    }

    /// At another place the server is another one, or behind another router.
    pub(super) fn forget_server(&self) {
        self.state().server = None;
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversation {
    pub(super) const fn new(wires: Arc<Wires>, place: Place, held: Held) -> Self {
        Self {
            wires,
            place,
            held,
            ear: None,
            listen_until: Moment::ORIGIN,
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) const fn held(&self) -> &Held {
        &self.held
    }

    /// Carries messages until something happens or the time is over. After an error it can go on: the client asks
    /// again in its own time.
    pub(super) async fn next(&mut self, until: Option<Moment>) -> Result<Option<Event>, WireError> {
        let event = self.carry(until).await;
        if !matches!(event, Ok(Some(Event::Bound(_)))) {
            // Nothing more is awaited, or not by this ear.
            self.ear = None;
        }
        event
    }

    async fn carry(&mut self, until: Option<Moment>) -> Result<Option<Event>, WireError> {
        loop {
            let now = clock::now();
            if until.is_some_and(|until| now >= until) {
                return Ok(None);
            }
            let (output, deadline) = self
                .held
                .with(|client| (client.poll(now), client.deadline()));
            match output {
                Some(Output::Send(outgoing)) => {
                    self.send(&outgoing).await?;
                    continue;
                }
                Some(Output::Event(event)) => return Ok(Some(event)),
                None => {}
            }
            self.ear.take_if(|_| now >= self.listen_until);
            let end_of_listening = self.ear.as_ref().map(|_| self.listen_until);
            let wake = [deadline, until, end_of_listening]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                octets = hear(self.ear.as_mut()) => {
                    if let Some(event) = self.heard(&octets?) {
                        return Ok(Some(event));
                    }
                }
                () = wait(wake.map(|wake| wake - now)) => {}
            }
        }
    }

    /// Whether somebody else uses the address of the lease that was just had.
    pub(super) async fn conflict(&mut self, lease: &Lease) -> Result<Option<Conflict>, WireError> {
        let address = [IpAddr::V4(lease.address)];
        let ear = listen(&mut self.ear, &self.wires, self.place)?;
        let found = question::conflict(ear, &address).await;
        self.ear = None;
        found
    }

    /// Tells the server that the address is in use.
    pub(super) async fn decline(&mut self) -> Result<(), WireError> {
        let now = clock::now();
        let declined = self.held.with(|client| {
            client.decline(now);
            client.poll(now)
        });
        match declined {
            Some(Output::Send(outgoing)) => self.send(&outgoing).await,
            _ => Ok(()),
        }
    }

    /// Gives the address back.
    pub(super) async fn release(&mut self) -> Result<(), WireError> {
        let (lease, outgoing) = self
            .held
            .with(|client| (client.lease().cloned(), client.release()));
        match (lease, outgoing) {
            (Some(lease), Some(outgoing)) => self.send_to_server(&outgoing, &lease).await,
            _ => Ok(()),
        }
    }

    async fn send(&mut self, outgoing: &Outgoing) -> Result<(), WireError> {
        let lease = self.held.with(|client| client.lease().cloned());
        match lease {
            Some(lease) if !outgoing.destination.is_broadcast() => {
                self.send_to_server(outgoing, &lease).await
            }
            _ => self.send_frame(outgoing, MacAddr::BROADCAST),
        }
    }

    async fn send_to_server(
        &mut self,
        outgoing: &Outgoing,
        lease: &Lease,
    ) -> Result<(), WireError> {
        let known = self.held.state().server;
        let server = match known {
            Some(server) => Some(server),
            None => self.find_server(lease).await?,
        };
        match server {
            Some(server) => self.send_frame(outgoing, server),
            // The client will ask all servers in time.
            None => {
                tracing::debug!(server = %lease.server, "a DHCP server does not answer ARP");
                Ok(())
            }
        }
    }

    /// The server's MAC address, or that of the router to it: after a restart it is not known who answered.
    async fn find_server(&mut self, lease: &Lease) -> Result<Option<MacAddr>, WireError> {
        let subnet = Ipv4Net::new_assert(lease.address, lease.prefix_len.min(32));
        let next_hop = if subnet.contains(&lease.server) {
            Some(lease.server)
        } else {
            lease.router
        };
        let Some(next_hop) = next_hop else {
            return Ok(None);
        };
        let ear = listen(&mut self.ear, &self.wires, self.place)?;
        question::holder(ear, Some(lease.address.into()), next_hop.into()).await
    }

    fn send_frame(&mut self, outgoing: &Outgoing, to: MacAddr) -> Result<(), WireError> {
        let ear = listen(&mut self.ear, &self.wires, self.place)?;
        ear.send(frame::wrap(outgoing, self.place.mac, to))?;
        self.listen_until = clock::now() + LISTEN;
        Ok(())
    }

    fn heard(&self, octets: &[u8]) -> Option<Event> {
        let (payload, sender) = frame::unwrap(octets)?;
        let mut state = self.held.state();
        let event = state.client.receive(payload, clock::now());
        if let Some(Event::Bound(_) | Event::Renewed(_)) = event {
            state.server = Some(sender);
        }
        event
    }
}

/// The ear that there is, or a new one.
fn listen<'e>(
    ear: &'e mut Option<Ear>,
    wires: &Wires,
    place: Place,
) -> Result<&'e mut Ear, WireError> {
    match ear {
        Some(ear) => Ok(ear),
        None => Ok(ear.insert(wires.listen(place)?)),
    }
}

async fn hear(ear: Option<&mut Ear>) -> Result<Arc<[u8]>, WireError> {
    match ear {
        Some(ear) => ear.hear().await,
        None => pending().await,
    }
}

async fn wait(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => pending().await,
    }
}
