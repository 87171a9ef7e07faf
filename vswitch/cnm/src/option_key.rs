//! The keys that `-o KEY=VALUE` understands: Docker's, and `vswitch.` for those Docker has not.

/// The host port's interface name; default `br-` and the network's short id.
pub const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
/// Whether the network is Docker's default one; only false.
pub const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
/// Whether endpoints may reach each other; default true.
pub const ENABLE_ICC: &str = "com.docker.network.bridge.enable_icc";
/// Whether the source address is translated on the way out; default true.
pub const ENABLE_IP_MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
/// The address ports are published on by default, of IPv4 or IPv6; default 0.0.0.0, which is all
/// addresses of both families, while :: is all of IPv6 only.
pub const HOST_BINDING_IPV4: &str = "com.docker.network.bridge.host_binding_ipv4";
/// How IPv4 crosses the gateway: `nat`, `nat-unprotected`, `routed`, or `isolated`, which is for internal
/// networks and has no gateway; default `nat`.
pub const GATEWAY_MODE_IPV4: &str = "com.docker.network.bridge.gateway_mode_ipv4";
/// How IPv6 crosses the gateway: `nat`, `nat-unprotected`, `routed`, or `isolated`, which is for internal
/// networks and has no gateway; default `nat`.
pub const GATEWAY_MODE_IPV6: &str = "com.docker.network.bridge.gateway_mode_ipv6";
/// Whether the IPv4 gateway's address is left to someone else; default false.
pub const INHIBIT_IPV4: &str = "com.docker.network.bridge.inhibit_ipv4";
/// Interfaces that may reach published container ports directly; only none yet.
pub const TRUSTED_HOST_INTERFACES: &str = "com.docker.network.bridge.trusted_host_interfaces";
/// The host's address that is the IPv4 source of translated traffic; default that of the way out.
pub const HOST_IPV4: &str = "com.docker.network.host_ipv4";
/// The host's address that is the IPv6 source of translated traffic; default that of the way out.
pub const HOST_IPV6: &str = "com.docker.network.host_ipv6";
/// The MTU in bytes; 0 is the default. On an overlay network that of the underlay.
pub const MTU: &str = "com.docker.network.driver.mtu";
/// What interface names in sandboxes begin with; default `eth`.
pub const IFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";
/// Whether endpoints have IPv4 addresses; default true.
pub const ENABLE_IPV4: &str = "com.docker.network.enable_ipv4";
/// Whether endpoints have IPv6 addresses; default false.
pub const ENABLE_IPV6: &str = "com.docker.network.enable_ipv6";
/// Whether a released address rests before it is given out again; default false.
pub const IPAM_SERIAL: &str = "com.docker.network.ipam.serial";

/// The VTEPs of other hosts, with commas between them. An overlay network's option, as all up to
/// `encrypted`.
pub const PEERS: &str = "peers";
/// The host's address that tunnels begin at; default that of the way out.
pub const LOCAL: &str = "local";
/// The UDP port of tunnels on all hosts, 1024 to 49151; default 4789.
pub const PORT: &str = "port";
/// The VNI of a network with one segment, 1 to 16777215; default the lowest free one from 4096.
pub const VNI: &str = "vni";
/// A VNI for each segment, with commas between them.
pub const VXLANID_LIST: &str = "com.docker.network.driver.overlay.vxlanid_list";
/// The multicast group that stands for all hosts.
pub const GROUP: &str = "group";
/// The containers' MTU in bytes; default what `com.docker.network.driver.mtu`, which is the underlay's
/// there, leaves.
pub const INNER_MTU: &str = "mtu";
/// The outer TTL or hop limit, 1 to 255; default the kernel's.
pub const TTL: &str = "ttl";
/// The outer DSCP, 0 to 63, or `inherit` for that of the packet inside; default 0.
pub const DSCP: &str = "dscp";
/// Whether hosts that send frames become peers; default only with `group`.
pub const LEARN_PEERS: &str = "learn-peers";
/// Whether the addresses behind peers are learned from frames; default true.
pub const LEARNING: &str = "learning";
/// Whether frames with a VLAN tag cross tunnels (RFC 7348 section 6.1); default false.
pub const INNER_VLAN: &str = "inner-vlan";
/// Whether questions for known addresses are answered here, instead of being sent to all peers; default
/// true.
pub const ARP_SUPPRESS: &str = "arp-suppress";
/// How many addresses are learned at most behind each peer; default 2048.
pub const PEER_FDB_LIMIT: &str = "vswitch.peer-fdb-limit";
/// Whether tunnels are encrypted; only false.
pub const ENCRYPTED: &str = "encrypted";

