"""Checksums of images."""

import hashlib
import os
from typing import Any, Dict

from host import Host
from qcow2 import open_image
from requests import Request

Result = Dict[str, Any]

PIECE_BYTES = 1024 * 1024


def hash_file(request: Request, handle: int) -> str:
    """SHA-256 of an open file, with progress; raises Failure('cancelled')."""
    digest = hashlib.sha256()
    total = os.fstat(handle).st_size
    buffer = memoryview(bytearray(PIECE_BYTES))
    done = 0
    while True:
        request.stop_if_cancelled()
        size = os.preadv(handle, [buffer], done)
        if size == 0:
            return digest.hexdigest()
        digest.update(buffer[:size])
        done += size
        request.progress("checksum", done, total)


def image_checksum(host: Host, request: Request) -> Result:
    """{sha256, bytes} of one image."""
    handle = open_image(host.directory(request.args["dir"]), request.args["name"])
    try:
        return {"sha256": hash_file(request, handle), "bytes": os.fstat(handle).st_size}
    finally:
        os.close(handle)
