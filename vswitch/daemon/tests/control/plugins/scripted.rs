//! A plugin as the test wants it: network driver and IPAM driver, with veth pairs on a bridge of the kernel.
//! It knows what it has made, and refuses what does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

/// Where Docker's plugins are; each test has a `/run` of its own.
const FOLDER: &str = "/run/docker/plugins";

/// The bridge that endpoints are on.
const BRIDGE: &str = "fake0";

/// What a plugin does when it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// As it always does, but this is its answer.
    Instead(Value),
    /// No, and nothing is done.
    No(&'static str),
    /// Nothing, ever.
    Nothing,
    /// It does it, and then breaks off.
    Garbage,
    /// There is no such method.
    Unknown,
}

/// One call: the method without its service, and the body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) body: Value,
}

/// A plugin, as long as this lives.
pub(crate) struct Plugin {
    name: String,
    books: Arc<Mutex<Books>>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What a plugin knows.
#[derive(Debug, Default)]
pub(crate) struct Books {
    implements: Vec<&'static str>,
    script: BTreeMap<String, Says>,
    calls: Vec<Call>,
    networks: BTreeSet<String>,
    endpoints: BTreeMap<String, Endpoint>,
    pools: BTreeMap<String, BTreeSet<String>>,
    pool_options: Value,
    /// Subnets that are given where none is asked for.
    offers: Vec<&'static str>,
    given: usize,
}

#[derive(Debug, Default)]
struct Endpoint {
    joined: bool,
    programmed: bool,
}

impl Plugin {
    /// One of both kinds.
    pub(crate) fn new(name: &str) -> Self {
        Self::of(name, &["NetworkDriver", "IpamDriver"])
    }

    pub(crate) fn of(name: &str, implements: &[&'static str]) -> Self {
        let books = Books {
            implements: implements.to_vec(),
            offers: vec!["10.55.0.0/24", "10.56.0.0/24", "10.57.0.0/24"],
            ..Books::default()
        };
        let mut plugin = Self {
            name: name.to_owned(),
            books: Arc::new(Mutex::new(books)),
            running: None,
        };
        if !ip(&format!("link show {BRIDGE}")) {
            assert!(ip(&format!("link add {BRIDGE} type bridge")));
            assert!(ip(&format!("link set {BRIDGE} up")));
        }
        plugin.start();
        plugin
    }

    pub(crate) fn start(&mut self) {
        fs::create_dir_all(FOLDER).unwrap();
        let _ = fs::remove_file(self.socket());
        let listener = std::os::unix::net::UnixListener::bind(self.socket()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let books = Arc::clone(&self.books);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = UnixListener::from_std(listener).unwrap();
                let answer = move |uri: Uri, body: Bytes| answer(Arc::clone(&books), uri, body);
                let serve = axum::serve(listener, Router::new().fallback(answer));
                tokio::select! {
                    served = serve => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }

    /// Its socket stays, as when it crashed.
    pub(crate) fn stop(&mut self) {
        let (stop, thread) = self.running.take().unwrap();
        let _ = stop.send(());
        thread.join().unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        format!("{FOLDER}/{}.sock", self.name).into()
    }

    /// From now on, until told otherwise.
    pub(crate) fn when(&self, method: &str, says: Says) {
        self.books().script.insert(method.to_owned(), says);
    }

    pub(crate) fn as_ever(&self) {
        self.books().script.clear();
    }

    /// The calls since they were last asked for.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.books().calls)
    }

    /// The methods of these calls.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.method).collect()
    }

    /// The last body of a method, among the calls since they were last asked for.
    pub(crate) fn body(&self, method: &str) -> Value {
        let books = self.books();
        let calls = books.calls.iter().rev();
        let mut found = calls.filter(|call| call.method == method);
        found
            .next()
            .unwrap_or_else(|| panic!("{method} was not called"))
            .body
            .clone()
    }

    /// How many networks, endpoints, pools and addresses it has.
    pub(crate) fn has(&self) -> [usize; 4] {
        let books = self.books();
        [
            books.networks.len(),
            books.endpoints.len(),
            books.pools.len(),
            books.pools.values().map(BTreeSet::len).sum(),
        ]
    }

    pub(crate) fn pool_options(&self) -> Value {
        self.books().pool_options.clone()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.stop();
        }
    }
}

/// What the host's side of an endpoint's pair is called.
pub(crate) fn source(endpoint: &str) -> String {
    format!("fk-{}", &endpoint[..11])
}

async fn answer(books: Arc<Mutex<Books>>, uri: Uri, body: Bytes) -> (StatusCode, Json<Value>) {
    let path = uri.path().trim_start_matches('/');
    let body: Value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).unwrap(),
    };
    // Both kinds of driver have one of this name.
    let method = match path {
        "IpamDriver.GetCapabilities" => "IpamCapabilities",
        _ => path.split_once('.').unwrap().1,
    };
    let says = {
        let mut books = books.lock().unwrap();
        let method = method.to_owned();
        let says = books.script.get(&method).cloned();
        books.calls.push(Call {
            method,
            body: body.clone(),
        });
        says
    };
    let refuse = |why: &str| (StatusCode::OK, Json(json!({ "Err": why, "Error": why })));
    match says {
        Some(Says::No(why)) => return refuse(why),
        Some(Says::Nothing) => std::future::pending::<()>().await,
        Some(Says::Unknown) => return (StatusCode::NOT_FOUND, Json(Value::Null)),
        _ => {}
    }
    let done = books.lock().unwrap().act(method, &body);
    match (done, says) {
        (Err(why), _) => refuse(&why),
        (Ok(_), Some(Says::Garbage)) => (StatusCode::OK, Json(json!(["garbage"]))),
        (Ok(_), Some(Says::Instead(answer))) => (StatusCode::OK, Json(answer)),
        (Ok(answer), _) => (StatusCode::OK, Json(answer)),
    }
}

