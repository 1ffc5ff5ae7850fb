"""Listing images and overlays, and making empty images."""

import os
from typing import Any, Dict, List, Optional

from children import last_line, run
from closing import GENERATION_MODE, seal
from durable import remove_if_there
from failures import Failure
from host import Directory, Host
from locks import held
from ownership import Mark, foreign, own, set_mark
from qcow2 import image_path, open_image, read_header
from qemu_account import qemu_group
from requests import Request

Result = Dict[str, Any]

# How long a request waits for another one (perhaps of a helper that is just ending) that writes the same file.
NAME_WAIT_MS = 5000


def image_list(host: Host, request: Request) -> Result:
    """All *.qcow2 of the images directory: {items: [{name, bytes, virtual_size, base}]}."""
    return {"items": list_directory(host.directory("images"), host)}


def overlay_list(host: Host, request: Request) -> Result:
    """The same for the overlays directory."""
    return {"items": list_directory(host.directory("overlays"), host)}


def list_directory(directory: Directory, host: Host) -> List[Dict[str, Any]]:
    """Reads every header. `base` is a name if the backing file lies in the images directory, else its path."""
    items = []
    for entry in sorted(os.listdir(directory.handle)):
        if not entry.endswith(".qcow2"):
            continue
        try:
            handle = open_image(directory, entry)
        except Failure:
            continue  # A link, a device, or gone since the listing: not an image of ours.
        try:
            header = read_header(handle)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        # A file that is not qcow2 is shown with size 0 rather than hidden.
        items.append(
            {
                "name": entry,
                "bytes": size,
                "virtual_size": header.virtual_size if header else 0,
                "base": base_name(header.backing, host) if header else None,
            }
        )
    return items


def base_name(backing: Optional[str], host: Host) -> Optional[str]:
    """A backing file as the broker knows it: the image's name, or the path if it lies elsewhere."""
    if backing is None:
        return None
    folder, name = os.path.split(backing)
    return name if folder == host.directory("images").path else backing


def exists(directory: Directory, name: str) -> bool:
    """Whether anything has this name, a dangling link included."""
    try:
        os.stat(name, dir_fd=directory.handle, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


def writing(directory: Directory, name: str, request: Request) -> Any:
    """The lock on a name that is being written; use it with `with` and hand the result to `must_hold`."""
    return held("image", directory.file(name), request.cancelled, NAME_WAIT_MS)


def must_hold(locked: bool, directory: Directory, name: str, request: Request) -> None:
    """Raises Failure('in_use') when the lock was not to be had."""
    request.stop_if_cancelled()
    if not locked:
        raise Failure(
            "in_use",
            f"Another request is writing {directory.file(name)}; try again when it has ended.",
        )


def new_part(directory: Directory, name: str) -> int:
    """Makes an empty part of this name, removing a stale one; gives a handle for reading and writing."""
    remove_part(directory, name)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=directory.parts())


def part_exists(directory: Directory, name: str) -> bool:
    """Whether an interrupted writer has left a part of this name."""
    return name in os.listdir(directory.parts())


def remove_part(directory: Directory, name: str) -> bool:
    """Removes the part of this name; gives whether there was one."""
    return remove_if_there(name, directory.parts())


def publish(
    directory: Directory, name: str, part: int, mode: int, mark: Mark, replace: bool = False
) -> None:
    """The part becomes NAME, marked and durable.

    Without `replace` a file that appeared meanwhile stays: Failure('foreign').
    """
    if mode == GENERATION_MODE:
        os.fchown(part, 0, qemu_group())
    os.fchmod(part, mode)
    set_mark(part, directory, name, mark)
    os.fsync(part)
    place(directory, name, mark.owner if replace else None)
    if mode == GENERATION_MODE:
        seal(part)
    directory.sync()


def place(directory: Directory, name: str, owner: Optional[str] = None) -> None:
    """Gives the part its name, in place of a file that was made for `owner` if that is given.

    link(2) never replaces anything, which rename(2) does: so the latter is for what is known to be Berth's.
    """
    if owner is not None and own(directory, name, owner) is not None:
        os.rename(name, name, src_dir_fd=directory.parts(), dst_dir_fd=directory.handle)
        return
    try:
        os.link(name, name, src_dir_fd=directory.parts(), dst_dir_fd=directory.handle)
    except FileExistsError:
        raise foreign(directory.file(name))
    remove_part(directory, name)


def child_failure(command: str, errors: str, image: str) -> Failure:
    """What the words of qemu-img mean for the reader."""
    if "No space left" in errors or "quota exceeded" in errors:
        return Failure(
            "no_space",
            f"The disk of this host became full while writing {image}; free some space first.",
        )
    if "lock" in errors and "Failed to get" in errors:
        return Failure(
            "in_use", f"A running machine has {image} or its backing file open; shut it down first."
        )
    return Failure("bad_image", f"{command} refused {image}: {last_line(errors)}.")


def image_create(host: Host, request: Request) -> Result:
    """A new empty image for `owner`; one that exists is accepted only when this very operation made it."""
    images, name, size = host.directory("images"), request.args["name"], request.args["size_bytes"]
    with writing(images, name, request) as locked:
        must_hold(locked, images, name, request)
        if made_before(images, name, request) is not None:
            return {}
        part = new_part(images, name)
        try:
            ended = run(
                request,
                ["qemu-img", "create", "-q", "-f", "qcow2", image_path(part), str(size)],
                keep=[part],
            )
            if ended.code != 0:
                raise child_failure("qemu-img create", ended.errors, images.file(name))
            publish(images, name, part, 0o600, Mark(request.args["owner"], request.operation, {}))
        except BaseException:
            remove_part(images, name)
            raise
        finally:
            os.close(part)
    return {}


def made_before(directory: Directory, name: str, request: Request) -> Optional[Mark]:
    """The mark of a file that this very operation made before its answer was lost; None when there is no file.

    Raises foreign for a file that Berth did not make for this owner, exists for one that another operation made.
    """
    mark = own(directory, name, request.args["owner"])
    if mark is not None and (mark.operation is None or mark.operation != request.operation):
        raise Failure("exists", f"{directory.file(name)} exists already; it is never overwritten.")
    return mark
