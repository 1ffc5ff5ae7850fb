"""The journal of finished operations, and the fence against an older broker.

A reply that was lost on the way is *unknown* to the broker: it asks again with the same operation id and
gets the first answer. Files live in /var/lib/berth/journal, one per operation, for seven days.
"""

import contextlib
import hashlib
import json
import os
import time
from typing import Any, Callable, Dict, Optional

from durable import read_if_there, remove_if_there, sync_directory, write_all, write_durably
from failures import NOT_FINAL, Failure, from_os_error
from locks import held
from requests import Request

STATE = "/var/lib/berth"
JOURNAL = STATE + "/journal"
FENCE = STATE + "/fence"
KEEP_MS = 7 * 24 * 3600 * 1000
# A helper may run for months.
PRUNE_EVERY_S = 3600.0
_pruned_s = 0.0

Answer = Dict[str, Any]


def prune(now_ms: int) -> None:
    """Removes entries older than seven days, and half-written ones of a crashed helper after a day."""
    global _pruned_s
    _pruned_s = time.monotonic()
    if not os.path.isdir(JOURNAL):
        return
    for entry in os.scandir(JOURNAL):
        keep_ms = KEEP_MS if entry.name.endswith(".json") else KEEP_MS // 7
        with contextlib.suppress(FileNotFoundError):  # Another helper prunes too.
            if now_ms - entry.stat(follow_symlinks=False).st_mtime * 1000 > keep_ms:
                remove_if_there(entry.path)


def check_fence(request: Request) -> None:
    """Raises Failure('fenced') when a broker with a higher number has been here; else remembers this one's."""
    if request.fence is None:
        return
    with held("fence", "fence", request.cancelled):
        highest = int(read_if_there(FENCE) or b"0")
        if request.fence < highest:
            raise Failure(
                "fenced",
                f"This host already follows a newer broker (fence {highest}, "
                f"this request has {request.fence}).",
            )
        if request.fence > highest:
            os.makedirs(STATE, mode=0o711, exist_ok=True)
            write_durably(FENCE, str(request.fence).encode())


def run_once(request: Request, work: Callable[[], Answer]) -> Answer:
    """Does `work` at most once for the request's operation id; later callers get the stored answer."""
    if request.operation is None:
        return work()
    with held("operation", request.operation, request.cancelled) as locked:
        if not locked:
            raise Failure("cancelled", "The request was cancelled before it began.")
        path = f"{JOURNAL}/{hashlib.sha256(request.operation.encode()).hexdigest()}.json"
        stored = _stored_answer(path, request)
        if stored is not None:
            return stored
        if time.monotonic() - _pruned_s > PRUNE_EVERY_S:
            prune(int(time.time() * 1000))
        reserved = _reserve(path, request)
        try:
            return _store(path, reserved, request, work())
        finally:
            os.close(reserved)
            remove_if_there(path + ".part")


def _digest(request: Request) -> str:
    text = json.dumps([request.op, request.raw_args], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _stored_answer(path: str, request: Request) -> Optional[Answer]:
    data = read_if_there(path)
    if data is None:
        return None
    entry = json.loads(data)
    if entry["request"] != _digest(request):
        raise Failure(
            "bad_request",
            f"The operation id {request.operation} belongs to another request; "
            "use a new one for new work.",
        )
    return {**entry["answer"], "replayed": True}


def _reserve(path: str, request: Request) -> int:
    """Takes the entry's disk space beforehand, so that a full disk is met before the work and not after it."""
    os.makedirs(JOURNAL, mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path + ".part", flags, 0o600)
    try:
        # Per item of a batch: a name of at most 102 characters and one sentence.
        os.posix_fallocate(handle, 0, 4096 + 512 * request.batch_size())
    except OSError as error:
        os.close(handle)
        remove_if_there(path + ".part")
        raise from_os_error(error, f"Making room for the journal in {JOURNAL}")
    return handle


def _store(path: str, handle: int, request: Request, answer: Answer) -> Answer:
    if not answer["ok"] and answer["error"]["code"] in NOT_FINAL:
        return answer
    entry = {
        "operation": request.operation,
        "op": request.op,
        "request": _digest(request),
        "finished_ms": int(time.time() * 1000),
        "answer": answer,
    }
    data = json.dumps(entry).encode()
    try:
        write_all(handle, data, 0)
        os.ftruncate(handle, len(data))
        os.fsync(handle)
        os.rename(path + ".part", path)
        sync_directory(JOURNAL)
    except OSError as error:
        raise from_os_error(error, f"The work was done, but writing its answer into {JOURNAL}")
    return answer
