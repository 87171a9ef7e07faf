//! Addresses on the physical network: had from its DHCP servers, and asked for before they are used.
//!
//! A container does not speak DHCP. The daemon does, in its name and with its MAC address, by a packet
//! socket on the NIC; the address is set in the container like any other.
//!
//! One thread serves all of it. There is one socket a NIC, open only while an answer is awaited, so nothing is
//! read from a NIC whose leases are all bound.

mod acquire;
mod conversation;
mod error;
mod filter;
mod place;
mod question;
mod status;
mod wires;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context as _;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use vswitch_cnm::EndpointId;
use vswitch_dhcp::{Client, Identity};
use vswitch_netio::clock;

pub use error::{AcquireError, CheckError, WireError};
pub use place::Place;
pub use status::{LeaseState, LeaseStatus};
pub use vswitch_dhcp::{Event, Lease, Loss};

use conversation::{Conversation, Held};
use wires::Wires;

/// The leases of all endpoints, and the thread that sees to them. It ends with the last handle.
#[derive(Clone, Debug)]
pub struct Leases {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
}

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Ends it when this is dropped.
    _stop: oneshot::Sender<()>,
}

struct Shared {
    wires: Arc<Wires>,
    sessions: Mutex<HashMap<EndpointId, Session>>,
    events: Mutex<Box<dyn Fn(EndpointId, Event) + Send>>,
}

/// What is done for one endpoint.
#[derive(Debug)]
struct Session {
    place: Place,
    held: Held,
    task: AbortHandle,
}

/// Something that is done for a caller, and is no longer if the caller does not wait.
struct Task<T>(JoinHandle<T>);

/// Has a session forgotten whose beginning came to nothing.
struct Beginning<'l> {
    shared: &'l Shared,
    endpoint: EndpointId,
    held: Held,
    complete: bool,
}

