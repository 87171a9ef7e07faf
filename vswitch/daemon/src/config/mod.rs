//! What the daemon is told at its start: flags, environment, file and defaults.

mod nat;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use vswitch_ipam::BasePool;
use vswitch_netio::InterfaceName;
use vswitch_plugin::discovery::Discovery;

pub use nat::NatSettings;

use nat::NatTable;

/// Everything that is set before the daemon starts. A flag wins over the environment, that over the
/// file, and that over the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The API's socket.
    pub socket: PathBuf,
    /// The folder of the state file.
    pub state_dir: PathBuf,
    /// The socket at which Docker finds a network and IPAM driver; `None` without one.
    pub docker_plugin: Option<PathBuf>,
    /// Where somebody else's drivers are looked for.
    pub plugins: Discovery,
    /// How many threads forward frames; each TAP has as many queues.
    pub workers: NonZeroUsize,
    /// The nice value of those threads, -20 to 19.
    pub worker_nice: i32,
    /// The MTU of networks that set none; without it 1500, or the uplink's if that is smaller.
    pub mtu: Option<u16>,
    /// Where the outside is.
    pub uplink: Uplink,
    /// Where Prometheus may scrape, over HTTP.
    pub metrics: Option<SocketAddr>,
    /// Which events are logged, as [`tracing_subscriber::EnvFilter`] reads it.
    pub log: String,
    /// How they are written.
    pub log_format: LogFormat,
    /// Blocks that subnets are taken from when none is given; empty for Docker's.
    pub default_address_pools: Vec<BasePool>,
    /// Where ports are published when neither the command nor the network says; without it on all
    /// addresses.
    pub default_publish_address: Option<IpAddr>,
    /// Translation.
    pub nat: NatSettings,
}

/// The interfaces that lead outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Uplink {
    /// Those of the host's default routes.
    #[default]
    Auto,
    /// None: networks are islands.
    None,
    /// These.
    Interfaces(Vec<InterfaceName>),
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The command line of `vswitchd`.
#[derive(Debug, Clone, Default, Parser)]
#[command(
    name = "vswitchd",
    version,
    about = "A userspace switch for container networks",
    args_override_self = true
)]
pub struct Flags {
    /// Configuration file (TOML); flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Socket of the API [default: /run/vswitch/vswitchd.sock]
    #[arg(long, value_name = "PATH", env = "VSWITCH_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Folder of the state file [default: /var/lib/vswitch]
    #[arg(long, value_name = "DIR", env = "VSWITCH_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Socket at which Docker finds the driver that has its file's name, or none
    /// [default: /run/docker/plugins/vswitch.sock, and none with a --socket of one's own]
    #[arg(long, value_name = "PATH|none", env = "VSWITCH_DOCKER_PLUGIN")]
    pub docker_plugin: Option<DockerPlugin>,
    /// Threads that forward frames [default: one per processor, 4 at most]
    #[arg(long, value_name = "N")]
    pub workers: Option<Workers>,
    /// Interfaces that lead outside: auto, none, or names separated by commas [default: auto]
    #[arg(long, value_name = "auto|none|IFACE[,IFACE...]")]
    pub uplink: Option<Uplink>,
    /// Address on which Prometheus may scrape [default: none]
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
    /// What is logged, such as info or vswitchd=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// How it is logged [default: text]
    #[arg(long, value_enum, value_name = "text|json")]
    pub log_format: Option<LogFormat>,
}

/// Where Docker finds the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerPlugin {
    /// Nowhere.
    None,
    /// At this socket.
    Socket(PathBuf),
}

/// How many threads forward frames: 1 to [`Workers::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub struct Workers(NonZeroUsize);

/// The configuration file's keys.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    socket: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    docker_plugin: Option<DockerPlugin>,
    plugin_sockets: Option<PathBuf>,
    plugin_specs: Option<Vec<PathBuf>>,
    workers: Option<Workers>,
    worker_nice: Option<Nice>,
    mtu: Option<Mtu>,
    uplink: Option<Uplink>,
    metrics: Option<SocketAddr>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    default_address_pools: Vec<AddressPool>,
    default_publish_address: Option<IpAddr>,
    #[serde(default)]
    nat: NatTable,
}

/// `{ base = "10.0.0.0/8", size = 24 }`, as in Docker's `daemon.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressPoolKeys {
    base: IpNet,
    size: u8,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "AddressPoolKeys")]
struct AddressPool(BasePool);

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Nice(i32);

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Mtu(u16);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says what is not understood.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
}

/// Frames are forwarded by one thread per processor, but no more than this unless told: two keep up with the
/// memory bus, and every thread costs a queue per TAP.
const DEFAULT_WORKERS_MAX: usize = 4;

/// Where a daemon listens that is the only one on its machine.
const SOCKET: &str = "/run/vswitch/vswitchd.sock";

/// Where Docker looks for the driver `vswitch` (`pkg/plugins/discovery.go`).
const DOCKER_PLUGIN: &str = "/run/docker/plugins/vswitch.sock";

