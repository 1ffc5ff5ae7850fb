"""A small picture of a domain's screen, as libvirt takes it (virsh screenshot)."""

import base64
import os
import secrets
import struct
import zlib
from typing import Any, Dict, List, Tuple

from domains import command
from durable import remove_if_there
from failures import Failure
from host import Host
from requests import Request

Result = Dict[str, Any]

DIRECTORY = '/run/berth/pictures'
TAKE_TIMEOUT_MS = 10000
MOST_WIDTH = 320
# A screen of 8192 x 8192; more is no screen.
MOST_BYTES = 8192 * 8192 * 3 + 64
MOST_PNG_BYTES = 2 * 1024 * 1024
PNG = b'\x89PNG\r\n\x1a\n'


def display_picture(host: Host, request: Request) -> Result:
    """Gives {png: base64}; one that is made here is at most 320 pixels wide. Raises not_found or libvirt."""
    name = request.args['domain']
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    path = f'{DIRECTORY}/{secrets.token_hex(16)}'
    try:
        command(host, name, f'screenshot {{domain}} --file {path}', timeout_ms=TAKE_TIMEOUT_MS)
        with open(path, 'rb') as file:
            taken = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Failure('libvirt', f'libvirt took no picture of {name}.')
    finally:
        remove_if_there(path)
    return {'png': base64.b64encode(_as_png(name, taken)).decode('ascii')}


def _as_png(name: str, taken: bytes) -> bytes:
    """A QEMU from 7.1 on gives a PNG, which goes as it is: to unpack it here would take longer than to send it."""
    if taken.startswith(PNG):
        if len(taken) > MOST_PNG_BYTES:
            raise Failure('libvirt', f'The picture of {name} is too large.')
        return taken
    return _png(*_smaller(*_pixels(name, taken)))


def _pixels(name: str, taken: bytes) -> Tuple[int, int, bytes]:
    """Reads a PPM, the form in which older QEMUs give a screen (https://netpbm.sourceforge.net/doc/ppm.html)."""
    fields = taken[:64].split(None, 4)
    try:
        kind, width, height, deepest = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
    except (IndexError, ValueError):
        raise Failure('libvirt', f'The picture of {name} is of no known form.')
    if kind != b'P6' or deepest != 255 or width < 1 or height < 1 or len(taken) > MOST_BYTES:
        raise Failure('libvirt', f'The picture of {name} is of no known form.')
    pixels = taken[len(taken) - width * height * 3:]
    if len(pixels) != width * height * 3:
        raise Failure('libvirt', f'The picture of {name} is cut off.')
    return width, height, pixels


def _smaller(width: int, height: int, pixels: bytes) -> Tuple[int, int, List[bytes]]:
    """Every n-th pixel of every n-th row: quick, and good enough for an eye that looks for what has changed."""
    step = -(-width // MOST_WIDTH)
    rows = []
    for y in range(0, height, step):
        row = pixels[y * width * 3:(y + 1) * width * 3]
        small = bytearray(-(-width // step) * 3)
        for colour in range(3):
            small[colour::3] = row[colour::3 * step]
        rows.append(bytes(small))
    return -(-width // step), len(rows), rows


def _png(width: int, height: int, rows: List[bytes]) -> bytes:
    """https://www.w3.org/TR/png/: 8 bits, RGB, no filter."""
    header = struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b''.join(b'\0' + row for row in rows), 6)
    return PNG + _chunk(b'IHDR', header) + _chunk(b'IDAT', data) + _chunk(b'IEND', b'')


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
