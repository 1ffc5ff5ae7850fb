"""Who is connected to the displays, as QEMU itself says: events carry no state."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Dict, List, Optional

from arguments import DOMAIN_NAME
from failures import Failure
from host import Host
from monitor import ask_monitor
from requests import Request

Result = Dict[str, Any]

# So many domains are asked at a time; two of the processes are left for what else is asked of libvirt.
ASKERS = 6
# All of them together may take so many times as long as one.
WHOLE_FACTOR = 4

# Its threads live as long as the helper: the kernel ties a child's life to the thread that started it (prctl(2)).
_askers = ThreadPoolExecutor(max_workers=ASKERS)


def spice_channels(
    host: Host, name: str, timeout_ms: Optional[int] = None
) -> Dict[int, List[Dict[str, Any]]]:
    """The open SPICE channels by connection id; all channels of one viewer share it."""
    viewers: Dict[int, List[Dict[str, Any]]] = {}
    for channel in (ask_monitor(host, name, "query-spice", timeout_ms) or {}).get("channels", []):
        viewers.setdefault(channel["connection-id"], []).append(channel)
    return viewers


def running_names(host: Host) -> List[str]:
    """The running domains that the broker can know: it takes no other names."""
    return [name for name in host.libvirt.ask("running_names") if DOMAIN_NAME.fullmatch(name)]


def displays(host: Host, request: Request) -> Result:
    """The viewers of some or all running domains: {items: [{name, spice, vnc} or {name, error: {code, message}}]}.

    Each domain is asked by itself and within `timeout_ms`: one whose QEMU hangs has an error, the others are known.
    A domain that is not running, or vanishes meanwhile, is left out.
    """
    names, timeout_ms = request.args["domains"], request.args["timeout_ms"]
    if names is None:
        names = running_names(host)
    request.stop_if_cancelled()
    asked = {name: _askers.submit(_ask, host, name, timeout_ms) for name in dict.fromkeys(names)}
    wait(asked.values(), timeout=timeout_ms * WHOLE_FACTOR / 1000)
    answers = [_answer(name, future) for name, future in asked.items()]
    return {"items": [answer for answer in answers if answer is not None]}


def _answer(name: str, asked: "Future[Optional[Result]]") -> Optional[Result]:
    asked.cancel()
    if asked.done() and not asked.cancelled():
        return asked.result()
    late = Failure("timeout", f"{name} could not be asked in time: others did not answer.")
    return {"name": name, "error": late.as_answer()}


def _ask(host: Host, name: str, timeout_ms: int) -> Optional[Result]:
    try:
        return {
            "name": name,
            "spice": _spice(host, name, timeout_ms),
            "vnc": _vnc(host, name, timeout_ms),
        }
    except Failure as failure:
        return None if failure.code == "not_found" else _fault(name, failure)
    except Exception as error:
        return _fault(
            name, Failure("internal", f"What QEMU of {name} says is not clear: {error!r}.")
        )


def _fault(name: str, failure: Failure) -> Result:
    return {"name": name, "error": failure.as_answer()}


def _spice(host: Host, name: str, timeout_ms: int) -> List[Dict[str, Any]]:
    viewers = spice_channels(host, name, timeout_ms).values()
    return [
        {
            "address": channels[0]["host"],
            "port": _number(channels[0]["port"]),
            "channels": len(channels),
        }
        for channels in viewers
    ]


def _vnc(host: Host, name: str, timeout_ms: int) -> List[Dict[str, Any]]:
    clients = (ask_monitor(host, name, "query-vnc", timeout_ms) or {}).get("clients", [])
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
