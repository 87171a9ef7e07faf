//! From start to end: what is opened in which order, and closed in which.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::Listener;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use vswitch_cnm::EndpointId;
use vswitch_nat::{Nat, Record};
use vswitch_netio::monitor::Monitor;

use crate::activation::Activated;
use crate::config::Config;
use crate::control::{Control, ControlThread, Engine, Handle, run_errands};
use crate::dataplane::{Dataplane, PortEvent};
use crate::docker;
use crate::host_watch::HostWatch;
use crate::http::{self, Askers, ListeningSocket, SocketError};
use crate::leases::{self, Leases};
use crate::outside::{DRAWN_PORTS, Outside};
use crate::privilege;
use crate::session_ledger::SessionLedger;
use crate::state_dir::StateDir;
use crate::store::Store;

/// How long a request that is being answered may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How often [`Control::sweep`] looks after what nobody tells of.
const SWEEP: Duration = Duration::from_secs(2);

/// Runs the daemon in the calling thread's network namespace until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever keeps it from starting, in one line.
pub fn run(config: &Config) -> anyhow::Result<()> {
    privilege::check()?;
    privilege::raise_descriptor_limit();
    let mut activated = Activated::take()?;
    let state_dir = StateDir::lock(&config.state_dir)?;
    let api = Listening::at(&config.socket, Askers::Users, &mut activated)?;
    let docker = config.docker_plugin.as_deref();
    let docker = docker.map(|path| Listening::at(path, Askers::Docker, &mut activated));
    let docker = docker.transpose()?;
    for path in activated.unclaimed() {
        tracing::warn!(socket = %path.display(), "passed to be listened at, and not asked for: nobody answers there");
    }
    let metrics = config.metrics.map(listen_for_metrics).transpose()?;
    let store = Store::open(state_dir, draw)?;
    let daemon_id = store.daemon_id();
    let monitor = Monitor::open().context("cannot follow the host's network")?;
    let outside = Outside::open(&config.uplink, daemon_id);
    let (nat, sessions) = translation(config, &outside)?;
    let (dataplane, events) = Dataplane::start(config.workers.get(), config.worker_nice, nat)?;
    let (leases, lease_events) = start_leases()?;
    let (errands, pending) = unbounded_channel();
    let control = Control::start(config, store, dataplane, outside, leases, sessions, errands)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let control = ControlThread::spawn(control)?;
    let handle = control.handle();
    let watch =
        HostWatch::start(monitor, handle.clone()).context("cannot follow the host's network")?;
    // The files of the sockets go at the very end.
    let (docker_listener, _docker_file) =
        docker.map(|docker| (docker.listener, docker.file)).unzip();
    let _api_file = api.file;
    let outcome = runtime.block_on(async {
        let servers = Servers {
            api: tokio::net::UnixListener::from_std(api.listener)?,
            docker: docker_listener
                .map(tokio::net::UnixListener::from_std)
                .transpose()?,
            metrics: metrics.map(tokio::net::TcpListener::from_std).transpose()?,
        };
        tracing::info!(socket = %config.socket.display(), %daemon_id, "ready");
        let errands = run_errands(pending, handle.clone());
        serve(servers, handle, events, lease_events, errands).await
    });
    // No request comes any more, so no command either.
    drop(runtime);
    watch.stop();
    control.stop();
    tracing::info!("ended");
    outcome
}

/// The translator, and the sessions that a former daemon left.
fn translation(config: &Config, outside: &Outside) -> anyhow::Result<(Nat, Vec<Record>)> {
    let settings = &config.nat;
    let (ledger, sessions) = SessionLedger::open(&config.state_dir, settings.max_sessions)
        .context("cannot open the record of sessions")?;
    let nat = Nat::new(vswitch_nat::Config {
        max_sessions: settings.max_sessions,
        max_sessions_per_owner: settings.max_sessions_per_container,
        timeouts: settings.timeouts,
        ports: DRAWN_PORTS,
        host_ports: Box::new(outside.host_ports()),
        ledger: Some(Box::new(ledger)),
        seed: u64::from_ne_bytes(draw().context("no random numbers")?),
    });
    Ok((nat, sessions))
}

