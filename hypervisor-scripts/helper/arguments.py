"""Checks of a request's arguments: every value becomes a known type at the door.

A check takes the field's name and its raw value and gives the value or raises Failure. Wrong types and
unknown fields are `bad_request`; a name that breaks its pattern is `bad_name`; a path is `bad_path`.
"""

import re
from typing import Any, Callable, Dict, List, Optional

from failures import Failure

Check = Callable[[str, Any], Any]
Fields = Dict[str, Check]

DOMAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.qcow2")
COMMON_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,62}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OWNER = re.compile(r"[A-Za-z0-9:._-]{1,128}")
SHA256 = re.compile(r"[0-9a-f]{64}")
# Printable ASCII without blanks. SPICE keeps at most 60 characters of a password.
PASSWORD = re.compile(r"[\x21-\x7e]{12,60}")

REQUIRED = object()


def shown(value: Any) -> str:
    """A hostile value, made fit for a message: quoted, ASCII, at most 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def pattern(expression: "re.Pattern[str]", code: str, rule: str) -> Check:
    """A string that matches the whole of `expression`."""

    def check(field: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Failure("bad_request", f"{field} must be a string, not {shown(value)}.")
        if not expression.fullmatch(value):
            raise Failure(code, f"{field} {shown(value)} is not allowed: use {rule}.")
        return value

    return check


domain = pattern(
    DOMAIN_NAME,
    "bad_name",
    '1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
)
file = pattern(FILE_NAME, "bad_name", 'up to 96 letters, digits, ".", "_" or "-" and then ".qcow2"')
common_name = pattern(COMMON_NAME, "bad_name", "a host name or an address of at most 63 characters")
uuid = pattern(UUID, "bad_request", "a UUID in lower-case letters")
owner = pattern(OWNER, "bad_request", '1 to 128 letters, digits, ":", ".", "_" or "-"')
sha256 = pattern(SHA256, "bad_request", "64 lower-case hexadecimal digits")


def password(field: str, value: Any) -> str:
    """A console password. The value never appears in a message."""
    if not isinstance(value, str) or not PASSWORD.fullmatch(value):
        raise Failure(
            "bad_request", f"{field} must be 12 to 60 printable ASCII characters without blanks."
        )
    return value


def path(field: str, value: Any) -> str:
    """An absolute path, not yet compared with what the host allows."""
    if not isinstance(value, str):
        raise Failure("bad_request", f"{field} must be a string, not {shown(value)}.")
    # Beyond 1000 bytes qcow2 cannot name the file as a backing file (limit 1023).
    plain = (
        value.isprintable()
        and value.startswith("/")
        and not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    )
    if not plain or len(value.encode()) > 1000:
        raise Failure(
            "bad_path", f"{field} {shown(value)} must be an absolute path of at most 1000 bytes."
        )
    return value


def text(limit: int) -> Check:
    """Any string of at most `limit` characters without NUL."""

    def check(field: str, value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit or "\0" in value:
            raise Failure(
                "bad_request",
                f"{field} must be a string of at most {limit} characters without NUL.",
            )
        return value

    return check


def integer(lowest: int, highest: int) -> Check:
    """A whole number between both bounds. JSON's true and 1.0 are not whole numbers here."""

    def check(field: str, value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise Failure(
                "bad_request",
                f"{field} must be a whole number from {lowest} to {highest}, "
                f"not {shown(value)}.",
            )
        return value

    return check


def boolean(field: str, value: Any) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise Failure("bad_request", f"{field} must be true or false, not {shown(value)}.")
    return value


def one_of(*allowed: str) -> Check:
    """One of a few words."""

    def check(field: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Failure(
                "bad_request", f'{field} must be one of {", ".join(allowed)}, not {shown(value)}.'
            )
        return value

    return check


def free_object(field: str, value: Any) -> Dict[str, Any]:
    """An object whose fields are somebody else's business."""
    if not isinstance(value, dict):
        raise Failure("bad_request", f"{field} must be an object, not {shown(value)}.")
    return value


def array(of: Check, limit: int) -> Check:
    """A list of at most `limit` values."""

    def check(field: str, value: Any) -> List[Any]:
        if not isinstance(value, list) or len(value) > limit:
            raise Failure("bad_request", f"{field} must be a list of at most {limit} values.")
        return [of(f"{field}[{position}]", one) for position, one in enumerate(value)]

    return check


class optional:
    """A value that may be missing or null; `default` stands in for it."""

    def __init__(self, check: Check, default: Any = None) -> None:
        self.check = check
        self.default = default

    def __call__(self, field: str, value: Any) -> Any:
        return self.default if value is None else self.check(field, value)


def record(fields: Fields) -> Check:
    """An object with exactly these fields."""

    def check(field: str, value: Any) -> Dict[str, Any]:
        if not isinstance(value, dict):
            raise Failure("bad_request", f"{field} must be an object, not {shown(value)}.")
        return check_fields(fields, value, f"{field}.")

    return check


def check_fields(fields: Fields, value: Dict[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Gives the checked arguments; raises Failure('bad_request') naming the first unknown or missing field."""
    for name in value:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise Failure(
                "bad_request",
                f"The argument {shown(prefix + name)} is unknown; known here: {known}.",
            )
    checked: Dict[str, Any] = {}
    for name, check in fields.items():
        if name not in value and not isinstance(check, optional):
            raise Failure("bad_request", f"The argument {prefix}{name} is missing.")
        checked[name] = check(prefix + name, value.get(name))
    return checked


def request_id(value: Any) -> Optional[str]:
    """The id of a request if it is usable as one (a string of 1 to 128 characters), else None."""
    return value if isinstance(value, str) and 1 <= len(value) <= 128 else None
