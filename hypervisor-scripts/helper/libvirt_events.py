"""What the process of events.py runs: prints libvirt's events, as JSON, one a line.

The first line is {"up": true}, when libvirt has taken all registrations. The process ends when the connection does,
with the reason on its standard error.
"""

import json
import sys
from typing import Any, Dict

from libvirt_verbs import MISSING

try:
    import libvirt
    import libvirt_qemu
except ImportError:
    libvirt = None

# libvirtd that is silent so long and so often is taken for lost.
KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3
LIFECYCLE = (
    "defined",
    "undefined",
    "started",
    "suspended",
    "resumed",
    "stopped",
    "shutdown",
    "pmsuspended",
    "crashed",
)


def send(message: Dict[str, Any]) -> None:
    """Prints one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def send_event(domain: Any, kind: str, detail: str = "") -> None:
    """Prints an event as it goes to the broker."""
    send({"event": "domain", "name": domain.name(), "kind": kind, "detail": detail})


def lifecycle(number: int, reason: int) -> str:
    """What happened and why, such as "Stopped Destroyed"."""
    if number >= len(LIFECYCLE):
        return ""
    what = LIFECYCLE[number]
    prefix = f"VIR_DOMAIN_EVENT_{what.upper()}_"
    names = {
        value: name[len(prefix) :].lower().replace("_", " ").capitalize()
        for name, value in vars(libvirt).items()
        if name.startswith(prefix)
    }
    return f"{what.capitalize()} {names.get(reason, '')}".strip()


def register(connection: Any) -> None:
    """Those after which the broker has something to look at."""

    def on(event: str, callback: Any) -> None:
        number = getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{event}")
        connection.domainEventRegisterAny(None, number, callback, None)

    def only_kind(event: str) -> None:
        kind = event.lower().replace("_", "-")
        on(event, lambda _, domain, *__: send_event(domain, kind))

    on(
        "LIFECYCLE",
        lambda _, domain, what, why, __: send_event(domain, "lifecycle", lifecycle(what, why)),
    )
    on(
        "IO_ERROR_REASON",
        lambda _, domain, path, device, action, why, __: send_event(
            domain, "io-error-reason", f"{path} ({device}) {why}".strip()
        ),
    )
    for event in ("REBOOT", "WATCHDOG", "GRAPHICS", "CONTROL_ERROR", "AGENT_LIFECYCLE"):
        only_kind(event)
    for event in ("PMWAKEUP", "PMSUSPEND", "PMSUSPEND_DISK", "DEVICE_ADDED", "DEVICE_REMOVED"):
        only_kind(event)
    # libvirt does not say whether a guest went off or only rebooted into on_reboot=destroy; QEMU's own event does.
    libvirt_qemu.qemuMonitorEventRegister(
        connection,
        None,
        "SHUTDOWN",
        lambda _, domain, event, seconds, micros, details, __: send_event(
            domain, "shutdown", str(json.loads(details or "{}").get("reason", ""))
        ),
        None,
    )


def listen(uri: str) -> None:
    """Prints events until the connection ends."""
    if libvirt is None:
        sys.exit(MISSING)
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    closed = []
    try:
        connection = libvirt.open(uri)
        connection.registerCloseCallback(lambda *_: closed.append(True), None)
        connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        register(connection)
        send({"up": True})
        while not closed:
            libvirt.virEventRunDefaultImpl()
    except libvirt.libvirtError as error:
        sys.exit(str(error))
    sys.exit("libvirtd closed the connection")
