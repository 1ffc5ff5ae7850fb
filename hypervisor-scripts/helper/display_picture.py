"""A small picture of a domain's screen, as libvirt takes it."""

import base64
from typing import Any, Dict

from domains import ask_of_running
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n"


def display_picture(host: Host, request: Request) -> Result:
    """Gives {png: base64}, as a QEMU from 7.1 on makes it. Raises not_found or libvirt."""
    name = request.args["domain"]
    taken = ask_of_running(host, name, "screenshot")
    if taken is None:
        raise Failure("libvirt", f"The picture of {name} is too large.")
    if not base64.b64decode(taken).startswith(PNG):
        raise Failure("libvirt", f"The picture of {name} is no PNG: QEMU is older than 7.1.")
    return {"png": taken}
