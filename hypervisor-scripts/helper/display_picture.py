"""A small picture of a domain's screen, as libvirt takes it (virsh screenshot)."""

import base64
import os
import secrets
from typing import Any, Dict

from domains import command
from durable import remove_if_there
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

DIRECTORY = "/run/berth/pictures"
TAKE_TIMEOUT_MS = 10000
MOST_BYTES = 2 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


def display_picture(host: Host, request: Request) -> Result:
    """Gives {png: base64}, as a QEMU from 7.1 on makes it. Raises not_found or libvirt."""
    name = request.args["domain"]
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    path = f"{DIRECTORY}/{secrets.token_hex(16)}"
    try:
        command(host, name, f"screenshot {{domain}} --file {path}", timeout_ms=TAKE_TIMEOUT_MS)
        with open(path, "rb") as file:
            taken = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Failure("libvirt", f"libvirt took no picture of {name}.")
    finally:
        remove_if_there(path)
    if not taken.startswith(PNG):
        raise Failure("libvirt", f"The picture of {name} is no PNG: QEMU is older than 7.1.")
    if len(taken) > MOST_BYTES:
        raise Failure("libvirt", f"The picture of {name} is too large.")
    return {"png": base64.b64encode(taken).decode("ascii")}
