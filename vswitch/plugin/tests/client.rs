//! The client against plugins that behave, and plugins that do not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "client")]

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;
use vswitch_plugin::client::{CallError, Plugin};
use vswitch_plugin::discovery::Address;
use vswitch_plugin::network_driver::{EndpointRef, JoinReply, OperInfoReply};
use vswitch_plugin::{Empty, Method, NETWORK_DRIVER};

/// Longer than any answer that is waited for takes.
const AMPLE: Duration = Duration::from_secs(20);

/// Long enough to be activated on a busy machine, where there shall be no further answer.
const SHORT: Duration = Duration::from_secs(2);

/// Where there is nobody to wait for.
const BRIEF: Duration = Duration::from_millis(200);

const ACTIVATION: &str = r#"{"Implements":["NetworkDriver"]}"#;

/// Reads a whole request: its head, and as many bytes as it says.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8(bytes.clone()).unwrap().to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() == length {
                return String::from_utf8(bytes).unwrap();
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{text}");
    }
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Activates itself, then lets `serve` have each further connection. Tells every request.
struct Fake {
    _folder: TempDir,
    socket: PathBuf,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Fake {
    fn new<F, S>(serve: S) -> Self
    where
        S: Fn(UnixStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("net.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (tell, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                let activate = request.starts_with("POST /Plugin.Activate ");
                tell.send(request).unwrap();
                if activate {
                    let answer = answer("200 OK", ACTIVATION);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                } else {
                    tokio::spawn(serve(stream));
                }
            }
        });
        Self {
            _folder: folder,
            socket,
            requests,
        }
    }

    /// Answers always the same.
    fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Vec<u8> = bytes.into();
        Self::new(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                // A client that has read enough is gone.
                let _ = stream.write_all(&bytes).await;
            }
        })
    }

    async fn plugin(&mut self, timeout: Duration) -> Plugin {
        let address = Address::Unix(self.socket.clone());
        let plugin = Plugin::activate("net", address, timeout).await.unwrap();
        self.requests.recv().await.unwrap();
        plugin
    }
}

fn endpoint() -> EndpointRef {
    EndpointRef {
        network_id: "n".into(),
        endpoint_id: "e".into(),
    }
}

async fn leave(plugin: &Plugin) -> Result<Empty, CallError> {
    plugin.call(Method::Leave, &endpoint()).await
}

/// What is said of a call that was answered so.
async fn error_of(bytes: impl Into<Vec<u8>>) -> CallError {
    let mut fake = Fake::answering(bytes);
    let plugin = fake.plugin(AMPLE).await;
    leave(&plugin).await.unwrap_err()
}

#[tokio::test]
async fn requests_are_written_as_docker_writes_them() {
    let mut fake = Fake::answering(answer("200 OK", r#"{"Value":{"a":1}}"#));
    let address = Address::Unix(fake.socket.clone());
    let plugin = Plugin::activate("net", address.clone(), AMPLE)
        .await
        .unwrap();
    assert!(plugin.implements(NETWORK_DRIVER));
    assert!(!plugin.implements("IpamDriver"));
    assert_eq!((plugin.name(), plugin.address()), ("net", &address));
    let request = fake.requests.recv().await.unwrap();
    let expected = [
        "POST /Plugin.Activate HTTP/1.1",
        "host: plugin.moby.localhost",
        "accept: application/vnd.docker.plugins.v1.2+json",
        "content-length: 0",
        "",
        "",
    ];
    assert_eq!(request.split("\r\n").collect::<Vec<_>>(), expected);

    let info: OperInfoReply = plugin
        .call(Method::EndpointOperInfo, &endpoint())
        .await
        .unwrap();
    assert_eq!(info.value["a"], 1);
    let request = fake.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /NetworkDriver.EndpointOperInfo HTTP/1.1\r\n"));
    assert!(!head.to_lowercase().contains("content-type"), "{head}");
    assert_eq!(body, r#"{"NetworkID":"n","EndpointID":"e"}"#);
}

#[tokio::test]
async fn a_plugin_behind_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        let answer = answer("200 OK", ACTIVATION);
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    });
    let address = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    let plugin = Plugin::activate("net", address, AMPLE).await.unwrap();
    assert!(plugin.implements(NETWORK_DRIVER));
    let request = server.await.unwrap();
    assert!(
        request.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")),
        "{request}"
    );
}

