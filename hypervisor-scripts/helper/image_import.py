"""Images that come from outside. Nothing in them is trusted: a hostile header could name any file of the host."""

import contextlib
import json
import os
import stat
import threading
from typing import Any, Dict, Iterator, List

from children import run
from failures import Failure
from host import Host
from durable import write_all
from image_checksum import PIECE_BYTES
from image_copy import NO_NETWORK, check, clone, convert, must_fit
from images import child_failure, made_before, must_hold, new_part, publish, remove_part, writing
from ownership import Mark, own
from qcow2 import image_path, read_header
from requests import Request
from vmdk import vmdk_fault

Result = Dict[str, Any]

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc")
SIZE_LIMIT_BYTES = 16 << 40
NO_PARENT = 0xFFFFFFFF  # vmdk's "parent-cid" of an image without a parent.
# qemu-img on a hostile header must not take the host's memory or time.
BOUNDS = ("prlimit", "--as=1073741824", "--cpu=30", "--")
INSPECT_TIMEOUT_MS = 60_000


def open_import(host: Host, path: str) -> int:
    """Opens a regular file of the import directory, and nothing else: no link, no device, no
    FIFO, nothing elsewhere.
    """
    host.load_settings()
    allowed = os.path.realpath(host.import_directory)
    try:
        # O_PATH looks at what is there without opening it: opening a device or a FIFO has effects of its own.
        seen = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if _inside(os.path.realpath(path), allowed):
            raise Failure("not_found", f"{ascii(path)} cannot be opened: {error.strerror}.")
        raise _outside(path, host)
    try:
        mode = os.fstat(seen).st_mode
        # The kernel says what was really found; asking the path again could give another answer.
        if stat.S_ISLNK(mode) or not _inside(os.readlink(image_path(seen)), allowed):
            raise _outside(path, host)
        if not stat.S_ISREG(mode):
            raise Failure("bad_image", f"{ascii(path)} is not a regular file.")
        return os.open(image_path(seen), os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(seen)


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _outside(path: str, host: Host) -> Failure:
    return Failure(
        "bad_path", f"{ascii(path)} does not lie in {host.import_directory}; move the image there."
    )


def inspect(request: Request, handle: int, path: str) -> Result:
    """{format, virtual_size, actual_size}; raises Failure('bad_image') for anything that reaches beyond the file."""
    # With our own eyes first: QEMU opens what a header names before it says so.
    fault = _qcow2_fault(handle) or vmdk_fault(handle)
    if fault is not None:
        raise Failure("bad_image", f"{ascii(path)} {fault}.")
    command = [*BOUNDS, *NO_NETWORK, "qemu-img", "info", "--output=json", image_path(handle)]
    ended = run(request, command, keep=[handle], timeout_ms=INSPECT_TIMEOUT_MS)
    if ended.code != 0:
        raise child_failure("qemu-img info", ended.errors, ascii(path))
    info = json.loads(ended.output)
    fault = _fault(info, image_path(handle))
    if fault is not None:
        raise Failure("bad_image", f"{ascii(path)} {fault}.")
    return {
        "format": info["format"],
        "virtual_size": info["virtual-size"],
        "actual_size": info.get("actual-size", 0),
    }


def _fault(info: Dict[str, Any], opened: str) -> "str | None":
    details = info.get("format-specific", {}).get("data", {})
    if info["format"] not in FORMATS:
        return f'has the format {info["format"]}, which is none of {", ".join(FORMATS)}'
    if (
        "backing-filename" in info
        or "full-backing-filename" in info
        or details.get("parent-cid", NO_PARENT) != NO_PARENT
    ):
        return 'has a backing file; flatten it with "qemu-img convert" where its backing file is'
    if "data-file" in details:
        return 'keeps its data in another file; flatten it with "qemu-img convert"'
    if any(extent.get("filename") != opened for extent in _extents(details)):
        return 'is spread over several files; flatten it with "qemu-img convert"'
    if info.get("snapshots"):
        return 'has internal snapshots; remove them with "qemu-img snapshot -d"'
    if info.get("encrypted"):
        return "is encrypted"
    if info["virtual-size"] > SIZE_LIMIT_BYTES:
        return f"is larger than {SIZE_LIMIT_BYTES} bytes inside"
    return None


def _extents(details: Dict[str, Any]) -> List[Dict[str, Any]]:
    return list(details.get("extents", []))


def _qcow2_fault(handle: int) -> "str | None":
    header = read_header(handle)
    if header is None:
        return None
    if header.backing is not None or header.data_file or header.encrypted or header.snapshots:
        return "has a backing file, a data file, encryption or snapshots"
    return None


def image_inspect(host: Host, request: Request) -> Result:
    """Looks at one file of the import directory."""
    path = request.args["path"]
    source = open_import(host, path)
    try:
        name = f"inspected-{threading.get_ident()}"
        with _copied(host, request, source, name) as handle:
            return inspect(request, handle, path)
    finally:
        os.close(source)


@contextlib.contextmanager
def _copied(host: Host, request: Request, source: int, name: str) -> Iterator[int]:
    """A copy that only root can write: who owns the file could change it between the look and the conversion."""
    images = host.directory("images")
    must_fit(images, os.fstat(source).st_blocks * 512, name)
    handle = new_part(images, name)
    try:
        if not clone(source, handle):
            _copy_data(request, source, handle)
        yield handle
    finally:
        os.close(handle)
        remove_part(images, name)


def _copy_data(request: Request, source: int, target: int) -> None:
    """Copies data and leaves holes out; a file that shrinks meanwhile ends with a hole."""
    size, offset = os.fstat(source).st_size, 0
    while offset < size:
        request.stop_if_cancelled()
        try:
            offset = os.lseek(source, offset, os.SEEK_DATA)
            end = min(size, os.lseek(source, offset, os.SEEK_HOLE))
        except OSError:
            break  # ENXIO: only a hole is left.
        while offset < end:
            request.stop_if_cancelled()
            data = os.pread(source, min(PIECE_BYTES, end - offset), offset)
            if not data:
                break
            write_all(target, data, offset)
            offset += len(data)
            request.progress("copy", offset, size)
        else:
            continue
        break
    os.ftruncate(target, size)


def image_import(host: Host, request: Request) -> Result:
    """Converts a file of the import directory to images/NAME; gives {virtual_size, bytes}."""
    images, name, path = host.directory("images"), request.args["name"], request.args["path"]
    with writing(images, name, request) as locked:
        must_hold(locked, images, name, request)
        # With `replace` the old image stays in place until the new one takes its name.
        mark = own(images, name, request.args["owner"])
        if mark is not None and mark.operation is not None and mark.operation == request.operation:
            return mark.result
        if not request.args["replace"]:
            made_before(images, name, request)
        theirs = open_import(host, path)
        try:
            with _copied(host, request, theirs, f"{name}.import") as source:
                return _import(host, request, source)
        finally:
            os.close(theirs)


def _import(host: Host, request: Request, source: int) -> Result:
    images, name, path = host.directory("images"), request.args["name"], request.args["path"]
    found = inspect(request, source, path)
    must_fit(images, os.fstat(source).st_blocks * 512, name)
    part = new_part(images, name)
    try:
        total = max(1, os.fstat(source).st_size)
        convert(request, ["-f", found["format"]], source, part, total, ascii(path))
        check(request, part, images.file(name))
        # A source disk is written by its machine: libvirt hands it to QEMU's user at start.
        result = {"virtual_size": found["virtual_size"], "bytes": os.fstat(part).st_size}
        mark = Mark(request.args["owner"], request.operation, result)
        publish(images, name, part, 0o600, mark, replace=request.args["replace"])
        return result
    except BaseException:
        remove_part(images, name)
        raise
    finally:
        os.close(part)
