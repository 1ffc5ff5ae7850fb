"""The table of operations: which function does it, what it takes, and in which lane it runs.

Modules are imported when first needed: a helper must say hello within a few milliseconds.
"""

import importlib
from typing import Any, Callable, Dict, NamedTuple

import arguments as a

# `display` is for what a person waits for: it never queues behind copies and image lists.
# `stream` turns the whole process into the carrier of one file.
LANES = ("work", "display", "stream")


class Operation(NamedTuple):
    """One row of the table. `home` is module.function."""

    home: str
    fields: a.Fields
    lane: str = "work"


_NAMES = a.array(a.file, 5000)
_IMAGE_DIRECTORY = a.one_of("images", "overlays")
# `owner` is the machine or generation for which a file is made: only for that one it is replaced or removed again.
_OVERLAY = a.record({"name": a.file, "base": a.file, "fresh": a.boolean, "owner": a.owner})
_DOOMED = a.record({"name": a.file, "owner": a.owner, "made_by": a.optional(a.owner)})
_OLD = a.record(
    {
        "dir": _IMAGE_DIRECTORY,
        "name": a.file,
        "owner": a.owner,
        "sha256": a.optional(a.sha256),
        "bases": a.optional(_NAMES, []),
    }
)
_WANTED = a.record(
    {
        "name": a.domain,
        "uuid": a.optional(a.uuid),
        "dir": a.optional(_IMAGE_DIRECTORY, "images"),
        "file": a.optional(a.file),
        "owner": a.optional(a.owner, ""),
    }
)
# Whatever changes a domain names it by UUID, and by the name that it must have.
_DOMAIN: a.Fields = {"name": a.domain, "uuid": a.uuid}
_AGENT_COMMANDS = a.one_of(
    "guest-ping",
    "guest-info",
    "guest-get-host-name",
    "guest-network-get-interfaces",
    "guest-get-users",
    "guest-shutdown",
    "guest-sync",
)
_SIZE = a.integer(0, 1 << 50)
_DIRECTORIES: a.Fields = {"images": a.path, "overlays": a.path, "transient": a.path}
_LOOKS = a.one_of(
    "account",
    "addresses",
    "certificate_key",
    "clock",
    "directories",
    "files",
    "libvirt",
    "networks",
    "programs",
    "sshd",
)

OPERATIONS: Dict[str, Operation] = {
    "configure": Operation("facts.configure", _DIRECTORIES),
    "facts": Operation("facts.facts", {}),
    "probe_virt": Operation("probe.probe_virt", {}),
    "host_look": Operation(
        "host_look.host_look", {"look": _LOOKS, "directories": a.optional(a.record(_DIRECTORIES))}
    ),
    "image_list": Operation("images.image_list", {}),
    "overlay_list": Operation("images.overlay_list", {}),
    "image_create": Operation(
        "images.image_create",
        {"name": a.file, "size_bytes": a.integer(512, 16 << 40), "owner": a.owner},
    ),
    "image_inspect": Operation("image_import.image_inspect", {"path": a.path}),
    "image_import": Operation(
        "image_import.image_import",
        {
            "path": a.path,
            "name": a.file,
            "owner": a.owner,
            "replace": a.optional(a.boolean, False),
        },
    ),
    "image_copy": Operation(
        "image_copy.image_copy",
        {
            "source": a.record({"dir": _IMAGE_DIRECTORY, "name": a.file}),
            "name": a.file,
            "owner": a.owner,
        },
    ),
    "image_checksum": Operation(
        "image_checksum.image_checksum", {"dir": _IMAGE_DIRECTORY, "name": a.file}
    ),
    "image_remove": Operation(
        "image_removal.image_remove", {"dir": _IMAGE_DIRECTORY, "items": a.array(_DOOMED, 5000)}
    ),
    "parts_remove": Operation("image_removal.parts_remove", {"keep": _NAMES}),
    "overlay_create": Operation("overlays.overlay_create", {"items": a.array(_OVERLAY, 5000)}),
    "files_adopt": Operation("ownership.files_adopt", {"items": a.array(_OLD, 5000)}),
    "in_the_way": Operation("in_the_way.in_the_way", {"items": a.array(_WANTED, 5000)}),
    "transient_clear": Operation(
        "layers.transient_clear", {"domain": a.domain, "uuid": a.uuid, "name": a.file}
    ),
    "domain_undefine": Operation("domains.domain_undefine", _DOMAIN),
    "domain_reboot": Operation("domains.domain_reboot", _DOMAIN, "display"),
    "domain_reset": Operation("domains.domain_reset", _DOMAIN, "display"),
    "domain_metadata": Operation(
        "domains.domain_metadata", {**_DOMAIN, "xml": a.optional(a.text(65536))}
    ),
    "volume_path": Operation(
        "volumes.volume_path", {"pool": a.text(255), "volume": a.text(255)}, "display"
    ),
    "ticket": Operation(
        "tickets.ticket",
        {
            "domain": a.domain,
            "uuid": a.uuid,
            "password": a.password,
            "ttl_seconds": a.integer(1, 30),
            "connected": a.one_of("keep", "disconnect"),
            "reachable": a.optional(a.boolean, False),
        },
        "display",
    ),
    "disconnect": Operation("tickets.disconnect", {"domain": a.domain, "uuid": a.uuid}, "display"),
    "displays": Operation(
        "displays.displays",
        {
            "domains": a.optional(a.array(a.domain, 5000)),
            "timeout_ms": a.optional(a.integer(50, 60_000), 2000),
        },
        "display",
    ),
    "display_open": Operation("display_relay.display_open", {"domain": a.domain}, "display"),
    "display_picture": Operation(
        "display_picture.display_picture", {"domain": a.domain}, "display"
    ),
    "guest_addresses": Operation("addresses.guest_addresses", {"domain": a.domain}, "display"),
    "guest_agent": Operation(
        "domains.guest_agent",
        {
            "domain": a.domain,
            "uuid": a.uuid,
            "command": _AGENT_COMMANDS,
            "arguments": a.optional(a.free_object, {}),
            "timeout_seconds": a.optional(a.integer(1, 300), 5),
        },
    ),
    "spice_certificate_request": Operation(
        "certificates.spice_certificate_request", {"common_name": a.common_name}
    ),
    "spice_certificate_install": Operation(
        "certificates.spice_certificate_install",
        {"certificate": a.text(65536), "ca": a.text(65536)},
    ),
    "spice_certificate": Operation("certificates.spice_certificate", {}),
    "file_send": Operation(
        "streams.file_send", {"dir": _IMAGE_DIRECTORY, "name": a.file, "offset": _SIZE}, "stream"
    ),
    "file_receive": Operation(
        "streams.file_receive",
        {"name": a.file, "size": _SIZE, "sha256": a.sha256, "owner": a.owner},
        "stream",
    ),
}


def handler(operation: Operation) -> Callable[[Any, Any], Dict[str, Any]]:
    """The function (host, request) -> result."""
    module, function = operation.home.split(".")
    found: Callable[[Any, Any], Dict[str, Any]] = getattr(importlib.import_module(module), function)
    return found
