"""berth-helper: does the broker's work on this host's disks, displays and domains.

Usage:  berth-helper          (no arguments; JSON lines on standard input and output)
Output: one line {"hello":"berth-helper",...}, then answers, progress and events, one JSON object a line.
Exit:   0 at the end of input, 1 when it is not run as root or by a Python that is too old.
"""

import os
import signal
import sys
import time


def version() -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the installed file."""
    import hashlib

    with open(sys.argv[0], "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()[:12]


def prepare_process() -> None:
    """Trusts nothing of the caller: neither environment, nor umask, nor current directory."""
    from children import ENVIRONMENT

    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    os.umask(0o077)
    os.chdir("/")


def main() -> int:
    """Serves one connection."""
    if sys.version_info < (3, 9) or os.geteuid() != 0 or len(sys.argv) != 1:
        print(
            "berth-helper: must run as root, without arguments, by Python 3.9 or newer.",
            file=sys.stderr,
        )
        return 1
    own_version = version()
    prepare_process()
    from channel import Channel
    from dispatch import Dispatcher
    from host import Host
    import journal

    channel = Channel()
    now_ms = int(time.time() * 1000)
    channel.send(
        {"hello": "berth-helper", "protocol": 1, "version": own_version, "clock_ms": now_ms}
    )
    journal.prune(now_ms)
    host = Host(channel, own_version)
    signal.signal(signal.SIGTERM, lambda *_: os.close(0))
    Dispatcher(host).serve()
    if host.relay is not None:
        host.relay.stop()
    if host.watch is not None:
        channel.close()
        host.watch.finish()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads may still wait for a lock or a guest; there is nothing left for them to say.
    os._exit(code)
