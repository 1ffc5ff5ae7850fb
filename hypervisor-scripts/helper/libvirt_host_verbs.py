"""What libvirt is asked of the host itself; see libvirt_verbs.py."""

from typing import Any, Dict, Optional, Set

try:
    import libvirt
except ImportError:
    libvirt = None

Args = Dict[str, Any]


def networks(connection: Any, args: Args) -> Any:
    """[{name, uuid, active, autostart}] of libvirt's networks; one that vanishes meanwhile spoils nothing."""

    def having(flag: int) -> Set[str]:
        return {one.UUIDString() for one in connection.listAllNetworks(flag)}

    active = having(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)
    autostart = having(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)
    return [
        {
            "name": one.name(),
            "uuid": one.UUIDString(),
            "active": one.UUIDString() in active,
            "autostart": one.UUIDString() in autostart,
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
