"""One-time console passwords for SPICE.

QEMU takes a password until its expiry; all channels of one viewer need it, so it stays valid until the viewer has
settled or the time has passed, and is then burned (see ticket_watch.py). The password reaches libvirt through a
pipe: it is never in argv, on a disk or in a log.
"""

import secrets
import time
from ipaddress import ip_address
from typing import Any, Dict, Tuple
from xml.etree import ElementTree

import ticket_record
from displays import spice_channels
from domains import ask_of_running, must_identify, running_xml
from failures import Failure
from host import Host
from locks import held
from requests import Request

Result = Dict[str, Any]

LONG_AGO = "1970-01-01T00:00:01"
DOMAIN_WAIT_MS = 20_000


def live_spice(host: Host, name: str) -> ElementTree.Element:
    """The SPICE display of the running domain as libvirt has it now; raises not_found or libvirt."""
    display = running_xml(host, name).find("./devices/graphics[@type='spice']")
    if display is None or not display.get("tlsPort", "").isdigit():
        raise Failure(
            "libvirt",
            f"{name} has no SPICE display with a TLS port; check its <graphics> and spice_tls in "
            "/etc/libvirt/qemu.conf.",
        )
    return display


def update(
    host: Host,
    name: str,
    display: ElementTree.Element,
    password: str,
    valid_to: str,
    connected: str,
) -> None:
    """Sets password and expiry in QEMU. libvirt wants the whole element repeated, and reads the time as UTC."""
    display.set("passwd", password)
    display.set("passwdValidTo", valid_to)
    display.set("connected", connected)
    xml = ElementTree.tostring(display, encoding="unicode")
    ask_of_running(host, name, "update_device", xml=xml)


def burn(host: Host, name: str, connected: str) -> None:
    """Makes every earlier password worthless. The caller holds the domain's lock."""
    update(host, name, live_spice(host, name), secrets.token_urlsafe(24), LONG_AGO, connected)


def lifetime(ttl_seconds: int, now_s: float) -> int:
    """The second in which a ticket ends.

    SPICE counts whole seconds and lets the last one pass (reds.cpp compares with "<"), so one is taken off: a ticket
    never lives longer than it was asked for, except that one of a single second may live two.
    """
    return int(now_s) + max(1, ttl_seconds - 1)


def ticket(host: Host, request: Request) -> Result:
    """Sets a new ticket; gives {tls_port, listen, valid_until_ms} after QEMU has taken it.

    With `reachable` a display on the loopback is refused before its password is replaced or anybody is cut.
    """
    from ticket_watch import watch_of

    name, connected = request.args["domain"], request.args["connected"]
    must_identify(host, name, request.args["uuid"])
    with held("domain", name, request.cancelled, DOMAIN_WAIT_MS) as locked:
        _must_hold(locked, name, request)
        display = live_spice(host, name)
        port, listen = _place(display)
        if request.args["reachable"] and _is_loopback(listen):
            raise Failure(
                "hidden", f"The display of {name} listens on the loopback of this host only."
            )
        seated = frozenset(spice_channels(host, name))
        ends_s = lifetime(request.args["ttl_seconds"], time.time())
        record = ticket_record.begin(name)
        valid_to = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ends_s))
        update(host, name, display, request.args["password"], valid_to, connected)
        watch_of(host).begin(name, record, seated, ends_s)
    return {"tls_port": port, "listen": listen, "valid_until_ms": ends_s * 1000}


def _place(display: ElementTree.Element) -> Tuple[int, str]:
    listen = display.find("./listen[@type='address']")
    found = listen.get("address") if listen is not None else None
    # Without an address libvirt listens where spice_listen says, which is the loopback by default.
    return int(display.get("tlsPort", "0")), found or display.get("listen") or "127.0.0.1"


def _is_loopback(listen: str) -> bool:
    try:
        return ip_address(listen).is_loopback
    except ValueError:
        return listen == "localhost"


def disconnect(host: Host, request: Request) -> Result:
    """Cuts every viewer and makes every earlier password worthless."""
    name = request.args["domain"]
    must_identify(host, name, request.args["uuid"])
    with held("domain", name, request.cancelled, DOMAIN_WAIT_MS) as locked:
        _must_hold(locked, name, request)
        ticket_record.begin(name)
        burn(host, name, "disconnect")
    return {}


def _must_hold(locked: bool, name: str, request: Request) -> None:
    request.stop_if_cancelled()
    if not locked:
        raise Failure("timeout", f"Another console request for {name} did not end in time.")