impl Config {
    /// From the command line, and the file that it names.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and the line.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        Ok(Self::merge(flags, file))
    }

    fn merge(flags: Flags, file: File) -> Self {
        let workers = flags.workers.or(file.workers);
        let socket = flags.socket.or(file.socket);
        let socket = socket.unwrap_or_else(|| SOCKET.into());
        let docker_plugin = match flags.docker_plugin.or(file.docker_plugin) {
            Some(DockerPlugin::Socket(path)) => Some(path),
            // Several daemons on one machine cannot all be Docker's driver `vswitch`.
            None if socket == Path::new(SOCKET) => Some(DOCKER_PLUGIN.into()),
            Some(DockerPlugin::None) | None => None,
        };
        Self {
            socket,
            docker_plugin,
            state_dir: flags
                .state_dir
                .or(file.state_dir)
                .unwrap_or_else(|| "/var/lib/vswitch".into()),
            plugins: plugins(file.plugin_sockets, file.plugin_specs),
            workers: workers.map_or_else(default_workers, |Workers(count)| count),
            worker_nice: file.worker_nice.map_or(DEFAULT_NICE, |Nice(nice)| nice),
            mtu: file.mtu.map(|Mtu(mtu)| mtu),
            uplink: flags.uplink.or(file.uplink).unwrap_or_default(),
            metrics: flags.metrics.or(file.metrics),
            log: flags.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            default_address_pools: file
                .default_address_pools
                .into_iter()
                .map(|AddressPool(pool)| pool)
                .collect(),
            default_publish_address: file.default_publish_address,
            nat: file.nat.settings(),
        }
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            ConfigError::Invalid {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                message: error.message().lines().collect::<Vec<_>>().join(", "),
            }
        })
    }
}

/// Docker's folders, but for those that are given.
fn plugins(sockets: Option<PathBuf>, specs: Option<Vec<PathBuf>>) -> Discovery {
    let dockers = Discovery::default();
    Discovery {
        sockets: sockets.unwrap_or(dockers.sockets),
        specs: specs.unwrap_or(dockers.specs),
    }
}

/// Workers yield to the containers: the bursts they read are longer then, so more is joined, and a
/// flood is shed in the TAP's queue, before a copy was paid for.
const DEFAULT_NICE: i32 = 10;

fn default_workers() -> NonZeroUsize {
    let processors = vswitch_netio::thread::affinity().map_or(1, |cpus| cpus.len());
    NonZeroUsize::new(processors.min(DEFAULT_WORKERS_MAX)).unwrap_or(NonZeroUsize::MIN)
}

impl Workers {
    /// One queue per worker is all that a TAP can have.
    pub const MAX: usize = vswitch_netio::tap::MAX_QUEUES;
}

impl TryFrom<usize> for Workers {
    type Error = String;

    fn try_from(count: usize) -> Result<Self, String> {
        NonZeroUsize::new(count)
            .filter(|count| count.get() <= Self::MAX)
            .map(Self)
            .ok_or_else(|| format!("{count} workers: choose 1 to {}", Self::MAX))
    }
}

impl FromStr for Workers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count: usize = text
            .parse()
            .map_err(|_| format!("not a number of threads: choose 1 to {}", Self::MAX))?;
        Self::try_from(count)
    }
}

impl TryFrom<i64> for Nice {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        i32::try_from(value)
            .ok()
            .filter(|nice| (-20..=19).contains(nice))
            .map(Self)
            .ok_or_else(|| format!("nice value {value}: choose -20 to 19"))
    }
}

impl TryFrom<i64> for Mtu {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        u16::try_from(value)
            .ok()
            .filter(|mtu| *mtu >= 68)
            .map(Self)
            .ok_or_else(|| format!("MTU {value}: choose 68 to 65535"))
    }
}

impl TryFrom<AddressPoolKeys> for AddressPool {
    type Error = String;

    fn try_from(keys: AddressPoolKeys) -> Result<Self, String> {
        BasePool::new(keys.base, keys.size)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl FromStr for DockerPlugin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            path if Path::new(path).is_absolute() => Ok(Self::Socket(path.into())),
            other => Err(format!(
                "{other:?} is neither none nor an absolute path, such as {DOCKER_PLUGIN}"
            )),
        }
    }
}

impl FromStr for Uplink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            names => names
                .split(',')
                .map(|name| name.parse().map_err(|error| format!("{error}")))
                .collect::<Result<_, _>>()
                .map(Self::Interfaces),
        }
    }
}

