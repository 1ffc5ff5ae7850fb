"""Images that come from outside. Nothing in them is trusted: a hostile header could name any file of the host."""

import json
import os
import stat
from typing import Any, Dict, List

from children import run
from durable import remove_if_there
from failures import Failure
from host import Host
from image_copy import check, convert, must_fit
from images import child_failure, exists, must_hold, new_part, publish, writing
from qcow2 import image_path, read_header
from requests import Request

Result = Dict[str, Any]

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc")
SIZE_LIMIT_BYTES = 16 << 40
NO_PARENT = 0xFFFFFFFF  # vmdk's "parent-cid" of an image without a parent.
# qemu-img on a hostile header must not take the host's memory or time.
BOUNDS = ("prlimit", "--as=1073741824", "--cpu=30", "--")
INSPECT_TIMEOUT_MS = 60_000


def open_import(host: Host, path: str) -> int:
    """Opens a regular file that really lies under the import directory, wherever links in `path` lead."""
    host.load_settings()
    allowed = os.path.realpath(host.import_directory)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if _inside(os.path.realpath(path), allowed):
            raise Failure(
                "not_found", f"{ascii(path)} cannot be opened: {error.strerror}."
            )
        raise _outside(path, host)
    # The kernel says what was really opened; asking the path again could give another answer.
    if not _inside(os.readlink(image_path(handle)), allowed):
        os.close(handle)
        raise _outside(path, host)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Failure("bad_image", f"{ascii(path)} is not a regular file.")
    return handle


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _outside(path: str, host: Host) -> Failure:
    return Failure(
        "bad_path",
        f"{ascii(path)} does not lie in {host.import_directory}; move the image there.",
    )


def inspect(request: Request, handle: int, path: str) -> Result:
    """{format, virtual_size, actual_size}; raises Failure('bad_image') for anything that reaches beyond the file."""
    command = [*BOUNDS, "qemu-img", "info", "--output=json", image_path(handle)]
    ended = run(request, command, keep=[handle], timeout_ms=INSPECT_TIMEOUT_MS)
    if ended.code != 0:
        raise child_failure("qemu-img info", ended.errors, ascii(path))
    info = json.loads(ended.output)
    fault = _fault(info, image_path(handle)) or _qcow2_fault(handle)
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
    # A second look with our own eyes, in case qemu-img learns to leave something out.
    header = read_header(handle)
    if header is None:
        return None
    if (
        header.backing is not None
        or header.data_file
        or header.encrypted
        or header.snapshots
    ):
        return "has a backing file, a data file, encryption or snapshots"
    return None


def image_inspect(host: Host, request: Request) -> Result:
    """Looks at one file of the import directory."""
    handle = open_import(host, request.args["path"])
    try:
        return inspect(request, handle, request.args["path"])
    finally:
        os.close(handle)


def image_import(host: Host, request: Request) -> Result:
    """Converts a file of the import directory to images/NAME; gives {virtual_size, bytes}."""
    images, name, path = (
        host.directory("images"),
        request.args["name"],
        request.args["path"],
    )
    with writing(images, name, request) as locked:
        must_hold(locked, images, name, request)
        # With `replace` the old image stays in place until the new one takes its name.
        if exists(images, name) and not request.args["replace"]:
            raise Failure(
                "exists", f"{images.file(name)} exists already; choose another name."
            )
        source = open_import(host, path)
        try:
            return _import(host, request, source)
        finally:
            os.close(source)


def _import(host: Host, request: Request, source: int) -> Result:
    images, name, path = (
        host.directory("images"),
        request.args["name"],
        request.args["path"],
    )
    found = inspect(request, source, path)
    must_fit(images, os.fstat(source).st_blocks * 512, request)
    part = new_part(images, name)
    try:
        total = max(1, os.fstat(source).st_size)
        convert(request, ["-f", found["format"]], source, part, total, ascii(path))
        check(request, part, images.file(name))
        # A source disk is written by its machine: libvirt hands it to QEMU's user at start.
        publish(images, name, part, 0o600)
        return {"virtual_size": found["virtual_size"], "bytes": os.fstat(part).st_size}
    except BaseException:
        remove_if_there(name + ".part", images.handle)
        raise
    finally:
        os.close(part)
