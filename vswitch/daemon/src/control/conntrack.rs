//! The sessions of translation: shown, and ended by hand.

use vswitch_api as api;
use vswitch_cnm::{Endpoint, NetworkId, SandboxKey};
use vswitch_nat::{Protocol, SessionRow, State};
use vswitch_netio::clock;

use super::{Control, ControlError, convert};

/// Whose sessions are meant.
struct Whose {
    network: Option<NetworkId>,
    sandbox: Option<SandboxKey>,
}

impl Whose {
    fn fits(&self, endpoint: &Endpoint) -> bool {
        self.network
            .is_none_or(|network| network == endpoint.network)
            && self
                .sandbox
                .as_ref()
                .is_none_or(|sandbox| endpoint.is_in(sandbox))
    }
}

impl Control {
    /// The sessions there are.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network or sandbox.
    pub fn conntrack(
        &self,
        query: &api::ConntrackQuery,
    ) -> Result<Vec<api::Session>, ControlError> {
        let whose = self.whose(query.network.as_deref(), query.sandbox.as_deref())?;
        let rows = self.dataplane.nat().sessions(clock::now());
        let mut sessions: Vec<api::Session> = rows
            .iter()
            .filter_map(|row| {
                let endpoint = self
                    .model
                    .endpoint(self.dataplane.endpoint_of(row.owner)?)?;
                let network = self.network_name(endpoint.network)?;
                whose
                    .fits(endpoint)
                    .then(|| session(row, endpoint, network))
            })
            .filter(|session| session.fits(query))
            .collect();
        sessions.sort_by(|a, b| {
            let order = |s: &api::Session| (s.protocol, s.inside, s.remote);
            (&a.network, &a.sandbox)
                .cmp(&(&b.network, &b.sandbox))
                .then_with(|| order(a).cmp(&order(b)))
        });
        Ok(sessions)
    }

    /// Ends sessions. Conversations that go on begin new ones.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network or sandbox, [`ControlError::Request`] if
    /// nothing is named.
    pub fn flush_conntrack(&self, query: &api::FlushQuery) -> Result<(), ControlError> {
        let named = query.network.is_some() || query.sandbox.is_some();
        if named == query.all {
            let what = "say whose sessions are to end: a network, a sandbox, or all";
            return Err(ControlError::Request(what.to_owned()));
        }
        let whose = self.whose(query.network.as_deref(), query.sandbox.as_deref())?;
        let endpoints = self.model.endpoints().filter(|e| whose.fits(e));
        for owner in endpoints.filter_map(|endpoint| self.dataplane.owner(endpoint.id)) {
            self.dataplane.nat().forget_owner(owner);
        }
        Ok(())
    }

    /// What translation has done so far.
    #[must_use]
    pub fn nat_stats(&self) -> api::NatStats {
        let counts = self.dataplane.nat().counts();
        api::NatStats {
            sessions: counts.sessions,
            mappings: counts.mappings,
            held_fragments: counts.held_fragments,
            lost_fragments: counts.lost_fragments,
            created: counts.created,
            expired: counts.expired,
            evicted: counts.evicted,
            refused: counts.refused,
        }
    }

    fn whose(&self, network: Option<&str>, sandbox: Option<&str>) -> Result<Whose, ControlError> {
        let sandbox = sandbox
            .map(|sandbox| {
                let key: SandboxKey = sandbox.parse().map_err(vswitch_cnm::Error::from)?;
                let key = self.known_as(key);
                match self.model.sandbox(&key) {
                    Some(_) => Ok(key),
                    None => Err(ControlError::NothingNamed(sandbox.to_owned())),
                }
            })
            .transpose()?;
        Ok(Whose {
            network: self.network_id(network)?,
            sandbox,
        })
    }
}

fn session(row: &SessionRow, endpoint: &Endpoint, network: String) -> api::Session {
    api::Session {
        network,
        sandbox: convert::sandbox(endpoint),
        protocol: match row.tuple.protocol {
            Protocol::Tcp => api::SessionProtocol::Tcp,
            Protocol::Udp => api::SessionProtocol::Udp,
            Protocol::Sctp => api::SessionProtocol::Sctp,
            Protocol::Echo => api::SessionProtocol::Icmp,
            Protocol::Other(number) => api::SessionProtocol::Other(number),
        },
        state: match row.state {
            State::Unreplied => api::SessionState::Unreplied,
            State::Established => api::SessionState::Established,
            State::Closing => api::SessionState::Closing,
            State::Transitory => api::SessionState::Transitory,
        },
        inside: row.tuple.inside,
        external: row.external,
        remote: row.tuple.remote,
        idle: row.idle.as_secs(),
        left: row.left.as_secs(),
    }
}
