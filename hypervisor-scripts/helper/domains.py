"""What the broker's libvirt binding lacks for domains: undefine with flags, reboot, reset, metadata, guest agent."""

import json
import re
from typing import Any, Dict, Optional

from children import last_line, run
from failures import Failure
from host import Host
from requests import Request
from virsh import COMMAND

Result = Dict[str, Any]

METADATA_URI = "https://berth.invalid/xmlns/1"
METADATA_KEY = "berth"
# virsh takes a name, a UUID or a number. A name that looks like one of the others must be looked up by us.
LOOKS_LIKE_ANOTHER = re.compile(r"[0-9]+|[0-9a-fA-F-]{32,36}")
METADATA_TIMEOUT_MS = 15_000
# Where libvirt keeps what belongs to a domain of a name.
NVRAM = "/var/lib/libvirt/qemu/nvram"
SAVED = "/var/lib/libvirt/qemu/save"


def address(host: Host, name: str) -> str:
    """What to type for this domain so that virsh takes no other one; raises Failure('not_found')."""
    if not LOOKS_LIKE_ANOTHER.fullmatch(name):
        return name
    uuid = uuid_of(host, name)
    if uuid is None:
        raise unknown(name)
    return uuid


def unknown(name: str) -> Failure:
    """There is no such domain."""
    return Failure("not_found", f"There is no domain {name} on this host.")


def not_running(name: str) -> Failure:
    """The domain is off."""
    return Failure("not_found", f"The domain {name} is not running.")


def command(host: Host, name: str, words: str, **more: Any) -> str:
    """Runs a virsh command in which {domain} stands for the domain; a missing or stopped one is `not_found`."""
    try:
        return host.shells.run(words.replace("{domain}", address(host, name)), **more)
    except Failure as failure:
        raise explained(
            host, failure, name, uuid_of(host, name) if failure.code == "libvirt" else None
        )


def identify(host: Host, name: str, uuid: str, strict: bool = True) -> bool:
    """Whether this host has the domain; raises Failure('foreign') when name and UUID are not of one domain.

    Whatever changes a domain asks here first and then names it by UUID: another one that has its
    name by now is not meant.
    """
    try:
        found = host.shells.run(f"domname {uuid}").strip()
    except Failure as failure:
        if failure.code != "libvirt" or exists(host, uuid):
            raise
        other = uuid_of(host, name) if strict else None
        if other is not None:
            raise Failure(
                "foreign",
                f"The domain {name} of this host is another one (UUID {other}, not {uuid}); "
                "Berth leaves it alone.",
            )
        return False
    if found != name:
        raise Failure(
            "foreign",
            f"The domain with the UUID {uuid} is called {ascii(found)} on this host and not {name}; "
            "rename it back with virsh domrename.",
        )
    return True


def exists(host: Host, uuid: str) -> bool:
    """Whether libvirt has the domain. virsh gives no codes, and what it says is not read: why a
    command failed is looked up.
    """
    return uuid in host.shells.run("list --all --uuid").split()


def uuid_of(host: Host, name: str) -> Optional[str]:
    """The UUID of the domain with this name, or None."""
    for line in host.shells.run("list --all --uuid --name").splitlines():
        uuid, _, found = line.strip().partition(" ")
        if found.strip() == name:
            return uuid
    return None


def must_identify(host: Host, name: str, uuid: str) -> str:
    """The UUID of a domain that must be here; raises not_found and foreign."""
    if not identify(host, name, uuid):
        raise unknown(name)
    return uuid


def explained(host: Host, failure: Failure, name: str, uuid: Optional[str]) -> Failure:
    """A refusal of libvirt, or what it comes from: the domain is gone, or off."""
    if failure.code != "libvirt":
        return failure
    try:
        if uuid is None or not exists(host, uuid):
            return unknown(name)
        return failure if is_running(host, uuid) else not_running(name)
    except Failure:
        return failure  # libvirt does not answer at all


def is_running(host: Host, uuid: str) -> bool:
    """Whether a QEMU process exists for the domain; an unknown domain has none."""
    try:
        return host.shells.run(f"domstate {uuid}").strip() not in ("shut off", "crashed")
    except Failure as failure:
        if failure.code == "libvirt" and not exists(host, uuid):
            return False
        raise


