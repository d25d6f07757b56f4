#!/usr/bin/python3
"""Sends a hello packet of OSPF for IPv6 (RFC 5340 appendix A.3.2) to each address: hello.py INTERFACE ADDRESS..."""
import socket
import struct
import sys

OSPF = 89
# Offset of the checksum in the header, which the kernel fills in.
IPV6_CHECKSUM, CHECKSUM_AT = 7, 12
ROUTER = socket.inet_aton("6.6.6.6")
HELLO_INTERVAL, DEAD_INTERVAL = 1, 4

# Interface ID, priority 1 with the options V6, E and R, intervals, no designated routers, no neighbours.
body = struct.pack("!IIHHII", 7, 0x01000013, HELLO_INTERVAL, DEAD_INTERVAL, 0, 0)
header = struct.pack("!BBH4s4sHBB", 3, 1, 16 + len(body), ROUTER, bytes(4), 0, 0, 0)

interface = socket.if_nametoindex(sys.argv[1])
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, OSPF) as raw:
    raw.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, CHECKSUM_AT)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    for address in sys.argv[2:]:
        raw.sendto(header + body, (address, 0, 0, interface))
