"""Where the volumes of libvirt's storage pools lie."""

from typing import Any, Dict

from host import Host
from requests import Request
from libvirt_process import Refused


def volume_path(host: Host, request: Request) -> Dict[str, Any]:
    """Gives {path}: where a volume is on this host, or null when libvirt does not have it."""
    pool, volume = request.args["pool"], request.args["volume"]
    try:
        path = host.libvirt.ask("volume_path", pool=pool, volume=volume, request=request)
    except Refused as refusal:
        if refusal.reason != "no_volume":
            raise
        path = None
    return {"path": path}
