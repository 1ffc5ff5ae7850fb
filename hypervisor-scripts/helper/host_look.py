"""What the broker's checks look at on this host. Facts only: what they mean is the broker's to say. Nothing is changed.

The directories come with the request, so that no `configure` is needed, which would make those that are missing.
"""

import importlib
import json
import os
import time
from typing import Any, Callable, Dict, List

from children import last_line, run
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

TIMEOUT_MS = 10_000
SSHD = "/usr/sbin/sshd"
# The settings for the broker's account, Match blocks included.
SSHD_SETTINGS = frozenset(
    (
        "maxsessions",
        "maxstartups",
        "allowtcpforwarding",
        "allowstreamlocalforwarding",
        "disableforwarding",
        "pubkeyauthentication",
    )
)
PROGRAMS = {
    "qemu_img": ("/usr/bin/qemu-img",),
    "qemu": ("/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"),
}


def host_look(host: Host, request: Request) -> Result:
    """Looks at one thing; the answer's form depends on which."""
    return LOOKS[request.args["look"]](host, request)


def _words(request: Request, command: List[str]) -> str:
    ended = run(request, command, timeout_ms=TIMEOUT_MS)
    if ended.code != 0:
        raise Failure("internal", f"{command[0]} failed: {last_line(ended.errors)}.")
    return ended.output


def clock(host: Host, request: Request) -> Result:
    """{clock_ms}: what this host takes for the time, since 1970."""
    return {"clock_ms": int(time.time() * 1000)}


def sshd(host: Host, request: Request) -> Result:
    """{settings}: those that matter to the broker, as sshd itself names them."""
    if not os.path.exists(SSHD):
        raise Failure("not_found", f"There is no {SSHD} on this host.")
    text = _words(request, [SSHD, "-T", "-C", "user=berth,host=localhost,addr=127.0.0.1"])
    pairs = (line.partition(" ") for line in text.splitlines())
    return {"settings": {name: value for name, _, value in pairs if name in SSHD_SETTINGS}}


def libvirt(host: Host, request: Request) -> Result:
    """{libvirt, qemu}: versions as libvirt says them; qemu is null where it knows none. Raises
    libvirt when it is silent.
    """
    found: Result = host.libvirt.ask("versions")
    return found


def programs(host: Host, request: Request) -> Result:
    """{qemu_img, qemu}: the first line that each says of its version, or null."""
    found: Result = {}
    for name, places in PROGRAMS.items():
        path = next((place for place in places if os.access(place, os.X_OK)), None)
        found[name] = _words(request, [path, "--version"]).splitlines()[0] if path else None
    return found


def networks(host: Host, request: Request) -> Result:
    """{networks: [{name, active, autostart}], bridges: [{name, up, rp_filter}]}."""
    items = [
        {name: one[name] for name in ("name", "active", "autostart")}
        for one in host.libvirt.ask("networks")
    ]
    links = json.loads(_words(request, ["ip", "-json", "link", "show", "type", "bridge"]) or "[]")
    bridges = [
        {
            "name": one["ifname"],
            "up": "UP" in one.get("flags", []),
            "rp_filter": max(_rp_filter("all"), _rp_filter(one["ifname"])),
        }
        for one in links
        if "ifname" in one
    ]
    return {"networks": items, "bridges": bridges}


def _rp_filter(device: str) -> int:
    try:
        with open(f"/proc/sys/net/ipv4/conf/{device}/rp_filter", encoding="ascii") as setting:
            return int(setting.read())
    except (OSError, ValueError):
        return 0


def addresses(host: Host, request: Request) -> Result:
    """{addresses}: those of this host's cards, without loopback and link-local ones."""
    cards = json.loads(_words(request, ["ip", "-json", "address"]) or "[]")
    entries = [entry for card in cards for entry in card.get("addr_info", [])]
    return {
        "addresses": [
            entry["local"]
            for entry in entries
            if entry.get("scope") == "global" and "local" in entry
        ]
    }


def _elsewhere(home: str) -> Callable[[Host, Request], Result]:
    def look(host: Host, request: Request) -> Result:
        module, function = home.split(".")
        found: Callable[[Host, Request], Result] = getattr(
            importlib.import_module(module), function
        )
        return found(host, request)

    return look


LOOKS: Dict[str, Callable[[Host, Request], Result]] = {
    "clock": clock,
    "sshd": sshd,
    "libvirt": libvirt,
    "programs": programs,
    "networks": networks,
    "addresses": addresses,
    "account": _elsewhere("account_look.account"),
    "certificate_key": _elsewhere("certificates.certificate_key"),
    "directories": _elsewhere("directory_look.directories"),
    "files": _elsewhere("directory_look.files"),
}
