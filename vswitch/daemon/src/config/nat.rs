//! The `[nat]` table of the configuration file.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use vswitch_nat::Timeouts;

/// How much translation remembers, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatSettings {
    /// Sessions at most.
    pub max_sessions: usize,
    /// Sessions of one container at most.
    pub max_sessions_per_container: usize,
    /// How long what is silent stays.
    pub timeouts: Timeouts,
}

/// A million sessions take less than 300 MB, which are used only as sessions begin.
const MAX_SESSIONS: usize = 1_000_000;
/// One container cannot fill the table.
const MAX_SESSIONS_PER_CONTAINER: usize = 131_072;
/// What a record's number in the ledger has room for, and more than a host has memory for.
const MAX_SESSIONS_MAX: usize = 16_000_000;

impl Default for NatSettings {
    fn default() -> Self {
        Self {
            max_sessions: MAX_SESSIONS,
            max_sessions_per_container: MAX_SESSIONS_PER_CONTAINER,
            timeouts: Timeouts::default(),
        }
    }
}

/// The table's keys; times are in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct NatTable {
    max_sessions: Option<Sessions>,
    max_sessions_per_container: Option<Sessions>,
    udp_timeout: Option<Seconds>,
    tcp_established_timeout: Option<Seconds>,
    tcp_transitory_timeout: Option<Seconds>,
    sctp_established_timeout: Option<Seconds>,
    sctp_transitory_timeout: Option<Seconds>,
    icmp_timeout: Option<Seconds>,
    other_timeout: Option<Seconds>,
}

#[derive(Debug)]
struct Sessions(usize);

#[derive(Debug)]
struct Seconds(Duration);

impl NatTable {
    pub(super) fn settings(self) -> NatSettings {
        let default = NatSettings::default();
        let sessions = |given: Option<Sessions>, default| given.map_or(default, |Sessions(n)| n);
        let time = |given: Option<Seconds>, default| given.map_or(default, |Seconds(time)| time);
        let timeouts = default.timeouts;
        NatSettings {
            max_sessions: sessions(self.max_sessions, default.max_sessions),
            max_sessions_per_container: sessions(
                self.max_sessions_per_container,
                default.max_sessions_per_container,
            ),
            timeouts: Timeouts {
                udp: time(self.udp_timeout, timeouts.udp),
                tcp_established: time(self.tcp_established_timeout, timeouts.tcp_established),
                tcp_transitory: time(self.tcp_transitory_timeout, timeouts.tcp_transitory),
                sctp_established: time(self.sctp_established_timeout, timeouts.sctp_established),
                sctp_transitory: time(self.sctp_transitory_timeout, timeouts.sctp_transitory),
                echo: time(self.icmp_timeout, timeouts.echo),
                other: time(self.other_timeout, timeouts.other),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        usize::try_from(value)
            .ok()
            .filter(|sessions| (1..=MAX_SESSIONS_MAX).contains(sessions))
            .map(Self)
            .ok_or_else(|| {
                D::Error::custom(format!("{value} sessions: choose 1 to {MAX_SESSIONS_MAX}"))
            })
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WEEK: u64 = 7 * 24 * 3600;
        let value = i64::deserialize(deserializer)?;
        u64::try_from(value)
            .ok()
            .filter(|seconds| (1..=WEEK).contains(seconds))
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| D::Error::custom(format!("{value} seconds: choose 1 to {WEEK}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<NatSettings, String> {
        let table: Result<NatTable, _> = toml::from_str(text);
        table
            .map(NatTable::settings)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_not_said_is_the_standards() {
        let shortened = settings("udp-timeout = 2\nmax-sessions = 10").unwrap();
        assert_eq!(shortened.max_sessions, 10);
        assert_eq!(shortened.timeouts.udp, Duration::from_secs(2));
        let untouched = Timeouts {
            udp: Timeouts::default().udp,
            ..shortened.timeouts
        };
        assert_eq!(untouched, Timeouts::default());
    }

    #[test]
    fn impossible_numbers_are_refused() {
        for (text, expected) in [
            ("udp-timeout = 0", "0 seconds: choose 1 to 604800"),
            ("icmp-timeout = -1", "-1 seconds"),
            ("max-sessions = 0", "0 sessions: choose 1 to 16000000"),
            ("max-session = 1", "unknown field `max-session`"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
