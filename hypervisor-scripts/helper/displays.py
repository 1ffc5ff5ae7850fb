"""Who is connected to the displays, as QEMU itself says: events carry no state."""

import json
from typing import Any, Dict, List

from arguments import DOMAIN_NAME
from domains import command
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

QUERY_TIMEOUT_MS = 5000


def ask_monitor(host: Host, name: str, query: str) -> Dict[str, Any]:
    """One QMP query without arguments; raises not_found, libvirt or timeout."""
    words = 'qemu-monitor-command {domain} \'{"execute":"' + query + "\"}'"
    text = command(host, name, words, timeout_ms=QUERY_TIMEOUT_MS)
    answer = json.loads(text[text.index("{") :])
    if "error" in answer:
        raise Failure(
            "libvirt",
            f'QEMU of {name} refused {query}: {answer["error"].get("desc", "no reason given")}.',
        )
    returned: Dict[str, Any] = answer["return"]
    return returned


def spice_channels(host: Host, name: str) -> Dict[int, List[Dict[str, Any]]]:
    """The open SPICE channels by connection id; all channels of one viewer share it."""
    viewers: Dict[int, List[Dict[str, Any]]] = {}
    for channel in ask_monitor(host, name, "query-spice").get("channels", []):
        viewers.setdefault(channel["connection-id"], []).append(channel)
    return viewers


def running_names(host: Host) -> List[str]:
    """The running domains that the broker can know. Another name could mean something to virsh, such as "a; destroy b"."""
    names = [line.strip() for line in host.shells.run("list --name").splitlines()]
    return [name for name in names if DOMAIN_NAME.fullmatch(name)]


def displays(host: Host, request: Request) -> Result:
    """The viewers of some or all running domains: {items: [{name, spice: [...], vnc: [...]}]}.

    A domain that is not running, or vanishes meanwhile, is left out.
    """
    names = request.args["domains"]
    if names is None:
        names = running_names(host)
    items = []
    for name in names:
        request.stop_if_cancelled()
        try:
            items.append(
                {"name": name, "spice": _spice(host, name), "vnc": _vnc(host, name)}
            )
        except Failure as failure:
            if failure.code not in ("not_found", "libvirt"):
                raise
            if failure.code == "libvirt" and "libvirtd" in failure.message:
                raise
    return {"items": items}


def _spice(host: Host, name: str) -> List[Dict[str, Any]]:
    viewers = spice_channels(host, name).values()
    return [
        {
            "address": channels[0]["host"],
            "port": _number(channels[0]["port"]),
            "channels": len(channels),
        }
        for channels in viewers
    ]


def _vnc(host: Host, name: str) -> List[Dict[str, Any]]:
    try:
        clients = ask_monitor(host, name, "query-vnc").get("clients", [])
    except Failure as failure:
        if failure.code != "libvirt" or "libvirtd" in failure.message:
            raise
        return []  # A QEMU without VNC does not know the query.
    return [
        {
            "address": client.get("host", ""),
            "port": _number(client.get("service", "")),
            "family": client.get("family", ""),
        }
        for client in clients
    ]


def _number(text: str) -> "int | None":
    return int(text) if text.isdigit() else None
