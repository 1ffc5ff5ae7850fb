"""From a line to an answer: parse, check, queue, run, reply."""

import json
import queue
import re
import threading
import time
import traceback
from typing import Any, Dict, Optional

import journal
from arguments import check_fields, request_id, shown
from channel import TOO_LONG, TooLong, log
from failures import Failure, from_os_error
from host import Host
from operations import OPERATIONS, Operation, handler
from requests import Request

OPERATION_ID = re.compile(r"[A-Za-z0-9:._-]{1,128}")
REQUEST_FIELDS = frozenset(("id", "op", "args", "operation", "fence"))
# Threads are made when there is work for them, at most this many a lane.
THREADS = {"work": 16, "display": 16}
# A broker that runs away is told so before the memory is full.
QUEUE_LIMIT = 4096
# How long running requests may take to clean up after the end of input.
GRACE_MS = 2000


class Dispatcher:
    """Runs requests side by side and remembers those that are running."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._running: Dict[str, Request] = {}
        self._lock = threading.Lock()
        self._queues: Dict[str, "queue.SimpleQueue[Request]"] = {
            lane: queue.SimpleQueue() for lane in THREADS
        }
        self._threads = {lane: 0 for lane in THREADS}
        self._idle = {lane: 0 for lane in THREADS}

    def serve(self) -> None:
        """Answers lines until the input ends; then stops what runs."""
        # A process that has carried a stream has nothing more to say: what still comes may be frames.
        while self.host.channel.streaming is None:
            line = self.host.channel.read_line()
            if line is None:
                break
            self._answer_line(line)
        self._stop()

    def _answer_line(self, line: "bytes | TooLong") -> None:
        request: Optional[Request] = None
        known_id: Optional[str] = None
        try:
            message = _parse(line)
            known_id = request_id(message.get("id"))
            request = self._admit(message, known_id)
            if request.op == "ping":
                check_fields({}, request.raw_args)
                journal.check_fence(request)
                self._finish(request, {"ok": True, "result": {}})
            elif request.op == "cancel":
                self._finish(request, {"ok": True, "result": self._cancel(request)})
            elif request.op not in OPERATIONS:
                raise Failure("bad_request", f"There is no operation {shown(request.op)}.")
            else:
                self._start(request, OPERATIONS[request.op])
        except (Failure, OSError) as error:
            failure = from_os_error(error, "The request") if isinstance(error, OSError) else error
            answer = {"ok": False, "error": failure.as_answer()}
            if request is not None:
                self._finish(request, answer)
            else:
                self.host.channel.send({"id": known_id, **answer})

    def _admit(self, message: Dict[str, Any], id: Optional[str]) -> Request:
        if id is None:
            raise Failure("bad_request", "id must be a string of 1 to 128 characters.")
        for name in message:
            if name not in REQUEST_FIELDS:
                raise Failure("bad_request", f"The field {shown(name)} is unknown in a request.")
        op, args, operation, fence = (
            message.get(name) for name in ("op", "args", "operation", "fence")
        )
        if not isinstance(op, str):
            raise Failure("bad_request", "op must be a string.")
        if args is not None and not isinstance(args, dict):
            raise Failure("bad_request", "args must be an object.")
        if operation is not None and not (
            isinstance(operation, str) and OPERATION_ID.fullmatch(operation)
        ):
            raise Failure(
                "bad_request", 'operation must be 1 to 128 letters, digits, ":", ".", "_" or "-".'
            )
        if fence is not None and not (type(fence) is int and 0 <= fence < 1 << 63):
            raise Failure("bad_request", "fence must be a whole number that is not negative.")
        with self._lock:
            if id in self._running:
                raise Failure("bad_request", f"A request with the id {shown(id)} is still running.")
            request = Request(id, op, args or {}, operation, fence, self.host.channel.send)
            self._running[id] = request
        return request

    def _start(self, request: Request, operation: Operation) -> None:
        request.args = check_fields(operation.fields, request.raw_args)
        lane = operation.lane
        if lane == "stream":
            self._run_stream(request, operation)
            return
        with self._lock:
            if len(self._running) > QUEUE_LIMIT:
                raise Failure(
                    "internal",
                    f"More than {QUEUE_LIMIT} requests are waiting on this host; ask later.",
                )
            if (
                self._queues[lane].qsize() >= self._idle[lane]
                and self._threads[lane] < THREADS[lane]
            ):
                self._threads[lane] += 1
                threading.Thread(target=self._work, args=(lane,), daemon=True).start()
        self._queues[lane].put(request)

    def _work(self, lane: str) -> None:
        # These threads never end: the kernel ties a child's life to the thread that started it (prctl(2)).
        while True:
            with self._lock:
                self._idle[lane] += 1
            request = self._queues[lane].get()
            with self._lock:
                self._idle[lane] -= 1
            self._finish(request, self._attempt(request))

    def _attempt(self, request: Request) -> Dict[str, Any]:
        try:
            journal.check_fence(request)
            return journal.run_once(request, lambda: self._outcome(request))
        except Failure as failure:
            return {"ok": False, "error": failure.as_answer()}
        except Exception:
            return _unexpected(request)

    def _outcome(self, request: Request) -> Dict[str, Any]:
        try:
            request.stop_if_cancelled()
            return {"ok": True, "result": handler(OPERATIONS[request.op])(self.host, request)}
        except Failure as failure:
            # A killed child looks like any failure; what matters is why it was killed.
            if request.cancelled.is_set() and failure.code == "internal":
                failure = Failure("cancelled", f"The request {request.id} was cancelled.")
            return {"ok": False, "error": failure.as_answer()}
        except OSError as error:
            return {
                "ok": False,
                "error": from_os_error(error, f"The operation {request.op}").as_answer(),
            }
        except Exception:
            return _unexpected(request)

    def _run_stream(self, request: Request, operation: Operation) -> None:
        # Runs in the reader's thread, since raw frames come in on the same pipe.
        self.host.channel.streaming = request.id
        journal.check_fence(request)
        answer = self._outcome(request)
        if answer.get("result") == {}:
            self._forget(request)  # file_send has said everything itself.
        else:
            self._finish(request, answer)

    def _forget(self, request: Request) -> None:
        with self._lock:
            self._running.pop(request.id, None)

    def _finish(self, request: Request, answer: Dict[str, Any]) -> None:
        self._forget(request)
        self.host.channel.send({"id": request.id, **answer})

    def _cancel(self, request: Request) -> Dict[str, Any]:
        target = request.raw_args.get("request")
        if set(request.raw_args) != {"request"} or not isinstance(target, str):
            raise Failure(
                "bad_request",
                "cancel takes exactly one argument: request, the id of a running request.",
            )
        with self._lock:
            running = self._running.get(target)
        if running is not None and running is not request:
            running.cancel()
        return {"found": running is not None}

    def _stop(self) -> None:
        with self._lock:
            left = list(self._running.values())
        for request in left:
            request.cancel()
        deadline_s = time.monotonic() + GRACE_MS / 1000
        while self._running and time.monotonic() < deadline_s:
            time.sleep(0.005)


def _parse(line: "bytes | TooLong") -> Dict[str, Any]:
    if line is TOO_LONG or isinstance(line, TooLong):
        raise Failure("bad_request", "The line is longer than 1 MiB; split the batch.")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise Failure("bad_request", "The line is not a JSON object in UTF-8.")
    if not isinstance(message, dict):
        raise Failure("bad_request", "The line is not a JSON object.")
    return message


def _unexpected(request: Request) -> Dict[str, Any]:
    log(f"{request.op} failed:\n{traceback.format_exc()}")
    failure = Failure(
        "internal", f"The helper failed in {request.op}; its log on this connection says where."
    )
    return {"ok": False, "error": failure.as_answer()}
