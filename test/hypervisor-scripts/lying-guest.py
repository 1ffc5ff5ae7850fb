"""A guest that lies about its address, in network namespaces: says what the helper makes of it.

argv: the folder of the helper, and rp_filter. Prints JSON: what the neighbour table has, and what counts.
"""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])

import addresses  # noqa: E402
from requests import Request  # noqa: E402

GUEST, BRIDGE = "52:54:00:aa:bb:cc", "virbr0"
TRUE, FAR, BEYOND, BESIDE = "192.168.122.10", "10.9.0.5", "172.16.3.4", "192.168.200.9"
TRUE6, FAR6 = "fd00:1::10", "fd00:9::5"
# Of a neighbour on the same bridge, which has given them to itself.
FIXED, FIXED6 = "192.168.122.20", "fd00:1::20"


def sh(line: str) -> None:
    subprocess.run(["sh", "-ec", line], check=True)


def build(rp_filter: str) -> None:
    sh(
        f"""
        ip link set lo up
        for name in guest office other near; do
            ip netns add berth-$name-{os.getpid()}
        done
        ip link add {BRIDGE} type bridge; ip link set {BRIDGE} up
        ip link add vnet0 type veth peer name eth0 address {GUEST} netns berth-guest-{os.getpid()}
        ip link set vnet0 master {BRIDGE} up
        ip link add vnet2 type veth peer name eth0 netns berth-near-{os.getpid()}
        ip link set vnet2 master {BRIDGE} up
        ip link add eth0 type veth peer name eth0 netns berth-office-{os.getpid()}
        ip link set eth0 up
        ip link add virbr1 type bridge; ip link set virbr1 up
        ip link add vnet1 type veth peer name eth0 netns berth-other-{os.getpid()}
        ip link set vnet1 master virbr1 up
        ip address add 192.168.122.1/24 dev {BRIDGE}; ip address add fd00:1::1/64 dev {BRIDGE} nodad
        ip address add 192.168.200.1/24 dev virbr1
        ip address add 10.9.0.1/24 dev eth0; ip address add fd00:9::1/64 dev eth0 nodad
        ip route add default via 10.9.0.254
        for all in all default {BRIDGE} eth0; do echo {rp_filter} > /proc/sys/net/ipv4/conf/$all/rp_filter; done
        inside() {{ name=$1; shift; ip netns exec berth-$name-{os.getpid()} "$@"; }}
        for name in guest office other near; do inside $name ip link set eth0 up; done
        inside guest ip address add {TRUE}/24 dev eth0; inside guest ip address add {TRUE6}/64 dev eth0 nodad
        inside near ip address add {FIXED}/24 dev eth0; inside near ip address add {FIXED6}/64 dev eth0 nodad
        inside office ip address add {FAR}/24 dev eth0; inside office ip address add {FAR6}/64 dev eth0 nodad
        inside other ip address add {BESIDE}/24 dev eth0
        """
    )


def lie() -> None:
    """ARP requests of the guest: who has the host's address, tell … somebody else's."""
    program = f"""
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
mac = bytes.fromhex("{GUEST.replace(':', '')}")
for claimed in {[TRUE, FAR, BEYOND, BESIDE, FIXED]!r}:
    asked = socket.inet_aton("192.168.122.1")
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + socket.inet_aton(claimed)
    arp += bytes(6) + asked
    s.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + arp)
"""
    subprocess.run(
        ["ip", "netns", "exec", f"berth-guest-{os.getpid()}", sys.executable, "-c", program],
        check=True,
    )


def table() -> "list[str]":
    text = subprocess.run(["ip", "-json", "neighbour"], capture_output=True, text=True).stdout
    entries = json.loads(text or "[]")
    return sorted(entry["dst"] for entry in entries if entry.get("lladdr") == GUEST)


def main() -> None:
    build(sys.argv[2])
    for _ in range(50):
        lie()
        if TRUE in table():
            break
        time.sleep(0.1)
    # What rp_filter keeps out of the table is put there: other settings of the kernel would have let it in.
    for claimed in (FAR, BEYOND, BESIDE, FAR6, FIXED, FIXED6):
        sh(f"ip neighbour replace {claimed} dev {BRIDGE} lladdr {GUEST} nud stale")
    request = Request("1", "guest_addresses", {}, None, None, lambda answer: None)
    claimed = [TRUE, FAR, BEYOND, BESIDE, FIXED, TRUE6, FAR6, FIXED6]
    print(
        json.dumps(
            {
                "table": table(),
                "proven": sorted(addresses.proven(request, claimed, {GUEST: BRIDGE})),
                "on_link": [text for text in claimed if addresses.on_link(request, text, BRIDGE)],
            }
        )
    )


try:
    main()
finally:
    for name in ("guest", "office", "other", "near"):
        subprocess.run(["ip", "netns", "delete", f"berth-{name}-{os.getpid()}"], check=False)
