"""Relays libvirt's events to the broker. They say that something changed; the broker then looks."""

import json
import os
import re
import select
import subprocess
import threading
from typing import Any, Dict, Optional, Tuple

from channel import Channel, log
from children import DIE_WITH_PARENT, ENVIRONMENT, last_line
from virsh import URI

_VIRSH = ("virsh", "-k", "5", "-K", "3", "-c", URI)
COMMAND = (*_VIRSH, "event", "--all", "--loop", "--timestamp")
# libvirt does not say whether a guest went off or only rebooted into on_reboot=destroy; QEMU's own event does.
SHUTDOWN_COMMAND = (*_VIRSH, "qemu-monitor-event", "--event", "SHUTDOWN", "--loop", "--timestamp")
# 2026-01-31 10:11:12.345+0000: event 'lifecycle' for domain 'pc-01': Started Booted
LINE = re.compile(r"^\S+ \S+: event '([a-z0-9-]+)' for domain '?([^':]*)'?(?::? ?(.*))?$")
# 2026-01-31 10:11:12.345+0000: event SHUTDOWN for domain 'pc-01': {"guest":true,"reason":"guest-reset"}
SHUTDOWN_LINE = re.compile(r"^\S+ \S+: event SHUTDOWN for domain '?([^':]*)'?: (\{.*\})$")
# virsh does not say when it has registered; a connection to a libvirtd that answers takes 50 ms.
REGISTERED_MS = 400
FIRST_BACKOFF_MS = 500
LONGEST_BACKOFF_MS = 15_000


def parse(line: str) -> "Dict[str, Any] | None":
    """An event as it goes to the broker, or None for a line that is none."""
    shutdown = SHUTDOWN_LINE.match(line)
    if shutdown:
        return {
            "event": "domain",
            "name": shutdown[1],
            "kind": "shutdown",
            "detail": str(json.loads(shutdown[2]).get("reason", "")),
        }
    found = LINE.match(line)
    if not found:
        return None
    kind, name, detail = found.groups()
    return {"event": "domain", "name": name, "kind": kind, "detail": (detail or "").strip()}


class Relay:
    """Keeps one listening virsh running, with backoff. `announced`: the broker is told when it comes and goes."""

    def __init__(
        self, channel: Channel, command: "Tuple[str, ...]" = COMMAND, announced: bool = True
    ) -> None:
        self._channel = channel
        self._command = command
        self._announced = announced
        self._stopped = threading.Event()
        self._up = False
        self._child: "Optional[subprocess.Popen[bytes]]" = None
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Ends the relay."""
        self._stopped.set()
        if self._child is not None:
            self._child.kill()

    def _run(self) -> None:
        backoff_ms = FIRST_BACKOFF_MS
        told = False
        while not self._stopped.is_set():
            self._up = False
            reason = self._listen()
            if self._up or not told:
                told = True
                self._announce(False, reason)
            if self._up:
                backoff_ms = FIRST_BACKOFF_MS
            self._stopped.wait(backoff_ms / 1000)
            backoff_ms = min(backoff_ms * 2, LONGEST_BACKOFF_MS)

    def _listen(self) -> str:
        """Relays until virsh ends; gives the reason."""
        try:
            child = subprocess.Popen(
                [*DIE_WITH_PARENT, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
            )
        except OSError as error:
            return f"virsh cannot be started: {error.strerror}."
        self._child = child
        assert child.stdout is not None and child.stderr is not None
        with child:
            if not self._stopped.is_set():
                self._relay(child.stdout.fileno())
            child.kill()
            errors = child.stderr.read(65536).decode(errors="replace")
        return f"The event relay of this host ended: {last_line(errors)}."

    def _relay(self, source: int) -> None:
        rest = b""
        readable, _, _ = select.select([source], [], [], REGISTERED_MS / 1000)
        if not readable or (rest := os.read(source, 65536)):
            self._up = True
            self._announce(True, "libvirt sends events.")
        while True:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self._send(line.decode(errors="replace").strip())
            piece = os.read(source, 65536)
            if not piece:
                return
            rest += piece

    def _announce(self, up: bool, reason: str) -> None:
        if self._announced:
            self._channel.send({"event": "events", "up": up, "reason": reason})

    def _send(self, line: str) -> None:
        event = parse(line)
        if event is not None:
            self._channel.send(event)
        elif line:
            log(f"virsh event printed a line that is no event: {line[:200]}")
