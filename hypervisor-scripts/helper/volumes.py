"""Where the volumes of libvirt's storage pools lie."""

from typing import Any, Dict

from children import run
from host import Host
from requests import Request
from virsh import COMMAND

TIMEOUT_MS = 10_000


def volume_path(host: Host, request: Request) -> Dict[str, Any]:
    """Gives {path}: where a volume is on this host, or null when libvirt does not have it."""
    pool, volume = request.args["pool"], request.args["volume"]
    words = [*COMMAND, "vol-path", f"--vol={volume}", f"--pool={pool}"]
    ended = run(request, words, timeout_ms=TIMEOUT_MS)
    return {"path": ended.output.strip() if ended.code == 0 else None}
