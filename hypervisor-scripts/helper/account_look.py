"""Whether the broker's account may do what the installer gave it, and nothing else."""

import grp
import os
import pwd
import re
import stat
import sys
from typing import Any, Dict, List, Optional

from children import run
from durable import read_if_there
from host import Host
from requests import Request

ACCOUNT = "berth"
SUDOERS = "/etc/sudoers.d/berth"
TIMEOUT_MS = 10_000
COMMENT = re.compile(r"\s*(#.*)?")


def account(host: Host, request: Request) -> Dict[str, Any]:
    """{groups, rule_is_ours, rule_mode, commands, keys: [{restricted, forced}]}; groups is null without the account.

    Keys themselves are not told. `commands` is what sudo lets the account run, in sudo's words.
    """
    helper = os.path.realpath(sys.argv[0])
    try:
        home = pwd.getpwnam(ACCOUNT).pw_dir
        own = pwd.getpwnam(ACCOUNT).pw_gid
    except KeyError:
        return {
            "groups": None,
            "rule_is_ours": False,
            "rule_mode": None,
            "commands": [],
            "keys": [],
        }
    groups = [
        grp.getgrgid(number).gr_name for number in os.getgrouplist(ACCOUNT, own) if number != own
    ]
    return {
        "groups": sorted(groups),
        "rule_is_ours": _rule() == _expected(helper),
        "rule_mode": _mode(SUDOERS),
        "commands": _commands(request),
        "keys": _keys(f"{home}/.ssh/authorized_keys", helper),
    }


def _expected(helper: str) -> List[str]:
    # As installer/account.sh writes it.
    return [
        f"Defaults:{ACCOUNT} !requiretty, !use_pty",
        f'{ACCOUNT} ALL=(root) NOPASSWD: {helper} ""',
    ]


def _lines(path: str) -> List[str]:
    data = read_if_there(path) or b""
    return [
        line.strip()
        for line in data.decode(errors="replace").splitlines()
        if not COMMENT.fullmatch(line)
    ]


def _rule() -> List[str]:
    return _lines(SUDOERS)


def _mode(path: str) -> Optional[str]:
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return f"{stat.S_IMODE(found.st_mode):o} {found.st_uid}:{found.st_gid}"


def _commands(request: Request) -> List[str]:
    ended = run(request, ["sudo", "-n", "-l", "-U", ACCOUNT], timeout_ms=TIMEOUT_MS)
    _, mark, listed = ended.output.partition("may run the following commands")
    return [line.strip() for line in listed.splitlines()[1:] if line.strip()] if mark else []


def _keys(path: str, helper: str) -> List[Dict[str, bool]]:
    forced = f'command="sudo -n {helper}"'
    return [
        {"restricted": bool(re.match(r"(?:.*,)?restrict,", line)), "forced": forced in line}
        for line in _lines(path)
    ]
