//! What surrounds the ends of a case.

/// One kind of surroundings; each switch that is made for it is set up in it, on hosts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Containers of one network.
    Bridge {
        /// How many.
        containers: usize,
    },
    /// Three containers of one network that may have any number of stations behind them.
    Stations {
        /// How many addresses the switch is told to remember; as many as it comes with if none.
        room: Option<u32>,
    },
    /// Two containers of one network, and a switch with this many workers.
    Workers(usize),
    /// One end is a container, the other is beyond the host's NIC.
    Outside,
    /// Both ends are containers of one network, each on a host of its own; VXLAN joins the two hosts.
    Overlay,
    /// One end is a container on the physical network, the other is at the far end of the NIC's cable.
    Lan,
    /// Two containers of one network, and namespaces that wait to become containers of it.
    Attach(Attaching),
    /// Both ends are containers of one network, and so are those that Docker starts beside them.
    Docker,
}

/// What is to become of the namespaces that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attaching {
    /// How many there are.
    pub(crate) count: usize,
    /// Whether a port of each is published.
    pub(crate) published: bool,
    /// Who attaches them.
    pub(crate) by: By,
}

/// Who attaches containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// An engine, that speaks to the switch itself.
    Engine,
    /// A script, by the commands that the switch comes with.
    Script,
}

impl Setting {
    /// Two containers of one network.
    pub(crate) const PAIR: Self = Self::Bridge { containers: 2 };
    /// Of a setting with stations.
    pub(crate) const STATION_PORTS: usize = 3;
}