impl Leases {
    /// Starts the thread, in the calling thread's network namespace, which is that of all places. `events` is called
    /// by it, with what happens to the addresses that are [kept](Self::keep), and is not to wait for anything.
    ///
    /// # Errors
    /// No thread, or no descriptors, to be had.
    pub fn start(events: impl Fn(EndpointId, Event) + Send + 'static) -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the thread of leases")?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || {
                // A sender that is gone stops as well.
                let _ = runtime.block_on(stopped);
            })
            .context("cannot start the thread of leases")?;
        Ok(Self {
            shared: Arc::new(Shared {
                wires: Arc::default(),
                sessions: Mutex::default(),
                events: Mutex::new(Box::new(events)),
            }),
            thread: Arc::new(Thread {
                runtime: handle,
                _stop: stop,
            }),
        })
    }

    /// Gets an address that nobody else uses; the `previous` one, if the server has nothing against it. It takes about
    /// 0.4 s where a server answers at once. The lease is not renewed before [`Leases::keep`], and what went on for
    /// the endpoint before is at an end. Nothing is left if this fails or is not waited for.
    ///
    /// # Errors
    /// [`AcquireError`]; of an address in use, only after three.
    pub async fn acquire(
        &self,
        endpoint: EndpointId,
        place: Place,
        identity: Identity,
        previous: Option<Lease>,
    ) -> Result<Lease, AcquireError> {
        let client = match previous {
            Some(lease) => Client::resume(identity, lease, seed()),
            None => Client::new(identity, seed(), clock::now()),
        };
        let held = Held::new(client);
        let mut conversation = self.conversation(place, &held);
        let task = self
            .thread
            .runtime
            .spawn(async move { acquire::acquire(&mut conversation).await });
        let mut beginning = Beginning {
            shared: &self.shared,
            endpoint,
            held: held.clone(),
            complete: false,
        };
        self.shared.begin(endpoint, place, held, &task);
        let lease = Task(task).wait().await.ok_or(WireError::Ended)??;
        beginning.complete = true;
        Ok(lease)
    }

    /// Renews the endpoint's lease from now on; without one, or when it is lost, asks for another one. What happens is
    /// told by the events. Goes on from [`Leases::acquire`], or from a keeping at another place, if the address is the
    /// same.
    pub fn keep(
        &self,
        endpoint: EndpointId,
        place: Place,
        identity: Identity,
        lease: Option<Lease>,
    ) {
        let held = match self.shared.held(endpoint, place, &identity, lease.as_ref()) {
            Some(held) => held,
            None => Held::new(match lease {
                Some(lease) => Client::holding(identity, lease, seed()),
                None => Client::new(identity, seed(), clock::now()),
            }),
        };
        let mut conversation = self.conversation(place, &held);
        let shared = self.shared.clone();
        let task = self.thread.runtime.spawn(async move {
            let notify = |event| shared.notify(endpoint, event);
            acquire::keep(&mut conversation, endpoint, notify).await;
        });
        self.shared.begin(endpoint, place, held, &task);
    }

    /// Renews the endpoint's lease no longer, and gives it back to the server if `release`.
    pub fn let_go(&self, endpoint: EndpointId, release: bool) {
        let Some(session) = self.shared.sessions().remove(&endpoint) else {
            return;
        };
        session.task.abort();
        if release {
            let mut conversation = self.conversation(session.place, &session.held);
            self.thread.runtime.spawn(async move {
                if let Err(error) = conversation.release().await {
                    tracing::debug!(
                        endpoint = endpoint.short(),
                        "a lease was not given back: {error}"
                    );
                }
            });
        }
    }

    /// How all leases are, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<LeaseStatus> {
        let now = clock::now();
        let sessions = self.shared.sessions();
        let status = |(&endpoint, session): (&EndpointId, &Session)| {
            session
                .held
                .with(|client| LeaseStatus::of(endpoint, client, now))
        };
        sessions.iter().map(status).collect()
    }

    /// Asks whether somebody has, or is about to have, one of the addresses. It takes 0.4 s if nobody has.
    ///
    /// # Errors
    /// [`CheckError::Conflict`], or nobody could be asked.
    pub async fn check_unused(
        &self,
        place: Place,
        addresses: Vec<IpAddr>,
    ) -> Result<(), CheckError> {
        let wires = self.shared.wires.clone();
        let task = self
            .thread
            .runtime
            .spawn(async move { question::conflict(&mut wires.listen(place)?, &addresses).await });
        match Task(task).wait().await.ok_or(WireError::Ended)?? {
            Some(conflict) => Err(CheckError::Conflict {
                wire: place.wire(),
                address: conflict.address,
                holder: conflict.holder,
            }),
            None => Ok(()),
        }
    }

    /// Whether somebody says it has `target`, asked in the name of `source`. It takes up to 0.9 s.
    pub async fn is_answered(&self, place: Place, source: Option<IpAddr>, target: IpAddr) -> bool {
        let wires = self.shared.wires.clone();
        let task = self.thread.runtime.spawn(async move {
            question::holder(&mut wires.listen(place)?, source, target).await
        });
        matches!(Task(task).wait().await, Some(Ok(Some(_))))
    }

    fn conversation(&self, place: Place, held: &Held) -> Conversation {
        Conversation::new(self.shared.wires.clone(), place, held.clone())
    }
}

impl Shared {
    /// In the place of what went on for the endpoint before.
    fn begin<T>(&self, endpoint: EndpointId, place: Place, held: Held, task: &JoinHandle<T>) {
        let task = task.abort_handle();
        let session = Session { place, held, task };
        if let Some(before) = self.sessions().insert(endpoint, session) {
            before.task.abort();
        }
    }

    /// The client that there is already, if it is the same one with the same address.
    fn held(
        &self,
        endpoint: EndpointId,
        place: Place,
        identity: &Identity,
        lease: Option<&Lease>,
    ) -> Option<Held> {
        let sessions = self.sessions();
        let session = sessions.get(&endpoint)?;
        let is_same = session.held.with(|client| {
            client.identity() == identity
                && client.lease().map(|lease| lease.address) == lease.map(|lease| lease.address)
        });
        if session.place != place {
            session.held.forget_server();
        }
        is_same.then(|| session.held.clone())
    }

    fn notify(&self, endpoint: EndpointId, event: Event) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events(endpoint, event);
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<EndpointId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("wires", &self.wires)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        let mut sessions = self.shared.sessions();
        let is_ours = |session: &Session| session.held.is(&self.held);
        if sessions.get(&self.endpoint).is_some_and(is_ours) {
            sessions.remove(&self.endpoint);
        }
    }
}

impl<T> Task<T> {
    /// `None` if the thread is at an end, or somebody else ended the task.
    async fn wait(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A number that differs from one client to the next, and need not be secret.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| clock::now().as_nanos())
}
