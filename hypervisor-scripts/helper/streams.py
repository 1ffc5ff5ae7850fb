"""Carrying one image to or from another host, sparse and resumable.

Frames: offset (8 bytes, big-endian), length (4 bytes, big-endian), then that many bytes. The end is a frame of length 0
whose offset is the file's size. Offsets only grow. What lies between two frames is a hole.
A stream needs no operation id: what has arrived is told by checksum and by the synced offset of the part.
"""

import hashlib
import json
import os
import struct
from typing import Any, Dict, Optional, Tuple

import journal
from channel import log
from closing import GENERATION_MODE
from durable import read_if_there, remove_if_there, write_all, write_durably
from failures import Failure, from_os_error
from host import Directory, Host
from image_checksum import hash_file
from images import exists, must_hold, part_exists, publish, remove_part, writing
from ownership import Mark, own
from qcow2 import open_image
from requests import Request

Result = Dict[str, Any]

HEADER = struct.Struct(">QI")
FRAME_BYTES = 1024 * 1024
LONGEST_FRAME_BYTES = 16 * 1024 * 1024
SYNC_EVERY_BYTES = 64 * 1024 * 1024


def file_send(host: Host, request: Request) -> Result:
    """Replies {size}, then sends data extents from `offset` on. The process ends afterwards."""
    host.use_remembered()
    handle = open_image(host.directory(request.args["dir"]), request.args["name"])
    try:
        size, offset = os.fstat(handle).st_size, request.args["offset"]
        if offset > size:
            raise Failure(
                "bad_request", f"offset {offset} lies beyond the end of the file ({size} bytes)."
            )
        host.channel.send({"id": request.id, "ok": True, "result": {"size": size}})
        _send_extents(host, handle, offset, size)
        host.channel.send_raw(HEADER.pack(size, 0))
    except OSError as error:
        # Among frames a line of JSON would be taken for data: the missing end frame says it.
        log(f'reading {request.args["name"]} failed: {error}')
        os._exit(1)
    finally:
        os.close(handle)
    return {}


def _send_extents(host: Host, handle: int, offset: int, size: int) -> None:
    while offset < size:
        try:
            offset = os.lseek(handle, offset, os.SEEK_DATA)
        except OSError:
            return  # ENXIO: only a hole is left.
        end = min(size, os.lseek(handle, offset, os.SEEK_HOLE))
        while offset < end:
            data = os.pread(handle, min(FRAME_BYTES, end - offset), offset)
            if not data or not host.channel.send_raw(HEADER.pack(offset, len(data)) + data):
                return
            offset += len(data)


def file_receive(host: Host, request: Request) -> Result:
    """Replies {offset} (where to go on) or {offset, done: true}; takes frames; then gives {sha256}."""
    host.use_remembered()
    images, name = host.directory("images"), request.args["name"]
    with writing(images, name, request) as locked:
        must_hold(locked, images, name, request)
        if exists(images, name):
            return _already_there(images, request)
        part, offset = _resume(images, request)
        try:
            host.channel.send({"id": request.id, "ok": True, "result": {"offset": offset}})
            _receive_frames(host, images, request, part, offset)
            sha256 = _finish(images, request, part)
            return {"sha256": sha256}
        except Failure as failure:
            if failure.code in ("bad_image", "bad_request"):
                _forget(images, name)
            raise
        finally:
            os.close(part)


def _already_there(images: Directory, request: Request) -> Result:
    own(images, request.args["name"], request.args["owner"])
    handle = open_image(images, request.args["name"])
    try:
        if hash_file(request, handle) != request.args["sha256"]:
            raise Failure(
                "exists", f'{images.file(request.args["name"])} exists with another content.'
            )
        return {"offset": request.args["size"], "done": True}
    finally:
        os.close(handle)


def _state_path(images: Directory, name: str) -> str:
    return (
        f"{journal.JOURNAL}/receive-{hashlib.sha256(images.file(name).encode()).hexdigest()}.json"
    )


def _resume(images: Directory, request: Request) -> Tuple[int, int]:
    """The .part file and the offset up to which an earlier attempt has synced it."""
    name = request.args["name"]
    data = read_if_there(_state_path(images, name))
    state = json.loads(data) if data is not None else {}
    same = (
        state.get("sha256") == request.args["sha256"] and state.get("size") == request.args["size"]
    )
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    if same and part_exists(images, name):
        handle = os.open(name, flags, 0o600, dir_fd=images.parts())
        offset = min(int(state["offset"]), os.fstat(handle).st_size)
        # What came after the last sync may be torn.
        os.ftruncate(handle, offset)
        return handle, offset
    _forget(images, name)
    return os.open(name, flags | os.O_EXCL, 0o600, dir_fd=images.parts()), 0


def _forget(images: Directory, name: str) -> None:
    remove_part(images, name)
    remove_if_there(_state_path(images, name))


def _receive_frames(
    host: Host, images: Directory, request: Request, part: int, offset: int
) -> None:
    size, synced = request.args["size"], offset
    while True:
        frame = _next_frame(host, offset, size)
        if frame is None:
            _remember(images, request, part, offset)
            raise Failure(
                "cancelled",
                f"The stream ended at {offset} of {size} bytes; it can go on from there.",
            )
        start, data = frame
        if not data:
            os.ftruncate(part, size)
            return
        try:
            write_all(part, data, start)
        except OSError as error:
            failure = from_os_error(error, f'Writing {images.file(request.args["name"])}')
            if failure.code == "no_space":
                _forget(images, request.args["name"])
            raise failure
        offset = start + len(data)
        if offset - synced >= SYNC_EVERY_BYTES:
            _remember(images, request, part, offset)
            synced = offset


def _next_frame(host: Host, offset: int, size: int) -> Optional[Tuple[int, bytes]]:
    """The next frame, or None when the connection was cut; raises Failure('bad_request') for a senseless one."""
    header = host.channel.read_exactly(HEADER.size)
    if header is None:
        return None
    start, length = HEADER.unpack(header)
    senseless = start < offset or start + length > size or length > LONGEST_FRAME_BYTES
    if senseless or (length == 0 and start != size):
        raise Failure(
            "bad_request",
            f"A frame of {length} bytes at {start} does not fit into a file of {size} bytes "
            f"that is known up to {offset}.",
        )
    data = host.channel.read_exactly(length)
    return None if data is None else (start, data)


def _remember(images: Directory, request: Request, part: int, offset: int) -> None:
    os.ftruncate(part, max(offset, os.fstat(part).st_size))
    os.fsync(part)
    os.makedirs(journal.JOURNAL, mode=0o700, exist_ok=True)
    state = {"sha256": request.args["sha256"], "size": request.args["size"], "offset": offset}
    write_durably(_state_path(images, request.args["name"]), json.dumps(state).encode())


def _finish(images: Directory, request: Request, part: int) -> str:
    os.fsync(part)
    found = hash_file(request, part)
    if found != request.args["sha256"]:
        raise Failure(
            "bad_image",
            f'{images.file(request.args["name"])} arrived damaged: its checksum is {found}, '
            f'not {request.args["sha256"]}.',
        )
    mark = Mark(request.args["owner"], request.operation, {})
    publish(images, request.args["name"], part, GENERATION_MODE, mark)
    remove_if_there(_state_path(images, request.args["name"]))
    return found