def domain_undefine(host: Host, request: Request) -> Result:
    """Undefines a domain that is off, with its NVRAM, saved state and snapshot records; one that is gone is ok."""
    name, uuid = request.args["name"], request.args["uuid"]
    # That another domain has the name by now does not matter: the one that is meant is gone.
    if not identify(host, name, uuid, strict=False):
        return {}
    if is_running(host, uuid):
        raise Failure("in_use", f"{name} is running; switch it off before it is undefined.")
    try:
        xml = host.shells.run(f"dumpxml {uuid} --inactive")
        nvram = "--nvram" if nvram_is_its_own(xml, name) else "--keep-nvram"
        host.shells.run(
            f"undefine {uuid} {nvram} --managed-save --snapshots-metadata --checkpoints-metadata"
        )
    except Failure as failure:
        if failure.code != "libvirt" or exists(host, uuid):
            raise
    return {}


def nvram_is_its_own(xml: str, name: str) -> bool:
    """Whether the firmware's variables lie where libvirt puts them: another file may belong to somebody else too."""
    from xml.etree import ElementTree

    file = (ElementTree.fromstring(xml).findtext("./os/nvram") or "").strip()
    return file in ("", f"{NVRAM}/{name}_VARS.fd")


def domain_reboot(host: Host, request: Request) -> Result:
    """Asks the guest to reboot."""
    _press(host, request, "reboot")
    return {}


def domain_reset(host: Host, request: Request) -> Result:
    """Presses the reset button."""
    _press(host, request, "reset")
    return {}


def _press(host: Host, request: Request, button: str) -> None:
    name = request.args["name"]
    uuid = must_identify(host, name, request.args["uuid"])
    try:
        host.shells.run(f"{button} {uuid}")
    except Failure as failure:
        raise explained(host, failure, name, uuid)


def domain_metadata(host: Host, request: Request) -> Result:
    """Sets Berth's element in the domain's <metadata>, or removes it when xml is null."""
    name, xml = request.args["name"], request.args["xml"]
    uuid = must_identify(host, name, request.args["uuid"])
    running, persistent = is_running(host, uuid), _is_persistent(host, uuid)
    words = [*COMMAND, "metadata", uuid, METADATA_URI]
    words += ["--config"] if persistent else []
    words += ["--live"] if running else []
    words += ["--remove"] if xml is None else ["--key", METADATA_KEY, "--set", _one_element(xml)]
    ended = run(request, words, timeout_ms=METADATA_TIMEOUT_MS)
    if ended.code != 0 and not (xml is None and _has_no_metadata(host, uuid)):
        raise _refused(host, name, uuid, last_line(ended.errors))
    return {}


def _refused(host: Host, name: str, uuid: str, words: str) -> Failure:
    if not exists(host, uuid):
        return unknown(name)
    return Failure("libvirt", f"libvirt refused the metadata of {name}: {words}.")


def _has_no_metadata(host: Host, uuid: str) -> bool:
    return METADATA_URI not in host.shells.run(f"dumpxml {uuid} --inactive")


def _is_persistent(host: Host, uuid: str) -> bool:
    text = host.shells.run(f"dominfo {uuid}")
    return "yes" in re.findall(r"^Persistent:\s+(\S+)", text, re.MULTILINE)


def _one_element(xml: str) -> str:
    from xml.parsers import expat

    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise Failure("bad_request", "xml must not have a DOCTYPE.")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise Failure("bad_request", f"xml is not one well-formed element: {error}.")
    return xml


def guest_agent(host: Host, request: Request) -> Result:
    """Asks the guest's agent; gives {return: what the agent returned}."""
    name, timeout_s = request.args["domain"], request.args["timeout_seconds"]
    asked: Dict[str, Any] = {"execute": request.args["command"]}
    if request.args["arguments"]:
        asked["arguments"] = request.args["arguments"]
    text = json.dumps(asked)
    if len(text) > 4096:
        raise Failure("bad_request", "arguments are longer than 4 KiB.")
    uuid = must_identify(host, name, request.args["uuid"])
    if not is_running(host, uuid):
        raise not_running(name)
    # A guest that does not answer holds its caller, so this is a process of its own that can be killed.
    words = [*COMMAND, "qemu-agent-command", uuid, text, "--timeout", str(timeout_s)]
    ended = run(request, words, timeout_ms=(timeout_s + 5) * 1000)
    if ended.code != 0:
        if not is_running(host, uuid):
            raise not_running(name)
        raise Failure(
            "guest_agent",
            f'The guest agent of {name} did not do {request.args["command"]}: '
            f"{last_line(ended.errors)}.",
        )
    try:
        return {"return": json.loads(ended.output).get("return") if ended.output.strip() else {}}
    except ValueError:
        raise Failure("guest_agent", f"The guest agent of {name} gave an answer that is not JSON.")
