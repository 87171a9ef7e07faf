//! How frames wait at an interface: its queueing discipline.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};

use super::{Netlink, NetlinkError};

impl Netlink {
    /// Hands frames to the device at once, as with a veth pair, and keeps the kernel from making its own discipline
    /// when the interface is switched on. It does so again after a move to another namespace.
    ///
    /// A TAP of several queues is made with 256 of them, and each gets a `pfifo_fast` with room for three times the
    /// queue's length (`mq_init`, `pfifo_fast_init`; Linux 6.18): 6 MB with a length of 1000, of which nothing is
    /// ever used, as a TAP drops what it has no room for instead of letting it wait.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with `EOPNOTSUPP` if the kernel has no queueing disciplines (`CONFIG_NET_SCHED`).
    pub fn set_unqueued(&mut self, index: u32) -> Result<(), NetlinkError> {
        let mut message = TcMessage::with_index(index.cast_signed());
        message.header.parent = TcHandle::ROOT;
        message
            .attributes
            .push(TcAttribute::Kind("noqueue".to_owned()));
        self.change(
            format_args!("let no frame wait at interface {index}"),
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }
}
