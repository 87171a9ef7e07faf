//! An address for a time.

use std::net::Ipv4Addr;
use std::time::Duration;

use vswitch_packet::Moment;

/// An address that a server gave for a time. What a server says is made consistent before it becomes one: unless
/// the lease never ends, `renew_after < rebind_after < seconds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A unicast address.
    pub address: Ipv4Addr,
    /// Of the subnet it is in: 1 to 32.
    pub prefix_len: u8,
    /// Where the default route leads, if there is one.
    pub router: Option<Ipv4Addr>,
    /// The server's identifier, and where to ask for renewal.
    pub server: Ipv4Addr,
    /// Name servers, the best first.
    pub dns: Vec<Ipv4Addr>,
    /// When it was asked for. All times count from then (RFC 2131 §4.4.1).
    pub obtained: Moment,
    /// How long it lasts, in seconds, or [`Lease::INFINITE`].
    pub seconds: u32,
    /// T1: when to ask its server for more time, in seconds.
    pub renew_after: u32,
    /// T2: when to ask any server, in seconds.
    pub rebind_after: u32,
}

impl Lease {
    /// `seconds` of a lease that never ends (RFC 2131 §3.3).
    pub const INFINITE: u32 = u32::MAX;

    /// The shortest lease, in seconds. With a shorter one, a client would do nothing but renew; dhcpcd has the same
    /// limit (`DHCP_MIN_LEASE`).
    pub const SHORTEST: u32 = 20;

    /// When the address must not be used any more; `None` if never.
    #[must_use]
    pub fn expires(&self) -> Option<Moment> {
        self.after(self.seconds)
    }

    /// T1 as a time; `None` if never.
    #[must_use]
    pub fn renews(&self) -> Option<Moment> {
        self.after(self.renew_after)
    }

    /// T2 as a time; `None` if never.
    #[must_use]
    pub fn rebinds(&self) -> Option<Moment> {
        self.after(self.rebind_after)
    }

    /// The same lease on another clock, where it is `now`, and `elapsed` seconds old. The clock may have begun
    /// after the lease did (a boot), so what is over is taken away from its times.
    #[must_use]
    pub fn resumed(self, elapsed: u64, now: Moment) -> Self {
        if self.seconds == Self::INFINITE {
            return Self {
                obtained: now,
                ..self
            };
        }
        let elapsed = u32::try_from(elapsed).unwrap_or(u32::MAX);
        Self {
            obtained: now,
            seconds: self.seconds.saturating_sub(elapsed),
            renew_after: self.renew_after.saturating_sub(elapsed),
            rebind_after: self.rebind_after.saturating_sub(elapsed),
            ..self
        }
    }

    fn after(&self, seconds: u32) -> Option<Moment> {
        let ends = self.seconds != Self::INFINITE;
        ends.then(|| self.obtained + Duration::from_secs(seconds.into()))
    }
}

/// No renewal sooner than that after the one before, in seconds, whatever the server says.
const SOONEST_RENEWAL: u32 = 5;

/// Lease time, T1 and T2 in seconds, of what a server says of them: 0.5 and 0.875 of the time if it is silent
/// or contradicts itself (RFC 2131 §4.4.5).
pub(crate) fn times(seconds: u32, renew: Option<u32>, rebind: Option<u32>) -> (u32, u32, u32) {
    if seconds == Lease::INFINITE {
        return (seconds, seconds, seconds);
    }
    let seconds = seconds.max(Lease::SHORTEST);
    let usual_rebind = seconds - seconds.div_ceil(8);
    let rebind = rebind
        .filter(|&rebind| rebind < seconds && rebind > SOONEST_RENEWAL)
        .unwrap_or(usual_rebind);
    let renew = renew
        .filter(|&renew| renew < rebind && renew >= SOONEST_RENEWAL)
        .unwrap_or((seconds / 2).min(rebind - 1));
    (seconds, renew, rebind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_what_the_server_says_if_that_makes_sense() {
        assert_eq!(times(3600, Some(600), Some(1200)), (3600, 600, 1200));
        assert_eq!(times(3600, None, None), (3600, 1800, 3150));
        assert_eq!(times(3600, Some(3000), Some(2000)), (3600, 1800, 2000));
        assert_eq!(times(3600, Some(600), Some(3600)), (3600, 600, 3150));
        assert_eq!(times(3600, Some(0), Some(0)), (3600, 1800, 3150));
        assert_eq!(times(1, None, None), (20, 10, 17));
        assert_eq!(times(0, Some(9), Some(3)), (20, 9, 17));
        assert_eq!(times(20, Some(4), Some(6)), (20, 5, 6));
    }

    #[test]
    fn an_infinite_lease_never_renews() {
        let (seconds, renew_after, rebind_after) = times(u32::MAX, Some(1), Some(2));
        let lease = Lease {
            seconds,
            renew_after,
            rebind_after,
            ..lease()
        };
        assert_eq!((lease.renews(), lease.rebinds()), (None, None));
        assert_eq!(lease.expires(), None);
        let later = lease.resumed(1 << 40, Moment::from_secs(5));
        assert_eq!(later.expires(), None);
    }

    #[test]
    fn a_resumed_lease_ends_when_it_would_have() {
        let now = Moment::from_secs(1000);
        let later = lease().resumed(60, now);
        assert_eq!(later.expires(), Some(Moment::from_secs(1060)));
        assert_eq!(later.renews(), Some(now));
        let over = lease().resumed(121, now);
        assert_eq!(over.expires(), Some(now));
        assert_eq!(lease().resumed(u64::MAX, now).expires(), Some(now));
    }

    fn lease() -> Lease {
        Lease {
            address: [192, 0, 2, 7].into(),
            prefix_len: 24,
            router: None,
            server: [192, 0, 2, 1].into(),
            dns: vec![],
            obtained: Moment::from_secs(7),
            seconds: 120,
            renew_after: 60,
            rebind_after: 105,
        }
    }

    proptest! {
        #[test]
        fn times_are_in_order(seconds: u32, renew: Option<u32>, rebind: Option<u32>) {
            let (seconds, renew, rebind) = times(seconds, renew, rebind);
            prop_assert!(seconds >= Lease::SHORTEST && renew >= SOONEST_RENEWAL);
            prop_assert!(seconds == Lease::INFINITE || renew < rebind && rebind < seconds);
        }
    }
}
