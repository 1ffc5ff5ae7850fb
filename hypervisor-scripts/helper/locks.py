"""Locks between threads and between helper processes of one host.

A connection that was cut may leave a helper behind for a moment while the next one already works, so a
lock in memory is not enough. flock(2) on a file in /run is dropped by the kernel when its owner dies.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
from typing import Iterator, Optional

LOCKS = "/run/berth/locks"


def _path(kind: str, name: str) -> str:
    return f"{LOCKS}/{kind}-{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def try_lock(kind: str, name: str) -> Optional[int]:
    """Takes the lock and gives its handle, or None when somebody else has it."""
    path = _path(kind, name)
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # Whoever had it before removed the file when done: then this lock is on a file that nobody else will find.
        if _same_file(handle, path):
            return handle
        os.close(handle)


def _same_file(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def unlock(kind: str, name: str, handle: int) -> None:
    """Gives the lock back and removes its file."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(kind, name))
    os.close(handle)


@contextlib.contextmanager
def held(
    kind: str, name: str, cancelled: threading.Event, wait_ms: Optional[int] = None
) -> Iterator[bool]:
    """Holds the lock; gives False when it was not to be had within `wait_ms` (None: for ever) or on cancel."""
    waited_ms = 0
    handle = try_lock(kind, name)
    while handle is None and (wait_ms is None or waited_ms < wait_ms):
        if cancelled.wait(0.01):
            break
        waited_ms += 10
        handle = try_lock(kind, name)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            unlock(kind, name, handle)
