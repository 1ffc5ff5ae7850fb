"""How the three directories are, and what lies in them."""

import os
import pwd
import stat
import tempfile
from typing import Any, Dict, List, Optional

from facts import can_reflink
from failures import Failure
from host import KINDS, Host
from ownership import keeps_marks
from qemu_account import qemu_group_name, qemu_passes
from requests import Request

Result = Dict[str, Any]


def directories(host: Host, request: Request) -> Result:
    """Per kind: {path, fault} or what stat(2) and statvfs(3) say, {writable, reflink, keeps_marks, closed_by}."""
    return {kind: _about(path) for kind, path in _paths(request).items()}


def _paths(request: Request) -> Dict[str, str]:
    paths: Optional[Dict[str, str]] = request.args["directories"]
    if paths is None:
        raise Failure("bad_request", "The argument directories is missing.")
    return {kind: paths[kind] for kind in KINDS}


def _about(path: str) -> Result:
    try:
        found, space = os.stat(path), os.statvfs(path)
    except OSError as error:
        return {"path": path, "fault": error.strerror}
    if not stat.S_ISDIR(found.st_mode):
        return {"path": path, "fault": "Not a directory"}
    return {
        "path": path,
        "fault": None,
        "owner": _name(found.st_uid),
        "mode": f"{stat.S_IMODE(found.st_mode):o}",
        "qemu_group": qemu_group_name(),
        "device": found.st_dev,
        "free_bytes": space.f_bavail * space.f_frsize,
        "total_bytes": space.f_blocks * space.f_frsize,
        # File systems without a table of inodes, such as btrfs, say 0 of 0.
        "free_inodes": space.f_favail,
        "total_inodes": space.f_files,
        "writable": _is_writable(path),
        "reflink": can_reflink(path),
        "keeps_marks": keeps_marks(path),
        "closed_by": _closed_by(path),
    }


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _is_writable(path: str) -> bool:
    # root may write anywhere but on a read-only or broken file system: only trying tells. The file
    # has no name and is gone at once.
    try:
        with tempfile.TemporaryFile(dir=path) as handle:
            handle.write(b"berth")
            handle.flush()
        return True
    except OSError:
        return False


def _closed_by(path: str) -> Optional[str]:
    """The first directory on the way that QEMU, which runs as another user, cannot pass through."""
    parts = os.path.realpath(path).split("/")
    for count in range(2, len(parts) + 1):
        place = "/".join(parts[:count])
        if not qemu_passes(os.stat(place)):
            return place
    return None


def files(host: Host, request: Request) -> Result:
    """Per kind: [{name, bytes}], where bytes is what the file takes on the disk. Links are left out."""
    return {kind: _listed(path) for kind, path in _paths(request).items()}


def _listed(path: str) -> List[Result]:
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise Failure("not_found", f"{path} cannot be read: {error.strerror}.")
    items = []
    for entry in entries:
        try:
            if entry.is_file(follow_symlinks=False):
                items.append(
                    {"name": entry.name, "bytes": entry.stat(follow_symlinks=False).st_blocks * 512}
                )
        except FileNotFoundError:
            pass  # Gone since the listing.
    return items
