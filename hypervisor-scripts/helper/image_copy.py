"""Copying an image into a new one that never changes again, and checksums."""

import errno
import fcntl
import os
import re
import threading
from typing import Any, Dict, List, Optional

from children import last_line, run
from closing import GENERATION_MODE
from failures import Failure, from_os_error
from host import Directory, Host
from image_checksum import PIECE_BYTES, hash_file
from images import (
    child_failure,
    made_before,
    must_hold,
    new_part,
    publish,
    remove_part,
    writing,
)
from ownership import Mark
from qcow2 import Header, image_path, in_use, open_image, read_header
from requests import Request

Result = Dict[str, Any]

FICLONE = 0x40049409  # ioctl_ficlonerange(2)
CHAIN_LIMIT = 16
# What an image names cannot lead qemu-img to another machine.
NO_NETWORK = ("unshare", "--net", "--")
PERCENT = re.compile(r"\(([0-9.]+)/100%\)")


def image_copy(host: Host, request: Request) -> Result:
    """Copies a source (flattened if it has a backing file) to images/NAME, verified, read-only and durable.

    Gives {bytes, virtual_size, sha256, method: convert | reflink}.
    """
    images, name = host.directory("images"), request.args["name"]
    source = host.directory(request.args["source"]["dir"])
    with writing(images, name, request) as locked:
        must_hold(locked, images, name, request)
        before = made_before(images, name, request)
        if before is not None:
            return before.result
        handle = open_image(source, request.args["source"]["name"])
        try:
            return _copy(host, request, handle, source.file(request.args["source"]["name"]))
        finally:
            os.close(handle)


def _copy(host: Host, request: Request, source: int, source_path: str) -> Result:
    images, name = host.directory("images"), request.args["name"]
    header = _source_header(host, source, source_path)
    need = _chain_bytes(host, source, header)
    must_fit(images, need, name)
    part = new_part(images, name)
    try:
        cloned = header.backing is None and clone(source, part)
        if not cloned:
            convert(request, ["-f", "qcow2"], source, part, need, source_path)
        elif in_use(source):
            raise _source_in_use(source_path)
        request.progress("sync", 0, need)
        os.fsync(part)
        sha256 = _check_and_hash(request, part, images.file(name))
        result = {
            "bytes": os.fstat(part).st_size,
            "virtual_size": header.virtual_size,
            "sha256": sha256,
            "method": "reflink" if cloned else "convert",
        }
        publish(
            images,
            name,
            part,
            GENERATION_MODE,
            Mark(request.args["owner"], request.operation, result),
        )
        return result
    except BaseException:
        remove_part(images, name)
        raise
    finally:
        os.close(part)


def _source_in_use(path: str) -> Failure:
    return Failure(
        "in_use", f"A running machine has {path} open; shut it down before copying its disk."
    )


def _source_header(host: Host, handle: int, path: str) -> Header:
    header = read_header(handle)
    if header is None:
        raise Failure("bad_image", f"{path} is not a qcow2 image.")
    if header.data_file or header.encrypted:
        raise Failure(
            "bad_image", f"{path} has a data file or is encrypted, which Berth does not copy."
        )
    if in_use(handle):
        raise _source_in_use(path)
    return header


def _chain_bytes(host: Host, handle: int, header: Optional[Header]) -> int:
    """How much disk the copy may take: what the chain takes now. Refuses a chain that leaves our directories."""
    total = os.fstat(handle).st_blocks * 512
    own = {host.directory(kind).path: host.directory(kind) for kind in ("images", "overlays")}
    for _ in range(CHAIN_LIMIT):
        if header is None or header.backing is None:
            return total + total // 100 + PIECE_BYTES
        folder, name = os.path.split(header.backing)
        if folder not in own:
            raise Failure(
                "bad_image",
                f"The backing file {ascii(header.backing)} lies outside of the image "
                "directories of this host.",
            )
        backing = open_image(own[folder], name)
        try:
            header = read_header(backing)
            total += os.fstat(backing).st_blocks * 512
            if header is None or header.data_file:
                raise Failure(
                    "bad_image", f"The backing file {folder}/{name} is not a plain qcow2 image."
                )
        finally:
            os.close(backing)
    raise Failure("bad_image", f"The image has more than {CHAIN_LIMIT} backing files.")


def must_fit(directory: Directory, need: int, name: str) -> None:
    """Raises Failure('no_space') with both figures; the space of a stale .part of this name counts as free."""
    statistics = os.statvfs(directory.handle)
    free = statistics.f_bavail * statistics.f_frsize
    try:
        stale = os.stat(name, dir_fd=directory.parts(), follow_symlinks=False)
        free += stale.st_blocks * 512
    except FileNotFoundError:
        pass
    if need > free:
        raise Failure(
            "no_space",
            f"The copy needs up to {need} bytes in {directory.path}, where only {free} bytes "
            "are free; free some space first.",
        )


def clone(source: int, part: int) -> bool:
    """Makes the part share the source's blocks; gives whether the file system can."""
    try:
        fcntl.ioctl(part, FICLONE, source)
        return True
    except OSError as error:
        if error.errno in (
            errno.EOPNOTSUPP,
            errno.EXDEV,
            errno.EINVAL,
            errno.ENOTTY,
            errno.ENOSYS,
            errno.EPERM,
        ):
            return False
        raise from_os_error(error, "The reflink copy")


def convert(
    request: Request, options: List[str], source: int, part: int, total: int, shown_path: str
) -> None:
    """qemu-img convert from one open file to another, with progress in bytes of `total`."""

    def on_output(text: str) -> None:
        seen = PERCENT.findall(text)
        if seen:
            request.progress("convert", int(float(seen[-1]) / 100 * total), total)

    request.progress("convert", 0, total)
    command = [
        *NO_NETWORK,
        "qemu-img",
        "convert",
        "-p",
        *options,
        "-O",
        "qcow2",
        image_path(source),
        image_path(part),
    ]
    ended = run(request, command, keep=[source, part], on_output=on_output)
    if ended.code != 0:
        raise child_failure("qemu-img convert", ended.errors, shown_path)


def _check_and_hash(request: Request, part: int, path: str) -> str:
    # Both read the same pages of the cache; side by side they take the time of the longer one.
    faults: List[Failure] = []

    def verify() -> None:
        try:
            check(request, part, path)
        except Failure as failure:
            faults.append(failure)

    thread = threading.Thread(target=verify, daemon=True)
    request.progress("check", 0, os.fstat(part).st_size)
    thread.start()
    try:
        sha256 = hash_file(request, part)
    finally:
        # Not before it has ended: the child is tied to this thread's life.
        thread.join()
    if faults:
        raise faults[0]
    return sha256


def check(request: Request, part: int, path: str) -> None:
    """qemu-img check: exit 0 is clean, 1 not done, 2 corrupt, 3 leaked clusters."""
    ended = run(request, ["qemu-img", "check", "-q", "-f", "qcow2", image_path(part)], keep=[part])
    if ended.code != 0:
        raise Failure(
            "bad_image",
            f"qemu-img check found faults in {path} (exit {ended.code}): "
            f"{last_line(ended.errors or ended.output)}.",
        )
