//! The client: one method per request.

mod error;
mod exchange;
mod target;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hyper::Method;

use crate::{
    Attach, ConntrackQuery, Endpoint, FdbEntry, FlushQuery, Lease, NatStats, NeighbourEntry,
    NetworkCreate, NetworkCreated, NetworkInspect, NetworkSummary, PortStats, Publish,
    PublishedPort, Remote, RouteEntry, Sandbox, SandboxCreate, Session, SessionState, Version,
    Vtep, VtepCreate,
};
use exchange::NoBody;
use target::Target;

pub use error::ClientError;

/// Speaks to one daemon. Each request is a connection of its own, so a client may outlive its daemon
/// and speak to the next one at the same socket.
///
/// All methods fail with [`ClientError::Refused`] when the daemon says no, and with one of the other
/// errors when it could not be asked.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon at that socket. Does not connect yet.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket given to [`Client::new`].
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All networks, the predefined ones too.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn networks(&self) -> Result<Vec<NetworkSummary>, ClientError> {
        self.get(Target::new("networks")).await
    }

    /// One network in full, by name, id or beginning of an id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn network(&self, network: &str) -> Result<NetworkInspect, ClientError> {
        self.get(Target::new("networks").part(network)).await
    }

    /// Makes a network.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_network(
        &self,
        request: &NetworkCreate,
    ) -> Result<NetworkCreated, ClientError> {
        self.ask(Method::POST, Target::new("networks"), Some(request))
            .await
    }

    /// Removes a network. Refused while endpoints are attached, unless `force` detaches them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_network(&self, network: &str, force: bool) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network);
        self.delete(target.query("force", force.then_some("true")))
            .await
    }

    /// Attaches a sandbox to a network.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn attach(&self, network: &str, request: &Attach) -> Result<Endpoint, ClientError> {
        let target = Target::new("networks").part(network).part("endpoints");
        self.ask(Method::POST, target, Some(request)).await
    }

    /// Takes a sandbox off a network.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn detach(&self, network: &str, sandbox: &str) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network).part("endpoints");
        self.delete(target.query("sandbox", Some(sandbox))).await
    }

    /// Publishes ports of a sandbox on a network; returns what is published now that was not before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn publish(
        &self,
        network: &str,
        sandbox: &str,
        request: &Publish,
    ) -> Result<Vec<PublishedPort>, ClientError> {
        let target = endpoint(network, sandbox).part("publish");
        self.ask(Method::POST, target, Some(request)).await
    }

    /// The reverse of [`Client::publish`]; returns what is published no more.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unpublish(
        &self,
        network: &str,
        sandbox: &str,
        request: &Publish,
    ) -> Result<Vec<PublishedPort>, ClientError> {
        let target = endpoint(network, sandbox).part("unpublish");
        self.ask(Method::POST, target, Some(request)).await
    }

    /// Published ports, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ports(&self, network: Option<&str>) -> Result<Vec<PublishedPort>, ClientError> {
        self.get(Target::new("ports").query("network", network))
            .await
    }

    /// The other ends of overlay networks' tunnels, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn vteps(&self, network: Option<&str>) -> Result<Vec<Vtep>, ClientError> {
        self.get(Target::new("vteps").query("network", network))
            .await
    }

    /// Adds a host to those that an overlay network reaches.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_vtep(&self, network: &str, address: IpAddr) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network).part("vteps");
        self.post(target, &VtepCreate { address }).await
    }

    /// The reverse of [`Client::add_vtep`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_vtep(&self, network: &str, address: IpAddr) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network).part("vteps");
        self.delete(target.part(&address.to_string())).await
    }

    /// MAC addresses that were said to be behind a VTEP, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remotes(&self, network: Option<&str>) -> Result<Vec<Remote>, ClientError> {
        self.get(Target::new("remotes").query("network", network))
            .await
    }

    /// Says which VTEP a MAC address is behind.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_remote(&self, network: &str, remote: &Remote) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network).part("remotes");
        self.post(target, remote).await
    }

    /// The reverse of [`Client::add_remote`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_remote(&self, network: &str, mac: &str) -> Result<(), ClientError> {
        let target = Target::new("networks").part(network).part("remotes");
        self.delete(target.part(mac)).await
    }

    /// Addresses that DHCP servers gave to endpoints, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn leases(&self, network: Option<&str>) -> Result<Vec<Lease>, ClientError> {
        self.get(Target::new("leases").query("network", network))
            .await
    }

    /// All sandboxes that the daemon made or that have endpoints.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sandboxes(&self) -> Result<Vec<Sandbox>, ClientError> {
        self.get(Target::new("sandboxes")).await
    }

    /// One sandbox.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sandbox(&self, sandbox: &str) -> Result<Sandbox, ClientError> {
        self.get(Target::new("sandboxes").part(sandbox)).await
    }

    /// Makes a named namespace.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_sandbox(&self, request: &SandboxCreate) -> Result<Sandbox, ClientError> {
        self.ask(Method::POST, Target::new("sandboxes"), Some(request))
            .await
    }

    /// Removes a named namespace.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_sandbox(&self, sandbox: &str) -> Result<(), ClientError> {
        self.delete(Target::new("sandboxes").part(sandbox)).await
    }

    /// Which MAC addresses are behind which ports, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn fdb(&self, network: Option<&str>) -> Result<Vec<FdbEntry>, ClientError> {
        self.get(Target::new("fdb").query("network", network)).await
    }

    /// Which MAC addresses the router knows for IP addresses, of one network or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn neighbours(
        &self,
        network: Option<&str>,
    ) -> Result<Vec<NeighbourEntry>, ClientError> {
        self.get(Target::new("neighbours").query("network", network))
            .await
    }

    /// Conversations that are translated or watched.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn conntrack(&self, query: &ConntrackQuery) -> Result<Vec<Session>, ClientError> {
        let protocol = query.protocol.map(|protocol| protocol.to_string());
        let target = Target::new("conntrack")
            .query("network", query.network.as_deref())
            .query("sandbox", query.sandbox.as_deref())
            .query("protocol", protocol.as_deref())
            .query("state", query.state.map(SessionState::as_str));
        self.get(target).await
    }

    /// Ends conversations.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn flush_conntrack(&self, query: &FlushQuery) -> Result<(), ClientError> {
        let target = Target::new("conntrack")
            .query("network", query.network.as_deref())
            .query("sandbox", query.sandbox.as_deref())
            .query("all", query.all.then_some("true"));
        self.delete(target).await
    }

    /// What translation has done so far.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn nat_stats(&self) -> Result<NatStats, ClientError> {
        self.get(Target::new("conntrack").part("stats")).await
    }

    /// Routes of the router and of the sandboxes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn routes(&self) -> Result<Vec<RouteEntry>, ClientError> {
        self.get(Target::new("routes")).await
    }

    /// Counters, of all ports or of a network or port.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stats(&self, of: Option<&str>) -> Result<Vec<PortStats>, ClientError> {
        self.get(Target::new("stats").query("of", of)).await
    }

    /// What the daemon is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn version(&self) -> Result<Version, ClientError> {
        self.get(Target::new("version")).await
    }

    /// The process that listens at the socket; none where it runs out of this PID namespace's sight.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`], [`ClientError::NotPermitted`].
    pub async fn daemon_pid(&self) -> Result<Option<u32>, ClientError> {
        self.peer_pid().await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, target: Target) -> Result<T, ClientError> {
        self.ask(Method::GET, target, None::<&NoBody>).await
    }

    /// A request that is answered with its status alone.
    async fn post(&self, target: Target, body: &impl serde::Serialize) -> Result<(), ClientError> {
        self.tell(Method::POST, target, Some(body)).await.map(drop)
    }

    async fn delete(&self, target: Target) -> Result<(), ClientError> {
        self.tell(Method::DELETE, target, None::<&NoBody>)
            .await
            .map(drop)
    }
}

/// What is done to one endpoint.
fn endpoint(network: &str, sandbox: &str) -> Target {
    Target::new("networks")
        .part(network)
        .part("endpoints")
        .part(sandbox)
}
