"""Raw Ethernet frames at an interface, for the end-to-end tests.

frames.py send IFACE COUNT HEX...          each frame in turn, COUNT times over
frames.py send-vnet IFACE HEX:HEX...       virtio_net_hdr (10 octets) and frame; prints how many the
                                           kernel let through
frames.py capture IFACE                    prints "ready", then each frame that arrives, in hex
"""

import errno
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_VNET_HDR = 15
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID = 1 << 4


def raw_socket(interface, vnet=False):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    if vnet:
        sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.bind((interface, ETH_P_ALL))
    return sock


def send(interface, count, frames):
    sock = raw_socket(interface)
    frames = [bytes.fromhex(frame) for frame in frames]
    for _ in range(int(count)):
        for frame in frames:
            send_when_there_is_room(sock, frame)


def send_when_there_is_room(sock, frame):
    """A TAP whose queue is full says so, where nothing waits in front of it."""
    while True:
        try:
            return sock.send(frame)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(0.001)


def send_vnet(interface, pairs):
    sock = raw_socket(interface, vnet=True)
    passed = 0
    for pair in pairs:
        header, frame = pair.split(":")
        try:
            sock.send(bytes.fromhex(header) + bytes.fromhex(frame))
            passed += 1
        except OSError:
            # The sender's own kernel found it impossible.
            pass
    print(passed)


def with_vlan(frame, ancillary):
    """The kernel takes a tag out of the frame before packet sockets see it: puts it back."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(data) >= 20:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                tag = struct.pack("!HH", tpid or 0x8100, tci)
                return frame[:12] + tag + frame[12:]
    return frame


def capture(interface):
    sock = raw_socket(interface)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    # A burst must not be lost here: Python is slow.
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    print("ready", flush=True)
    while True:
        frame, ancillary, _, address = sock.recvmsg(65600, 256)
        if address[2] != PACKET_OUTGOING:
            print(with_vlan(frame, ancillary).hex(), flush=True)


if __name__ == "__main__":
    what, interface, *rest = sys.argv[1:]
    if what == "send":
        send(interface, rest[0], rest[1:])
    elif what == "send-vnet":
        send_vnet(interface, rest)
    else:
        capture(interface)
