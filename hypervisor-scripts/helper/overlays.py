"""Overlays of vdi machines, and the throw-away layers that libvirt lays on them.

With `<transient/>` libvirt 9 makes its layer DISK.TRANSIENT-DOMAIN beside the disk's path *as the domain XML names it*,
without following links (tried with libvirt 9.0 and QEMU 7.2). So a domain whose disk is transient/NAME, a symbolic link to
overlays/NAME, writes its throw-away layer into the transient directory, which may be another and faster disk.
A layer that a crash left behind blocks the next start ("already exists"), so it is removed here.
"""

import os
import threading
from typing import Any, Dict, List, Optional

from children import run
from durable import remove_if_there
from failures import Failure, from_os_error
from host import Host
from images import base_name, child_failure, must_hold, writing
from overlay_template import Template
from qcow2 import image_path, in_use, open_image, read_header
from requests import Request

Result = Dict[str, Any]
Item = Dict[str, Any]

PARALLEL = 4
LAYER_MARK = ".TRANSIENT-"


def layers_by_overlay(host: Host) -> Dict[str, List[str]]:
    """The throw-away layers that exist now, by overlay name."""
    layers: Dict[str, List[str]] = {}
    for entry in os.listdir(host.directory("transient").handle):
        overlay, mark, _ = entry.partition(LAYER_MARK)
        if mark:
            layers.setdefault(overlay, []).append(entry)
    return layers


def drop_layers(host: Host, names: List[str]) -> None:
    """Removes throw-away layers; raises Failure('in_use') when a running machine writes to one."""
    transient = host.directory("transient")
    for name in names:
        if _open_in_use(host, "transient", name):
            raise Failure(
                "in_use",
                f"A running machine writes to {transient.file(name)}; shut it down first.",
            )
    for name in names:
        remove_if_there(name, transient.handle)


def drop_link(host: Host, name: str) -> None:
    """Removes the link transient/NAME, if the directories differ."""
    if host.directory("transient").path != host.directory("overlays").path:
        remove_if_there(name, host.directory("transient").handle)


def _open_in_use(host: Host, kind: str, name: str) -> bool:
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


def overlay_create(host: Host, request: Request) -> Result:
    """Makes overlays/NAME on images/BASE for each item; one item's failure leaves the others done. Gives {items}."""
    work: List[Item] = list(request.args["items"])
    results: List[Optional[Item]] = [None] * len(work)
    templates = Templates(host, request)
    layers = layers_by_overlay(host)
    positions = iter(range(len(work)))
    lock = threading.Lock()

    def take() -> Optional[int]:
        with lock:
            return None if request.cancelled.is_set() else next(positions, None)

    def labour() -> None:
        position = take()
        while position is not None:
            results[position] = _one(host, request, templates, layers, work[position])
            request.item(results[position] or {})
            position = take()

    threads = [
        threading.Thread(target=labour, daemon=True)
        for _ in range(min(PARALLEL, len(work)) - 1)
    ]
    for thread in threads:
        thread.start()
    labour()
    for thread in threads:
        thread.join()
    request.stop_if_cancelled()
    host.directory("overlays").sync()
    return {"items": results}


class Templates:
    """One template per base, made when first needed."""

    def __init__(self, host: Host, request: Request) -> None:
        self._host = host
        self._request = request
        self._lock = threading.Lock()
        self._made: Dict[str, "Template | Failure"] = {}

    def on(self, base: str) -> Template:
        """The template of overlays on this base; raises not_found or bad_image."""
        with self._lock:
            if base not in self._made:
                try:
                    self._made[base] = self._make(base)
                except Failure as failure:
                    self._made[base] = failure
            made = self._made[base]
        if isinstance(made, Failure):
            raise made
        return made

    def _make(self, base: str) -> Template:
        images = self._host.directory("images")
        handle = open_image(images, base)
        try:
            header = read_header(handle)
        finally:
            os.close(handle)
        if (
            header is None
            or header.backing is not None
            or header.data_file
            or header.encrypted
        ):
            raise Failure(
                "bad_image",
                f"{images.file(base)} cannot be a base: it must be a plain qcow2 image.",
            )
        blank = os.memfd_create("overlay", os.MFD_CLOEXEC)
        try:
            command = [
                "qemu-img",
                "create",
                "-q",
                "-f",
                "qcow2",
                "-F",
                "qcow2",
                "-b",
                images.file(base),
                image_path(blank),
            ]
            ended = run(self._request, command, keep=[blank])
            if ended.code != 0:
                raise child_failure("qemu-img create", ended.errors, images.file(base))
            return Template(blank)
        finally:
            os.close(blank)


def _one(
    host: Host,
    request: Request,
    templates: Templates,
    layers: Dict[str, List[str]],
    item: Item,
) -> Item:
    name = item["name"]
    try:
        _make(host, request, templates, layers.get(name, []), item)
        return {"name": name, "ok": True}
    except Failure as failure:
        return {"name": name, "ok": False, "error": failure.as_answer()}
    except OSError as error:
        return {
            "name": name,
            "ok": False,
            "error": from_os_error(error, f"Making the overlay {name}").as_answer(),
        }


def _make(
    host: Host, request: Request, templates: Templates, layers: List[str], item: Item
) -> None:
    overlays, name, base = host.directory("overlays"), item["name"], item["base"]
    template = templates.on(base)
    with writing(overlays, name, request) as locked:
        must_hold(locked, overlays, name, request)
        if not item["fresh"] and _stands_on(host, name, base):
            _link(host, name)
            return
        if _open_in_use(host, "overlays", name):
            raise Failure(
                "in_use",
                f"A running machine has {overlays.file(name)} open; shut it down first.",
            )
        drop_layers(host, layers)
        try:
            template.write(overlays.handle, name + ".part")
            os.rename(
                name + ".part",
                name,
                src_dir_fd=overlays.handle,
                dst_dir_fd=overlays.handle,
            )
        except BaseException:
            remove_if_there(name + ".part", overlays.handle)
            raise
        _link(host, name)


def _stands_on(host: Host, name: str, base: str) -> bool:
    try:
        handle = open_image(host.directory("overlays"), name)
    except Failure:
        return False
    try:
        header = read_header(handle)
        return header is not None and base_name(header.backing, host) == base
    finally:
        os.close(handle)


def _link(host: Host, name: str) -> None:
    transient, overlays = host.directory("transient"), host.directory("overlays")
    if transient.path == overlays.path:
        return
    target = overlays.file(name)
    try:
        if os.readlink(name, dir_fd=transient.handle) == target:
            return
    except OSError:
        pass  # Missing, or something else: replaced below.
    temporary = f"{name}.link"
    remove_if_there(temporary, transient.handle)
    os.symlink(target, temporary, dir_fd=transient.handle)
    os.rename(temporary, name, src_dir_fd=transient.handle, dst_dir_fd=transient.handle)


def transient_clear(host: Host, request: Request) -> Result:
    """Removes the throw-away layer of a machine that is off; gives {removed}."""
    from domains import is_running

    domain, name = request.args["domain"], request.args["name"]
    if is_running(host, domain):
        raise Failure(
            "in_use",
            f"{domain} is running; its throw-away layer is removed when it is off.",
        )
    transient = host.directory("transient")
    removed = remove_if_there(f"{name}{LAYER_MARK}{domain}", transient.handle)
    transient.sync()
    return {"removed": removed}