impl Books {
    fn act(&mut self, method: &str, body: &Value) -> Result<Value, String> {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (network, id) = (text("NetworkID"), text("EndpointID"));
        match method {
            "Activate" => return Ok(json!({ "Implements": self.implements })),
            "GetCapabilities" => return Ok(json!({ "Scope": "local" })),
            "IpamCapabilities" => {}
            "CreateNetwork" => {
                if !self.networks.insert(network) {
                    return Err("there is such a network".to_owned());
                }
            }
            "DeleteNetwork" => {
                if !self.endpoints.is_empty() {
                    return Err("there are endpoints".to_owned());
                }
                if !self.networks.remove(&network) {
                    return Err("no such network".to_owned());
                }
            }
            "CreateEndpoint" => {
                if !self.networks.contains(&network) {
                    return Err("no such network".to_owned());
                }
                self.endpoints.insert(id, Endpoint::default());
                return Ok(json!({ "Interface": {} }));
            }
            "DeleteEndpoint" => {
                // The interface has to be back.
                ip(&format!("link del {}", source(&id)));
                let gone = self.endpoints.remove(&id).ok_or("no such endpoint")?;
                if gone.joined || gone.programmed {
                    return Err("it has not left".to_owned());
                }
            }
            "Join" => {
                let endpoint = self.endpoints.get_mut(&id).ok_or("no such endpoint")?;
                endpoint.joined = true;
                let (source, peer) = (source(&id), format!("pk-{}", &id[..11]));
                let pair = format!("link add {source} type veth peer name {peer}");
                assert!(ip(&pair) && ip(&format!("link set {peer} master {BRIDGE} up")));
                return Ok(json!({
                    "InterfaceName": { "SrcName": source, "DstPrefix": "net" },
                    "Gateway": "10.55.0.1",
                }));
            }
            "Leave" => {
                let endpoint = self.endpoints.get_mut(&id);
                endpoint.ok_or("no such endpoint")?.joined = false;
            }
            "ProgramExternalConnectivity" | "RevokeExternalConnectivity" => {
                let endpoint = self.endpoints.get_mut(&id).ok_or("no such endpoint")?;
                endpoint.programmed = method == "ProgramExternalConnectivity";
            }
            "GetDefaultAddressSpaces" => {
                return Ok(json!({
                    "LocalDefaultAddressSpace": "fl",
                    "GlobalDefaultAddressSpace": "fg",
                }));
            }
            "RequestPool" => {
                self.pool_options = body["Options"].clone();
                return self.pool(&text("Pool"));
            }
            "ReleasePool" => {
                let left = self.pools.remove(&text("PoolID")).ok_or("no such pool")?;
                if !left.is_empty() {
                    return Err(format!("{left:?} are in use"));
                }
            }
            "RequestAddress" => return self.address(&text("PoolID"), &text("Address"), body),
            "ReleaseAddress" => {
                let pool = self.pools.get_mut(&text("PoolID"));
                if !pool.ok_or("no such pool")?.remove(&text("Address")) {
                    return Err("no such address".to_owned());
                }
            }
            other => return Err(format!("{other} is unknown")),
        }
        Ok(json!({}))
    }

    fn pool(&mut self, asked: &str) -> Result<Value, String> {
        let offers = || self.offers.iter().copied();
        let free = |subnet: &&str| !self.pools.contains_key(&format!("pool/{subnet}"));
        let subnet = match asked {
            "" => offers().find(free).ok_or("no more subnets")?.to_owned(),
            asked => asked.to_owned(),
        };
        let id = format!("pool/{subnet}");
        self.pools.insert(id.clone(), BTreeSet::new());
        Ok(json!({ "PoolID": id, "Pool": subnet, "Data": {} }))
    }

    /// The gateway is the first; containers begin at 7, so that nobody else could have chosen these.
    fn address(&mut self, id: &str, asked: &str, body: &Value) -> Result<Value, String> {
        let is_gateway = body["Options"]["RequestAddressType"] == "com.docker.network.gateway";
        let (subnet, length) = id.trim_start_matches("pool/").split_once('/').unwrap();
        let stem = subnet.trim_end_matches('0');
        let pool = self.pools.get_mut(id).ok_or("no such pool")?;
        let address = match asked {
            "" if is_gateway => format!("{stem}1"),
            "" => {
                self.given += 1;
                format!("{stem}{}", 6 + self.given)
            }
            asked => asked.to_owned(),
        };
        if !pool.insert(address.clone()) {
            return Err(format!("{address} is in use"));
        }
        Ok(json!({ "Address": format!("{address}/{length}"), "Data": {} }))
    }
}

/// Runs `ip`, and says whether it succeeded.
pub(crate) fn ip(line: &str) -> bool {
    let output = Command::new("ip").args(line.split(' ')).output().unwrap();
    output.status.success()
}
