"""What one helper process knows about its host: settings, directories and long-lived parts."""

import contextlib
import json
import os
import stat
import threading
from typing import TYPE_CHECKING, Dict, List, Optional, Set

from channel import Channel, log
from durable import read_if_there, write_durably
from failures import Failure
from libvirt_process import Processes
from qemu_account import qemu_group, qemu_group_if_there

if TYPE_CHECKING:
    from events import Relay
    from ticket_watch import TicketWatch

SETTINGS = "/etc/berth/helper.json"
# The last configured directories, for the processes that only carry a stream and are not configured themselves.
REMEMBERED = "/var/lib/berth/directories.json"
KINDS = ("images", "overlays", "transient")
# Below it nothing is anybody else's; of what an administrator chose elsewhere only they can know.
OWN_ROOT = "/var/lib/berth/"
# What is being written lies here until it is whole: nobody else's file is ever in this directory.
PARTS = ".berth-parts"


DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Directory:
    """One of the three directories. `handle` pins it, so that nothing is reached through a planted link."""

    def __init__(self, kind: str, path: str) -> None:
        self.kind = kind
        self.path = path
        self.handle = os.open(path, DIRECTORY_FLAGS)
        self._parts: Optional[int] = None
        self._lock = threading.Lock()

    def file(self, name: str) -> str:
        """The full path of a file in it."""
        return f"{self.path}/{name}"

    def parts(self) -> int:
        """The handle of the directory, closed to all but root, in which files are written before
        they have their name.
        """
        with self._lock:
            if self._parts is None:
                self._parts = self._open_parts()
            return self._parts

    def _open_parts(self) -> int:
        with contextlib.suppress(FileExistsError):
            os.mkdir(PARTS, 0o700, dir_fd=self.handle)
        try:
            handle = os.open(PARTS, DIRECTORY_FLAGS, dir_fd=self.handle)
        except OSError as error:
            raise Failure(
                "foreign", f"{self.file(PARTS)} is not a directory of Berth's: {error.strerror}."
            )
        found = os.fstat(handle)
        if found.st_uid != 0 or found.st_mode & 0o077:
            os.close(handle)
            raise Failure(
                "foreign", f"{self.file(PARTS)} is open to others than root; remove or close it."
            )
        return handle

    def sync(self) -> None:
        """Makes renames and removals durable."""
        os.fsync(self.handle)


class Host:
    """The parts that operations share."""

    def __init__(self, channel: Channel, version: str) -> None:
        self.channel = channel
        self.version = version
        self.libvirt = Processes(most=8)
        # A guest may take as long as it likes: those who ask one do not keep the others waiting.
        self.guests = Processes(most=8)
        # Domains whose QEMU did not answer its last question; see monitor.py.
        self.hung: Set[str] = set()
        self.lock = threading.Lock()
        self.directories: Dict[str, Directory] = {}
        self.relay: "Optional[Relay]" = None
        self.watch: "Optional[TicketWatch]" = None
        self.roots: List[str] = ["/var/lib/berth"]
        self.import_directory = "/var/lib/berth/import"

    def load_settings(self) -> None:
        """Reads /etc/berth/helper.json; raises Failure('internal') when it is there and is not right."""
        data = read_if_there(SETTINGS)
        if data is None:
            return
        try:
            settings = json.loads(data)
            roots, imports = settings["roots"], settings["import"]
            if not all(isinstance(one, str) and one.startswith("/") for one in [*roots, imports]):
                raise ValueError("paths must be absolute")
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(
                "internal",
                f"{SETTINGS} is not right ({error}); it must look like "
                '{"roots":["/var/lib/berth"],"import":"/var/lib/berth/import"}.',
            )
        self.roots, self.import_directory = roots, imports

    def use(self, paths: Dict[str, str]) -> None:
        """Takes the three directories into use, making those that are missing; raises Failure('bad_path')."""
        self.load_settings()
        directories = {kind: self._prepare(kind, paths[kind]) for kind in KINDS}
        with self.lock:
            self.directories = directories
        write_durably(
            REMEMBERED, json.dumps({kind: one.path for kind, one in directories.items()}).encode()
        )

    def use_remembered(self) -> None:
        """Takes the directories of the last `configure` on this host, for a process that carries one stream."""
        if self.directories:
            return
        data = read_if_there(REMEMBERED)
        if data is None:
            raise Failure("bad_request", "This host was never configured; send configure first.")
        self.use(json.loads(data))

    def directory(self, kind: str) -> Directory:
        """One of the configured directories; raises Failure('bad_request') before `configure`."""
        if kind not in self.directories:
            raise Failure("bad_request", "The directories are not known yet; send configure first.")
        return self.directories[kind]

    def _prepare(self, kind: str, path: str) -> Directory:
        real = os.path.realpath(path)
        roots = [os.path.realpath(root) for root in self.roots]
        if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots):
            raise Failure(
                "bad_path",
                f"{kind} {path} is outside of the directories that this host allows "
                f'({", ".join(self.roots)}); to allow it, add it to "roots" in {SETTINGS}.',
            )
        try:
            made = _make_directories(real)
            directory = Directory(kind, real)
        except OSError as error:
            raise Failure(
                "bad_path", f"{kind} {path} cannot be used as a directory: {error.strerror}."
            )
        if made or _is_closed_wrongly(directory):
            _close(directory)
        return directory


def _is_closed_wrongly(directory: Directory) -> bool:
    """Whether an older Berth made it, so that every account may enter, or QEMU has been given another group since."""
    found = os.fstat(directory.handle)
    mode, group = stat.S_IMODE(found.st_mode), qemu_group_if_there()
    return (
        directory.path.startswith(OWN_ROOT)
        and found.st_uid == 0
        and mode in (0o711, 0o710)
        and (mode, found.st_gid) != (0o710, group)
    )


def _close(directory: Directory) -> None:
    """QEMU reaches what it is told the name of; others neither list nor enter."""
    try:
        os.fchown(directory.handle, 0, qemu_group())
        os.fchmod(directory.handle, 0o710)
    except (Failure, OSError) as error:
        # Without the group there is no QEMU yet; a file system that is read-only for now keeps no host from being used.
        log(f"{directory.path} cannot be closed to others: {error}")


def _make_directories(path: str) -> bool:
    # QEMU runs as another user and must be able to walk through: 0711 regardless of the umask.
    if os.path.isdir(path):
        return False
    _make_directories(os.path.dirname(path))
    os.mkdir(path, 0o711)
    os.chmod(path, 0o711)
    return True
