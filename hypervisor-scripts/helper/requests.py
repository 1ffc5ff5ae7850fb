"""One request: its checked arguments, its progress, its child processes and its cancellation."""

import threading
import time
from typing import Any, Callable, Dict, Optional, Set

from failures import Failure

# At most about four progress lines a second.
PROGRESS_INTERVAL_MS = 250


class Request:
    """What an operation needs to know about who asked. `args` holds checked values only."""

    def __init__(
        self,
        id: str,
        op: str,
        raw_args: Dict[str, Any],
        operation: Optional[str],
        fence: Optional[int],
        send: Callable[[Dict[str, Any]], None],
    ) -> None:
        self.id = id
        self.op = op
        self.raw_args = raw_args
        self.args: Dict[str, Any] = {}
        self.operation = operation
        self.fence = fence
        self.cancelled = threading.Event()
        self._send = send
        self._lock = threading.Lock()
        self._children: Set[Any] = set()
        self._progress_ms = 0.0
        self._phase = ""

    def progress(self, phase: str, done: int, total: int) -> None:
        """Tells the broker how far the work is, in bytes; most calls are dropped to keep the rate low."""
        now_ms = time.monotonic() * 1000
        if phase == self._phase and now_ms - self._progress_ms < PROGRESS_INTERVAL_MS:
            return
        self._phase, self._progress_ms = phase, now_ms
        self._send({"id": self.id, "progress": {"phase": phase, "done": done, "total": total}})

    def item(self, item: Dict[str, Any]) -> None:
        """Sends the result of one item of a batch."""
        self._send({"id": self.id, "item": item})

    def batch_size(self) -> int:
        """How many results the answer may hold."""
        lists = [value for value in self.args.values() if isinstance(value, list)]
        return sum(len(value) for value in lists)

    def cancel(self) -> None:
        """Stops the work: kills its child processes; loops see `cancelled`."""
        self.cancelled.set()
        with self._lock:
            for child in self._children:
                child.kill()

    def stop_if_cancelled(self) -> None:
        """Raises Failure('cancelled') when somebody asked for it."""
        if self.cancelled.is_set():
            raise Failure(
                "cancelled", f"The request {self.id} was cancelled; nothing half-made is left."
            )

    def own(self, child: Any) -> None:
        """Registers a child process that dies with the request."""
        with self._lock:
            self._children.add(child)
            if self.cancelled.is_set():
                child.kill()

    def disown(self, child: Any) -> None:
        """Forgets a child process that has ended."""
        with self._lock:
            self._children.discard(child)