impl<'de> Deserialize<'de> for DockerPlugin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Uplink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Interfaces(names) => {
                for (place, name) in names.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{name}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, String> {
        File::parse(Path::new("v.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn without_flags_and_file_the_defaults_hold() {
        let config = Config::load(Flags::default()).unwrap();
        assert_eq!(config.socket, Path::new("/run/vswitch/vswitchd.sock"));
        assert_eq!(config.state_dir, Path::new("/var/lib/vswitch"));
        assert_eq!(config.docker_plugin, Some(DOCKER_PLUGIN.into()));
        assert!((1..=4).contains(&config.workers.get()));
        assert_eq!(config.uplink, Uplink::Auto);
        assert_eq!((config.mtu, config.metrics), (None, None));
        assert_eq!(
            (config.log.as_str(), config.log_format),
            ("info", LogFormat::Text)
        );
    }

    #[test]
    fn every_key_is_read() {
        let file = parse(
            r#"
            socket = "/s"
            state-dir = "/d"
            docker-plugin = "/p"
            plugin-sockets = "/ps"
            plugin-specs = ["/e", "/u"]
            workers = 3
            worker-nice = 10
            mtu = 1400
            uplink = "eth0,eth1"
            metrics = "127.0.0.1:9100"
            log = "debug"
            log-format = "json"
            default-address-pools = [{ base = "10.10.0.0/16", size = 24 }]
            default-publish-address = "127.0.0.1"
            [nat]
            max-sessions = 1000
            "#,
        )
        .unwrap();
        let config = Config::merge(Flags::default(), file);
        let names = ["eth0", "eth1"].map(|name| name.parse().unwrap());
        assert_eq!(
            config,
            Config {
                socket: "/s".into(),
                state_dir: "/d".into(),
                docker_plugin: Some("/p".into()),
                plugins: Discovery {
                    sockets: "/ps".into(),
                    specs: vec!["/e".into(), "/u".into()],
                },
                workers: NonZeroUsize::new(3).unwrap(),
                worker_nice: 10,
                mtu: Some(1400),
                uplink: Uplink::Interfaces(names.into()),
                metrics: Some("127.0.0.1:9100".parse().unwrap()),
                log: "debug".to_owned(),
                log_format: LogFormat::Json,
                default_address_pools: vec![
                    BasePool::new("10.10.0.0/16".parse().unwrap(), 24).unwrap()
                ],
                default_publish_address: Some("127.0.0.1".parse().unwrap()),
                nat: NatSettings {
                    max_sessions: 1000,
                    ..NatSettings::default()
                },
            }
        );
        assert_eq!(config.uplink.to_string(), "eth0,eth1");
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = parse("socket = \"/file\"\nworkers = 7\nlog = \"warn\"\nuplink = \"auto\"");
        let flags = Flags::parse_from([
            "vswitchd",
            "--socket",
            "/flag",
            "--workers",
            "2",
            "--uplink",
            "none",
        ]);
        let config = Config::merge(flags, file.unwrap());
        assert_eq!(config.socket, Path::new("/flag"));
        // With a socket of its own, it is one of several daemons.
        assert_eq!(config.docker_plugin, None);
        assert_eq!(config.plugins, Discovery::default());
        assert_eq!(config.workers.get(), 2);
        assert_eq!(config.uplink, Uplink::None);
        assert_eq!(config.log, "warn");
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let table = [
            ("\n\nwrokers = 2\n", "v.toml:3: unknown field `wrokers`"),
            ("mtu = 1400\nmtu = 1400", "v.toml:2: duplicate key"),
            ("workers = 0", "v.toml:1: 0 workers: choose 1 to 256"),
            ("\nworkers = 257", "v.toml:2: 257 workers"),
            ("worker-nice = 20", "v.toml:1: nice value 20"),
            ("mtu = 67", "v.toml:1: MTU 67: choose 68 to 65535"),
            ("mtu = 65536", "v.toml:1: MTU 65536"),
            ("uplink = \"a/b\"", "v.toml:1: interface name \"a/b\""),
            (
                "docker-plugin = \"vswitch\"",
                "v.toml:1: \"vswitch\" is neither none nor an absolute path",
            ),
            ("metrics = \"9100\"", "v.toml:1: invalid socket address"),
            ("log-format = \"xml\"", "v.toml:1: unknown variant `xml`"),
            ("log = [", "v.toml:1: "),
            (
                "mtu = 1400\n[[default-address-pools]]\nbase = \"10.0.0.0/8\"\nsize = 4",
                "v.toml:",
            ),
            (
                "default-address-pools = [{ base = \"10.0.0.0/8\", sise = 4 }]",
                "v.toml:1: unknown field `sise`",
            ),
        ];
        for (text, expected) in table {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
            assert!(!error.contains('\n'), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let flags = Flags {
            config: Some("/nowhere/v.toml".into()),
            ..Flags::default()
        };
        let error = Config::load(flags).unwrap_err().to_string();
        assert!(error.contains("/nowhere/v.toml"), "{error}");
    }

    #[test]
    fn impossible_flags_are_wrong_usage() {
        for arguments in [
            ["--workers", "0"],
            ["--workers", "many"],
            ["--uplink", "a b"],
            ["--metrics", "here"],
            ["--log-format", "xml"],
        ] {
            let line = ["vswitchd"].into_iter().chain(arguments);
            assert!(Flags::try_parse_from(line).is_err(), "{arguments:?}");
        }
    }
}
