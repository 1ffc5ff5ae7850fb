"""Who QEMU runs as on this host: what libvirt's settings say, else what distributions give it."""

import grp
import os
import pwd
import re
import stat
from typing import Optional

from durable import read_if_there
from failures import Failure

SETTINGS = "/etc/libvirt/qemu.conf"
# Debian's and Ubuntu's names, Red Hat's, and a group that many hosts have.
USERS = ("libvirt-qemu", "qemu")
GROUPS = ("libvirt-qemu", "qemu", "kvm")


def qemu_group() -> int:
    """The number of the group that every QEMU of libvirt's is in; raises Failure('not_found')."""
    chosen = _setting("group")
    for name in GROUPS if chosen is None else (chosen,):
        try:
            # "+107", and what is no name, is a number (the comments in qemu.conf).
            return int(name) if re.fullmatch(r"\+?[0-9]+", name) else grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    raise Failure(
        "not_found",
        f'None of the groups {", ".join([chosen] if chosen else GROUPS)} exists; '
        "is libvirt with QEMU installed?",
    )


def qemu_group_if_there() -> Optional[int]:
    """The same, or None."""
    try:
        return qemu_group()
    except Failure:
        return None


def qemu_group_name() -> str:
    """What that group is called here, for people; its number where it has no name, root's without a group."""
    number = qemu_group_if_there()
    if number is None:
        return "root"
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def qemu_passes(found: os.stat_result) -> bool:
    """Whether QEMU may go through a directory with these rights."""
    if found.st_mode & stat.S_IXOTH:
        return True
    if found.st_mode & stat.S_IXGRP and found.st_gid == qemu_group_if_there():
        return True
    return bool(found.st_mode & stat.S_IXUSR and found.st_uid == _user())


def _user() -> Optional[int]:
    chosen = _setting("user")
    for name in USERS if chosen is None else (chosen,):
        try:
            return int(name) if re.fullmatch(r"\+?[0-9]+", name) else pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return None


def _setting(name: str) -> Optional[str]:
    text = (read_if_there(SETTINGS) or b"").decode(errors="replace")
    found = re.findall(rf'^\s*{name}\s*=\s*"([^"]+)"', text, re.MULTILINE)
    return found[-1] if found else None
