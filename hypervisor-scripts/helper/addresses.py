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
import socket
from typing import Any, Dict, Iterator, List, Set, Tuple

from children import run
from claims import DISCARD_PORT, contested
from domains import ask_of_running, running_xml
from failures import Failure
from host import Host
from libvirt_process import Refused
from requests import Request

Result = Dict[str, Any]

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
        for mac, text in _ask(host, name, "lease")
        if mac in cards and _is_usable(text, others) and on_link(request, text, cards[mac])
    }
    hints: Dict[str, str] = {}
    told = [(text, "arp") for mac, text in _ask(host, name, "arp") if mac in cards]
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
    domain = running_xml(host, name)
    links = run(request, ["ip", "-json", "link"], timeout_ms=IP_TIMEOUT_MS)
    masters = {
        link["ifname"]: link.get("master", link["ifname"])
        for link in json.loads(links.output or "[]")
        if "ifname" in link
    }
    found = [
        (card.find("target"), card.find("mac")) for card in domain.findall("./devices/interface")
    ]
    named = [
        (target.get("dev", ""), mac.get("address", ""))
        for target, mac in found
        if target is not None and mac is not None
    ]
    return {mac: masters[card] for card, mac in named if card in masters}


def _leased_to_others(host: Host, macs: Set[str]) -> Set[str]:
    """What DHCP servers of libvirt have leased, on any of its networks, to none of these MACs."""
    leases: List[Tuple[str, str]] = []
    for network in host.libvirt.ask("networks"):
        if not network["active"]:
            continue
        try:
            leases += [
                (mac, text) for mac, text in host.libvirt.ask("leases", uuid=network["uuid"])
            ]
        except Refused:
            continue  # A network that is a bridge of somebody else's has no leases.
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


def _ask(host: Host, name: str, source: str) -> List[List[str]]:
    try:
        found: List[List[str]] = ask_of_running(host, name, "interface_addresses", source=source)
        return found
    except Refused:
        return []  # An interface that is on no network of libvirt has no leases.


def _agent(host: Host, request: Request, name: str) -> List[List[str]]:
    try:
        found: List[List[str]] = host.guests.ask(
            "interface_addresses",
            name=name,
            source="agent",
            timeout_ms=AGENT_TIMEOUT_MS,
            request=request,
        )
        return found
    except Refused:
        return []
    except Failure as failure:
        if failure.code != "timeout":
            raise
        return []


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
