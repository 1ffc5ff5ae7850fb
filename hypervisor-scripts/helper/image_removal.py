"""Removing images, overlays and what interrupted writers left behind."""

import os
from typing import Any, Dict, List

from durable import remove_if_there
from failures import Failure, from_os_error
from host import Directory, Host
from images import list_directory
from locks import try_lock, unlock
from overlays import drop_layers, drop_link, layers_by_overlay
from qcow2 import in_use, open_image
from requests import Request

Result = Dict[str, Any]


def image_remove(host: Host, request: Request) -> Result:
    """Removes files one by one; a missing one counts as removed. Gives {items}."""
    directory = host.directory(request.args["dir"])
    users = _users(host) if directory.kind == "images" else {}
    layers = layers_by_overlay(host) if directory.kind == "overlays" else {}
    items = []
    for name in request.args["names"]:
        request.stop_if_cancelled()
        try:
            _remove(host, directory, name, users, layers)
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
            if item["base"] is not None and item["name"] not in users.get(
                item["base"], ()
            ):
                users.setdefault(item["base"], []).append(item["name"])
    return users


def _remove(
    host: Host,
    directory: Directory,
    name: str,
    users: Dict[str, List[str]],
    layers: Dict[str, List[str]],
) -> None:
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
        drop_layers(host, layers.get(name, []))
        drop_link(host, name)
    remove_if_there(name, directory.handle)


def parts_remove(host: Host, request: Request) -> Result:
    """Removes *.part files that no running request of any helper owns; `keep` names images that may yet resume."""
    keep = set(request.args["keep"])
    removed = []
    for directory in {
        host.directory(kind).path: host.directory(kind)
        for kind in ("images", "overlays")
    }.values():
        for entry in sorted(os.listdir(directory.handle)):
            name = entry[: -len(".part")]
            if not entry.endswith(".part") or name in keep:
                continue
            lock = try_lock("image", directory.file(name))
            if lock is None:
                continue
            try:
                if remove_if_there(entry, directory.handle):
                    removed.append(entry)
            finally:
                unlock("image", directory.file(name), lock)
        directory.sync()
    return {"removed": removed}
