//! The client against servers that answer well, refuse, talk nonsense, or are not there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use vswitch_api::{
    Attach, Client, ClientError, ConntrackQuery, FlushQuery, NetworkCreate, Publish, Remote,
    SandboxCreate, SessionProtocol, SessionState,
};

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("vswitchd.sock");
    (directory, socket)
}

/// A server that gives every request the same answer, and what it was asked.
struct Server {
    _directory: TempDir,
    client: Client,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(status: u16, answer: &'static str) -> Self {
        let (directory, socket) = place();
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let log = Arc::clone(&log);
                let service = service_fn(move |request: Request<Incoming>| {
                    let log = Arc::clone(&log);
                    async move {
                        let line = format!("{} {}", request.method(), request.uri());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let body = String::from_utf8(body.to_vec()).unwrap();
                        log.lock().unwrap().push(format!("{line} {body}"));
                        let mut response = Response::new(Full::new(Bytes::from(answer)));
                        *response.status_mut() = status.try_into().unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            _directory: directory,
            client: Client::new(socket),
            asked,
        }
    }

    /// The only request so far.
    fn asked(&self) -> String {
        let mut asked = self.asked.lock().unwrap();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

/// A server that sends some bytes to whoever connects, and hangs up.
fn babble(bytes: &'static [u8]) -> (TempDir, Client) {
    let (directory, socket) = place();
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        stream.write_all(bytes).await.unwrap();
    });
    (directory, Client::new(socket))
}

#[tokio::test]
async fn requests_are_those_of_the_interface() {
    let server = Server::start(204, "");
    let client = &server.client;
    client.remove_network("web", false).await.unwrap();
    assert_eq!(server.asked(), "DELETE /v1/networks/web ");
    client.remove_network("web", true).await.unwrap();
    assert_eq!(server.asked(), "DELETE /v1/networks/web?force=true ");
    client.detach("web", "/run/netns/a").await.unwrap();
    assert_eq!(
        server.asked(),
        "DELETE /v1/networks/web/endpoints?sandbox=%2Frun%2Fnetns%2Fa "
    );
    client.remove_sandbox("a b").await.unwrap();
    assert_eq!(server.asked(), "DELETE /v1/sandboxes/a%20b ");
    let flush = |network: Option<&str>, all| FlushQuery {
        network: network.map(str::to_owned),
        all,
        ..FlushQuery::default()
    };
    client
        .flush_conntrack(&flush(Some("web"), false))
        .await
        .unwrap();
    assert_eq!(server.asked(), "DELETE /v1/conntrack?network=web ");
    client.flush_conntrack(&flush(None, true)).await.unwrap();
    assert_eq!(server.asked(), "DELETE /v1/conntrack?all=true ");
}

#[tokio::test]
async fn vteps_and_what_is_behind_them_belong_to_a_network() {
    let server = Server::start(201, "");
    let client = &server.client;
    let address = "2001:db8::2".parse().unwrap();
    client.add_vtep("wide", address).await.unwrap();
    assert_eq!(
        server.asked(),
        r#"POST /v1/networks/wide/vteps {"address":"2001:db8::2"}"#
    );
    client.remove_vtep("wide", address).await.unwrap();
    assert_eq!(
        server.asked(),
        "DELETE /v1/networks/wide/vteps/2001%3Adb8%3A%3A2 "
    );
    let remote = Remote {
        network: None,
        mac: "02:42:0a:14:00:80".to_owned(),
        vtep: "192.0.2.2".parse().unwrap(),
        addresses: vec!["10.20.0.128".parse().unwrap()],
    };
    client.add_remote("wide", &remote).await.unwrap();
    assert_eq!(
        server.asked(),
        r#"POST /v1/networks/wide/remotes {"mac":"02:42:0a:14:00:80","vtep":"192.0.2.2","addresses":["10.20.0.128"]}"#
    );
    client.remove_remote("wide", &remote.mac).await.unwrap();
    assert_eq!(
        server.asked(),
        "DELETE /v1/networks/wide/remotes/02%3A42%3A0a%3A14%3A00%3A80 "
    );
}

#[tokio::test]
async fn lists_are_asked_for_whole_or_in_part() {
    let server = Server::start(200, "[]");
    let client = &server.client;
    assert!(client.networks().await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/networks ");
    assert!(client.sandboxes().await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/sandboxes ");
    assert!(client.fdb(None).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/fdb ");
    assert!(client.fdb(Some("web")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/fdb?network=web ");
    assert!(client.neighbours(Some("web")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/neighbours?network=web ");
    assert!(client.routes().await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/routes ");
    assert!(client.stats(Some("blue/eth0")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/stats?of=blue%2Feth0 ");
    assert!(client.ports(Some("web")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/ports?network=web ");
    assert!(client.vteps(None).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/vteps ");
    assert!(client.remotes(Some("wide")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/remotes?network=wide ");
    assert!(client.leases(None).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/leases ");
    assert!(client.leases(Some("lan")).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/leases?network=lan ");
    let all = ConntrackQuery::default();
    assert!(client.conntrack(&all).await.unwrap().is_empty());
    assert_eq!(server.asked(), "GET /v1/conntrack ");
    let some = ConntrackQuery {
        network: Some("web".to_owned()),
        sandbox: Some("pid:7".to_owned()),
        protocol: Some(SessionProtocol::Tcp),
        state: Some(SessionState::Established),
    };
    assert!(client.conntrack(&some).await.unwrap().is_empty());
    assert_eq!(
        server.asked(),
        "GET /v1/conntrack?network=web&sandbox=pid%3A7&protocol=tcp&state=established "
    );
}

#[tokio::test]
async fn ports_are_published_at_the_endpoint() {
    let server = Server::start(200, "[]");
    let request = Publish {
        ports: vec!["8080:80".to_owned()],
    };
    let client = &server.client;
    client.publish("web", "blue", &request).await.unwrap();
    assert_eq!(
        server.asked(),
        r#"POST /v1/networks/web/endpoints/blue/publish {"ports":["8080:80"]}"#
    );
    client
        .unpublish("web", "/proc/7/ns/net", &request)
        .await
        .unwrap();
    assert_eq!(
        server.asked(),
        r#"POST /v1/networks/web/endpoints/%2Fproc%2F7%2Fns%2Fnet/unpublish {"ports":["8080:80"]}"#
    );
}

#[tokio::test]
async fn what_is_made_is_sent_as_json() {
    let server = Server::start(201, r#"{"id":"ab"}"#);
    let created = server
        .client
        .create_network(&NetworkCreate::new("web"))
        .await;
    assert_eq!(created.unwrap().id, "ab");
    let asked = server.asked();
    assert!(
        asked.starts_with(r#"POST /v1/networks {"name":"web","driver":"bridge","#),
        "{asked}"
    );

    let server = Server::start(
        201,
        r#"{"id":"ab","network":"web","sandbox":"blue","ifname":null,"mac":null,"addresses":[],
            "gateway":null,"gateway6":null}"#,
    );
    let attach = Attach {
        sandbox: "blue".to_owned(),
        ..Attach::default()
    };
    assert_eq!(server.client.attach("web", &attach).await.unwrap().id, "ab");
    assert_eq!(
        server.asked(),
        r#"POST /v1/networks/web/endpoints {"sandbox":"blue","gateway_priority":0}"#
    );

    let server = Server::start(201, r#"{"name":"a","owned":true,"netns":7,"endpoints":[]}"#);
    let request = SandboxCreate {
        name: "a".to_owned(),
    };
    assert!(server.client.create_sandbox(&request).await.unwrap().owned);
    assert_eq!(server.asked(), r#"POST /v1/sandboxes {"name":"a"}"#);
    assert_eq!(server.client.sandbox("pid:7").await.unwrap().netns, Some(7));
    assert_eq!(server.asked(), "GET /v1/sandboxes/pid%3A7 ");
}

#[tokio::test]
async fn a_refusal_is_in_the_daemons_words() {
    let server = Server::start(
        404,
        r#"{"error":{"code":"network_not_found","message":"no network named web: vsctl ls"}}"#,
    );
    let error = server.client.network("web").await.unwrap_err();
    assert_eq!(error.to_string(), "no network named web: vsctl ls");
    assert_eq!(error.code(), Some("network_not_found"));
    assert!(matches!(error, ClientError::Refused { status: 404, .. }));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed() {
    for (status, answer) in [
        (200, "<html>"),
        (200, "{}"),
        (200, ""),
        (500, "oops"),
        (404, ""),
    ] {
        let server = Server::start(status, answer);
        let error = server.client.networks().await.unwrap_err();
        assert!(
            matches!(error, ClientError::Malformed { .. }),
            "{answer}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains("did not answer as vswitchd does"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[tokio::test]
async fn something_that_is_not_http_is_malformed() {
    let (_directory, client) = babble(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
    let error = client.version().await.unwrap_err();
    assert!(matches!(error, ClientError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_daemon_that_ends_before_its_answer_is_told_so() {
    for begun in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n["] {
        let (_directory, client) = babble(begun);
        let error = client.networks().await.unwrap_err();
        assert!(matches!(error, ClientError::Broken { .. }), "{error}");
        assert!(error.to_string().contains("lost the connection"), "{error}");
    }
}

#[tokio::test]
async fn without_a_socket_the_error_says_what_to_do() {
    let (_directory, socket) = place();
    let error = Client::new(&socket).version().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach vswitchd at {}: there is no such socket; is it running? start it with \
             `vswitchd`, or point --socket or VSWITCH_SOCKET at it",
            socket.display()
        )
    );
}

#[tokio::test]
async fn a_socket_that_was_left_behind_has_nobody_listening() {
    let (_directory, socket) = place();
    drop(UnixListener::bind(&socket).unwrap());
    let error = Client::new(&socket).version().await.unwrap_err();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{error}");
    assert!(
        error.to_string().contains("nobody listens there"),
        "{error}"
    );
}

#[tokio::test]
async fn the_daemon_is_known_by_its_process() {
    let server = Server::start(200, "[]");
    let pid = server.client.daemon_pid().await.unwrap();
    assert_eq!(pid, Some(std::process::id()));
}

#[tokio::test]
async fn a_client_serves_for_many_requests_at_once() {
    let server = Server::start(200, r#"{"version":"1","commit":"unknown"}"#);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let client = server.client.clone();
            tokio::spawn(async move { client.version().await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().version, "1");
    }
    assert_eq!(server.asked.lock().unwrap().len(), 50);
}
