//! Making veth pairs, by rtnetlink.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result, bail};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use vswitch_netio::netns::Netns;

/// A connection to the kernel that makes veth pairs in the namespace it was opened in.
pub(crate) struct VethMaker(Socket);

/// A pair to be made.
#[derive(Debug)]
pub(crate) struct Veth<'a> {
    /// The name of the end in the host's namespace.
    pub(crate) host: &'a str,
    /// The bridge that this end is put into, by its index.
    pub(crate) bridge: u32,
    /// The name of the other end.
    pub(crate) inside: &'a str,
    /// Where the other end is made.
    pub(crate) namespace: &'a Netns,
}

impl VethMaker {
    /// Connects in the calling thread's namespace.
    ///
    /// # Errors
    /// For want of descriptors.
    pub(crate) fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Makes a pair; both ends are down.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn make(&self, veth: &Veth<'_>) -> Result<()> {
        let request = request(veth);
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        let make = || -> Result<()> {
            self.0.send(&bytes, 0)?;
            let (answer, _) = self.0.recv_from_full()?;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)?;
            match answer.payload {
                NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
                NetlinkPayload::Error(error) => Err(error.to_io().into()),
                other => bail!("no acknowledgement but {other:?}"),
            }
        };
        make().with_context(|| format!("make the veth pair {} and {}", veth.host, veth.inside))
    }
}

fn request(veth: &Veth<'_>) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut peer = LinkMessage::default();
    let namespace = veth.namespace.as_fd().as_raw_fd();
    peer.attributes = vec![
        LinkAttribute::IfName(veth.inside.to_owned()),
        LinkAttribute::NetNsFd(namespace),
    ];
    let mut pair = LinkMessage::default();
    pair.attributes = vec![
        LinkAttribute::IfName(veth.host.to_owned()),
        LinkAttribute::Controller(veth.bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let payload = NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(pair));
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_both_ends_and_the_bridge() {
        let namespace = Netns::of_current_thread().unwrap();
        let request = request(&Veth {
            host: "outer",
            bridge: 7,
            inside: "inner",
            namespace: &namespace,
        });
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(has(b"outer\0") && has(b"veth") && has(b"inner\0"));
        let understood = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).unwrap();
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = understood.payload
        else {
            panic!("{understood:?}");
        };
        assert!(link.attributes.contains(&LinkAttribute::Controller(7)));
    }
}
