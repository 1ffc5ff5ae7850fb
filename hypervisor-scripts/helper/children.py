"""Child processes of a request. Argument lists only: there is never a shell, and never a secret in argv."""

import os
import subprocess
import threading
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from failures import Failure
from requests import Request

# The helper runs as root through sudo: nothing of the caller's environment is trusted.
ENVIRONMENT: Dict[str, str] = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "HOME": "/root",
    "TERM": "dumb",
}

# A child must not outlive a helper that was killed: setpriv(1) asks the kernel for it. Killed in the millisecond before
# that, the helper leaves a qemu-img that ends itself at its next word of progress, since nobody reads it any more.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")

OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024


class Ended(NamedTuple):
    """`code` as in subprocess: the exit code, or minus the signal."""

    code: int
    output: str
    errors: str


def run(
    request: Request,
    command: Sequence[str],
    *,
    keep: Sequence[int] = (),
    timeout_ms: Optional[int] = None,
    on_output: Optional[Callable[[str], None]] = None,
    given: bytes = b"",
) -> Ended:
    """Runs `command` to its end. `keep` are the file handles it inherits, `given` its standard input.

    Raises Failure 'cancelled' or 'timeout'; the exit code is the caller's to judge.
    """
    request.stop_if_cancelled()
    errors = os.memfd_create("errors", os.MFD_CLOEXEC)
    try:
        child = subprocess.Popen(
            [*DIE_WITH_PARENT, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=tuple(keep),
            env=ENVIRONMENT,
            cwd="/",
        )
        expired = threading.Event()
        timer = _timer(child, timeout_ms, expired)
        request.own(child)
        try:
            output = _talk(child, given, on_output)
        finally:
            request.disown(child)
            if timer is not None:
                timer.cancel()
        request.stop_if_cancelled()
        if expired.is_set():
            raise Failure(
                "timeout", f"{command[0]} did not end within {timeout_ms} ms and was stopped."
            )
        return Ended(
            child.returncode, output, os.pread(errors, 65536, 0).decode(errors="replace").strip()
        )
    finally:
        os.close(errors)


def _timer(
    child: "subprocess.Popen[bytes]", timeout_ms: Optional[int], expired: threading.Event
) -> Optional[threading.Timer]:
    if timeout_ms is None:
        return None

    def stop() -> None:
        expired.set()
        child.kill()

    timer = threading.Timer(timeout_ms / 1000, stop)
    timer.daemon = True
    timer.start()
    return timer


def _talk(
    child: "subprocess.Popen[bytes]", given: bytes, on_output: Optional[Callable[[str], None]]
) -> str:
    assert child.stdin is not None and child.stdout is not None
    with child:
        try:
            child.stdin.write(given)
            child.stdin.close()
        except BrokenPipeError:
            pass  # It ended without reading; its exit code says why.
        pieces: List[bytes] = []
        size = 0
        while True:
            piece = os.read(child.stdout.fileno(), 65536)
            if not piece:
                break
            if on_output is not None:
                on_output(piece.decode(errors="replace"))
            size += len(piece)
            if size <= OUTPUT_LIMIT_BYTES:
                pieces.append(piece)
    return b"".join(pieces).decode(errors="replace")


def last_line(text: str) -> str:
    """The last line that says something, for a message of one sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason was given").rstrip(".")[:300]
