//! Programs at an interface's ingress hook: `tc filter ... bpf direct-action`.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcMessage, TcOption,
};

use super::{Netlink, NetlinkError};

/// Which program at which interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IngressProgram {
    /// The interface's index.
    pub(crate) interface: u32,
    /// Lower runs first.
    pub(crate) priority: u16,
    /// Its number among those of one priority; not 0.
    pub(crate) handle: u32,
    /// What `tc filter show` calls it.
    pub(crate) name: String,
}

/// Before the filters of others, which may end the search (Cilium's do, at 1).
const PRIORITY: u16 = 1;

impl Netlink {
    /// Runs a classifier for each frame that an interface receives, in the place of the one with that
    /// priority and handle, if there is one: between the two no frame goes without (`cls_bpf_change`).
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] without the interface, `sch_ingress` or `cls_bpf`; [`NetlinkError::Refused`]
    /// with `EINVAL` if another kind of filter has that priority.
    pub(crate) fn set_ingress_program(
        &mut self,
        program: &IngressProgram,
        fd: BorrowedFd<'_>,
    ) -> Result<(), NetlinkError> {
        self.ensure_clsact(program.interface)?;
        let mut message = program.message();
        message.attributes.push(TcAttribute::Options(vec![
            TcOption::Bpf(TcFilterBpfOption::ProgFd(fd.as_raw_fd().cast_unsigned())),
            TcOption::Bpf(TcFilterBpfOption::ProgName(program.name.clone())),
            TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
        ]));
        self.change(
            format_args!("filter what interface {} receives", program.interface),
            RouteNetlinkMessage::NewTrafficFilter(message),
            NLM_F_CREATE,
        )
    }

    /// Takes a program away. False if it, or the interface, is not there.
    ///
    /// # Errors
    /// [`NetlinkError::NotPermitted`].
    pub(crate) fn remove_ingress_program(
        &mut self,
        program: &IngressProgram,
    ) -> Result<bool, NetlinkError> {
        let result = self.change(
            format_args!("unfilter what interface {} receives", program.interface),
            RouteNetlinkMessage::DelTrafficFilter(program.message()),
            0,
        );
        match result {
            Ok(()) => Ok(true),
            Err(NetlinkError::NotFound(_)) => Ok(false),
            // An interface without a queueing discipline at ingress: "Parent Qdisc doesn't exists".
            Err(error) if error.errno() == Some(rustix::io::Errno::INVAL) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the `clsact` discipline; where there is one, or the older `ingress`, filters can be attached already.
    fn ensure_clsact(&mut self, interface: u32) -> Result<(), NetlinkError> {
        let mut message = TcMessage::with_index(interface.cast_signed());
        message.header.handle = TcHandle {
            major: TcHandle::CLSACT.major,
            minor: 0,
        };
        message.header.parent = TcHandle::CLSACT;
        message
            .attributes
            .push(TcAttribute::Kind("clsact".to_owned()));
        let made = self.change(
            format_args!("make an ingress hook on interface {interface}"),
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_EXCL,
        );
        match made {
            Err(NetlinkError::Exists(_)) => Ok(()),
            made => made,
        }
    }
}

impl IngressProgram {
    /// Ours at an interface, by a tag that tells it from those of others. The tag is a part of the handle, too, so
    /// programs with different tags do not replace each other: all of one priority run, until one of them drops.
    pub(crate) fn tagged(interface: u32, tag: &str) -> Self {
        Self {
            interface,
            priority: PRIORITY,
            handle: handle(tag),
            name: format!("vswitch:{tag}"),
        }
    }

    fn message(&self) -> TcMessage {
        let mut message = TcMessage::with_index(self.interface.cast_signed());
        let header = &mut message.header;
        header.parent = TcHandle {
            major: TcHandle::CLSACT.major,
            minor: TcHandle::MIN_INGRESS,
        };
        header.handle = self.handle.into();
        header.info = u32::from(self.priority) << 16 | u32::from((libc::ETH_P_ALL as u16).to_be());
        let kind = TcFilterBpf::KIND.to_owned();
        message.attributes.push(TcAttribute::Kind(kind));
        message
    }
}

/// FNV-1a, and never 0, which asks the kernel to choose.
fn handle(tag: &str) -> u32 {
    let hash = tag.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
