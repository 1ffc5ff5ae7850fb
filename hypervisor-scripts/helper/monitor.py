"""Questions to the monitors of QEMU, by way of libvirt.

libvirt gives a thread of its own to each question, and has few: a QEMU that hangs must not get a second one while the
first still waits, or in the end libvirtd answers nobody. So what hung is remembered, and libvirt, which knows without
asking QEMU whether the first question was answered (virDomainGetControlInfo), is asked before QEMU is.
"""

from typing import Any, Dict, Optional

from domains import ask_of_running
from failures import Failure
from host import Host

QUERY_TIMEOUT_MS = 5000
CONTROL_TIMEOUT_MS = 2000


def ask_monitor(
    host: Host, name: str, query: str, timeout_ms: Optional[int] = None
) -> Optional[Dict[str, Any]]:
    """One QMP query without arguments; None when this QEMU does not know it.

    Raises not_found, libvirt, or timeout when QEMU does not answer.
    """
    timeout_ms = timeout_ms or QUERY_TIMEOUT_MS
    if name in host.hung and _still_hangs(host, name):
        raise Failure("timeout", f"QEMU of {name} does not answer its monitor.")
    try:
        answer = ask_of_running(host, name, "monitor", query=query, timeout_ms=timeout_ms)
    except Failure as failure:
        if failure.code != "timeout":
            raise
        host.hung.add(name)
        raise Failure("timeout", f"QEMU of {name} did not answer within {timeout_ms} ms.")
    host.hung.discard(name)
    error = answer.get("error")
    if error is None:
        returned: Dict[str, Any] = answer["return"]
        return returned
    if error.get("class") == "CommandNotFound":
        return None
    raise Failure("libvirt", f'QEMU of {name} refused {query}: {error.get("desc", "no reason")}.')


def _still_hangs(host: Host, name: str) -> bool:
    try:
        return bool(ask_of_running(host, name, "is_occupied", timeout_ms=CONTROL_TIMEOUT_MS))
    except Failure as failure:
        if failure.code == "not_found":
            host.hung.discard(name)
        raise
