"""What libvirt is asked of the host itself; see libvirt_verbs.py."""

from typing import Any, Dict, Optional

Args = Dict[str, Any]


def networks(connection: Any, args: Args) -> Any:
    """[{name, uuid, active, autostart}] of libvirt's networks."""
    return [
        {
            "name": one.name(),
            "uuid": one.UUIDString(),
            "active": bool(one.isActive()),
            "autostart": bool(one.autostart()),
        }
        for one in connection.listAllNetworks(0)
    ]


def leases(connection: Any, args: Args) -> Any:
    """[[mac, address]] that a network's DHCP server has given."""
    found = connection.networkLookupByUUIDString(args["uuid"]).DHCPLeases(None, 0)
    return [[one["mac"], one["ipaddr"]] for one in found if one["mac"]]


def volume_path(connection: Any, args: Args) -> Any:
    """Where a volume of a storage pool lies."""
    pool = connection.storagePoolLookupByName(args["pool"])
    return pool.storageVolLookupByName(args["volume"]).path()


def versions(connection: Any, args: Args) -> Any:
    """{libvirt, qemu}: of the daemon and of the emulator that it starts; qemu is null where it knows none."""
    return {
        "libvirt": _version(connection.getLibVersion()),
        "qemu": _version(connection.getVersion()),
    }


def _version(number: int) -> Optional[str]:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}" if number else None


HOST_VERBS = (networks, leases, volume_path, versions)
