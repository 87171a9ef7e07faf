//! A host that is a network namespace with a loopback, where "containers" have addresses of `127/8`.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use vswitch_cnm::publish::Protocol;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitchd::local_ports::{Binding, Limits, LocalPorts};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a new host.
pub(crate) fn in_a_host(body: impl FnOnce() + Send) {
    let host = Netns::create().unwrap();
    host.run(|| {
        Netlink::open().unwrap().set_up(1).unwrap();
        body();
    })
    .unwrap();
}

/// Runs a test in a new host whose ports are served with the usual limits.
pub(crate) fn with_local_ports(body: impl FnOnce(&LocalPorts) + Send) {
    in_a_host(|| {
        let ports = LocalPorts::start(Limits::default()).unwrap();
        body(&ports);
        ports.stop();
    });
}

pub(crate) fn binding(
    protocol: Protocol,
    host: &str,
    ports: RangeInclusive<u16>,
    target: Option<SocketAddr>,
) -> Binding {
    Binding {
        protocol,
        host: host.parse().unwrap(),
        ports,
        target,
    }
}

pub(crate) fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse::<IpAddr>().unwrap(), port)
}

/// A container's TCP service.
pub(crate) fn tcp_service(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(at(address, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A container's UDP service.
pub(crate) fn udp_service(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(at(address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    patient(TcpStream::connect_timeout(&to, PATIENCE).unwrap())
}

pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    SockRef::from(listener)
        .set_read_timeout(Some(PATIENCE))
        .unwrap();
    patient(listener.accept().unwrap().0)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection through a held port: the client's end and the container's.
pub(crate) fn join(to: SocketAddr, service: &TcpListener) -> (TcpStream, TcpStream) {
    let client = connect(to);
    (client, accept(service))
}

/// Has the peer see a reset.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Reads until the connection is reset, which it has to be.
pub(crate) fn assert_reset(stream: &mut TcpStream) {
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

/// Connects, and is reset at once or a moment later.
pub(crate) fn assert_refused(to: SocketAddr) {
    match TcpStream::connect_timeout(&to, PATIENCE) {
        Ok(stream) => assert_reset(&mut patient(stream)),
        // Reset before the connect was done with.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

/// A UDP client that hears only the one that it speaks to.
pub(crate) fn udp_client(to: SocketAddr) -> UdpSocket {
    let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
    let socket = UdpSocket::bind(at(any, 0)).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, from)
}

/// Waits until the condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// As many descriptors as the system allows: the tests' own ends take some too.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
