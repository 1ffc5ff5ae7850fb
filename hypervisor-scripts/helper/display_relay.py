"""A way from the broker's account to the VNC display of one domain.

libvirt gives that display a socket that only root and QEMU reach. So the helper listens on a socket
of its own with a random name, which the broker's account alone may open, for one connection and a
few seconds; then it carries the bytes. Where the display's socket is, libvirt says; that the
domain's own QEMU listens there, and not somebody else whose socket a forged definition names, the
kernel says.
"""

import os
import pwd
import secrets
import socket
import stat
import struct
import threading
import time
from typing import Any, Dict, Optional

from channel import log
from domains import running_xml
from durable import read_if_there, remove_if_there
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

ACCOUNT = "berth"
SOCKETS = "/run/berth/displays"
PIDS = "/run/libvirt/qemu"
# Between the answer and the broker's connection lies one round trip.
ACCEPT_WITHIN_S = 10.0
# One that a killed helper left.
STALE_S = 60
CONNECT_WITHIN_S = 5.0
PIECE_BYTES = 65536
# struct ucred of unix(7): pid, uid, gid.
CREDENTIALS = struct.Struct("3i")


def display_open(host: Host, request: Request) -> Result:
    """Gives {path}: a socket for one connection of the broker's account. Raises not_found or libvirt."""
    name = request.args["domain"]
    display = _display(name, _display_path(host, name))
    try:
        door, path = _door()
    except BaseException:
        display.close()
        raise
    threading.Thread(target=_serve, args=(door, path, display), daemon=True).start()
    return {"path": path}


def _display_path(host: Host, name: str) -> str:
    domain = running_xml(host, name)
    for listen in domain.iterfind("./devices/graphics[@type='vnc']/listen[@type='socket']"):
        if listen.get("socket"):
            return str(listen.get("socket"))
    raise Failure(
        "libvirt",
        f"{name} has no VNC display on a socket: give it <graphics type='vnc'><listen type='socket'/>"
        "</graphics> and start it again.",
    )


def _display(name: str, path: str) -> socket.socket:
    """A connection to the display; raises Failure('libvirt') when it is not the domain's own QEMU that listens."""
    display = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    display.settimeout(CONNECT_WITHIN_S)
    try:
        display.connect(path)
        if _peer(display)[0] != _pid_of(name):
            raise Failure("libvirt", f"{path} is not the display of the QEMU of {name}.")
    except OSError as error:
        display.close()
        raise Failure(
            "libvirt", f"The VNC display of {name} does not answer: {error.strerror or error}."
        )
    except BaseException:
        display.close()
        raise
    display.settimeout(None)
    return display


def _peer(connection: socket.socket) -> "tuple[int, int]":
    pid, uid, _ = CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    )
    return pid, uid


def _pid_of(name: str) -> Optional[int]:
    """The process of a domain, as libvirt has written it down where only root writes."""
    text = (read_if_there(f"{PIDS}/{name}.pid", 32) or b"").strip()
    return int(text) if text.isdigit() else None


def _door() -> "tuple[socket.socket, str]":
    try:
        account = pwd.getpwnam(ACCOUNT).pw_uid
    except KeyError:
        raise Failure(
            "internal", f"There is no account {ACCOUNT} on this host: run the installer again."
        )
    os.makedirs(SOCKETS, mode=0o711, exist_ok=True)
    # The umask took these bits away. What else lies in /run/berth is in directories that only root enters.
    os.chmod(os.path.dirname(SOCKETS), 0o711)
    os.chmod(SOCKETS, 0o711)
    _forget_stale()
    path = f"{SOCKETS}/{secrets.token_hex(16)}"
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(path)
        os.chown(path, account, -1)
        door.listen(1)
        door.settimeout(ACCEPT_WITHIN_S)
    except BaseException:
        door.close()
        remove_if_there(path)
        raise
    return door, path


def _forget_stale() -> None:
    for entry in os.scandir(SOCKETS):
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISSOCK(found.st_mode) and time.time() - found.st_mtime > STALE_S:
            remove_if_there(entry.path)


def _serve(door: socket.socket, path: str, display: socket.socket) -> None:
    try:
        near = _accepted(door)
    finally:
        door.close()
        remove_if_there(path)
    if near is None:
        display.close()
        return
    back = threading.Thread(target=_pump, args=(display, near), daemon=True)
    back.start()
    _pump(near, display)
    back.join()
    near.close()
    display.close()


def _accepted(door: socket.socket) -> Optional[socket.socket]:
    try:
        near, _ = door.accept()
    except OSError:
        return None  # Nobody came in time.
    if _peer(near)[1] not in (0, pwd.getpwnam(ACCOUNT).pw_uid):
        log("a display was asked for by another account than the broker's")
        near.close()
        return None
    near.settimeout(None)
    return near


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Carries one direction; its end is that of both, since QEMU knows no half-closed viewer."""
    try:
        while True:
            piece = source.recv(PIECE_BYTES)
            if not piece:
                break
            target.sendall(piece)
    except OSError:
        pass  # The other side is gone.
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It was shut down by the other direction.