/// What became of whose lease.
type LeaseEvent = (EndpointId, leases::Event);

/// Who asks the physical network for addresses.
fn start_leases() -> anyhow::Result<(Leases, UnboundedReceiver<LeaseEvent>)> {
    let (sender, events) = unbounded_channel();
    let leases = Leases::start(move |endpoint, event| {
        // Nobody listens any more only while the daemon stops.
        let _ = sender.send((endpoint, event));
    })?;
    Ok((leases, events))
}

/// A listening socket, and its file if it is ours to remove.
struct Listening {
    listener: UnixListener,
    file: Option<ListeningSocket>,
}

impl Listening {
    /// As systemd passed it, or made here.
    fn at(path: &Path, askers: Askers, activated: &mut Activated) -> Result<Self, SocketError> {
        if let Some(listener) = activated.socket(path) {
            let file = None;
            return Ok(Self { listener, file });
        }
        let (file, listener) = ListeningSocket::listen(path, askers)?;
        let file = Some(file);
        Ok(Self { listener, file })
    }
}

/// Where requests come from.
struct Servers {
    api: tokio::net::UnixListener,
    docker: Option<tokio::net::UnixListener>,
    metrics: Option<tokio::net::TcpListener>,
}

async fn serve(
    servers: Servers,
    handle: Handle,
    events: UnboundedReceiver<PortEvent>,
    lease_events: UnboundedReceiver<LeaseEvent>,
    errands: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    let mut listeners = JoinSet::new();
    listeners.spawn(answer(
        servers.api,
        http::api(handle.clone()),
        stopped.clone(),
    ));
    if let Some(listener) = servers.docker {
        let plugin = docker::plugin(Engine::new(handle.clone()));
        listeners.spawn(answer(listener, plugin, stopped.clone()));
    }
    if let Some(metrics) = servers.metrics {
        listeners.spawn(answer(metrics, http::metrics(handle.clone()), stopped));
    }
    let mut watchers = JoinSet::new();
    watchers.spawn(forward_events(events, handle.clone()));
    watchers.spawn(forward_lease_events(lease_events, handle.clone()));
    watchers.spawn(errands);
    watchers.spawn(sweep(handle));
    notify(&[NotifyState::Ready]);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
        _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
    }
    notify(&[NotifyState::Stopping]);
    // No receiver means that all listeners have ended already.
    let _ = stop.send(true);
    let finished = timeout(GRACE, async {
        while listeners.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        tracing::warn!("requests were still open at the end");
    }
    Ok(())
}

/// Answers requests until told to stop, and then those that have begun.
async fn answer<L>(listener: L, router: Router, mut stopped: watch::Receiver<bool>)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let stop = async move {
        // A sender that is gone stops as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    if let Err(error) = axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
    {
        tracing::error!("the server ended: {error}");
    }
}

async fn forward_events(mut events: UnboundedReceiver<PortEvent>, control: Handle) {
    while let Some(event) = events.recv().await {
        if control.post(move |c| c.port_event(event)).is_err() {
            return;
        }
    }
}

async fn forward_lease_events(mut events: UnboundedReceiver<LeaseEvent>, control: Handle) {
    while let Some((endpoint, event)) = events.recv().await {
        if control
            .post(move |c| c.lease_event(endpoint, event))
            .is_err()
        {
            return;
        }
    }
}

async fn sweep(control: Handle) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if control.run(Control::sweep).await.is_err() {
            return;
        }
    }
}

fn listen_for_metrics(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok::<_, io::Error>(listener)
    };
    listen().with_context(|| format!("cannot listen for metrics at {address}"))
}

fn notify(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot notify systemd: {error}");
    }
}

fn draw() -> io::Result<[u8; 8]> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(octets)
}
