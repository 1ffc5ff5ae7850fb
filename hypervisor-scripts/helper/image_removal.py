"""Removing images, overlays and what interrupted writers left behind."""

import os
from typing import Any, Dict, List

from closing import unseal
from durable import remove_if_there
from failures import Failure, from_os_error
from host import Directory, Host
from images import exists, list_directory, remove_part
from locks import try_lock, unlock
from ownership import foreign, own
from layers import drop_layer, drop_link
from qcow2 import in_use, open_image
from requests import Request

Result = Dict[str, Any]


def image_remove(host: Host, request: Request) -> Result:
    """Removes files that were made for their `owner` (and by the operation `made_by`), one by one. Gives {items}.

    A missing one counts as removed; what Berth did not make stays and is told as `foreign`.
    """
    directory = host.directory(request.args["dir"])
    users = _users(host) if directory.kind == "images" else {}
    items = []
    for wanted in request.args["items"]:
        request.stop_if_cancelled()
        name = wanted["name"]
        try:
            _remove(host, directory, wanted, users)
            item: Dict[str, Any] = {"name": name, "ok": True}
        except Failure as failure:
            item = {"name": name, "ok": False, "error": failure.as_answer()}
        except OSError as error:
            item = {
                "name": name,
                "ok": False,
                "error": from_os_error(error, f"Removing {name}").as_answer(),
            }
        items.append(item)
        request.item(item)
    directory.sync()
    return {"items": items}


def _users(host: Host) -> Dict[str, List[str]]:
    """By base name: who stands on it."""
    users: Dict[str, List[str]] = {}
    for kind in ("overlays", "images"):
        for item in list_directory(host.directory(kind), host):
            if item["base"] is not None and item["name"] not in users.get(item["base"], ()):
                users.setdefault(item["base"], []).append(item["name"])
    return users


def _remove(
    host: Host,
    directory: Directory,
    wanted: Dict[str, Any],
    users: Dict[str, List[str]],
) -> None:
    name = wanted["name"]
    mark = own(directory, name, wanted["owner"])
    if mark is not None and wanted["made_by"] not in (None, mark.operation):
        raise foreign(directory.file(name))
    standing = users.get(name, [])
    if standing:
        more = f" and {len(standing) - 3} more" if len(standing) > 3 else ""
        raise Failure(
            "in_use",
            f'{directory.file(name)} is the backing file of {", ".join(standing[:3])}{more}; '
            "remove or renew those first.",
        )
    try:
        handle = open_image(directory, name)
    except Failure as failure:
        if failure.code != "not_found":
            raise
        handle = None
    if handle is not None:
        try:
            if in_use(handle):
                raise Failure(
                    "in_use",
                    f"A running machine has {directory.file(name)} open; shut it down first.",
                )
        finally:
            os.close(handle)
    if directory.kind == "overlays":
        drop_layer(host, name)
        drop_link(host, name)
    if mark is not None:
        _unlink(directory, name)


def _unlink(directory: Directory, name: str) -> None:
    if directory.kind == "images":
        handle = open_image(directory, name)
        try:
            unseal(handle)
        finally:
            os.close(handle)
    remove_if_there(name, directory.handle)


def parts_remove(host: Host, request: Request) -> Result:
    """Removes parts that no running request of any helper writes; `keep` names images that may yet resume."""
    keep = set(request.args["keep"])
    removed = []
    for directory in {
        host.directory(kind).path: host.directory(kind) for kind in ("images", "overlays")
    }.values():
        for name in sorted(os.listdir(directory.parts())):
            # One whose image is there already is what a kill left between giving it its name and ending.
            if name in keep and not exists(directory, name):
                continue
            lock = try_lock("image", directory.file(name))
            if lock is None:
                continue
            try:
                if remove_part(directory, name):
                    removed.append(name)
            finally:
                unlock("image", directory.file(name), lock)
        directory.sync()
    return {"removed": removed}
