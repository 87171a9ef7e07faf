//! Where on the wires somebody is.

use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket;
use vswitch_packet::ethernet::{EtherType, TAG_LEN};
use vswitch_packet::{MacAddr, VlanId, VlanTag};

/// Where on the wires somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The index of the NIC, in the namespace of the thread that started the leases.
    pub interface: u32,
    /// The tag that frames have on the wire.
    pub tag: Option<(EtherType, VlanId)>,
    /// The source address that frames have on the wire.
    pub mac: MacAddr,
}

/// Octets before the tag: both addresses.
const TAG_START: usize = 12;

impl Place {
    /// The NIC and its VLAN as a user names them.
    pub(super) fn wire(&self) -> String {
        let link = Netlink::open().and_then(|mut netlink| netlink.link_at(self.interface));
        let name = match link {
            Ok(Some(link)) => link.name.to_string(),
            _ => format!("interface {}", self.interface),
        };
        match self.tag {
            Some((EtherType::VLAN, id)) => format!("{name}.{id}"),
            Some((_, id)) => format!("{name}.{id} (802.1ad)"),
            None => name,
        }
    }

    /// The frame as it is on the wire.
    pub(super) fn tagged(&self, mut frame: Vec<u8>) -> Vec<u8> {
        if let Some((ethertype, id)) = self.tag {
            let mut tag = [0; TAG_LEN];
            tag[..2].copy_from_slice(&ethertype.0.to_be_bytes());
            tag[2..].copy_from_slice(&id.get().to_be_bytes());
            frame.splice(TAG_START..TAG_START, tag);
        }
        frame
    }

    /// Whether a frame that came with that tag is for this place. A priority tag is none.
    pub(super) fn hears(&self, tag: Option<packet_socket::VlanTag>) -> bool {
        let vlan = |tag: packet_socket::VlanTag| {
            Some((EtherType(tag.protocol), VlanTag(tag.control).id()?))
        };
        tag.and_then(vlan) == self.tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tag: Option<(EtherType, u16)>) -> Place {
        Place {
            interface: u32::MAX,
            tag: tag.map(|(ethertype, id)| (ethertype, VlanId::new(id).unwrap())),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
        }
    }

    #[test]
    fn a_tag_goes_behind_the_addresses() {
        let frame: Vec<u8> = (0..20).collect();
        assert_eq!(place(None).tagged(frame.clone()), frame);
        let tagged = place(Some((EtherType::SERVICE_VLAN, 0x102))).tagged(frame);
        assert_eq!(tagged[10..20], [10, 11, 0x88, 0xa8, 1, 2, 12, 13, 14, 15]);
    }

    #[test]
    fn only_frames_of_the_vlan_are_heard() {
        let tag = |protocol, control| Some(packet_socket::VlanTag { protocol, control });
        let (none, seven) = (place(None), place(Some((EtherType::VLAN, 7))));
        for (tag, untagged, tagged) in [
            (None, true, false),
            (tag(0x8100, 0xe000), true, false),
            (tag(0x8100, 7), false, true),
            (tag(0x8100, 0xe007), false, true),
            (tag(0x8100, 8), false, false),
            (tag(0x88a8, 7), false, false),
        ] {
            assert_eq!(
                (none.hears(tag), seven.hears(tag)),
                (untagged, tagged),
                "{tag:?}"
            );
        }
    }

    #[test]
    fn a_nic_that_is_gone_is_named_by_its_index() {
        let place = place(Some((EtherType::VLAN, 7)));
        assert_eq!(place.wire(), "interface 4294967295.7");
    }
}
