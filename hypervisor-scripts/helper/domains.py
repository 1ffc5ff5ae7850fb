"""What the broker's libvirt binding lacks for domains: undefine with flags, reboot, reset, metadata, guest agent."""

import json
import re
from typing import Any, Dict

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


def address(host: Host, name: str) -> str:
    """What to type for this domain so that virsh takes no other one; raises Failure('not_found')."""
    if not LOOKS_LIKE_ANOTHER.fullmatch(name):
        return name
    for line in host.shells.run("list --all --uuid --name").splitlines():
        uuid, _, found = line.strip().partition(" ")
        if found.strip() == name:
            return uuid
    raise unknown(name)


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
        raise explained(failure, name)


def explained(failure: Failure, name: str) -> Failure:
    """What the words of libvirt mean for the reader."""
    if (
        "failed to get domain" in failure.message
        or "Domain not found" in failure.message
    ):
        return unknown(name)
    if "domain is not running" in failure.message:
        return not_running(name)
    return failure


def state(host: Host, name: str) -> str:
    """libvirt's word for the state, such as "running" or "shut off"; raises Failure('not_found')."""
    return command(host, name, "domstate {domain}").strip()


def is_running(host: Host, name: str) -> bool:
    """Whether a QEMU process exists for the domain; an unknown domain has none."""
    try:
        return state(host, name) not in ("shut off", "crashed")
    except Failure as failure:
        if failure.code == "not_found":
            return False
        raise


def domain_undefine(host: Host, request: Request) -> Result:
    """Undefines a domain that is off, with its NVRAM, saved state and snapshot records; an unknown one is ok."""
    name = request.args["name"]
    if is_running(host, name):
        raise Failure(
            "in_use", f"{name} is running; switch it off before it is undefined."
        )
    try:
        command(
            host,
            name,
            "undefine {domain} --nvram --managed-save --snapshots-metadata --checkpoints-metadata",
        )
    except Failure as failure:
        if failure.code != "not_found":
            raise
    return {}


def domain_reboot(host: Host, request: Request) -> Result:
    """Asks the guest to reboot."""
    command(host, request.args["name"], "reboot {domain}")
    return {}


def domain_reset(host: Host, request: Request) -> Result:
    """Presses the reset button."""
    command(host, request.args["name"], "reset {domain}")
    return {}


def domain_metadata(host: Host, request: Request) -> Result:
    """Sets Berth's element in the domain's <metadata>, or removes it when xml is null."""
    name, xml = request.args["name"], request.args["xml"]
    running, persistent = is_running(host, name), _is_persistent(host, name)
    words = [*COMMAND, "metadata", address(host, name), METADATA_URI]
    words += ["--config"] if persistent else []
    words += ["--live"] if running else []
    words += (
        ["--remove"]
        if xml is None
        else ["--key", METADATA_KEY, "--set", _one_element(xml)]
    )
    ended = run(request, words, timeout_ms=METADATA_TIMEOUT_MS)
    gone = xml is None and "metadata not found" in ended.errors
    if ended.code != 0 and not gone:
        raise explained(
            Failure(
                "libvirt",
                f"libvirt refused the metadata of {name}: {last_line(ended.errors)}.",
            ),
            name,
        )
    return {}


def _is_persistent(host: Host, name: str) -> bool:
    return "yes" in re.findall(
        r"^Persistent:\s+(\S+)", command(host, name, "dominfo {domain}"), re.MULTILINE
    )


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
    if not is_running(host, name):
        raise not_running(name)
    # A guest that does not answer holds its caller, so this is a process of its own that can be killed.
    words = [
        *COMMAND,
        "qemu-agent-command",
        address(host, name),
        text,
        "--timeout",
        str(timeout_s),
    ]
    ended = run(request, words, timeout_ms=(timeout_s + 5) * 1000)
    if ended.code != 0:
        if "domain is not running" in ended.errors:
            raise not_running(name)
        raise Failure(
            "guest_agent",
            f'The guest agent of {name} did not do {request.args["command"]}: '
            f"{last_line(ended.errors)}.",
        )
    try:
        return {
            "return": json.loads(ended.output).get("return")
            if ended.output.strip()
            else {}
        }
    except ValueError:
        raise Failure(
            "guest_agent", f"The guest agent of {name} gave an answer that is not JSON."
        )
