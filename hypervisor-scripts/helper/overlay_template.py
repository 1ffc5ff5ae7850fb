"""Many overlays from one.

An empty overlay depends on nothing but its base: no name and no time is in it. So qemu-img makes one (9 ms), and the
others are written from its bytes (0.2 ms). Only the blocks that are not zero are written, which is 20 KiB of 192 KiB.
"""

import os
from typing import List, Tuple

from durable import write_all

BLOCK_BYTES = 4096


class Template:
    """The content of a fresh overlay."""

    def __init__(self, handle: int) -> None:
        self.size = os.fstat(handle).st_size
        self.extents: List[Tuple[int, bytes]] = []
        zero = bytes(BLOCK_BYTES)
        for offset in range(0, self.size, BLOCK_BYTES):
            block = os.pread(handle, BLOCK_BYTES, offset)
            if block != zero[: len(block)]:
                self.extents.append((offset, block))

    def write(self, handle: int) -> None:
        """Fills an empty file."""
        for offset, block in self.extents:
            write_all(handle, block, offset)
        os.ftruncate(handle, self.size)
