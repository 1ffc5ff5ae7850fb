"""Which ticket of a domain is the latest, known to all helper processes of this host.

A helper whose connection was cut still watches its tickets for a few seconds. It must not burn the ticket that the next
helper has set meanwhile. The record is a random word, not the ticket. The caller holds the domain's lock.
"""

import os
import secrets

from durable import read_if_there

RECORDS = "/run/berth/tickets"


def begin(domain: str) -> str:
    """Writes and gives a new word for the domain."""
    word = secrets.token_hex(16)
    os.makedirs(RECORDS, mode=0o700, exist_ok=True)
    handle = os.open(
        f"{RECORDS}/{domain}",
        os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
    )
    try:
        os.write(handle, word.encode())
    finally:
        os.close(handle)
    return word


def is_latest(domain: str, word: str) -> bool:
    """Whether no newer ticket was set since `word`."""
    return read_if_there(f"{RECORDS}/{domain}", 64) == word.encode()
