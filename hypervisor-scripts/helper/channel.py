"""The line to the broker: JSON objects, one a line, on standard input and output."""

import json
import os
import threading
from typing import Any, Dict, Optional

LINE_LIMIT_BYTES = 1024 * 1024


def log(message: str) -> None:
    """One line for a human on standard error. It is dropped when nobody reads there: work must not wait for it."""
    try:
        os.write(2, f"berth-helper: {message}\n".encode(errors="replace"))
    except OSError:
        pass


class TooLong:
    """Stands for a line that was longer than the limit and was thrown away."""


TOO_LONG = TooLong()


class Channel:
    """Reads requests and writes answers. Bytes after a line are kept, since raw frames may follow it."""

    def __init__(self, source: int = 0, target: int = 1) -> None:
        self.source = source
        self.target = target
        self._unread = bytearray()
        self._lock = threading.Lock()
        self._open = True
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        # While raw frames flow, nothing but the stream's own lines may appear.
        self.streaming: Optional[str] = None
        if not os.isatty(2):
            os.set_blocking(2, False)

    def read_line(self) -> "bytes | TooLong | None":
        """The next line without its end, TOO_LONG, or None at the end of input."""
        searched = 0
        skipping = False
        while True:
            end = self._unread.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 1]
                return TOO_LONG if skipping or len(line) > LINE_LIMIT_BYTES else line
            searched = len(self._unread)
            if searched > LINE_LIMIT_BYTES:
                self._unread.clear()
                skipping, searched = True, 0
            piece = self._read(65536)
            if not piece:
                return None
            self._unread += piece

    def read_exactly(self, size: int) -> Optional[bytes]:
        """`size` raw bytes, or None when the input ends before."""
        while len(self._unread) < size:
            piece = self._read(max(65536, size - len(self._unread)))
            if not piece:
                return None
            self._unread += piece
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def _read(self, size: int) -> bytes:
        try:
            return os.read(self.source, size)
        except OSError:
            return b""  # The other side is gone: the same as the end of input.

    def send(self, message: Dict[str, Any]) -> None:
        """Writes one line. When the broker is gone the message is lost, and the reader will see the end."""
        if self.streaming is not None and message.get("id") != self.streaming:
            return
        self.send_raw(self._encode(message).encode() + b"\n")

    def send_raw(self, data: "bytes | memoryview") -> bool:
        """Writes all bytes; gives False when the other side is gone."""
        view = memoryview(data)
        with self._lock:
            while view and self._open:
                try:
                    view = view[os.write(self.target, view) :]
                except OSError:
                    self._open = False
            return self._open

    def close(self) -> None:
        """Detaches from the broker, for the few seconds in which open tickets are still watched."""
        with self._lock:
            self._open = False
            nothing = os.open(os.devnull, os.O_RDWR)
            for handle in (0, 1, 2):
                os.dup2(nothing, handle)
            os.close(nothing)
