"""Addresses of a guest that this host can vouch for.

A guest may say anything of itself, so what its agent says is only a hint: an address counts when a
DHCP server of libvirt leased it to the domain's MAC, or when the host's own neighbour table has it
at that MAC. The host's own addresses never count.

A neighbour table believes whoever speaks: a guest that says "10.9.0.5 is at my MAC" is written into
it, while connections to 10.9.0.5 go by the host's routes to somebody else. So an address counts
only where the host's route to it ends, without a gateway, on the bridge of that very card: what
connects to it then stays among the guest's own neighbours. Of those, what libvirt has leased to
another MAC does not count either, nor, where libvirt has leased it to nobody, what another MAC
answers for, too.
"""

import ipaddress
import json
import re
import socket
from typing import Any, Dict, Iterator, List, Set, Tuple

from children import run
from claims import DISCARD_PORT, contested
from domains import address, command
from failures import Failure
from host import Host
from requests import Request
from virsh import COMMAND

Result = Dict[str, Any]

# " vnet0      52:54:00:aa:bb:cc    ipv4         192.168.122.10/24"; the agent leaves name and MAC
# of later lines as "-".
LINE = re.compile(r"\s*\S+\s+(-|[0-9a-f]{2}(?::[0-9a-f]{2}){5})\s+ipv[46]\s+([0-9a-f.:]+)/\d+\s*")
# "2026-11-29 01:47:38  52:54:00:24:ff:15  ipv4  192.168.77.10/24  pc  01:52:…" of virsh net-dhcp-leases.
LEASE = re.compile(
    r"\s*\S+ \S+\s+([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s+ipv[46]\s+([0-9a-f.:]+)/\d+\s.*"
)
INTERFACE = re.compile(r"\s*(\S+)\s.*\s([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s*")
AGENT_TIMEOUT_MS = 4000
IP_TIMEOUT_MS = 3000
MOST_HINTS = 16


def guest_addresses(host: Host, request: Request) -> Result:
    """Gives {items: [{address, source}]}; source is lease, arp or agent. Raises not_found when
    the domain is not running.
    """
    name = request.args["domain"]
    cards = _cards(host, request, name)
    others = set(_own(request)) | _leased_to_others(host, set(cards))
    found = {
        text: "lease"
        for mac, text in _listed(_ask(host, name, "lease"))
        if mac in cards and _is_usable(text, others) and on_link(request, text, cards[mac])
    }
    hints: Dict[str, str] = {}
    told = [(text, "arp") for mac, text in _listed(_ask(host, name, "arp")) if mac in cards]
    for text, source in told + [(text, "agent") for _, text in _agent(host, request, name)]:
        if text not in found and _is_usable(text, others):
            hints.setdefault(text, source)
    for text in proven(request, list(hints)[:MOST_HINTS], cards):
        found.setdefault(text, hints[text])
    return {"items": [{"address": text, "source": source} for text, source in found.items()]}


def _cards(host: Host, request: Request, name: str) -> Dict[str, str]:
    """On which device of the host each of the domain's MACs is: the bridge of its card, or the
    card where it is on none.
    """
    lines = command(host, name, "domiflist {domain}").splitlines()
    if not command(host, name, "domstate {domain}").strip().startswith(("running", "paused")):
        raise Failure("not_found", f"The domain {name} is not running.")
    links = run(request, ["ip", "-json", "link"], timeout_ms=IP_TIMEOUT_MS)
    masters = {
        link["ifname"]: link.get("master", link["ifname"])
        for link in json.loads(links.output or "[]")
        if "ifname" in link
    }
    found = [match.groups() for match in map(INTERFACE.fullmatch, lines) if match]
    return {mac: masters[card] for card, mac in found if card in masters}


def _leased_to_others(host: Host, macs: Set[str]) -> Set[str]:
    """What DHCP servers of libvirt have leased, on any of its networks, to none of these MACs."""
    leases: List[Tuple[str, str]] = []
    for uuid in host.shells.run("net-list --uuid").split():
        try:
            lines = host.shells.run(f"net-dhcp-leases {uuid}").splitlines()
        except Failure as failure:
            if failure.code != "libvirt":
                raise
            continue  # A network that is a bridge of somebody else's has no leases.
        leases += [(match[1], match[2]) for match in map(LEASE.fullmatch, lines) if match]
    ours = {text for mac, text in leases if mac in macs}
    return {text for mac, text in leases if mac not in macs} - ours


def on_link(request: Request, text: str, device: str) -> bool:
    """Whether the host itself would send there on that device, without a gateway; what cannot be asked is not."""
    ended = run(request, ["ip", "-json", "route", "get", text], timeout_ms=IP_TIMEOUT_MS)
    if ended.code != 0:
        return False
    routes = json.loads(ended.output or "[]")
    return bool(routes) and all(
        route.get("dev") == device
        and not {"gateway", "via", "nexthops", "encap"} & set(route)
        and route.get("type", "unicast") == "unicast"
        for route in routes
    )


def _ask(host: Host, name: str, source: str) -> str:
    try:
        return command(host, name, f"domifaddr {{domain}} --source {source}")
    except Failure as failure:
        if failure.code != "libvirt":
            raise
        return ""  # An interface that is on no network of libvirt has no leases.


def _agent(host: Host, request: Request, name: str) -> List[Tuple[str, str]]:
    # A guest that does not answer holds its caller, so this is a process of its own that can be killed.
    words = [*COMMAND, "domifaddr", address(host, name), "--source", "agent"]
    try:
        ended = run(request, words, timeout_ms=AGENT_TIMEOUT_MS)
    except Failure as failure:
        if failure.code != "timeout":
            raise
        return []
    return list(_listed(ended.output))


def _listed(text: str) -> Iterator[Tuple[str, str]]:
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match:
            yield match.group(1), match.group(2)


def _own(request: Request) -> Iterator[str]:
    ended = run(request, ["ip", "-json", "address"], timeout_ms=IP_TIMEOUT_MS)
    if ended.code != 0:
        raise Failure(
            "internal", "ip(8) does not tell the addresses of this host; is iproute2 installed?"
        )
    for card in json.loads(ended.output):
        for entry in card.get("addr_info", []):
            yield entry["local"]


def _is_usable(text: str, others: Set[str]) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    special = (
        found.is_loopback
        or found.is_multicast
        or found.is_unspecified
        or found.is_link_local
        or found.is_reserved
    )
    special = special or getattr(found, "ipv4_mapped", None) is not None
    return not special and str(found) not in others


def proven(request: Request, hints: List[str], cards: Dict[str, str]) -> List[str]:
    """Those that the neighbour table has at one of the cards, on its device, and for which
    nobody else there answers.
    """
    devices = {
        device: [text for text in hints if on_link(request, text, device)]
        for device in set(cards.values())
    }
    hints = [text for texts in devices.values() for text in texts]
    if not hints:
        return []
    for text in hints:
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as knock:
                knock.sendto(b"", (text, DISCARD_PORT))
        except OSError:
            pass  # No route to it: then it is no neighbour either.
    others = contested(devices, set(cards))
    ended = run(request, ["ip", "-json", "neighbour"], timeout_ms=IP_TIMEOUT_MS)
    neighbours = json.loads(ended.output or "[]") if ended.code == 0 else []
    return [
        entry["dst"]
        for entry in neighbours
        if entry.get("dst") in hints
        and entry["dst"] not in others
        and entry.get("lladdr") in cards
        and entry.get("dev") == cards[entry["lladdr"]]
        and on_link(request, entry["dst"], entry["dev"])
    ]
