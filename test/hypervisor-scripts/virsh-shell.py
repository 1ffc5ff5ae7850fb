"""Shells of virsh over a real libvirtd that is killed, in a mount namespace: says what became of each command.

argv: the folder of the helper. Prints JSON: {name: [code or "", words or output, how often it was typed]}.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Dict, List, Optional

sys.path.insert(0, sys.argv[1])

import virsh  # noqa: E402
from failures import Failure  # noqa: E402

SOCKET = "/run/libvirt/libvirt-sock"
virsh.COMMAND = (*virsh.COMMAND[:-1], f"test+unix:///default?socket={SOCKET}")  # type: ignore

typed: List[str] = []
exchange = virsh.Shell._exchange


def counted(shell: virsh.Shell, command: str, mark: str, timeout_ms: int) -> str:
    typed.append(command)
    return exchange(shell, command, mark, timeout_ms)


virsh.Shell._exchange = counted  # type: ignore


def daemon() -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(["libvirtd", "-f", "/run/libvirt/conf"], stderr=subprocess.DEVNULL)
    probe = [*virsh.COMMAND, "hostname"]
    for _ in range(200):
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return child
        time.sleep(0.05)
    raise SystemExit("libvirtd does not start")


def kill(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()


def ask(shells: virsh.Shells, command: str) -> List[object]:
    typed.clear()
    try:
        code, words = "", shells.run(command)
    except Failure as failure:
        code, words = failure.code, str(failure)
    return [code, words.strip(), typed.count(command)]


def main() -> None:
    with open("/run/libvirt/conf", "w") as conf:
        conf.write('auth_unix_rw = "none"\n')
    found: Dict[str, List[object]] = {}
    child = daemon()
    shells = virsh.Shells()
    found["answer"] = ask(shells, "domstate test")
    # A name is anybody's: what virsh says of it is no word about its connection.
    found["refusal"] = ask(shells, "domstate 'failed to connect: Disconnected'")
    kill(child)
    found["away"] = ask(shells, "domstate test")
    child = daemon()
    found["back"] = ask(shells, "domstate test")
    kill(child)
    child = daemon()
    found["restarted"] = ask(shells, "domstate test")
    # It dies while it owes an answer.
    os.kill(child.pid, signal.SIGSTOP)
    again: Optional["subprocess.Popen[bytes]"] = None

    def replace() -> None:
        nonlocal again
        time.sleep(0.3)
        kill(child)
        again = daemon()

    killer = threading.Thread(target=replace)
    killer.start()
    found["during"] = ask(shells, "domstate test")
    killer.join()
    found["afterwards"] = ask(shells, "domstate test")
    if again is not None:
        kill(again)
    print(json.dumps(found))


main()
