//! DHCP options (RFC 2132), wherever in a message they are.
//!
//! smoltcp reads and writes the fixed part of a message. Its `DhcpRepr` is too narrow for the options: it
//! drops a message whose client identifier is no MAC address, a router option of several routers, options that
//! lie in other fields (52), pieces of long ones (RFC 3396) and classless routes (121).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Codes of RFC 2132, and 121 of RFC 3442.
pub(crate) mod code {
    pub(crate) const PAD: u8 = 0;
    pub(crate) const SUBNET_MASK: u8 = 1;
    pub(crate) const ROUTER: u8 = 3;
    pub(crate) const DNS: u8 = 6;
    pub(crate) const HOSTNAME: u8 = 12;
    pub(crate) const DOMAIN: u8 = 15;
    pub(crate) const MTU: u8 = 26;
    pub(crate) const REQUESTED_ADDRESS: u8 = 50;
    pub(crate) const LEASE_TIME: u8 = 51;
    pub(crate) const OVERLOAD: u8 = 52;
    pub(crate) const MESSAGE_TYPE: u8 = 53;
    pub(crate) const SERVER: u8 = 54;
    pub(crate) const PARAMETERS: u8 = 55;
    pub(crate) const MAX_SIZE: u8 = 57;
    pub(crate) const RENEWAL_TIME: u8 = 58;
    pub(crate) const REBINDING_TIME: u8 = 59;
    pub(crate) const CLIENT_ID: u8 = 61;
    pub(crate) const CLASSLESS_ROUTES: u8 = 121;
    pub(crate) const END: u8 = 255;
}

/// Where options may be in a message (RFC 2131 §2).
const SERVER_NAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
/// Behind the magic cookie.
pub(crate) const START: usize = 240;

/// The options of a message by code. Those that come several times are joined, as pieces of a long one are
/// (RFC 3396 §7).
#[derive(Debug, Default)]
pub(crate) struct Options(BTreeMap<u8, Vec<u8>>);

impl Options {
    /// Of a message. What does not fit in its field ends the field.
    pub(crate) fn read(message: &[u8]) -> Self {
        let mut options = Self::default();
        options.read_field(message.get(START..).unwrap_or_default());
        let overload = options.octet(code::OVERLOAD).unwrap_or(0);
        // In the order of RFC 3396 §5.
        for (bit, field) in [(1, FILE), (2, SERVER_NAME)] {
            if overload & bit != 0 {
                options.read_field(message.get(field).unwrap_or_default());
            }
        }
        options
    }

    fn read_field(&mut self, mut field: &[u8]) {
        loop {
            match *field {
                [code::PAD, ref rest @ ..] => field = rest,
                [] | [_] | [code::END, ..] => return,
                [code, length, ref rest @ ..] => {
                    let Some((value, rest)) = rest.split_at_checked(length.into()) else {
                        return;
                    };
                    self.0.entry(code).or_default().extend(value);
                    field = rest;
                }
            }
        }
    }

    pub(crate) fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// Of a fixed length. Servers that say it twice are understood.
    fn first<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.get(code)?.first_chunk().copied()
    }

    pub(crate) fn octet(&self, code: u8) -> Option<u8> {
        self.first(code).map(|[octet]| octet)
    }

    pub(crate) fn number(&self, code: u8) -> Option<u32> {
        self.first(code).map(u32::from_be_bytes)
    }

    pub(crate) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.first(code).map(Ipv4Addr::from_octets)
    }

    /// All of a list; none if there is no such option.
    pub(crate) fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        let (addresses, _) = self.get(code).unwrap_or_default().as_chunks();
        addresses.iter().copied().map(Ipv4Addr::from_octets)
    }
}

