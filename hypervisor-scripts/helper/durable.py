"""Files that survive a crash: written beside their place, synced, renamed, and the directory synced."""

import os
import threading
from typing import Optional


def sync_directory(path: str) -> None:
    """Makes renames and removals in `path` durable (fsync(2): the directory needs its own call)."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: str, data: bytes, mode: int = 0o600, group: Optional[int] = None) -> None:
    """Replaces the file at `path`; afterwards either the old or the new content exists, whatever happens."""
    temporary = f"{path}.tmp-{os.getpid()}-{threading.get_ident()}"
    handle = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            write_all(handle, data)
            if group is not None:
                os.fchown(handle, 0, group)
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except BaseException:
        remove_if_there(temporary)
        raise
    sync_directory(os.path.dirname(path))


def write_all(handle: int, data: bytes, offset: Optional[int] = None) -> None:
    """Writes every byte, at `offset` if one is given."""
    view = memoryview(data)
    while view:
        written = os.write(handle, view) if offset is None else os.pwrite(handle, view, offset)
        view = view[written:]
        if offset is not None:
            offset += written


def read_if_there(path: str, limit: int = 64 * 1024 * 1024) -> Optional[bytes]:
    """The file's content, or None when there is no such file."""
    try:
        with open(path, "rb") as handle:
            return handle.read(limit)
    except FileNotFoundError:
        return None


def remove_if_there(path: str, directory: Optional[int] = None) -> bool:
    """Removes a file; gives whether there was one."""
    try:
        os.unlink(path, dir_fd=directory)
        return True
    except FileNotFoundError:
        return False
