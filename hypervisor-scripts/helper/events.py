"""Relays libvirt's events to the broker. They say that something changed; the broker then looks."""

import json
import subprocess
import threading
from typing import IO, Optional

from channel import Channel, log
from children import ENVIRONMENT, last_line
from libvirt_process import program

FIRST_BACKOFF_MS = 500
LONGEST_BACKOFF_MS = 15_000


class Relay:
    """Keeps a listening process running (libvirt_events.py); the broker is told when it comes and goes."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
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
        """Relays until the process ends; gives the reason."""
        try:
            child = subprocess.Popen(
                program("libvirt_events", "listen"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
            )
        except OSError as error:
            return f"The event relay of this host cannot be started: {error.strerror}."
        self._child = child
        assert child.stdout is not None and child.stderr is not None
        with child:
            if not self._stopped.is_set():
                self._relay(child.stdout)
            child.kill()
            errors = child.stderr.read(65536).decode(errors="replace")
        return f"The event relay of this host ended: {last_line(errors)}."

    def _relay(self, source: "IO[bytes]") -> None:
        for line in source:
            try:
                said = json.loads(line)
            except ValueError:
                log(f"the event relay printed a line that is no event: {line[:200]!r}")
                continue
            if "up" in said:
                self._up = True
                self._announce(True, "libvirt sends events.")
            else:
                self._channel.send(said)

    def _announce(self, up: bool, reason: str) -> None:
        self._channel.send({"event": "events", "up": up, "reason": reason})