/// Where the default route of classless routes leads (RFC 3442), `None` if there is none in them.
///
/// # Errors
/// If the option contradicts itself.
pub(crate) fn default_route(mut routes: &[u8]) -> Result<Option<Ipv4Addr>, Malformed> {
    let mut found = None;
    while let [width, rest @ ..] = routes {
        if *width > 32 {
            return Err(Malformed);
        }
        let (_, rest) = rest
            .split_at_checked(width.div_ceil(8).into())
            .ok_or(Malformed)?;
        let (router, rest) = rest.split_first_chunk().ok_or(Malformed)?;
        if *width == 0 && found.is_none() {
            found = Some(Ipv4Addr::from_octets(*router));
        }
        routes = rest;
    }
    Ok(found)
}

/// The octets are not what the option's definition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Appends an option of at most 255 octets.
pub(crate) fn put(options: &mut Vec<u8>, code: u8, value: &[u8]) {
    if let Ok(length) = u8::try_from(value.len()) {
        options.extend([code, length]);
        options.extend(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; START];
        message.extend(options);
        message
    }

    #[test]
    fn options_are_found_between_padding_and_before_the_end() {
        let message = message(&[0, 0, 53, 1, 5, 0, 51, 4, 0, 0, 1, 0, 255, 6, 4, 9, 9, 9, 9]);
        let options = Options::read(&message);
        assert_eq!(options.octet(53), Some(5));
        assert_eq!(options.number(51), Some(256));
        assert_eq!(options.get(6), None);
    }

    #[test]
    fn a_cut_option_ends_the_field() {
        for cut in [&[53, 1, 5, 51][..], &[53, 1, 5, 51, 4, 0, 0]] {
            let options = Options::read(&message(cut));
            assert_eq!(options.octet(53), Some(5));
            assert_eq!(options.get(51), None);
        }
        assert_eq!(Options::read(&[0; 100]).get(0), None);
    }

    #[test]
    fn other_fields_have_options_only_if_it_is_said() {
        for (overload, domain, file) in [
            (0, None, None),
            (1, None, Some(&b"f"[..])),
            (2, Some(&b"s"[..]), None),
            (3, Some(b"s"), Some(b"f")),
        ] {
            let mut message = message(&[52, 1, overload, 255]);
            message[SERVER_NAME][..4].copy_from_slice(&[15, 1, b's', 255]);
            message[FILE][..4].copy_from_slice(&[12, 1, b'f', 255]);
            let options = Options::read(&message);
            assert_eq!((options.get(15), options.get(12)), (domain, file));
        }
    }

    /// RFC 3396 §5: the options field, then the file, then the server's name.
    #[test]
    fn pieces_of_an_option_are_joined_in_order() {
        let mut message = message(&[52, 1, 3, 6, 2, 192, 0, 255]);
        message[SERVER_NAME][..3].copy_from_slice(&[6, 1, 53]);
        message[FILE][..4].copy_from_slice(&[6, 1, 2, 255]);
        let found: Vec<_> = Options::read(&message).addresses(6).collect();
        assert_eq!(found, [Ipv4Addr::new(192, 0, 2, 53)]);
    }

    #[test]
    fn the_default_route_is_found_among_classless_routes() {
        // 10.0.0.0/8, 10.1.2.0/23 and 0.0.0.0/0, by different routers.
        let routes = [
            &[8, 10, 192, 0, 2, 2][..],
            &[23, 10, 1, 2, 192, 0, 2, 3],
            &[0, 192, 0, 2, 4],
            &[0, 192, 0, 2, 5],
        ]
        .concat();
        assert_eq!(
            default_route(&routes),
            Ok(Some(Ipv4Addr::new(192, 0, 2, 4)))
        );
        assert_eq!(default_route(&routes[..14]), Ok(None));
        assert_eq!(default_route(&[]), Ok(None));
        assert_eq!(default_route(&routes[..13]), Err(Malformed));
        assert_eq!(
            default_route(&[33, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            Err(Malformed)
        );
        assert_eq!(default_route(&[24, 10, 1]), Err(Malformed));
    }
}
