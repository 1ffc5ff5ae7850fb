"""The throw-away layers that libvirt lays on overlays, and the links that bring them into their own directory.

A layer or a link is removed only when it is what it seems to be: see `must_be_layer` and `must_be_link`.
"""

import os
from typing import Any, Dict, Optional

from domains import identify, is_running
from durable import remove_if_there
from failures import Failure
from host import Host
from ownership import foreign
from qcow2 import in_use, open_image, read_header
from requests import Request

Result = Dict[str, Any]

LAYER_MARK = ".TRANSIENT-"


def layer_of(name: str, domain: Optional[str] = None) -> str:
    """The throw-away layer that libvirt lays on an overlay: by default for the machine that the
    overlay is named after.
    """
    return f'{name}{LAYER_MARK}{domain or name[: -len(".qcow2")]}'


def must_be_layer(host: Host, name: str, layer: str) -> bool:
    """Whether the layer exists; raises foreign when it does not stand on the overlay.

    libvirt makes it, so it has no mark; what tells it is its backing file. An empty one is what a crash left at birth.
    """
    transient = host.directory("transient")
    try:
        handle = open_image(transient, layer)
    except Failure as failure:
        if failure.code == "not_found":
            return False
        raise foreign(transient.file(layer))
    try:
        header = read_header(handle)
        mine = (host.directory("overlays").file(name), transient.file(name))
        if os.fstat(handle).st_size > 0 and (header is None or header.backing not in mine):
            raise foreign(transient.file(layer))
        return True
    finally:
        os.close(handle)


def drop_layer(host: Host, name: str) -> None:
    """Removes the machine's own throw-away layer; raises in_use when it is written to, foreign as must_be_layer."""
    transient, layer = host.directory("transient"), layer_of(name)
    if not must_be_layer(host, name, layer):
        return
    if open_in_use(host, "transient", layer):
        raise Failure(
            "in_use", f"A running machine writes to {transient.file(layer)}; shut it down first."
        )
    remove_if_there(layer, transient.handle)


def must_be_link(host: Host, name: str) -> bool:
    """Whether transient/NAME is the link to the overlay; raises foreign when it is anything else."""
    transient = host.directory("transient")
    if transient.path == host.directory("overlays").path:
        return True
    try:
        if os.readlink(name, dir_fd=transient.handle) == host.directory("overlays").file(name):
            return True
    except FileNotFoundError:
        return False
    except OSError:
        pass  # Not a link.
    raise foreign(transient.file(name))


def drop_link(host: Host, name: str) -> None:
    """Removes the link transient/NAME, if the directories differ."""
    if host.directory("transient").path != host.directory("overlays").path:
        if must_be_link(host, name):
            remove_if_there(name, host.directory("transient").handle)


def transient_clear(host: Host, request: Request) -> Result:
    """Removes the throw-away layer of a machine that is off; gives {removed}."""
    domain, uuid, name = (request.args[field] for field in ("domain", "uuid", "name"))
    if identify(host, domain, uuid) and is_running(host, uuid):
        raise Failure(
            "in_use", f"{domain} is running; its throw-away layer is removed when it is off."
        )
    transient, layer = host.directory("transient"), layer_of(name, domain)
    removed = must_be_layer(host, name, layer) and remove_if_there(layer, transient.handle)
    transient.sync()
    return {"removed": removed}


def open_in_use(host: Host, kind: str, name: str) -> bool:
    """Whether a QEMU process has the file of this directory open."""
    try:
        handle = open_image(host.directory(kind), name)
    except Failure as failure:
        if failure.code == "not_found":
            return False
        raise
    try:
        return in_use(handle)
    finally:
        os.close(handle)
