"""libvirt by way of virsh.

Starting virsh costs 20 ms; a command typed into a virsh that already runs costs 1 ms. So a few of them are kept,
each serving one command at a time. One that hangs or loses libvirtd is killed and replaced.

What must not be seen (a console password) goes through a memory file that virsh opens as /proc/self/fd/N.
Only checked names, UUIDs and constants are typed into the shell.
"""

import contextlib
import os
import select
import subprocess
import threading
import time
from typing import Iterator, List, Optional

from children import DIE_WITH_PARENT, ENVIRONMENT, last_line
from failures import Failure

URI = "qemu:///system"
COMMAND = ("virsh", "-q", "-k", "5", "-K", "3", "-c", URI)
SHELLS = 8
TIMEOUT_MS = 10_000


# Answered by libvirtd itself; a shell that has to reconnect for it says so on its standard error.
PROBE = "hostname"


class Lost(Exception):
    """The shell has ended, or libvirtd has closed its connection."""


class Shell:
    """One virsh in interactive mode, fed over a pipe."""

    def __init__(self) -> None:
        self._secret = os.memfd_create("virsh", os.MFD_CLOEXEC)
        self._count = 0
        self._child = subprocess.Popen(
            [*DIE_WITH_PARENT, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(self._secret,),
            env={**ENVIRONMENT, "VIRSH_HISTSIZE": "0"},
            cwd="/",
            bufsize=0,
        )
        assert self._child.stderr is not None
        os.set_blocking(self._child.stderr.fileno(), False)

    def run(self, command: str, secret: Optional[str], timeout_ms: int) -> str:
        """Types `command` and gives what it printed.

        `{secret}` in it stands for the path of a file with the text of `secret`. Raises Failure('libvirt') with the
        words of virsh, Failure('timeout'), or Lost.
        """
        said = self._errors()
        if said:
            raise Lost(said)  # Nothing was asked: its connection has ended meanwhile.
        if secret is not None:
            os.ftruncate(self._secret, 0)
            os.pwrite(self._secret, secret.encode(), 0)
            command = command.replace("{secret}", f"/proc/self/fd/{self._secret}")
        try:
            output = self._exchange(command, self._mark(), timeout_ms)
        finally:
            os.ftruncate(self._secret, 0)
        errors = self._errors()
        if errors and not self._is_connected(timeout_ms):
            raise Lost(errors)
        if "error: " in errors:
            raise Failure("libvirt", f'libvirt says: {last_line(errors).replace("error: ", "")}.')
        return output

    def _is_connected(self, timeout_ms: int) -> bool:
        """Whether it has the connection that it had. What virsh says of it is not read: a name may say the same."""
        answer = self._exchange(PROBE, self._mark(), timeout_ms)
        return bool(answer.strip()) and not self._errors()

    def _mark(self) -> str:
        self._count += 1
        return f"berth-end-{self._count}"

    def _exchange(self, command: str, mark: str, timeout_ms: int) -> str:
        # The shell prints its prompt and what was typed, then the output. `echo` prints the mark without a line end.
        assert self._child.stdin is not None and self._child.stdout is not None
        end = f"echo {mark}\n{mark}".encode()
        deadline_s = time.monotonic() + timeout_ms / 1000
        answer = b""
        try:
            self._child.stdin.write(f"{command}\necho {mark}\n".encode())
            while end not in answer:
                readable, _, _ = select.select(
                    [self._child.stdout], [], [], max(0, deadline_s - time.monotonic())
                )
                if not readable:
                    raise Failure(
                        "timeout", f"libvirt on this host did not answer within {timeout_ms} ms."
                    )
                piece = os.read(self._child.stdout.fileno(), 65536)
                if not piece:
                    raise Lost(self._errors())
                answer += piece
        except OSError as error:
            raise Lost(str(error))
        body = answer[: answer.index(end)].decode(errors="replace")
        return body.partition("\n")[2].rpartition("virsh # ")[0]

    def _errors(self) -> str:
        assert self._child.stderr is not None
        pieces: List[bytes] = []
        with contextlib.suppress(OSError):
            while True:
                piece = self._child.stderr.read(65536)
                if not piece:
                    break
                pieces.append(piece)
        return b"".join(pieces).decode(errors="replace")

    def close(self) -> None:
        """Ends the shell, however it is."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        os.close(self._secret)


class Shells:
    """A few shells for all threads."""

    def __init__(self) -> None:
        self._free: List[Shell] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(SHELLS)

    def run(self, command: str, secret: Optional[str] = None, timeout_ms: int = TIMEOUT_MS) -> str:
        """Runs one virsh command and gives its output. A lost libvirtd is tried once more."""
        with self._places:
            try:
                return self._attempt(command, secret, timeout_ms)
            except Lost:
                self._forget()
            try:
                return self._attempt(command, secret, timeout_ms)
            except Lost as lost:
                raise Failure(
                    "libvirt",
                    f"libvirtd on this host does not answer ({last_line(str(lost))}); "
                    'look at "systemctl status libvirtd" there.',
                )

    def _attempt(self, command: str, secret: Optional[str], timeout_ms: int) -> str:
        with self._shell() as shell:
            return shell.run(command, secret, timeout_ms)

    @contextlib.contextmanager
    def _shell(self) -> Iterator[Shell]:
        with self._lock:
            shell = self._free.pop() if self._free else None
        shell = shell or Shell()
        try:
            yield shell
        except Failure as failure:
            self._give_back(shell, usable=failure.code == "libvirt")
            raise
        except BaseException:
            self._give_back(shell, usable=False)
            raise
        self._give_back(shell, usable=True)

    def _give_back(self, shell: Shell, usable: bool) -> None:
        if usable:
            with self._lock:
                self._free.append(shell)
        else:
            shell.close()

    def _forget(self) -> None:
        with self._lock:
            stale, self._free = self._free, []
        for shell in stale:
            shell.close()
