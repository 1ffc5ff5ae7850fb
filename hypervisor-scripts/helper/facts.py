"""What this host is and has; and `configure`, which must come first."""

import fcntl
import os
import re
import socket
import tempfile
import threading
import time
from typing import Any, Dict, Optional

import arguments
from closing import close_generations
from events import Relay
from failures import Failure
from host import Directory, Host
from image_copy import FICLONE
from requests import Request

Result = Dict[str, Any]

_reflinks: Dict[str, bool] = {}
_versions: Dict[str, Optional[str]] = {}
_lock = threading.Lock()


def configure(host: Host, request: Request) -> Result:
    """Takes the directories into use, starts the event relay once, and gives the facts."""
    host.use(
        {
            kind: arguments.path(kind, request.args[kind])
            for kind in ("images", "overlays", "transient")
        }
    )
    close_generations(host.directory("images"))
    with host.lock:
        if host.relay is None:
            host.relay = Relay(host.channel)
    return facts(host, request)


def facts(host: Host, request: Request) -> Result:
    """Capacity and versions. A version is null while libvirt does not answer."""
    memory = _memory_mib()
    versions = _libvirt_versions(host)
    return {
        "hostname": socket.gethostname(),
        "cores": os.cpu_count() or 1,
        "memory_mib": memory["MemTotal"],
        "memory_free_mib": memory["MemAvailable"],
        "libvirt_version": versions.get("libvirt"),
        "qemu_version": versions.get("qemu"),
        "kvm_device": os.path.exists("/dev/kvm"),
        "clock_ms": int(time.time() * 1000),
        "helper_version": host.version,
        "directories": {
            kind: _space(host.directory(kind)) for kind in ("images", "overlays", "transient")
        },
    }


def _memory_mib() -> Dict[str, int]:
    with open("/proc/meminfo", encoding="ascii") as handle:
        return {
            name: int(kib) // 1024
            for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", handle.read(), re.MULTILINE)
        }


def _libvirt_versions(host: Host) -> Dict[str, Optional[str]]:
    # Asked once: an upgrade of either restarts the connection, and with it this process.
    with _lock:
        if not _versions:
            try:
                _versions.update(host.libvirt.ask("versions"))
            except Failure:
                return {}
        return dict(_versions)


def _space(directory: Directory) -> Result:
    statistics = os.statvfs(directory.handle)
    return {
        "path": directory.path,
        "free_bytes": statistics.f_bavail * statistics.f_frsize,
        "total_bytes": statistics.f_blocks * statistics.f_frsize,
        "reflink": can_reflink(directory.path),
    }


def can_reflink(path: str) -> bool:
    """Whether the file system can share blocks between files: tried once, with a block of 4 KiB."""
    with _lock:
        if path in _reflinks:
            return _reflinks[path]
        try:
            with tempfile.TemporaryFile(dir=path) as source, tempfile.TemporaryFile(
                dir=path
            ) as target:
                source.write(bytes(4096))
                source.flush()
                fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
            _reflinks[path] = True
        except OSError:
            _reflinks[path] = False
        return _reflinks[path]
