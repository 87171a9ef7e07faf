//! The translator.

use std::net::{IpAddr, SocketAddr};

use vswitch_packet::ip::{Fragment, Version};
use vswitch_packet::{Frame, Moment};

use crate::config::{Config, Filtering};
use crate::conntrack::{Conntrack, Inbound, Step};
use crate::endpoint::Endpoint;
use crate::fragments::{Arrival, Fragments, Verdict, Way};
use crate::ledger::Record;
use crate::published::Published;
use crate::refusal::Refusal;
use crate::session::{Counts, SessionRow};
use crate::translate::error::Error;
use crate::translate::fields::{Fields, Side, set_address};
use crate::translate::packet::{self, Packet};
use crate::tuple::{Owner, Protocol, Tuple};

/// A translator, shared by all workers.
pub struct Nat {
    pub(crate) conntrack: Conntrack,
    fragments: Fragments,
}

impl std::fmt::Debug for Nat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nat").finish_non_exhaustive()
    }
}

/// How a packet leaves.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'p> {
    /// Whose it is.
    pub owner: Owner,
    /// The address it is translated to; `None` keeps its own.
    pub source: Option<IpAddr>,
    /// Who may answer.
    pub filtering: Filtering,
    /// The published ports.
    pub published: &'p Published,
    /// The port it came in at: where it is to come in again if it is held.
    pub ingress: u32,
}

/// What may begin a conversation with a container at its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Nothing: answers only.
    Answers,
    /// What [`Published::opens`], and echo requests.
    Openings,
    /// Everything.
    All,
}

/// A fragment that waited for its first one, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The port it came in at.
    pub ingress: u32,
    /// The frame, without virtio header: fragments have no unfinished work.
    pub bytes: Box<[u8]>,
}