/// The NIC whose network a macvlan or ipvlan network is on, or one and a VLAN as `eth0.100`; default
/// none, which is a network within the host. An option of these, as all up to `dad`.
pub const PARENT: &str = "parent";
/// Whom endpoints reach without the wire: `bridge`, `private`, `vepa`, or `passthru`, which has one
/// endpoint; default `bridge`. A macvlan network's option.
pub const MACVLAN_MODE: &str = "macvlan_mode";
/// Whether endpoints are on their parent's network, `l2`, or routed to it, `l3` or `l3s`; default `l2`. An
/// ipvlan network's option.
pub const IPVLAN_MODE: &str = "ipvlan_mode";
/// Whom endpoints reach without the wire: `bridge`, `private` or `vepa`; default `bridge`. An ipvlan
/// network's option.
pub const IPVLAN_FLAG: &str = "ipvlan_flag";
/// The VLAN on the parent, 1 to 4094; default none.
pub const PARENT_VLAN: &str = "vlan";
/// The VLAN's tag: `802.1Q` or `802.1ad`; default `802.1Q`.
pub const VLAN_PROTOCOL: &str = "vlan_protocol";
/// Whether the host talks to the endpoints, by a port of its own; default false.
pub const HOST_ACCESS: &str = "host_access";
/// Whether the wire sees the parent's MAC address instead of the endpoints'; default false. A macvlan
/// network's option.
pub const MAC_NAT: &str = "mac_nat";
/// Whether an address is looked for on the wire before an endpoint has it; default true.
pub const DAD: &str = "dad";

/// How long a learned address is kept, in seconds; default 300 (IEEE 802.1D table 7-5).
pub const AGEING: &str = "vswitch.ageing";
/// How many addresses a network learns.
pub const FDB_LIMIT: &str = "vswitch.fdb-limit";
/// Whether multicast goes only where it was asked for (RFC 4541); default false.
pub const SNOOPING: &str = "vswitch.snooping";
/// Whether interfaces are offered segmentation and checksum offload; default true.
pub const OFFLOAD: &str = "vswitch.offload";
/// Whether frames must come from the endpoint's own addresses; default true. Also an endpoint's option.
pub const ANTI_SPOOF: &str = "vswitch.anti-spoof";
/// Broadcast, multicast and unknown unicast frames a second from each port; default 0, which is no
/// limit. Also an endpoint's option.
pub const STORM_LIMIT: &str = "vswitch.storm-limit";
/// Who may answer to a translated port: `endpoint-independent`, `address-dependent` or
/// `address-and-port-dependent` (RFC 4787 section 5); default `address-dependent`.
pub const NAT_FILTERING: &str = "vswitch.nat-filtering";
/// Networks that this one exchanges packets with, untranslated: names with commas between them. Naming on
/// one side suffices. Removing a named network ends the relation; one made again under the name
/// begins it anew.
pub const ROUTE_TO: &str = "vswitch.route-to";

/// The access VLAN, 1 to 4094. An endpoint's option.
pub const VLAN: &str = "vswitch.vlan";
/// The interface's name, as `--ifname`. An endpoint's option.
pub const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// Kernel settings of the interface; only none yet. An endpoint's option.
pub const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";
/// How many unsolicited neighbour announcements are sent; not yet. An endpoint's option.
pub const ADVERTISE_NMSGS: &str = "com.docker.network.advertise_addr_nmsgs";
/// The time between such announcements; not yet. An endpoint's option.
pub const ADVERTISE_MS: &str = "com.docker.network.advertise_addr_ms";
