"""The host's SPICE certificate. The private key is made here and never leaves; the broker's CA signs."""

import grp
import os
import stat
from typing import Any, Dict

from children import last_line, run
from durable import read_if_there, write_durably
from failures import Failure
from host import Host
from locks import held
from qemu_account import qemu_group
from requests import Request

Result = Dict[str, Any]

FOLDER = "/etc/pki/libvirt-spice"
KEY = FOLDER + "/server-key.pem"
CERTIFICATE = FOLDER + "/server-cert.pem"
CA = FOLDER + "/ca-cert.pem"
TIMEOUT_MS = 30_000


def spice_certificate_request(host: Host, request: Request) -> Result:
    """Makes the key once, and a signing request for it with the subject O=Berth, CN=common_name. Gives {csr}.

    A key that cannot be used is put aside and another one made: a certificate for it would never be had.
    """
    with held("certificate", FOLDER, request.cancelled):
        os.makedirs(FOLDER, mode=0o755, exist_ok=True)
        os.chmod(FOLDER, 0o755)
        if not _usable(request):
            if read_if_there(KEY) is not None:
                os.replace(KEY, KEY + ".unusable")
            key = _openssl(
                request, ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            )
            write_durably(KEY, key.encode(), 0o640, qemu_group())
    name = request.args["common_name"]
    csr = _openssl(
        request,
        [
            "req",
            "-new",
            "-sha256",
            "-key",
            KEY,
            "-subj",
            f"/O=Berth/CN={name}",
            "-addext",
            f"subjectAltName={_alternative(name)}",
        ],
    )
    return {"csr": csr}


def _usable(request: Request) -> bool:
    """Whether there is a key that openssl can read and that is consistent in itself."""
    if read_if_there(KEY) is None:
        return False
    words = ["openssl", "pkey", "-in", KEY, "-check", "-noout"]
    return run(request, words, timeout_ms=TIMEOUT_MS).code == 0


def _alternative(name: str) -> str:
    import ipaddress

    try:
        ipaddress.ip_address(name)
        return f"IP:{name}"
    except ValueError:
        return f"DNS:{name}"


def _openssl(request: Request, words: "list[str]", given: str = "") -> str:
    ended = run(request, ["openssl", *words], given=given.encode(), timeout_ms=TIMEOUT_MS)
    if ended.code != 0:
        raise Failure("bad_request", f"openssl {words[0]} refused: {last_line(ended.errors)}.")
    return ended.output


def spice_certificate_install(host: Host, request: Request) -> Result:
    """Checks that certificate, key and CA belong together, and writes them. Gives {changed}.

    Machines that start from now on use it; running ones keep what they have.
    """
    certificate, ca = request.args["certificate"], request.args["ca"]
    if read_if_there(KEY) is None:
        raise Failure("not_found", f"There is no {KEY} yet; send spice_certificate_request first.")
    _must_match(request, certificate, ca)
    changed = False
    with held("certificate", FOLDER, request.cancelled):
        _must_be_ours(request)
        for path, text in ((CA, ca), (CERTIFICATE, certificate)):
            if read_if_there(path) != text.encode():
                write_durably(path, text.encode(), 0o644)
                changed = True
    return {"changed": changed}


def _must_be_ours(request: Request) -> None:
    """Raises Failure('foreign') when the certificate that is there was not made by a Berth."""
    found = read_if_there(CERTIFICATE)
    if found is None:
        return
    given = found.decode(errors="replace")
    subject = _openssl(request, ["x509", "-noout", "-subject", "-nameopt", "RFC2253"], given)
    if "O=Berth" not in subject.strip().replace("subject=", "").split(","):
        raise Failure(
            "foreign",
            f"{CERTIFICATE} was not made by Berth, which leaves it alone; move it away, or let "
            "spice_tls_x509_cert_dir in /etc/libvirt/qemu.conf name another directory for it.",
        )


def _must_match(request: Request, certificate: str, ca: str) -> None:
    public = _openssl(request, ["x509", "-noout", "-pubkey"], certificate)
    if public != _openssl(request, ["pkey", "-in", KEY, "-pubout"]):
        raise Failure(
            "bad_request",
            "certificate was made for another key than the one on this host; "
            "sign a new spice_certificate_request.",
        )
    trusted = os.memfd_create("ca", os.MFD_CLOEXEC)
    try:
        os.write(trusted, ca.encode())
        # The clock of a host may be wrong; the dates are the viewer's business.
        command = ["openssl", "verify", "-no_check_time", "-CAfile", f"/proc/self/fd/{trusted}"]
        ended = run(
            request, command, given=certificate.encode(), keep=[trusted], timeout_ms=TIMEOUT_MS
        )
    finally:
        os.close(trusted)
    if ended.code != 0:
        raise Failure("bad_request", f"certificate is not signed by ca: {last_line(ended.errors)}.")


def spice_certificate(host: Host, request: Request) -> Result:
    """What is installed now: {certificate, ca}, each PEM or null."""
    found = {"certificate": read_if_there(CERTIFICATE), "ca": read_if_there(CA)}
    return {
        name: None if data is None else data.decode(errors="replace")
        for name, data in found.items()
    }


def _fits(request: Request, certificate: str) -> bool:
    try:
        public = _openssl(request, ["x509", "-noout", "-pubkey"], certificate)
        return public == _openssl(request, ["pkey", "-in", KEY, "-pubout"])
    except Failure:
        return False  # one of the two cannot be read, so they do not belong together


def certificate_key(host: Host, request: Request) -> Result:
    """{present, matches, mode, group}: whether the private key fits the certificate. The key itself stays here."""
    try:
        found = os.stat(KEY)
    except FileNotFoundError:
        return {"present": False, "matches": False, "mode": None, "group": None}
    certificate = read_if_there(CERTIFICATE)
    matches = certificate is not None and _fits(request, certificate.decode(errors="replace"))
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return {
        "present": True,
        "matches": matches,
        "mode": f"{stat.S_IMODE(found.st_mode):o}",
        "group": group,
    }