impl Nat {
    /// An empty translator.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            fragments: Fragments::new(config.seed),
            conntrack: Conntrack::new(config),
        }
    }

    /// Translates a packet from a container to a remote endpoint: its source changes. ICMP errors
    /// are translated with the packet they are about.
    ///
    /// # Errors
    /// [`Refusal`]; the packet is unchanged.
    pub fn outbound(
        &self,
        frame: &mut Frame<'_>,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let ip = packet::header(frame)?;
        let foreign = |source: IpAddr| source.is_ipv4() != (ip.version == Version::V4);
        if way.source.is_some_and(foreign) {
            return Err(Refusal::Untranslatable);
        }
        match packet::read(frame, ip)? {
            Packet::Message { fields, step } => {
                let source = self.outbound_message(frame.bytes(), &fields, step, way, now);
                if ip.fragment == Fragment::First {
                    let verdict = source.map(|source| Verdict {
                        owner: way.owner,
                        address: source.address().into(),
                    });
                    self.fragments
                        .first(frame.bytes(), ip, Way::Outbound, verdict, now)?;
                }
                fields.set_endpoint(frame.bytes_mut(), Side::Source, source?);
            }
            Packet::Error(error) => {
                if let Some(source) = self.outbound_error(frame.bytes(), &error, way, now)? {
                    error.set_endpoint(frame.bytes_mut(), Side::Source, source);
                }
            }
            Packet::Later => {
                let arrival = Arrival {
                    bytes: frame.bytes(),
                    ingress: way.ingress,
                    owner: Some(way.owner),
                };
                let ip = *ip;
                let verdict = self.fragments.later(&ip, Way::Outbound, arrival, now)?;
                set_address(frame.bytes_mut(), &ip, Side::Source, verdict.address.into());
            }
        }
        Ok(())
    }

    /// Translates a packet from outside to one of the host's addresses: its destination changes to
    /// that of a container, whose port is the answer.
    ///
    /// A later fragment that comes before its first one is held even if it may be the host's own,
    /// who has its own copy; if it is, nothing more comes of the held one.
    ///
    /// # Errors
    /// [`Refusal`]; the packet is unchanged.
    pub fn inbound(
        &self,
        frame: &mut Frame<'_>,
        ingress: u32,
        published: &Published,
        now: Moment,
    ) -> Result<Owner, Refusal> {
        let ip = packet::header(frame)?;
        match packet::read(frame, ip)? {
            Packet::Message { fields, step } => {
                let inside = self.inbound_message(frame.bytes(), &fields, step, published, now);
                if ip.fragment == Fragment::First {
                    let verdict = inside.map(|(owner, endpoint)| Verdict {
                        owner,
                        address: endpoint.address().into(),
                    });
                    self.fragments
                        .first(frame.bytes(), ip, Way::Inbound, verdict, now)?;
                }
                let (owner, endpoint) = inside?;
                fields.set_endpoint(frame.bytes_mut(), Side::Destination, endpoint);
                Ok(owner)
            }
            Packet::Error(error) => {
                let (owner, endpoint) =
                    self.inbound_error(frame.bytes(), &error, published, now)?;
                error.set_endpoint(frame.bytes_mut(), Side::Destination, endpoint);
                Ok(owner)
            }
            Packet::Later => {
                let arrival = Arrival {
                    bytes: frame.bytes(),
                    ingress,
                    owner: None,
                };
                let ip = *ip;
                let verdict = self.fragments.later(&ip, Way::Inbound, arrival, now)?;
                set_address(
                    frame.bytes_mut(),
                    &ip,
                    Side::Destination,
                    verdict.address.into(),
                );
                Ok(verdict.owner)
            }
        }
    }

    /// Tracks a packet from outside to a container's own address, without changing it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn direct(
        &self,
        frame: &mut Frame<'_>,
        owner: Owner,
        ingress: u32,
        admit: Admit,
        published: &Published,
        now: Moment,
    ) -> Result<(), Refusal> {
        let ip = packet::header(frame)?;
        let bytes = frame.bytes();
        match packet::read(frame, ip)? {
            Packet::Message { fields, step } => {
                let tuple = Tuple::from(fields.flow(bytes, Side::Destination));
                let result = self
                    .conntrack
                    .direct(&tuple, step, owner, admit, published, now);
                if ip.fragment == Fragment::First {
                    let address = tuple.inside.ip();
                    let verdict = result.map(|()| Verdict { owner, address });
                    self.fragments.first(bytes, ip, Way::Direct, verdict, now)?;
                }
                result
            }
            Packet::Error(error) => {
                // About a packet that the container sent.
                let tuple = Tuple::from(error.quote().flow(bytes, Side::Source));
                let known = self.conntrack.external_of(&tuple, now) == Some(tuple.inside);
                if known || admit == Admit::All {
                    Ok(())
                } else {
                    Err(Refusal::NoSession)
                }
            }
            Packet::Later => {
                let arrival = Arrival {
                    bytes,
                    ingress,
                    owner: Some(owner),
                };
                let verdict = self.fragments.later(ip, Way::Direct, arrival, now);
                verdict.map(|_| ())
            }
        }
    }

    /// Whether a packet to one of the host's addresses is ours: to a published port or a mapping,
    /// or an ICMP error about a packet from one. Of later fragments, as their first one; false if
    /// that has not come.
    #[must_use]
    pub fn is_ours(&self, frame: &Frame<'_>, published: &Published) -> bool {
        let bytes = frame.bytes();
        let Ok(ip) = packet::header(frame) else {
            return false;
        };
        match packet::read(frame, ip) {
            // The host answers them itself.
            Ok(Packet::Message {
                step: Step::Query, ..
            }) => false,
            Ok(Packet::Message { fields, .. }) => {
                self.leads_inside(&fields, bytes, Side::Destination, published)
            }
            Ok(Packet::Error(error)) => {
                self.leads_inside(error.quote(), bytes, Side::Source, published)
            }
            // From a container, the first one went out on its way back in.
            Ok(Packet::Later) => [Way::Inbound, Way::Outbound]
                .iter()
                .any(|&way| self.fragments.follows(bytes, ip, way)),
            Err(_) => false,
        }
    }

    /// Whether there is anything for [`Nat::take_released`]; one relaxed load.
    #[inline]
    #[must_use]
    pub fn has_released(&self) -> bool {
        self.fragments.has_released()
    }

    /// Fragments whose first one has come: they are to come in again.
    #[must_use]
    pub fn take_released(&self) -> Vec<Held> {
        self.fragments.take_released()
    }

    /// Ends what was silent for too long, a bounded part of the table at a time. To be called once
    /// a second.
    pub fn sweep(&self, now: Moment) {
        self.conntrack.sweep(now);
        self.fragments.sweep(now);
    }

    /// Ends everything of an owner that is detached. When this returns, nothing is left.
    pub fn forget_owner(&self, owner: Owner) {
        self.conntrack.forget_owner(owner);
        self.fragments.forget_owner(owner);
    }

    /// Ends everything that is translated to an address the host has no more.
    pub fn forget_external(&self, address: IpAddr) {
        self.conntrack.forget_external(address);
        self.fragments.forget_external(address);
    }

    /// Ends the mapping at a port that the host uses itself now. True if there was one.
    pub fn forget_mapping(&self, protocol: Protocol, external: SocketAddr) -> bool {
        self.conntrack.forget_mapping(protocol, external)
    }

    /// All sessions, in no order.
    #[must_use]
    pub fn sessions(&self, now: Moment) -> Vec<SessionRow> {
        self.conntrack.sessions(now)
    }

    /// What happened so far, and how much is there now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            held_fragments: self.fragments.waiting(),
            lost_fragments: self.fragments.lost(),
            ..self.conntrack.counts()
        }
    }

    /// Takes up sessions that a former process wrote to its ledger. `owner` says whose an inside
    /// address is now. Returns how many were taken up; what is damaged, or nobody's, is left.
    pub fn restore(
        &self,
        records: impl Iterator<Item = Record>,
        owner: impl Fn(IpAddr) -> Option<Owner>,
        now: Moment,
    ) -> usize {
        self.conntrack.restore(records, owner, now)
    }

    /// What the source of a packet from inside becomes.
    #[inline]
    fn outbound_message(
        &self,
        bytes: &[u8],
        fields: &Fields,
        step: Step,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<Endpoint, Refusal> {
        let flow = fields.flow(bytes, Side::Source);
        let source = self.conntrack.leave(&flow, step, way, now)?;
        if fields.can_set_endpoint(bytes, Side::Source, source) {
            Ok(source)
        } else {
            Err(Refusal::Untranslatable)
        }
    }

    /// Where a packet to one of the host's addresses leads.
    #[inline]
    fn inbound_message(
        &self,
        bytes: &[u8],
        fields: &Fields,
        step: Step,
        published: &Published,
        now: Moment,
    ) -> Result<(Owner, Endpoint), Refusal> {
        let arrival = Inbound {
            protocol: fields.protocol,
            external: fields.endpoint(bytes, Side::Destination),
            remote: fields.remote(bytes, Side::Source),
            step,
            now,
        };
        let (owner, inside) = self.conntrack.arrive(&arrival, published)?;
        if fields.can_set_endpoint(bytes, Side::Destination, inside) {
            Ok((owner, inside))
        } else {
            Err(Refusal::Untranslatable)
        }
    }

    /// What the source of an ICMP error from inside becomes (RFC 5508 REQ-5); `None` if the packet
    /// it is about was not translated. A router inside has no address outside, so its errors come
    /// from the container's, too (REQ-5c).
    fn outbound_error(
        &self,
        bytes: &[u8],
        error: &Error,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<Option<Endpoint>, Refusal> {
        // About a packet that was delivered to the container.
        let tuple = Tuple::from(error.quote().flow(bytes, Side::Destination));
        let external = self
            .conntrack
            .external_of(&tuple, now)
            .ok_or(Refusal::NoSession)?;
        if external == tuple.inside {
            return Ok(None);
        }
        let inside =
            self.conntrack
                .inside_of(tuple.protocol, external, tuple.remote, way.published, now);
        // One container does not speak for another.
        if inside.is_some_and(|inside| inside.owner == way.owner) {
            Ok(Some(external.into()))
        } else {
            Err(Refusal::NoSession)
        }
    }

    /// Where an ICMP error to one of the host's addresses leads (RFC 5508 REQ-4).
    fn inbound_error(
        &self,
        bytes: &[u8],
        error: &Error,
        published: &Published,
        now: Moment,
    ) -> Result<(Owner, Endpoint), Refusal> {
        // About a packet that was sent from the host's address.
        let quote = error.quote();
        let external = quote.endpoint(bytes, Side::Source).into();
        let remote = quote.remote(bytes, Side::Destination).into();
        let inside = self
            .conntrack
            .inside_of(quote.protocol, external, remote, published, now);
        match inside {
            Some(inside) => Ok((inside.owner, inside.endpoint.into())),
            None if self.leads_inside(quote, bytes, Side::Source, published) => {
                Err(Refusal::NoSession)
            }
            None => Err(Refusal::NotOurs),
        }
    }

    /// Whether the endpoint at `side` is one of a mapping or a published port.
    fn leads_inside(
        &self,
        fields: &Fields,
        bytes: &[u8],
        side: Side,
        published: &Published,
    ) -> bool {
        let external = fields.endpoint(bytes, side).into();
        self.conntrack.maps(fields.protocol, external)
            || published.inside(fields.protocol, external).is_some()
    }
}
