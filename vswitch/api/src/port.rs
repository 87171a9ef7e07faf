//! How tables name a port of the switch.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A port of a switch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// Unique among the ports of its network. An endpoint's: `vs-` and 12 digits of its id; the host port's: the
    /// name of its interface (`br-…`); the router's: `gateway`. A VTEP's: `vtep-192.0.2.2`, and
    /// `vtep-192.0.2.2/4097` in a network of several segments. That of the sockets which all VTEPs of a UDP port
    /// share: `underlay-4789`, and `underlay-[2001:db8::1]:4789` where several local addresses have it. The
    /// physical network behind `eth0`, which macvlan and ipvlan networks share: `parent-eth0`.
    pub name: String,
    /// The sandbox that the port leads to; `host` for the host port and uplinks, none for the others.
    pub sandbox: Option<String>,
    /// The interface's name in there; none where there is no sandbox.
    pub ifname: Option<String>,
}

impl Port {
    /// Whether a user who writes `text` may mean this port: its name, its sandbox, or `SANDBOX/IFNAME`.
    #[must_use]
    pub fn answers_to(&self, text: &str) -> bool {
        text == self.name
            || self.sandbox.as_deref() == Some(text)
            || (self.sandbox.is_some() && self.ifname.is_some() && text == self.to_string())
    }
}

/// `SANDBOX/IFNAME` where there is a sandbox, else the port's name.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.sandbox, &self.ifname) {
            (Some(sandbox), Some(ifname)) => write!(f, "{sandbox}/{ifname}"),
            _ => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(sandbox: Option<&str>, ifname: Option<&str>) -> Port {
        Port {
            name: "vs-0123456789ab".to_owned(),
            sandbox: sandbox.map(str::to_owned),
            ifname: ifname.map(str::to_owned),
        }
    }

    #[test]
    fn a_port_is_shown_by_where_it_leads() {
        assert_eq!(port(Some("web"), Some("eth0")).to_string(), "web/eth0");
        assert_eq!(port(None, None).to_string(), "vs-0123456789ab");
        assert_eq!(port(Some("web"), None).to_string(), "vs-0123456789ab");
    }

    #[test]
    fn a_vtep_is_shown_by_its_address() {
        let vtep = Port {
            name: "vtep-192.0.2.2/4097".to_owned(),
            sandbox: None,
            ifname: None,
        };
        assert_eq!(vtep.to_string(), "vtep-192.0.2.2/4097");
        assert!(vtep.answers_to("vtep-192.0.2.2/4097"));
        assert!(!vtep.answers_to("vtep-192.0.2.2"));
    }

    #[test]
    fn a_port_answers_to_its_names_and_to_nothing_else() {
        let web = port(Some("web"), Some("eth0"));
        for name in ["vs-0123456789ab", "web", "web/eth0"] {
            assert!(web.answers_to(name), "{name}");
        }
        for name in ["", "eth0", "web/", "web/eth1", "vs-", "WEB"] {
            assert!(!web.answers_to(name), "{name}");
        }
        assert!(!port(None, None).answers_to("web"));
    }
}
