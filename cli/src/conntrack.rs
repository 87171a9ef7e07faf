//! Connection tracking: `conntrack`.

use std::process::ExitCode;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use vswitch_api::{
    Client, ConntrackQuery, FlushQuery, NatStats, Session, SessionProtocol, SessionState,
};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};
use crate::watch;

/// Show, watch or end conversations that are translated
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").args(["network", "sandbox", "all"]).multiple(true)))]
#[command(after_help = "\
Examples:
  vsctl conntrack
  vsctl conntrack web --protocol tcp --state established
  vsctl conntrack --sandbox blue --watch
  vsctl conntrack web --sandbox blue --flush    end those of one endpoint
  vsctl conntrack --flush --all                 end all
  vsctl conntrack --stats                       how many there are and were

INSIDE is the sandbox's end, EXTERNAL what it is translated to, REMOTE the other
end. IDLE is the time since the last packet, LEFT the time until it is forgotten
without another.")]
pub(crate) struct Conntrack {
    /// Of this network only
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: Option<String>,
    /// Of this sandbox only
    #[arg(long, value_name = "SANDBOX", value_parser = NonEmptyStringValueParser::new())]
    sandbox: Option<String>,
    /// tcp, udp, sctp, icmp or an IP protocol number
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<SessionProtocol>,
    /// In this state only
    #[arg(long, value_name = "STATE", value_parser = state_parser())]
    state: Option<SessionState>,
    /// Go on, each second
    #[arg(short, long)]
    watch: bool,
    /// End them instead, those of a network, a sandbox, or both
    #[arg(
        short,
        long,
        requires = "whose",
        conflicts_with_all = ["protocol", "state", "watch"]
    )]
    flush: bool,
    /// With --flush: whosever they are
    #[arg(long, requires = "flush", conflicts_with_all = ["network", "sandbox"])]
    all: bool,
    /// Show counters instead
    #[arg(
        long,
        conflicts_with_all = ["network", "sandbox", "protocol", "state", "flush"]
    )]
    stats: bool,
}

const STATES: [SessionState; 4] = [
    SessionState::Unreplied,
    SessionState::Established,
    SessionState::Closing,
    SessionState::Transitory,
];

impl Conntrack {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        if self.flush {
            client.flush_conntrack(&self.flush_query()).await?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.stats {
            let look = async || Ok(client.nat_stats().await?);
            if self.watch {
                return watch::each_second(output, look, |stats| counters(&stats)).await;
            }
            let stats = look().await?;
            if output.is_json() {
                output.json(&stats)?;
            } else {
                output.text(&output.table(&counters(&stats)))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (watch, query) = (self.watch, self.query());
        let look = async || fetch(client, &query).await;
        if watch {
            return watch::each_second(output, look, |sessions| table(&sessions)).await;
        }
        output.rows(&look().await?, table)?;
        Ok(ExitCode::SUCCESS)
    }

    fn query(self) -> ConntrackQuery {
        ConntrackQuery {
            network: self.network,
            sandbox: self.sandbox,
            protocol: self.protocol,
            state: self.state,
        }
    }

    fn flush_query(self) -> FlushQuery {
        FlushQuery {
            network: self.network,
            sandbox: self.sandbox,
            all: self.all,
        }
    }
}

/// The conversations in an order that does not change from one time to the next.
async fn fetch(client: &Client, query: &ConntrackQuery) -> anyhow::Result<Vec<Session>> {
    let mut sessions = client.conntrack(query).await?;
    sessions.sort_by(|a, b| {
        let key = |s: &Session| (s.protocol, s.inside, s.remote, s.external);
        (&a.network, &a.sandbox, key(a)).cmp(&(&b.network, &b.sandbox, key(b)))
    });
    Ok(sessions)
}

fn state_parser() -> impl TypedValueParser<Value = SessionState> {
    PossibleValuesParser::new(STATES.map(SessionState::as_str)).try_map(|word| {
        STATES
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or("no such state")
    })
}

fn table(sessions: &[Session]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("SANDBOX", Align::Left),
        ("PROTOCOL", Align::Left),
        ("STATE", Align::Left),
        ("INSIDE", Align::Left),
        ("EXTERNAL", Align::Left),
        ("REMOTE", Align::Left),
        ("IDLE", Align::Right),
        ("LEFT", Align::Right),
    ]);
    for session in sessions {
        table.row([
            session.network.clone(),
            session.sandbox.clone(),
            session.protocol.to_string(),
            session.state.as_str().to_owned(),
            session.inside.to_string(),
            session.external.to_string(),
            session.remote.to_string(),
            cell::age(Some(session.idle)),
            cell::age(Some(session.left)),
        ]);
    }
    table
}

fn counters(stats: &NatStats) -> Table {
    let columns = [
        ("SESSIONS", stats.sessions),
        ("MAPPINGS", stats.mappings),
        ("HELD-FRAGMENTS", stats.held_fragments),
        ("LOST-FRAGMENTS", stats.lost_fragments),
        ("CREATED", stats.created),
        ("EXPIRED", stats.expired),
        ("EVICTED", stats.evicted),
        ("REFUSED", stats.refused),
    ];
    let mut table = Table::new(&columns.map(|(title, _)| (title, Align::Right)));
    table.row(columns.map(|(_, count)| count.to_string()));
    table
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(line: &str) -> Result<Conntrack, clap::Error> {
        match Cli::try_parse_from(line.split_whitespace())?.command {
            Command::Conntrack(command) => Ok(command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn filters_arrive_in_the_query() {
        let line = "vsctl conntrack web --sandbox blue --protocol 47 --state closing";
        assert_eq!(
            parse(line).unwrap().query(),
            ConntrackQuery {
                network: Some("web".to_owned()),
                sandbox: Some("blue".to_owned()),
                protocol: Some(SessionProtocol::Other(47)),
                state: Some(SessionState::Closing),
            }
        );
        let all = parse("vsctl conntrack").unwrap().query();
        assert_eq!(all, ConntrackQuery::default());
    }

    #[test]
    fn a_flush_says_of_whom() {
        let flush = parse("vsctl conntrack web --sandbox blue --flush").unwrap();
        assert_eq!(
            flush.flush_query(),
            FlushQuery {
                network: Some("web".to_owned()),
                sandbox: Some("blue".to_owned()),
                all: false,
            }
        );
        assert!(parse("vsctl conntrack -f --all").unwrap().flush_query().all);
        for line in [
            "vsctl conntrack --flush",
            "vsctl conntrack --all",
            "vsctl conntrack web --flush --all",
            "vsctl conntrack web --flush --state closing",
            "vsctl conntrack web --flush --watch",
            "vsctl conntrack web --stats",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn each_conversation_is_a_row() {
        let text = table(&[Session {
            network: "web".to_owned(),
            sandbox: "blue".to_owned(),
            protocol: SessionProtocol::Tcp,
            state: SessionState::Established,
            inside: "10.1.0.2:40000".parse().unwrap(),
            external: "192.0.2.1:40000".parse().unwrap(),
            remote: "198.51.100.7:443".parse().unwrap(),
            idle: 3,
            left: 7437,
        }])
        .plain();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows,
            [
                [
                    "NETWORK", "SANDBOX", "PROTOCOL", "STATE", "INSIDE", "EXTERNAL", "REMOTE",
                    "IDLE", "LEFT"
                ],
                [
                    "web",
                    "blue",
                    "tcp",
                    "established",
                    "10.1.0.2:40000",
                    "192.0.2.1:40000",
                    "198.51.100.7:443",
                    "3s",
                    "7437s"
                ],
            ]
        );
    }
}
