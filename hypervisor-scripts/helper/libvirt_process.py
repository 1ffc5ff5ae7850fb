"""libvirt, asked in processes of its own (libvirt_verbs.py).

Starting one costs 50 ms; a question to one that runs costs 1 ms. So a few of them are kept, each serving one question
at a time. One that hangs or loses libvirtd is killed and replaced.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from typing import Any, Iterator, List, Optional, Sequence

from children import DIE_WITH_PARENT, ENVIRONMENT, last_line
from failures import Failure
from requests import Request

URI = "qemu:///system"
PYTHON = (sys.executable, "-I", "-B")
TIMEOUT_MS = 10_000
# A picture of a screen is the longest answer, and it has a bound of its own.
MOST_ANSWER_BYTES = 64 * 1024 * 1024


def program(module: str, function: str) -> Sequence[str]:
    """The command that runs module.function(URI) of the helper's own file in a process of its own."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {module}; {module}.{function}(sys.argv[2])"
    # Where this module lies: in the installed file, or in the folder of the sources.
    home = os.path.dirname(__file__)
    return (*DIE_WITH_PARENT, *PYTHON, "-c", code, home, URI)


class Lost(Exception):
    """The process has ended, or libvirtd has closed its connection."""


class Refused(Failure):
    """libvirt's refusal. `reason`: no_domain, no_metadata, no_volume, missing, or nothing where none of them is."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__("libvirt", message)
        self.reason = reason


class Process:
    """One process with a connection to libvirtd."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            program("libvirt_verbs", "serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            bufsize=0,
        )

    def ask(self, verb: str, args: Any, timeout_ms: int) -> Any:
        """Gives what the verb returns; raises Refused, Failure('timeout') or Lost."""
        line = json.dumps({"verb": verb, "args": args}).encode() + b"\n"
        said = json.loads(self._exchange(line, timeout_ms))
        if "lost" in said:
            raise Lost(said["lost"])
        if "failed" in said:
            raise Failure(
                "internal", f'The helper failed in asking libvirt ({verb}): {said["failed"]}.'
            )
        if "refused" in said:
            if said["reason"] == "missing":
                raise Refused(said["refused"], "missing")
            raise Refused(f'libvirt says: {last_line(said["refused"])}.', said["reason"])
        return said["result"]

    def _exchange(self, line: bytes, timeout_ms: int) -> bytes:
        assert self._child.stdin is not None and self._child.stdout is not None
        deadline_s = time.monotonic() + timeout_ms / 1000
        answer = bytearray()
        try:
            self._child.stdin.write(line)
            while not answer.endswith(b"\n"):
                left_s = max(0, deadline_s - time.monotonic())
                if not select.select([self._child.stdout], [], [], left_s)[0]:
                    raise Failure(
                        "timeout", f"libvirt on this host did not answer within {timeout_ms} ms."
                    )
                piece = os.read(self._child.stdout.fileno(), 65536)
                if not piece or len(answer) > MOST_ANSWER_BYTES:
                    raise Lost("its process ended")
                answer += piece
        except OSError as error:
            raise Lost(str(error))
        return bytes(answer)

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self._child.kill()

    def close(self) -> None:
        """Ends it and forgets it."""
        self.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Processes:
    """A few processes for all threads: at most `most` at a time."""

    def __init__(self, most: int) -> None:
        self._free: List[Process] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(most)

    def ask(
        self,
        verb: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        request: Optional[Request] = None,
        **args: Any,
    ) -> Any:
        """Asks a verb of libvirt_verbs.py. A lost libvirtd is tried once more.

        Raises Refused; Failure('timeout'); Failure('libvirt') when libvirtd does not answer; Failure('cancelled')
        when `request` was cancelled meanwhile.
        """
        with self._places:
            try:
                return self._attempt(verb, args, timeout_ms, request)
            except Lost:
                self._forget()
            if request is not None:
                request.stop_if_cancelled()
            try:
                return self._attempt(verb, args, timeout_ms, request)
            except Lost as lost:
                if request is not None:
                    request.stop_if_cancelled()
                raise Failure(
                    "libvirt",
                    f"libvirtd on this host does not answer ({last_line(str(lost))}); "
                    'look at "systemctl status libvirtd" there.',
                )

    def _attempt(self, verb: str, args: Any, timeout_ms: int, request: Optional[Request]) -> Any:
        with self._process() as process:
            if request is None:
                return process.ask(verb, args, timeout_ms)
            request.own(process)
            try:
                return process.ask(verb, args, timeout_ms)
            finally:
                request.disown(process)

    @contextlib.contextmanager
    def _process(self) -> Iterator[Process]:
        with self._lock:
            process = self._free.pop() if self._free else None
        process = process or Process()
        try:
            yield process
        except Refused:
            self._free.append(process)
            raise
        except BaseException:
            process.close()
            raise
        self._free.append(process)

    def _forget(self) -> None:
        with self._lock:
            stale, self._free = self._free, []
        for process in stale:
            process.close()
