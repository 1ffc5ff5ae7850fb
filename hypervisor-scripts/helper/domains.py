"""What the broker's libvirt binding lacks for domains: undefine with flags, reboot, reset, metadata, guest agent."""

import json
from typing import TYPE_CHECKING, Any, Dict, Optional

from failures import Failure
from host import Host
from libvirt_process import Refused
from requests import Request

if TYPE_CHECKING:
    from xml.etree import ElementTree

Result = Dict[str, Any]

METADATA_TIMEOUT_MS = 15_000
# Where libvirt keeps what belongs to a domain of a name.
NVRAM = "/var/lib/libvirt/qemu/nvram"
SAVED = "/var/lib/libvirt/qemu/save"


def unknown(name: str) -> Failure:
    """There is no such domain."""
    return Failure("not_found", f"There is no domain {name} on this host.")


def not_running(name: str) -> Failure:
    """The domain is off."""
    return Failure("not_found", f"The domain {name} is not running.")


def ask_of_running(host: Host, name: str, verb: str, **more: Any) -> Any:
    """Asks a verb of libvirt_verbs.py of this running domain; a missing or stopped one is `not_found`."""
    try:
        return host.libvirt.ask(verb, name=name, **more)
    except Refused as refusal:
        raise explained(host, refusal, name)


def running_xml(host: Host, name: str) -> "ElementTree.Element":
    """The running domain as libvirt has it now; raises not_found and libvirt."""
    from xml.etree import ElementTree

    domain = ElementTree.fromstring(ask_of_running(host, name, "xml"))
    if "id" not in domain.attrib:
        raise not_running(name)
    return domain


def identify(host: Host, name: str, uuid: str, strict: bool = True) -> bool:
    """Whether this host has the domain; raises Failure('foreign') when name and UUID are not of one domain.

    Whatever changes a domain asks here first and then names it by UUID: another one that has its
    name by now is not meant.
    """
    found = look(host, uuid=uuid)
    if found is None:
        other = look(host, name=name) if strict else None
        if other is not None:
            raise Failure(
                "foreign",
                f'The domain {name} of this host is another one (UUID {other["uuid"]}, not {uuid}); '
                "Berth leaves it alone.",
            )
        return False
    if found["name"] != name:
        raise Failure(
            "foreign",
            f'The domain with the UUID {uuid} is called {ascii(found["name"])} on this host and not '
            f"{name}; rename it back with virsh domrename.",
        )
    return True


def look(host: Host, **which: Any) -> Optional[Dict[str, Any]]:
    """{name, uuid, running, persistent} of the domain with this name or uuid; None: libvirt has none."""
    try:
        found: Dict[str, Any] = host.libvirt.ask("domain", **which)
        return found
    except Refused as refusal:
        if refusal.reason == "no_domain":
            return None
        raise


def must_identify(host: Host, name: str, uuid: str) -> str:
    """The UUID of a domain that must be here; raises not_found and foreign."""
    if not identify(host, name, uuid):
        raise unknown(name)
    return uuid


def explained(host: Host, refusal: Refused, name: str, uuid: Optional[str] = None) -> Failure:
    """A refusal of libvirt, or what it comes from: the domain is gone, or off."""
    if refusal.reason == "no_domain":
        return unknown(name)
    try:
        found = look(host, uuid=uuid) if uuid is not None else look(host, name=name)
    except Failure:
        return refusal  # libvirt does not answer any more
    if found is None:
        return unknown(name)
    return refusal if found["running"] else not_running(name)


def is_running(host: Host, uuid: str) -> bool:
    """Whether a QEMU process exists for the domain; an unknown domain has none."""
    found = look(host, uuid=uuid)
    return found is not None and bool(found["running"])


def domain_undefine(host: Host, request: Request) -> Result:
    """Undefines a domain that is off, with its NVRAM, saved state and snapshot records; one that is gone is ok."""
    name, uuid = request.args["name"], request.args["uuid"]
    # That another domain has the name by now does not matter: the one that is meant is gone.
    if not identify(host, name, uuid, strict=False):
        return {}
    if is_running(host, uuid):
        raise Failure("in_use", f"{name} is running; switch it off before it is undefined.")
    try:
        xml = host.libvirt.ask("xml", uuid=uuid, inactive=True)
        host.libvirt.ask("undefine", uuid=uuid, nvram=nvram_is_its_own(xml, name))
    except Refused as refusal:
        if refusal.reason != "no_domain":
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
        host.libvirt.ask(button, uuid=uuid)
    except Refused as refusal:
        raise explained(host, refusal, name, uuid)


def domain_metadata(host: Host, request: Request) -> Result:
    """Sets Berth's element in the domain's <metadata>, or removes it when xml is null."""
    name, xml = request.args["name"], request.args["xml"]
    element = None if xml is None else _one_element(xml)
    uuid = must_identify(host, name, request.args["uuid"])
    try:
        host.libvirt.ask(
            "metadata", uuid=uuid, xml=element, timeout_ms=METADATA_TIMEOUT_MS, request=request
        )
    except Refused as refusal:
        if refusal.reason == "no_domain":
            raise unknown(name)
        if refusal.reason != "no_metadata" or xml is not None:
            raise Failure("libvirt", f"libvirt refused the metadata of {name}: {refusal.message}")
    return {}


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
    try:
        said = host.guests.ask(
            "agent",
            uuid=uuid,
            question=text,
            timeout_seconds=timeout_s,
            timeout_ms=(timeout_s + 5) * 1000,
            request=request,
        )
    except Refused as refusal:
        if not is_running(host, uuid):
            raise not_running(name)
        raise Failure(
            "guest_agent",
            f'The guest agent of {name} did not do {request.args["command"]}: {refusal.message}',
        )
    try:
        return {"return": json.loads(said).get("return") if said.strip() else {}}
    except ValueError:
        raise Failure("guest_agent", f"The guest agent of {name} gave an answer that is not JSON.")
