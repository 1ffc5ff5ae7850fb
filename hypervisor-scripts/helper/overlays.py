"""Overlays of vdi machines, and the throw-away layers that libvirt lays on them.

With `<transient/>` libvirt 9 makes its layer DISK.TRANSIENT-DOMAIN beside the disk's path *as the
domain XML names it*, without following links (tried with libvirt 9.0 and QEMU 7.2). So a domain
whose disk is transient/NAME, a symbolic link to overlays/NAME, writes its throw-away layer into the
transient directory, which may be another and faster disk. A layer that a crash left behind blocks
the next start ("already exists"), so it is removed here.
"""

import os
import threading
from typing import Any, Dict, List, Optional

from children import run
from failures import Failure, from_os_error
from host import Directory, Host
from images import base_name, child_failure, must_hold, new_part, place, remove_part, writing
from layers import drop_layer, must_be_link, open_in_use
from overlay_template import Template
from ownership import Mark, own, set_mark
from qcow2 import image_path, open_image, read_header
from requests import Request

Result = Dict[str, Any]
Item = Dict[str, Any]

PARALLEL = 4


def overlay_create(host: Host, request: Request) -> Result:
    """Makes overlays/NAME on images/BASE for each item; one item's failure leaves the others done. Gives {items}."""
    work: List[Item] = list(request.args["items"])
    results: List[Optional[Item]] = [None] * len(work)
    templates = Templates(host, request)
    positions = iter(range(len(work)))
    lock = threading.Lock()

    def take() -> Optional[int]:
        with lock:
            return None if request.cancelled.is_set() else next(positions, None)

    def labour() -> None:
        position = take()
        while position is not None:
            results[position] = _one(host, request, templates, work[position])
            request.item(results[position] or {})
            position = take()

    threads = [
        threading.Thread(target=labour, daemon=True) for _ in range(min(PARALLEL, len(work)) - 1)
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
        if header is None or header.backing is not None or header.data_file or header.encrypted:
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


def _one(host: Host, request: Request, templates: Templates, item: Item) -> Item:
    name = item["name"]
    try:
        _make(host, request, templates, item)
        return {"name": name, "ok": True}
    except Failure as failure:
        return {"name": name, "ok": False, "error": failure.as_answer()}
    except OSError as error:
        return {
            "name": name,
            "ok": False,
            "error": from_os_error(error, f"Making the overlay {name}").as_answer(),
        }


def _make(host: Host, request: Request, templates: Templates, item: Item) -> None:
    overlays, name, base = host.directory("overlays"), item["name"], item["base"]
    template = templates.on(base)
    with writing(overlays, name, request) as locked:
        must_hold(locked, overlays, name, request)
        mark = own(overlays, name, item["owner"])
        must_be_link(host, name)
        # Made by this very operation, whose answer was lost: the machine may run on it by now.
        again = (
            mark is not None and mark.operation is not None and mark.operation == request.operation
        )
        if (again or not item["fresh"]) and _stands_on(host, name, base):
            _link(host, name)
            return
        if open_in_use(host, "overlays", name):
            raise Failure(
                "in_use", f"A running machine has {overlays.file(name)} open; shut it down first."
            )
        drop_layer(host, name)
        _write(overlays, template, item, Mark(item["owner"], request.operation, {}))
        _link(host, name)


def _write(overlays: Directory, template: Template, item: Item, mark: Mark) -> None:
    """After a power cut an overlay is whole or not there."""
    name = item["name"]
    part = new_part(overlays, name)
    try:
        template.write(part)
        set_mark(part, overlays, name, mark)
        os.fsync(part)
        place(overlays, name, item["owner"])
    except BaseException:
        remove_part(overlays, name)
        raise
    finally:
        os.close(part)


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
    if not must_be_link(host, name):
        target = host.directory("overlays").file(name)
        os.symlink(target, name, dir_fd=host.directory("transient").handle)
