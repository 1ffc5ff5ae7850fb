"""Which files of this host Berth made, and for what.

Every file that Berth makes carries a mark before it has its name: an extended attribute that only
root can set (as libvirt itself remembers the owners of images). Nothing is removed or replaced
whose mark does not name this very file and the machine or generation for which the broker asks. The
mark goes with a file that is renamed in place, survives every kill -9, and is not on what somebody
else put under the same name; a copy made by hand under another name is not Berth's.
"""

import errno
import json
import os
import re
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional

from failures import Failure, from_os_error
from host import Directory, Host
from qcow2 import open_image

# trusted.* may be set by root alone; NFS 4.2 has user.* only.
ATTRIBUTES = ("trusted.berth", "user.berth")
NO_MARK = (errno.ENODATA, errno.ENOTSUP, errno.EPERM)


class Mark(NamedTuple):
    """For which machine or generation a file was made, by which operation, and what that answered."""

    owner: str
    operation: Optional[str]
    result: Dict[str, Any]


def set_mark(handle: int, directory: Directory, name: str, mark: Mark) -> None:
    """Marks the open file as the one that Berth made at directory/name."""
    data = json.dumps({"dir": directory.kind, "name": name, **mark._asdict()}).encode()
    refusal = OSError()
    for attribute in ATTRIBUTES:
        try:
            os.setxattr(handle, attribute, data)
            return
        except OSError as error:
            if error.errno not in NO_MARK:
                raise
            refusal = error
    if keeps_marks(directory.path):
        raise from_os_error(refusal, f"Marking {directory.file(name)}, which may be immutable,")
    raise Failure(
        "bad_path",
        f"The file system of {directory.path} keeps no extended attributes, by which Berth knows "
        "its own files; use ext4, XFS, btrfs or NFS 4.2.",
    )


def keeps_marks(path: str) -> bool:
    """Whether the file system of this directory keeps what marks a file; tried on a file without a name."""
    try:
        with tempfile.TemporaryFile(dir=path) as handle:
            return any(_is_kept(handle.fileno(), attribute) for attribute in ATTRIBUTES)
    except OSError:
        return False


def _is_kept(handle: int, attribute: str) -> bool:
    try:
        os.setxattr(handle, attribute, b"{}")
    except OSError:
        return False
    return True


def read_mark(handle: int, directory: Directory, name: str) -> Optional[Mark]:
    """The mark of an open file, or None when Berth did not make it there."""
    for attribute in ATTRIBUTES:
        try:
            found = json.loads(os.getxattr(handle, attribute))
        except (OSError, ValueError):
            continue
        if (found.get("dir"), found.get("name")) != (directory.kind, name):
            return None
        return Mark(found["owner"], found.get("operation"), found.get("result") or {})
    return None


def foreign(path: str) -> Failure:
    """Something is in the way that Berth did not make."""
    return Failure(
        "foreign",
        f"{path} was not made by Berth for this; it is left as it is. Move it away, or choose another name.",
    )


def mark_of(directory: Directory, name: str) -> Optional[Mark]:
    """The mark of the file at directory/name.

    Raises not_found; and foreign for what carries none, links and devices included.
    """
    try:
        handle = open_image(directory, name)
    except Failure as failure:
        if failure.code == "bad_image":
            raise foreign(directory.file(name))
        raise
    try:
        return read_mark(handle, directory, name)
    finally:
        os.close(handle)


def own(directory: Directory, name: str, owner: str) -> Optional[Mark]:
    """The mark of a file that was made for `owner`, or None when there is no file; raises Failure('foreign')."""
    try:
        mark = mark_of(directory, name)
    except Failure as failure:
        if failure.code == "not_found":
            return None
        raise
    if mark is None or mark.owner != owner:
        raise foreign(directory.file(name))
    return mark


# ---- files of a Berth that set no marks yet


def files_adopt(host: Host, request: Any) -> Dict[str, Any]:
    """Marks files that an older Berth made, each when it is proven to be what the broker takes
    it for. Gives {items}.
    """
    items: List[Dict[str, Any]] = []
    for item in request.args["items"]:
        request.stop_if_cancelled()
        directory, name = host.directory(item["dir"]), item["name"]
        try:
            _adopt(host, request, directory, item)
            items.append({"name": name, "ok": True})
        except Failure as failure:
            items.append({"name": name, "ok": False, "error": failure.as_answer()})
    return {"items": items}


def _adopt(host: Host, request: Any, directory: Directory, item: Dict[str, Any]) -> None:
    name = item["name"]
    handle = open_image(directory, name)
    try:
        mark = read_mark(handle, directory, name)
        if mark is not None and mark.owner == item["owner"]:
            return
        if mark is not None or not _is_proven(host, request, directory, handle, item):
            raise foreign(directory.file(name))
        set_mark(handle, directory, name, Mark(item["owner"], None, {}))
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_proven(
    host: Host, request: Any, directory: Directory, handle: int, item: Dict[str, Any]
) -> bool:
    """An image by its checksum, an overlay by its base, the disk of a machine by the domain that has it."""
    from image_checksum import hash_file
    from images import base_name
    from qcow2 import read_header

    if item["sha256"] is not None:
        return bool(hash_file(request, handle) == item["sha256"])
    if item["bases"]:
        header = read_header(handle)
        return header is not None and base_name(header.backing, host) in item["bases"]
    return directory.file(item["name"]) in _disks(host, item["owner"])


def _disks(host: Host, uuid: str) -> List[str]:
    from xml.etree import ElementTree

    from libvirt_process import Refused

    if not re.fullmatch(r"[0-9a-f-]{36}", uuid):
        return []
    try:
        text = host.libvirt.ask("xml", uuid=uuid, inactive=True)
    except Refused as refusal:
        if refusal.reason == "no_domain":
            return []
        raise
    sources = ElementTree.fromstring(text).findall("./devices/disk/source")
    return [source.get("file", "") for source in sources]
