"""Keeps images from all but root and QEMU, and generations from being written by anybody.

libvirt makes QEMU's user the owner of whatever a machine stands on when it starts
(dynamic_ownership, its security_dac.c), and never takes that back for a backing file, which others
may use. An owner may change the mode and write, so a QEMU that is broken into could change the
golden image of everybody. A generation never changes, so it gets the kernel's immutable flag: then
libvirt cannot give it away (it notes that and goes on), and no mistake of root's writes it either.
With SELinux libvirt must be able to label it, and SELinux itself keeps QEMU from writing; file
systems without the flag, such as NFS, stay as libvirt leaves them.
"""

import errno
import fcntl
import os
import stat
import struct

from channel import log
from failures import Failure
from host import Directory
from ownership import read_mark
from qcow2 import open_image
from qemu_account import qemu_group

# In an image are password hashes and host keys: only root and QEMU read it, and nobody writes it.
GENERATION_MODE = 0o440
# An older Berth let every account of the host read.
OLD_MODES = (0o444, GENERATION_MODE)
# ioctl_iflags(2). The kernel takes an int, whatever the numbers say.
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
NO_FLAGS = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOSYS)
SELINUX = "/sys/fs/selinux/enforce"


def seal(handle: int) -> None:
    """Nobody changes, renames or removes the open file from now on, where the file system can keep it so."""
    if not os.path.exists(SELINUX):
        _set_immutable(handle, True)


def unseal(handle: int) -> None:
    """The opposite, for a file that is to be removed or marked."""
    _set_immutable(handle, False)


def _set_immutable(handle: int, on: bool) -> None:
    try:
        flags = struct.unpack("i", fcntl.ioctl(handle, GET_FLAGS, bytes(4)))[0]
        wanted = flags | IMMUTABLE if on else flags & ~IMMUTABLE
        if wanted != flags:
            fcntl.ioctl(handle, SET_FLAGS, struct.pack("i", wanted))
    except OSError as error:
        if error.errno not in NO_FLAGS:
            raise


def is_sealed(handle: int) -> bool:
    """Whether the open file has the flag."""
    try:
        return bool(struct.unpack("i", fcntl.ioctl(handle, GET_FLAGS, bytes(4)))[0] & IMMUTABLE)
    except OSError:
        return False


def close_generations(images: Directory) -> None:
    """Closes those that an older Berth left open, that libvirt gave to QEMU, whose maker was killed
    before it could, or whose group is no longer QEMU's.

    Only what carries Berth's mark and is read-only already: sources are written by their machines.
    """
    for name in os.listdir(images.handle):
        if not name.endswith(".qcow2"):
            continue
        try:
            handle = open_image(images, name)
        except Failure:
            continue  # A link, a device, or gone since the listing: not an image of ours.
        try:
            _close_generation(images, name, handle)
        except (Failure, OSError) as error:
            # A file system that is read-only for now keeps no host from being used.
            log(f"{images.file(name)} cannot be closed to others: {error}")
        finally:
            os.close(handle)


def _close_generation(images: Directory, name: str, handle: int) -> None:
    found = os.fstat(handle)
    mode = stat.S_IMODE(found.st_mode)
    # One with two names is still being made.
    if mode not in OLD_MODES or found.st_nlink != 1 or read_mark(handle, images, name) is None:
        return
    group = qemu_group()
    if is_sealed(handle) and found.st_gid == group:
        return
    unseal(handle)
    os.fchown(handle, 0, group)
    os.fchmod(handle, GENERATION_MODE)
    seal(handle)
