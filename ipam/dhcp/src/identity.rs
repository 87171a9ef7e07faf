//! Who asks for an address.

use vswitch_packet::MacAddr;

/// Who asks for an address. A server knows a client by `client_id` if there is one, by `mac` if not
/// (RFC 2131 §4.2), so it has to stay the same for as long as the address is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `chaddr`. May be another one than the frames' source.
    pub mac: MacAddr,
    /// Option 61, type octet included: 2 to 255 octets (RFC 2132 §9.14). Of another length, it is not sent.
    pub client_id: Option<Vec<u8>>,
    /// Option 12: what the server may enter in its DNS. 1 to 255 octets; of another length, it is not sent.
    pub hostname: Option<String>,
    /// Answers are to be broadcast, as a unicast frame would not find its way before the address is in use.
    pub broadcast: bool,
}

impl Identity {
    /// What may be sent of `client_id`.
    pub(crate) fn client_id(&self) -> Option<&[u8]> {
        self.client_id
            .as_deref()
            .filter(|id| (2..=255).contains(&id.len()))
    }

    /// What may be sent of `hostname`.
    pub(crate) fn hostname(&self) -> Option<&[u8]> {
        self.hostname
            .as_deref()
            .map(str::as_bytes)
            .filter(|name| (1..=255).contains(&name.len()))
    }
}