#[tokio::test]
async fn a_200_with_an_error_is_a_refusal() {
    for body in [
        r#"{"Err":"no such network"}"#,
        r#"{"Error":"no such network"}"#,
    ] {
        let error = error_of(answer("200 OK", body)).await;
        assert!(matches!(&error, CallError::Refused { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "plugin net: NetworkDriver.Leave: no such network"
        );
    }
}

#[tokio::test]
async fn every_other_status_is_a_refusal_with_what_it_says() {
    for (status, body, expected) in [
        ("500 Internal Server Error", r#"{"Err":"broken"}"#, "broken"),
        ("400 Bad Request", r#"{"Error":"broken"}"#, "broken"),
        (
            "404 Not Found",
            "404 page not found\n",
            "404 page not found (status 404 Not Found)",
        ),
        ("201 Created", "{}", "{} (status 201 Created)"),
        (
            "503 Service Unavailable",
            "",
            "status 503 Service Unavailable without a reason",
        ),
    ] {
        let error = error_of(answer(status, body)).await;
        assert!(matches!(&error, CallError::Refused { .. }), "{error}");
        let expected = format!("plugin net: NetworkDriver.Leave: {expected}");
        assert_eq!(error.to_string(), expected);
    }
    let error = error_of(answer("500 X", &"é".repeat(100_000)))
        .await
        .to_string();
    assert!(error.chars().count() < 1000, "{}", error.len());
}

#[tokio::test]
async fn a_plugin_need_not_know_of_external_connectivity() {
    let mut fake = Fake::answering(answer("404 Not Found", ""));
    let plugin = fake.plugin(AMPLE).await;
    for method in [
        Method::ProgramExternalConnectivity,
        Method::RevokeExternalConnectivity,
    ] {
        let reply: Empty = plugin.call(method, &endpoint()).await.unwrap();
        assert_eq!(reply, Empty {});
    }
    assert!(leave(&plugin).await.is_err());
}

#[tokio::test]
async fn answers_that_are_none() {
    let status = "200 OK";
    for (bytes, expected) in [
        (answer(status, ""), "the body is empty"),
        (answer(status, "hello"), "the body is not JSON"),
        (answer(status, "[]"), "a list is not an object"),
        (answer(status, r#"{"Err":7}"#), "Err: 7 is not text"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".into(), "not HTTP"),
        ("\0\u{1}\u{2}\u{3}".into(), "not HTTP"),
    ] {
        let error = error_of(bytes).await;
        assert!(matches!(&error, CallError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut fake = Fake::answering(answer(status, r#"{"Gateway":"here"}"#));
    let plugin = fake.plugin(AMPLE).await;
    let error = plugin
        .call::<_, JoinReply>(Method::Join, &endpoint())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin net did not answer NetworkDriver.Join as a plugin does: Gateway: \"here\" is not an \
         IP address"
    );
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let endless = |mut stream: UnixStream| async move {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let mut fake = Fake::new(endless);
    let plugin = fake.plugin(AMPLE).await;
    let error = leave(&plugin).await.unwrap_err();
    assert!(matches!(&error, CallError::Malformed { .. }), "{error}");
    assert!(
        error.to_string().ends_with("more than 1048576 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_plugin_that_hangs_is_left_after_the_time() {
    let silent = |stream: UnixStream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    };
    let drip = |mut stream: UnixStream| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    for mut fake in [Fake::new(silent), Fake::new(drip)] {
        let plugin = fake.plugin(SHORT).await;
        let error = leave(&plugin).await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "plugin net did not answer NetworkDriver.Leave within 2 s"
        );
        fake.requests.recv().await.unwrap();
        assert!(fake.requests.try_recv().is_err(), "asked twice");
    }
}

#[tokio::test]
async fn a_slow_answer_is_an_answer() {
    let slow = |mut stream: UnixStream| async move {
        for byte in answer("200 OK", r#"{"Value":{"slow":true}}"#).bytes() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut fake = Fake::new(slow);
    let plugin = fake.plugin(AMPLE).await;
    let info = plugin.call(Method::EndpointOperInfo, &endpoint()).await;
    let OperInfoReply { value } = info.unwrap();
    assert_eq!(value["slow"], true);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_asked_again() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"] {
        let mut fake = Fake::answering(bytes);
        let plugin = fake.plugin(AMPLE).await;
        let error = leave(&plugin).await.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. }), "{error}");
        fake.requests.recv().await.unwrap();
        assert!(fake.requests.try_recv().is_err(), "asked twice");
    }
}

#[tokio::test]
async fn an_answer_is_complete_where_its_connection_ends() {
    let mut fake = Fake::answering("HTTP/1.1 200 OK\r\n\r\n{\"Value\":{\"a\":1}}");
    let plugin = fake.plugin(AMPLE).await;
    let info = plugin.call(Method::EndpointOperInfo, &endpoint()).await;
    let OperInfoReply { value } = info.unwrap();
    assert_eq!(value["a"], 1);
}

#[tokio::test]
async fn a_plugin_that_is_restarted_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("net.sock");
    // A socket that nobody listens at, as a plugin leaves it that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let address = Address::Unix(socket.clone());
    let (activated, ()) = tokio::join!(Plugin::activate("net", address, AMPLE), async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        std::fs::remove_file(&socket).unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        let listener = UnixListener::bind(&socket).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let answer = answer("200 OK", ACTIVATION);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    assert!(activated.unwrap().implements(NETWORK_DRIVER));
}

#[tokio::test]
async fn a_plugin_that_does_not_come_is_unreachable() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("net.sock");
    let address = Address::Unix(socket.clone());
    let error = Plugin::activate("net", address.clone(), BRIEF)
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    drop(UnixListener::bind(&socket).unwrap());
    let error = Plugin::activate("net", address, BRIEF).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach plugin net at unix://{}: Connection refused (os error 111); is it running?",
            socket.display()
        )
    );
}

#[tokio::test]
async fn a_full_backlog_is_no_hang() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("net.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = UnixStream::connect(&socket).await {
        waiting.push(stream);
    }
    let error = Plugin::activate("net", Address::Unix(socket), BRIEF)
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_activation_is_no_plugin() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("net.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let answer = answer("200 OK", r#"{"Implements":"NetworkDriver"}"#);
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let address = Address::Unix(socket.clone());
    let (activated, ()) = tokio::join!(Plugin::activate("net", address, AMPLE), server);
    let error = activated.unwrap_err().to_string();
    assert!(
        error.ends_with("Implements: \"NetworkDriver\" is not a list"),
        "{error}"
    );
}
