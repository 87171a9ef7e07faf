//! The path and query of a request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, section 2.3: safe in a path segment and in a query.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `/v1/…`, each part of it percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target(String);

impl Target {
    /// Begins with a collection.
    pub(super) fn new(collection: &'static str) -> Self {
        Self(format!("/v1/{collection}"))
    }

    /// Adds a path segment.
    pub(super) fn part(mut self, part: &str) -> Self {
        self.0.push('/');
        self.0.extend(utf8_percent_encode(part, RESERVED));
        self
    }

    /// Adds a query parameter if it has a value.
    pub(super) fn query(mut self, key: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            // A '?' of a path segment is encoded.
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(key);
            self.0.push('=');
            self.0.extend(utf8_percent_encode(value, RESERVED));
        }
        self
    }

    /// For the request line.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_to_their_segment() {
        let target = Target::new("sandboxes").part("/proc/7/ns/net");
        assert_eq!(target.as_str(), "/v1/sandboxes/%2Fproc%2F7%2Fns%2Fnet");
        let target = Target::new("networks").part("a b?c#d%é").part("endpoints");
        assert_eq!(
            target.as_str(),
            "/v1/networks/a%20b%3Fc%23d%25%C3%A9/endpoints"
        );
    }

    #[test]
    fn names_stay_readable() {
        assert_eq!(
            Target::new("networks").part("web-1.a_b").as_str(),
            "/v1/networks/web-1.a_b"
        );
    }

    #[test]
    fn a_query_without_value_is_left_out() {
        assert_eq!(
            Target::new("fdb").query("network", None).as_str(),
            "/v1/fdb"
        );
        assert_eq!(
            Target::new("fdb").query("network", Some("a&b=c")).as_str(),
            "/v1/fdb?network=a%26b%3Dc"
        );
    }

    #[test]
    fn parameters_follow_each_other() {
        let target = Target::new("conntrack")
            .query("network", None)
            .query("sandbox", Some("what?"))
            .query("state", Some("closing"));
        assert_eq!(
            target.as_str(),
            "/v1/conntrack?sandbox=what%3F&state=closing"
        );
    }
}
