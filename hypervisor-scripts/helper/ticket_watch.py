"""Burns a ticket once its viewer has settled, or its time has passed.

A viewer opens about eight channels, each with the ticket. Burned at the first one, most of the
others would be refused; not burned at all, a second viewer could use the same ticket. So: a new
viewer is there, and its number of channels has not changed for 1.5 s.
"""

import threading
import time
from typing import Dict, FrozenSet, Optional

import ticket_record
from channel import log
from displays import spice_channels
from failures import Failure
from host import Host
from locks import held
from tickets import burn

SETTLED_MS = 1500
POLL_MS = 300
BURN_WAIT_MS = 5000


class Watched:
    """One ticket that is not burned yet. Times are of the monotonic clock, in seconds."""

    def __init__(self, word: str, seated: FrozenSet[int], ends_s: float) -> None:
        self.word = word
        self.seated = seated
        self.ends_s = ends_s
        self.channels = 0
        self.changed_s = 0.0

    def is_due(self, channels: int, now_s: float) -> bool:
        """Takes the present number of a new viewer's channels; gives whether the ticket has served."""
        if channels != self.channels:
            self.channels, self.changed_s = channels, now_s
        settled = channels > 0 and (now_s - self.changed_s) * 1000 >= SETTLED_MS
        return settled or now_s >= self.ends_s


class TicketWatch:
    """One thread that looks at all open tickets."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: Dict[str, Watched] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self, domain: str, word: str, seated: FrozenSet[int], ends_s: int) -> None:
        """Watches a new ticket, in place of the domain's earlier one. `ends_s` is of the wall clock."""
        ends = time.monotonic() + ends_s - time.time()
        with self._changed:
            self._open[domain] = Watched(word, seated, ends)
            self._changed.notify_all()

    def finish(self) -> None:
        """Waits until every ticket is burned: at most its lifetime. For a helper whose broker is gone."""
        with self._changed:
            while self._open:
                self._changed.wait()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._open:
                    self._changed.wait()
                now = dict(self._open)
            for domain, watched in now.items():
                if self._look(domain, watched):
                    self._forget(domain, watched)
            time.sleep(POLL_MS / 1000)

    def _look(self, domain: str, watched: Watched) -> bool:
        """Gives whether this ticket needs no more watching."""
        try:
            viewers = spice_channels(self._host, domain)
            channels = sum(
                len(open_ones) for id, open_ones in viewers.items() if id not in watched.seated
            )
            if not watched.is_due(channels, time.monotonic()):
                return False
            self._burn(domain, watched)
            return True
        except Failure as failure:
            # A machine that is off has no ticket any more. Anything else is tried until QEMU's own expiry.
            if failure.code != "not_found" and time.monotonic() < watched.ends_s:
                return False
            return True
        except Exception as error:
            log(f"watching the ticket of {domain} failed: {error!r}")
            return time.monotonic() >= watched.ends_s

    def _burn(self, domain: str, watched: Watched) -> None:
        never = threading.Event()
        with held("domain", domain, never, BURN_WAIT_MS) as locked:
            if locked and ticket_record.is_latest(domain, watched.word):
                burn(self._host, domain, "keep")

    def _forget(self, domain: str, watched: Watched) -> None:
        with self._changed:
            if self._open.get(domain) is watched:
                del self._open[domain]
                self._changed.notify_all()


def watch_of(host: Host) -> TicketWatch:
    """The host's watch, begun with the first ticket."""
    with host.lock:
        found: Optional[TicketWatch] = host.watch
        if found is None:
            found = host.watch = TicketWatch(host)
        return found
