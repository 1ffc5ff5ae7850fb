"""The helper asks a real libvirtd that is killed, in a mount namespace: says what became of each question.

argv: the folder of the helper. Prints JSON: {name: [code or "", words or answer, how often it was asked]}.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Optional

sys.path.insert(0, sys.argv[1])

import libvirt_process  # noqa: E402
from failures import Failure  # noqa: E402

SOCKET = "/run/libvirt/libvirt-sock"
libvirt_process.URI = f"test+unix:///default?socket={SOCKET}"

asked: List[str] = []
ask_once = libvirt_process.Process.ask


def counted(process: libvirt_process.Process, verb: str, args: Any, timeout_ms: int) -> Any:
    asked.append(verb)
    return ask_once(process, verb, args, timeout_ms)


libvirt_process.Process.ask = counted  # type: ignore


def daemon() -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(["libvirtd", "-f", "/run/libvirt/conf"], stderr=subprocess.DEVNULL)
    probe = ["virsh", "-c", libvirt_process.URI, "hostname"]
    for _ in range(200):
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return child
        time.sleep(0.05)
    raise SystemExit("libvirtd does not start")


def kill(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()


def ask(processes: libvirt_process.Processes, name: str = "test", **more: Any) -> List[object]:
    asked.clear()
    try:
        answer = processes.ask("domain", name=name, **more)
        return ["", "running" if answer["running"] else "off", len(asked)]
    except Failure as failure:
        reason = getattr(failure, "reason", None)
        return [
            failure.code if reason is None else f"{failure.code} {reason}",
            str(failure),
            len(asked),
        ]


def main() -> None:
    with open("/run/libvirt/conf", "w") as conf:
        conf.write('auth_unix_rw = "none"\n')
    found: Dict[str, List[object]] = {}
    child = daemon()
    processes = libvirt_process.Processes(most=2)
    found["answer"] = ask(processes)
    # A name is anybody's: nothing that it says counts as a word of libvirt's or as another question.
    found["refusal"] = ask(processes, "failed to connect: Disconnected")
    found["lines"] = ask(processes, 'test\n{"verb":"reset","args":{"name":"test"}}')
    found["fault"] = ask(processes, uuid=7)
    found["after the fault"] = ask(processes)
    kill(child)
    found["away"] = ask(processes)
    child = daemon()
    found["back"] = ask(processes)
    kill(child)
    child = daemon()
    found["restarted"] = ask(processes)
    # It hangs: the process that asked is replaced, and the next one is answered.
    os.kill(child.pid, signal.SIGSTOP)
    found["hung"] = ask(processes, timeout_ms=300)
    os.kill(child.pid, signal.SIGCONT)
    found["goes on"] = ask(processes)
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
    found["during"] = ask(processes)
    killer.join()
    found["afterwards"] = ask(processes)
    # As on a host where python3-libvirt is not installed: the interpreter looks nowhere else for it.
    libvirt_process.PYTHON = (*libvirt_process.PYTHON, "-S")
    found["without python3-libvirt"] = ask(libvirt_process.Processes(most=1))
    if again is not None:
        kill(again)
    print(json.dumps(found))


main()
