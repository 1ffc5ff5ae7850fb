"""What a process of libvirt_process.py runs: it asks libvirt, one question at a time.

A call into libvirt cannot be interrupted, and one for a QEMU that hangs never returns. So the calls are made in
processes of their own, which are killed when they take too long. Questions and answers are JSON, one a line, on
standard input and output; what must not be seen (a console password) passes only there.
"""

import base64
import json
import sys
from typing import Any, Callable, Dict, List

from libvirt_host_verbs import HOST_VERBS

MISSING = (
    "python3-libvirt is not installed on this host; install the package python3-libvirt "
    "(Debian, Ubuntu and RHEL call it so)."
)
MOST_PICTURE_BYTES = 2 * 1024 * 1024
METADATA_URI = "https://berth.invalid/xmlns/1"
METADATA_KEY = "berth"

try:
    import libvirt
    import libvirt_qemu
except ImportError:
    libvirt = libvirt_qemu = None

Args = Dict[str, Any]


def _domain(connection: Any, args: Args) -> Any:
    """By UUID where it is given: another domain may have the name by now."""
    if args.get("uuid") is not None:
        return connection.lookupByUUIDString(args["uuid"])
    return connection.lookupByName(args["name"])


def running_names(connection: Any, args: Args) -> Any:
    """The names of the domains that run. One question: a domain that vanishes meanwhile spoils nothing."""
    return [
        one.name() for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    ]


def domain(connection: Any, args: Args) -> Any:
    """{name, uuid, running, persistent} of one domain."""
    found = _domain(connection, args)
    return {
        "name": found.name(),
        "uuid": found.UUIDString(),
        "running": _is_running(found),
        "persistent": bool(found.isPersistent()),
    }


def _is_running(found: Any) -> bool:
    return found.state()[0] not in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED)


def xml(connection: Any, args: Args) -> Any:
    """The domain's XML, without passwords: as it runs, or with `inactive` as it will start."""
    return _domain(connection, args).XMLDesc(
        libvirt.VIR_DOMAIN_XML_INACTIVE if args.get("inactive") else 0
    )


def undefine(connection: Any, args: Args) -> Any:
    """With its saved state and the records of its snapshots; `nvram`: with the firmware's variables."""
    _domain(connection, args).undefineFlags(
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | (
            libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            if args["nvram"]
            else libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
        )
    )


def reboot(connection: Any, args: Args) -> Any:
    """Asks the guest to reboot."""
    _domain(connection, args).reboot(0)


def reset(connection: Any, args: Args) -> Any:
    """Presses the reset button."""
    _domain(connection, args).reset(0)


def update_device(connection: Any, args: Args) -> Any:
    """Changes a device of the running domain."""
    _domain(connection, args).updateDeviceFlags(args["xml"], libvirt.VIR_DOMAIN_AFFECT_LIVE)


def metadata(connection: Any, args: Args) -> Any:
    """Sets Berth's element, or removes it when xml is null: in what runs and in what will start."""
    found = _domain(connection, args)
    flags = (libvirt.VIR_DOMAIN_AFFECT_CONFIG if found.isPersistent() else 0) | (
        libvirt.VIR_DOMAIN_AFFECT_LIVE if _is_running(found) else 0
    )
    found.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT,
        args["xml"],
        None if args["xml"] is None else METADATA_KEY,
        METADATA_URI,
        flags,
    )


def monitor(connection: Any, args: Args) -> Any:
    """What QEMU answers to a QMP query without arguments."""
    query = json.dumps({"execute": args["query"]})
    return json.loads(libvirt_qemu.qemuMonitorCommand(_domain(connection, args), query, 0))


def is_occupied(connection: Any, args: Args) -> Any:
    """Whether QEMU still owes an answer to an earlier question; libvirt knows without asking it."""
    state = _domain(connection, args).controlInfo()[0]
    return bool(state == libvirt.VIR_DOMAIN_CONTROL_OCCUPIED)


def agent(connection: Any, args: Args) -> Any:
    """What the guest's agent answers; empty when it gives none."""
    return libvirt_qemu.qemuAgentCommand(
        _domain(connection, args), args["question"], args["timeout_seconds"], 0
    )


def screenshot(connection: Any, args: Args) -> Any:
    """A picture of the first screen as libvirt takes it, in base64; null when it is too large."""
    stream = connection.newStream(0)
    pieces: List[bytes] = []
    size = 0

    def take(_: Any, piece: bytes, __: Any) -> int:
        nonlocal size
        size += len(piece)
        if size <= MOST_PICTURE_BYTES:
            pieces.append(piece)
        return len(piece)

    _domain(connection, args).screenshot(stream, 0, 0)
    stream.recvAll(take, None)
    stream.finish()
    return None if size > MOST_PICTURE_BYTES else base64.b64encode(b"".join(pieces)).decode("ascii")


def interface_addresses(connection: Any, args: Args) -> Any:
    """[[mac, address]] of the domain's cards, from leases, from the host's neighbours or from the agent."""
    sources = {
        "lease": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
        "arp": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
        "agent": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    }
    cards = _domain(connection, args).interfaceAddresses(sources[args["source"]], 0)
    return [
        [card["hwaddr"], one["addr"]]
        for card in cards.values()
        for one in card["addrs"] or []
        if card["hwaddr"]
    ]


VERBS: Dict[str, Callable[[Any, Args], Any]] = {
    verb.__name__: verb
    for verb in (
        *HOST_VERBS,
        running_names,
        domain,
        xml,
        undefine,
        reboot,
        reset,
        update_device,
        metadata,
        monitor,
        is_occupied,
        agent,
        screenshot,
        interface_addresses,
    )
}


def answer(uri: str, connections: List[Any], question: Dict[str, Any]) -> Dict[str, Any]:
    """{result}; {refused, reason} in libvirt's words; {lost}: the connection has ended; {failed}: a fault of ours."""
    if libvirt is None:
        return {"refused": MISSING, "reason": "missing"}
    try:
        if not connections:
            connections.append(libvirt.open(uri))
    except libvirt.libvirtError as error:
        return {"lost": str(error)}
    try:
        return {"result": VERBS[question["verb"]](connections[0], question["args"])}
    except libvirt.libvirtError as error:
        if not connections[0].isAlive():
            return {"lost": str(error)}
        return {"refused": str(error), "reason": _reasons().get(error.get_error_code(), "")}
    except (
        Exception
    ) as error:  # It is said, and not taken for a libvirtd that is lost and asked again.
        return {"failed": repr(error)}


def _reasons() -> Dict[int, str]:
    return {
        libvirt.VIR_ERR_NO_DOMAIN: "no_domain",
        libvirt.VIR_ERR_NO_DOMAIN_METADATA: "no_metadata",
        libvirt.VIR_ERR_NO_STORAGE_POOL: "no_volume",
        libvirt.VIR_ERR_NO_STORAGE_VOL: "no_volume",
    }


def serve(uri: str) -> None:
    """Answers until the input ends, or the connection does."""
    if libvirt is not None:
        # It prints each error; the answers carry them.
        libvirt.registerErrorHandler(lambda *_: None, None)
    connections: List[Any] = []
    for line in sys.stdin:
        said = answer(uri, connections, json.loads(line))
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        if "lost" in said:
            return
