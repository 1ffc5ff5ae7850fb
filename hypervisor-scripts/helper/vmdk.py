"""Reads VMDK headers and descriptors, so that a hostile one is refused before QEMU opens what it names.

The descriptor is a text that lists the files of the disk; QEMU opens each of them, whatever it is (its block/vmdk.c).
"""

import os
import re
import struct
from typing import Optional

TEXT_MARK = b"# Disk DescriptorFile"
SPARSE_MAGICS = (b"KDMV", b"COWD")
SECTOR_BYTES = 512
# VMware writes 20 sectors; QEMU reads at most 1 MiB.
DESCRIPTOR_LIMIT_BYTES = 1 << 20
EXTENT = re.compile(r"^\s*(RW|RDONLY|NOACCESS)\s", re.MULTILINE | re.IGNORECASE)
PARENT_ID = re.compile(r"^\s*parentCID\s*=\s*([0-9a-f]+)", re.MULTILINE | re.IGNORECASE)
PARENT_NAME = re.compile(r"parentFileNameHint", re.IGNORECASE)

SPREAD = 'is spread over several files; flatten it with "qemu-img convert"'
BACKED = 'has a backing file; flatten it with "qemu-img convert" where its backing file is'


def vmdk_fault(handle: int) -> Optional[str]:
    """What a VMDK names beyond itself; None for one that stands alone, and for what is no VMDK."""
    start = os.pread(handle, 4096, 0)
    # QEMU passes over comments and blank lines before the mark, so anything with the mark in its first lines counts.
    if TEXT_MARK.lower() in start.lower() and start[:4] not in SPARSE_MAGICS:
        return SPREAD
    if start[:4] == b"COWD":
        return None
    if start[:4] != b"KDMV" or len(start) < 44:
        return None
    capacity, _, offset, size = struct.unpack_from("<QQQQ", start, 12)
    if capacity == 0:
        return SPREAD  # Then QEMU takes the descriptor's list for the disk.
    if offset == 0 or size == 0:
        return None
    text = os.pread(
        handle, min(size * SECTOR_BYTES, DESCRIPTOR_LIMIT_BYTES), offset * SECTOR_BYTES
    ).decode("latin-1")
    parent = PARENT_ID.search(text)
    if PARENT_NAME.search(text) or (parent and parent[1].lower().strip("f") != ""):
        return BACKED
    return SPREAD if len(EXTENT.findall(text)) > 1 else None
