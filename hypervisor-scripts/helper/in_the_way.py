"""What stands where something new is to be made: asked before anything is changed."""

import os
from typing import Any, Dict, List

from domains import NVRAM, SAVED, identify
from failures import Failure
from host import Host
from layers import layer_of, must_be_layer, must_be_link
from ownership import own
from requests import Request

Result = Dict[str, Any]


def in_the_way(host: Host, request: Request) -> Result:
    """Per item {name, ok} or {name, ok: false, error}, the error naming what Berth did not make.

    An item may ask for a domain (its name and UUID), for a file (dir, file and owner), or for both.
    """
    items: List[Result] = []
    for item in request.args["items"]:
        request.stop_if_cancelled()
        try:
            if item["uuid"] is not None:
                _look_at_domain(host, item["name"], item["uuid"])
            if item["file"] is not None:
                _look_at_file(host, item["dir"], item["file"], item["owner"])
            items.append({"name": item["name"], "ok": True})
        except Failure as failure:
            if failure.code != "foreign":
                raise
            items.append({"name": item["name"], "ok": False, "error": failure.as_answer()})
    return {"items": items}


def _look_at_domain(host: Host, name: str, uuid: str) -> None:
    if identify(host, name, uuid):
        return
    # What an undefined domain of that name has left would become the new one's, and go with it.
    for path in (f"{NVRAM}/{name}_VARS.fd", f"{SAVED}/{name}.save"):
        if os.path.lexists(path):
            raise Failure(
                "foreign",
                f"{path} is left of a domain {name} that Berth did not make; move it away first.",
            )


def _look_at_file(host: Host, kind: str, name: str, owner: str) -> None:
    own(host.directory(kind), name, owner)
    if kind == "overlays":
        must_be_link(host, name)
        must_be_layer(host, name, layer_of(name))
