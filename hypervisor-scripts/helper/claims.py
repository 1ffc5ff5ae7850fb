"""Who else answers for an address of a guest.

The kernel keeps one neighbour for an address, and it is whoever spoke last: a guest that speaks for
a neighbour's address, which no DHCP server knows, stands there in its place. So everybody on the
bridge is asked, and an address for which another MAC answers, too, is nobody's. This is what a host
does before it gives itself an address (RFC 5227, RFC 4862), seen from outside.
"""

import contextlib
import fcntl
import ipaddress
import select
import socket
import struct
import time
from typing import Callable, Dict, Iterator, List, Set, Tuple

ARP_REQUEST, ETHERTYPE_ARP, ETHERTYPE_IPV4 = 1, 0x0806, 0x0800
ARP = struct.Struct("!HHBBH6s4s6s4s")
BROADCAST, NO_MAC = b"\xff" * 6, bytes(6)
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_LINK_LAYER, TARGET_LINK_LAYER = 1, 2
ICMPV6_FILTER = 1  # linux/icmpv6.h; a set bit keeps a type out.
# A guest answers within milliseconds, one on a busy host within a tenth of a second. One question may be lost.
WAIT_S, ASKS = 0.4, 2
DISCARD_PORT = 9
SIOCGIFHWADDR = 0x8927

Claim = Tuple[str, str]


def contested(devices: Dict[str, List[str]], macs: Set[str]) -> Set[str]:
    """Of these addresses, by device of this host: those for which a MAC answers there that is none of `macs`."""
    asked = [
        question for device, texts in devices.items() for question in _questions(device, texts)
    ]
    try:
        return {text for text, mac in _answers(asked) if mac not in macs} if asked else set()
    finally:
        for question in asked:
            question.close()


def _questions(device: str, texts: List[str]) -> "Iterator[Question]":
    for kind, family in ((ArpQuestion, 4), (NeighbourQuestion, 6)):
        wanted = [text for text in texts if ipaddress.ip_address(text).version == family]
        if wanted:
            try:
                yield kind(device, wanted)
            except OSError:
                continue  # Gone since, or without this family: then nobody is reached there either.


def _answers(asked: "List[Question]") -> Iterator[Claim]:
    for _ in range(ASKS):
        for question in asked:
            question.ask()
        deadline = time.monotonic() + WAIT_S / ASKS
        while time.monotonic() < deadline:
            left = max(0.0, deadline - time.monotonic())
            for ready in select.select(asked, [], [], left)[0]:
                yield from ready.hear()


class Question:
    """One socket on one device that asks for addresses of one family."""

    def __init__(self, device: str, texts: List[str]) -> None:
        self.device = device
        self.texts = texts
        self.socket = self.open()

    def open(self) -> socket.socket:
        """A socket that hears what is answered on the device; raises OSError."""
        raise NotImplementedError

    def send(self, text: str) -> None:
        """Asks everybody on the device for one address; raises OSError."""
        raise NotImplementedError

    def hear(self) -> Iterator[Claim]:
        """Which addresses the next packet claims, and for which MACs; "" is a MAC that is not said."""
        raise NotImplementedError

    def ask(self) -> None:
        """Asks for all."""
        for text in self.texts:
            # No route, or no buffer just now: who is not asked does not answer, and there is another turn.
            with contextlib.suppress(OSError):
                self.send(text)

    def fileno(self) -> int:
        """For select(2)."""
        return self.socket.fileno()

    def close(self) -> None:
        """Ends it."""
        self.socket.close()


class ArpQuestion(Question):
    """Asks with ARP, as this host does before it sends to somebody."""

    def open(self) -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE_ARP))
        return _or_close(made, lambda: made.bind((self.device, ETHERTYPE_ARP)))

    def send(self, text: str) -> None:
        own = self.socket.getsockname()[4]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            # With an address of this host: a question without one would tell a guest that just
            # starts that its address is taken.
            way.connect((text, DISCARD_PORT))
            sender = socket.inet_aton(way.getsockname()[0])
        words = (1, ETHERTYPE_IPV4, 6, 4, ARP_REQUEST, own, sender, NO_MAC, socket.inet_aton(text))
        to = (self.device, ETHERTYPE_ARP, 0, 0, BROADCAST)
        self.socket.sendto(ARP.pack(*words), to)

    def hear(self) -> Iterator[Claim]:
        data, source = self.socket.recvfrom(2048)
        if source[2] == socket.PACKET_OUTGOING or len(data) < ARP.size:
            return
        _, _, _, _, _, mac, sender, _, _ = ARP.unpack_from(data)
        text = socket.inet_ntoa(sender)
        if text in self.texts:
            # The frame's own sender, too: a neighbour's answer stays the neighbour's.
            yield text, _mac_text(mac)
            yield text, _mac_text(source[4])


class NeighbourQuestion(Question):
    """Asks with IPv6's neighbour solicitation."""

    def open(self) -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        kept_out = [0xFFFFFFFF] * 8
        kept_out[ADVERTISEMENT // 32] &= ~(1 << ADVERTISEMENT % 32)

        def prepare() -> None:
            made.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("8I", *kept_out))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.device.encode())
            # Less than 255 would be from beyond a router: nobody answers that (RFC 4861, 7.1.1).
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)

        return _or_close(made, prepare)

    def send(self, text: str) -> None:
        target = ipaddress.IPv6Address(text).packed
        group = ipaddress.IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + target[-3:])
        question = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + target
        question += struct.pack("!BB", SOURCE_LINK_LAYER, 1) + _mac_of(self.device)
        self.socket.sendto(question, (str(group), 0, 0, socket.if_nametoindex(self.device)))

    def hear(self) -> Iterator[Claim]:
        data = self.socket.recv(2048)
        text = str(ipaddress.IPv6Address(data[8:24])) if len(data) >= 24 else ""
        if text in self.texts:
            yield text, _said_mac(data[24:])


def _said_mac(options: bytes) -> str:
    while len(options) >= 8 and options[1] > 0:
        if options[0] == TARGET_LINK_LAYER:
            return _mac_text(options[2:8])
        options = options[options[1] * 8 :]
    return ""


def _or_close(made: socket.socket, prepare: Callable[[], None]) -> socket.socket:
    try:
        prepare()
    except OSError:
        made.close()
        raise
    return made


def _mac_of(device: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        found = fcntl.ioctl(any_socket, SIOCGIFHWADDR, struct.pack("256s", device.encode()[:15]))
    return found[18:24]


def _mac_text(mac: bytes) -> str:
    return mac.hex(":")
