"""Reads qcow2 headers, so that listing a thousand images needs no process (QEMU's docs/interop/qcow2.txt)."""

import fcntl
import os
import stat
import struct
from typing import NamedTuple, Optional

from failures import Failure
from host import Directory

MAGIC = b"QFI\xfb"
DATA_FILE_BIT = 1 << 2
CORRUPT_BIT = 1 << 1


class Header(NamedTuple):
    """The fields that matter here. `backing` is the text in the file, which may be a relative path."""

    virtual_size: int
    backing: Optional[str]
    encrypted: bool
    snapshots: int
    data_file: bool


def read_header(handle: int) -> Optional[Header]:
    """The header of the open file, or None when it is not a qcow2 file."""
    data = os.pread(handle, 104, 0)
    if len(data) < 72 or data[:4] != MAGIC:
        return None
    version, backing_offset, backing_size, _, size, crypt = struct.unpack_from(">IQIIQI", data, 4)
    snapshots = struct.unpack_from(">I", data, 60)[0]
    features = struct.unpack_from(">Q", data, 72)[0] if version >= 3 and len(data) >= 80 else 0
    backing = None
    if backing_offset and backing_size:
        backing = os.pread(handle, min(backing_size, 1023), backing_offset).decode(errors="replace")
    return Header(size, backing, crypt != 0, snapshots, bool(features & DATA_FILE_BIT))


def open_image(directory: Directory, name: str) -> int:
    """Opens a regular file for reading, never through a symbolic link; raises not_found or bad_image."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=directory.handle)
    except FileNotFoundError:
        raise Failure("not_found", f"There is no image {directory.file(name)} on this host.")
    except OSError as error:
        raise Failure(
            "bad_image", f"{directory.file(name)} cannot be opened as an image: {error.strerror}."
        )
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Failure("bad_image", f"{directory.file(name)} is not a regular file.")
    return handle


def in_use(handle: int) -> bool:
    """Whether a QEMU process has the file open: it locks bytes from 100 on (QEMU's block/file-posix.c)."""
    query = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 100, 200, 0)
    answer = fcntl.fcntl(handle, fcntl.F_GETLK, query)
    return bool(struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK)


def image_path(handle: int) -> str:
    """A path by which a child process that inherits `handle` reaches exactly this file, whatever its name is now."""
    return f"/proc/self/fd/{handle}"
