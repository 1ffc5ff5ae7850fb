"""The closed list of errors that a request can end with."""

from typing import Dict

# bad_request, bad_name, bad_path: the request itself is wrong; nothing was changed.
# not_found, exists, in_use, no_space, bad_image: the host's state forbids it.
# libvirt, guest_agent: libvirt or the guest refused; the message carries its words.
# foreign: a domain or a file that Berth did not make is in the way, or was asked for; it was left as it is.
# hidden: the display listens where the viewer cannot reach it; nothing was changed.
# fenced: a newer broker has spoken to this host.
# cancelled, timeout, internal: not final; the same operation may be tried again.
CODES = frozenset(
    (
        "bad_request",
        "bad_name",
        "bad_path",
        "not_found",
        "exists",
        "in_use",
        "no_space",
        "bad_image",
        "libvirt",
        "guest_agent",
        "foreign",
        "hidden",
        "fenced",
        "cancelled",
        "timeout",
        "internal",
    )
)

# Answers that are not kept in the journal, because trying again may end otherwise.
NOT_FINAL = frozenset(("cancelled", "timeout", "internal", "fenced"))


class Failure(Exception):
    """An answer of the kind {"ok": false}: `code` is for the program, `message` for the reader."""

    def __init__(self, code: str, message: str) -> None:
        assert code in CODES, code
        super().__init__(message)
        self.code = code
        self.message = message

    def as_answer(self) -> Dict[str, str]:
        """The object that goes on the wire."""
        return {"code": self.code, "message": self.message}


def from_os_error(error: OSError, doing: str) -> Failure:
    """Turns a failed system call into an answer; `doing` names what was tried, such as "writing /x/y"."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(
            "no_space",
            f"{doing} failed: the disk of this host is full; free some space and try again.",
        )
    return Failure("internal", f"{doing} failed: {error.strerror or error}.")
