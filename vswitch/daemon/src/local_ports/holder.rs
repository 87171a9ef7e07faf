//! How ports are taken: a socket for each of few, one for all of many.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use socket2::Socket;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use vswitch_cnm::publish::Protocol;
use vswitch_netio::local_delivery::{LocalDelivery, LocalDeliveryError};
use vswitch_netio::{TransportProtocol, sockets};

use super::any_port::AnyPort;
use super::binding::{Binding, Targets};
use super::datagram::Front;
use super::error::HoldError;
use super::held::{Delivered, Part};
use super::limits::Limits;
use super::{open, tcp, udp};

/// So many ports get a socket each.
pub const MAX_SINGLE_PORTS: usize = 256;

/// Takes ports, and has them served.
#[derive(Debug)]
pub(super) struct Holder {
    runtime: Handle,
    bounds: Bounds,
    /// From the first long range on.
    delivery: Mutex<Option<Arc<LocalDelivery>>>,
}

/// What all tasks together may take.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) limits: Limits,
    /// One permit a descriptor.
    pub(super) room: Arc<Semaphore>,
}

/// A socket that is bound, before anything serves it.
struct Bound {
    ports: RangeInclusive<u16>,
    socket: Speaking,
    delivered: Option<Delivered>,
}

enum Speaking {
    Tcp(TcpListener),
    Udp(Front),
    Sctp(Socket),
}

impl Holder {
    /// Has everything served by tasks of that runtime.
    pub(super) fn new(runtime: Handle, limits: Limits) -> Self {
        let room = Arc::new(Semaphore::new(
            limits.descriptors.min(Semaphore::MAX_PERMITS),
        ));
        Self {
            runtime,
            bounds: Bounds { limits, room },
            delivery: Mutex::default(),
        }
    }

    /// Takes some of the binding's ports, or none. `target` is of the binding's first port.
    ///
    /// # Errors
    /// [`HoldError`].
    pub(super) fn hold(
        &self,
        binding: &Binding,
        ports: RangeInclusive<u16>,
        target: Option<SocketAddr>,
    ) -> Result<Vec<Part>, HoldError> {
        // Sockets register with the runtime's epoll set as they are made.
        let _context = self.runtime.enter();
        let bound: Vec<_> = match transport(binding.protocol) {
            Some(protocol) if ports.len() > MAX_SINGLE_PORTS => {
                vec![self.bind_range(binding, protocol, ports)?]
            }
            _ => ports
                .filter_map(|port| self.bind_one(binding, port).transpose())
                .collect::<Result<_, _>>()?,
        };
        let parts = bound
            .into_iter()
            .map(|bound| self.serve(binding, bound, target));
        Ok(parts.collect())
    }

    fn bind_one(&self, binding: &Binding, port: u16) -> Result<Option<Bound>, HoldError> {
        let (protocol, host) = (binding.protocol, binding.host);
        let socket = bind(protocol, host, port)
            .map_err(|error| HoldError::of(error, protocol, host, port))?;
        Ok(socket.map(|socket| Bound {
            ports: port..=port,
            socket,
            delivered: None,
        }))
    }

    /// One socket, which is bound to the first port and is given what comes for the others.
    fn bind_range(
        &self,
        binding: &Binding,
        transport: TransportProtocol,
        ports: RangeInclusive<u16>,
    ) -> Result<Bound, HoldError> {
        let (protocol, host, first) = (binding.protocol, binding.host, *ports.start());
        let failed = |port| move |error| HoldError::of(error, protocol, host, port);
        let mut bound = self
            .bind_one(binding, first)?
            .ok_or(HoldError::NoSuchFamily { address: host })?;
        let in_use: BTreeSet<u16> = sockets::bound()
            .map_err(failed(first))?
            .into_iter()
            .filter(|socket| socket.protocol == transport)
            .map(|socket| socket.local.port())
            .filter(|port| *port != first && ports.contains(port))
            .collect();
        // On this address, or on another one: the kernel knows.
        for port in in_use {
            bind(protocol, host, port).map_err(failed(port))?;
        }
        let delivery = self.delivery().map_err(|source| HoldError::Range {
            ports: ports.clone(),
            source,
        })?;
        if let Speaking::Udp(front) = &mut bound.socket {
            front.answers = Some(AnyPort::open(host).map_err(failed(first))?);
        }
        let socket = bound.socket.as_fd();
        let delivered = delivery.add(transport, host, ports.clone(), socket);
        let range = delivered.map_err(|source| match source {
            LocalDeliveryError::Overlap { port } => HoldError::InUse {
                address: SocketAddr::new(host, port),
                protocol,
            },
            source => HoldError::Range {
                ports: ports.clone(),
                source,
            },
        })?;
        bound.delivered = Some(Delivered { delivery, range });
        bound.ports = ports;
        Ok(bound)
    }

    fn delivery(&self) -> Result<Arc<LocalDelivery>, LocalDeliveryError> {
        let mut slot = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(delivery) = &*slot {
            return Ok(delivery.clone());
        }
        let delivery = Arc::new(LocalDelivery::new()?);
        Ok(slot.insert(delivery).clone())
    }

    fn serve(&self, binding: &Binding, bound: Bound, target: Option<SocketAddr>) -> Part {
        let (teller, mut told) = watch::channel(target);
        let (alive, ended) = mpsc::channel();
        let targets = Targets::new(told.clone(), binding, bound.ports.clone());
        let bounds = self.bounds.clone();
        self.runtime.spawn(async move {
            match bound.socket {
                Speaking::Tcp(listener) => tcp::serve(listener, targets, bounds).await,
                Speaking::Udp(front) => udp::serve(front, targets, bounds).await,
                Speaking::Sctp(_held) => while told.changed().await.is_ok() {},
            }
            // By now all sockets are closed.
            drop(alive);
        });
        Part {
            ports: bound.ports,
            target: teller,
            _delivered: bound.delivered,
            ended,
        }
    }
}

impl AsFd for Speaking {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Udp(front) => front.held.as_fd(),
            Self::Sctp(socket) => socket.as_fd(),
        }
    }
}

/// `None` for SCTP where the kernel has none.
fn bind(protocol: Protocol, host: IpAddr, port: u16) -> io::Result<Option<Speaking>> {
    Ok(match protocol {
        Protocol::Tcp => {
            let listener = TcpListener::from_std(open::tcp(host, port)?.into())?;
            Some(Speaking::Tcp(listener))
        }
        Protocol::Udp => {
            let held = UdpSocket::from_std(open::udp(host, port)?.into())?;
            Some(Speaking::Udp(Front {
                held,
                answers: None,
            }))
        }
        Protocol::Sctp => open::sctp(host, port)?.map(Speaking::Sctp),
    })
}

/// For ranges; `None` for SCTP, which the kernel cannot deliver in ranges.
const fn transport(protocol: Protocol) -> Option<TransportProtocol> {
    match protocol {
        Protocol::Tcp => Some(TransportProtocol::Tcp),
        Protocol::Udp => Some(TransportProtocol::Udp),
        Protocol::Sctp => None,
    }
}
