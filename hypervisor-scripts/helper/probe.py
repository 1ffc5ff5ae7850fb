"""Whether guests really run under KVM.

/dev/kvm may exist and guests hang under it (nested virtualisation without instruction emulation), so something is booted:
a boot sector that enters protected mode and then writes to QEMU's isa-debug-exit device, which ends QEMU with a known exit code.
"""

import os
from typing import Any, Dict

from children import last_line, run
from failures import Failure
from host import Host
from requests import Request

TIMEOUT_MS = 5_000
# Real mode: lgdt, lidt, protected mode on, far jump. 32-bit code: flat segments (FS and GS null), a TSS into TR, an iret to the
# next line, then out 0x501, 0x10. Where nested KVM must emulate, it fails at that iret, as it does in a boot loader.
BOOT_SECTOR = bytes.fromhex(
    'fa31c08ed8660f0116887c660f011e8e7c0f20c00c010f22c066ea217c0000200066b828008ed88ec08ed06631c08ee0'
    '8ee8bc0070000066b808000f00d89c6a2068477c0000cfb81000000066ba0105eef48db6000000000000000000000000'
    '670000060089000000000000000000000000000000000000ffff0000009bcf00ffff00000093cf002f00587c00000000'
).ljust(510, b'\0') + b'\x55\xaa'
EXIT_CODE = (0x10 << 1) | 1  # isa-debug-exit: (value << 1) | 1


def probe_virt(host: Host, request: Request) -> Dict[str, Any]:
    """{virt_type: kvm | qemu, reason}."""
    if not os.path.exists('/dev/kvm'):
        return {'virt_type': 'qemu', 'reason': 'There is no /dev/kvm on this host, so guests are emulated.'}
    disk = os.memfd_create('boot-sector', os.MFD_CLOEXEC)
    try:
        os.write(disk, BOOT_SECTOR)
        return _boot(request, disk)
    finally:
        os.close(disk)


def _boot(request: Request, disk: int) -> Dict[str, Any]:
    command = ['qemu-system-x86_64', '-accel', 'kvm', '-machine', 'pc', '-m', '16', '-display', 'none', '-nodefaults',
               '-no-user-config', '-no-reboot', '-drive', f'file=/proc/self/fd/{disk},format=raw,if=ide',
               '-device', 'isa-debug-exit,iobase=0x501,iosize=2']
    try:
        ended = run(request, command, keep=[disk], timeout_ms=TIMEOUT_MS)
    except FileNotFoundError:
        raise Failure('not_found', 'qemu-system-x86_64 is not installed on this host; install qemu-system-x86.')
    except Failure as failure:
        if failure.code != 'timeout':
            raise
        return {'virt_type': 'qemu', 'reason': f'A test guest hung under KVM for {TIMEOUT_MS // 1000} s, so guests are '
                                               'emulated.'}
    if ended.code == EXIT_CODE:
        return {'virt_type': 'kvm', 'reason': 'A test guest ran under KVM.'}
    if ended.code == 127 and 'No such file' in ended.errors:
        raise Failure('not_found', 'qemu-system-x86_64 is not installed on this host; install qemu-system-x86.')
    return {'virt_type': 'qemu', 'reason': f'A test guest failed under KVM ({last_line(ended.errors)}), so guests are '
                                           'emulated.'}
