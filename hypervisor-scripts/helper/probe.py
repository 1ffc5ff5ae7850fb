"""Whether guests really run under KVM.

/dev/kvm may exist and guests hang or crawl under it: where the machine is itself a guest without
nested virtualisation, KVM may be emulated in software. So something is booted: a boot sector of 512
bytes that writes to QEMU's isa-debug-exit device, which ends QEMU with a known exit code. It is
booted under emulation too, since a slow start alone may only mean a busy host.
"""

import os
import time
from typing import Any, Dict, NamedTuple

from children import last_line, run
from failures import Failure
from host import Host
from requests import Request

TIMEOUT_MS = 10_000
# mov dx, 0x501; mov al, 0x10; out dx, al; hlt
BOOT_SECTOR = (b"\xba\x01\x05\xb0\x10\xee\xf4").ljust(510, b"\0") + b"\x55\xaa"
EXIT_CODE = (0x10 << 1) | 1  # isa-debug-exit: (value << 1) | 1
# KVM on hardware boots the sector in 0.2 s, about as fast as emulation. KVM in software was seen to
# take 60 times as long.
QUICK_MS = 1000
SLOWER_THAN_EMULATION = 5
# Where even the oldest CPU model of QEMU lacks something, KVM does not stand on real hardware.
LACKING = "host doesn't support requested feature"
PROGRAMS = ("/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm")


class Boot(NamedTuple):
    """How one test guest went. `fault` is empty when it ran."""

    took_ms: int
    fault: str
    said: str


def probe_virt(host: Host, request: Request) -> Dict[str, Any]:
    """{virt_type: kvm | qemu, reason}."""
    if not os.path.exists("/dev/kvm"):
        return {
            "virt_type": "qemu",
            "reason": "There is no /dev/kvm on this host, so guests are emulated.",
        }
    program = next((path for path in PROGRAMS if os.path.exists(path)), None)
    if program is None:
        raise Failure(
            "not_found", "QEMU is not installed on this host; install qemu-system-x86 or qemu-kvm."
        )
    disk = os.memfd_create("boot-sector", os.MFD_CLOEXEC)
    try:
        os.write(disk, BOOT_SECTOR)
        fault = _kvm_fault(
            _boot(request, program, disk, "kvm"), lambda: _boot(request, program, disk, "tcg")
        )
    finally:
        os.close(disk)
    if fault:
        return {"virt_type": "qemu", "reason": f"{fault}, so guests are emulated."}
    return {"virt_type": "kvm", "reason": "A test guest ran well under KVM."}


def _kvm_fault(kvm: Boot, emulate: Any) -> str:
    if kvm.fault:
        return f"A test guest {kvm.fault} under KVM"
    if LACKING in kvm.said:
        return f"KVM on this host lacks what every such processor has ({last_line(kvm.said)})"
    if kvm.took_ms > QUICK_MS:
        emulated = emulate()
        if not emulated.fault and kvm.took_ms > emulated.took_ms * SLOWER_THAN_EMULATION:
            return (
                f"A test guest took {kvm.took_ms} ms under KVM and {emulated.took_ms} ms emulated"
            )
    return ""


def _boot(request: Request, program: str, disk: int, accelerator: str) -> Boot:
    command = [
        program,
        "-accel",
        accelerator,
        "-machine",
        "pc",
        "-m",
        "16",
        "-display",
        "none",
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-drive",
        f"file=/proc/self/fd/{disk},format=raw,if=ide",
        "-device",
        "isa-debug-exit,iobase=0x501,iosize=2",
    ]
    began = time.monotonic()
    try:
        ended = run(request, command, keep=[disk], timeout_ms=TIMEOUT_MS)
    except Failure as failure:
        if failure.code != "timeout":
            raise
        return Boot(TIMEOUT_MS, f"hung for {TIMEOUT_MS // 1000} s", "")
    fault = "" if ended.code == EXIT_CODE else f"failed ({last_line(ended.errors)})"
    return Boot(int((time.monotonic() - began) * 1000), fault, ended.errors)
