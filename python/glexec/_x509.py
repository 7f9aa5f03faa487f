"""Who a proxy file says it belongs to, and until when: enough of DER to read names and times.

Nothing is verified here: glexec does that. This is for telling a mix-up early, and for knowing when to renew.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
import time
from dataclasses import dataclass

from ._errors import Error

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
#: The extension that makes a certificate a proxy: RFC 3820's, and that of Globus Toolkit 3.
_PROXY_EXTENSIONS = ("1.3.6.1.5.5.7.1.14", "1.3.6.1.4.1.3536.1.222")
_VOMS_EXTENSION = "1.3.6.1.4.1.8005.100.100.5"
_LEGACY_NAMES = ("proxy", "limited proxy")
#: Attribute types as OpenSSL abbreviates them; others are printed as numbers.
_TYPES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
_SEQUENCE, _SET, _OID, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x31, 0x06, 0x17, 0x18
_VERSION, _EXTENSIONS, _BOOLEAN, _BMP_STRING, _TELETEX_STRING = 0xA0, 0xA3, 0x01, 0x1E, 0x14


class Unreadable(Error):
    """A file is no proxy."""


@dataclass(frozen=True)
class Credential:
    """A proxy file.

    subject     whose it is: the one-line name of the end entity, as glexec prints it
    not_after   when the first of its certificates ends, in seconds since 1970
    has_voms    whether it has VOMS attributes
    """

    subject: str
    not_after: int
    has_voms: bool


@dataclass(frozen=True)
class _Certificate:
    issuer: tuple[tuple[str, str], ...]
    subject: tuple[tuple[str, str], ...]
    not_after: int
    extensions: frozenset[str]

    def is_proxy(self) -> bool:
        kind, value = self.subject[-1]
        legacy = kind == "CN" and value in _LEGACY_NAMES
        return self.subject[:-1] == self.issuer and (legacy or not self.extensions.isdisjoint(_PROXY_EXTENSIONS))


def read(path: str) -> Credential:
    """Reads a proxy file; raises `Unreadable`."""
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 20)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    try:
        chain = [_certificate(base64.b64decode(body)) for body in _CERTIFICATE.findall(text)]
    except (ValueError, IndexError, binascii.Error) as error:
        raise Unreadable(f"{path}: a certificate in it cannot be read") from error
    if not chain:
        raise Unreadable(f"{path}: no certificate in it")
    # From the first certificate, whose key it is, to the first that is no proxy: each has issued the one before.
    used = [chain[0]]
    while used[-1].is_proxy():
        issuers = [other for other in chain if other.subject == used[-1].issuer and other not in used]
        if not issuers:
            raise Unreadable(f"{path}: the certificate of {_one_line(used[-1].issuer)} is missing")
        used.append(issuers[0])
    return Credential(
        subject=_one_line(used[-1].subject),
        not_after=min(certificate.not_after for certificate in used),
        has_voms=any(_VOMS_EXTENSION in certificate.extensions for certificate in used),
    )


def _certificate(der: bytes) -> _Certificate:
    fields = _inside(_inside(der, _SEQUENCE)[0][1])
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    _serial, _algorithm, issuer, validity, subject = fields[:5]
    extensions = [_inside(value)[0][1] for tag, value in fields[5:] if tag == _EXTENSIONS]
    oids = frozenset(_oid(_inside(one)[0][1]) for all_ in extensions for _, one in _inside(all_))
    not_after = _time(*_inside(validity[1])[1])
    return _Certificate(_name(issuer[1]), _name(subject[1]), not_after, oids)


def _inside(value: bytes, outer: int | None = None) -> list[tuple[int, bytes]]:
    """The tagged values in some DER; with `outer`, those inside the one value of this tag that it is."""
    parts: list[tuple[int, bytes]] = []
    at = 0
    while at < len(value):
        tag, length = value[at], value[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(value[at : at + count], "big")
            at += count
        if at + length > len(value):
            raise ValueError("cut short")
        parts.append((tag, value[at : at + length]))
        at += length
    if outer is None:
        return parts
    if len(parts) != 1 or parts[0][0] != outer:
        raise ValueError("something else")
    return _inside(parts[0][1])


def _oid(body: bytes) -> str:
    arcs: list[int] = []
    arc = 0
    for byte in body:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))


def _time(tag: int, body: bytes) -> int:
    text = body.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))


def _name(body: bytes) -> tuple[tuple[str, str], ...]:
    attributes: list[tuple[str, str]] = []
    for _, rdn in _inside(body):
        for position, (_, attribute) in enumerate(_inside(rdn)):
            (_, kind), (tag, value) = _inside(attribute)
            name = _oid(kind)
            text = value.decode({_BMP_STRING: "utf-16-be", _TELETEX_STRING: "latin-1"}.get(tag, "utf-8"))
            attributes.append(("+" * (position > 0) + _TYPES.get(name, name), text))
    if not attributes:
        raise ValueError("no name")
    return tuple(attributes)


def _one_line(name: tuple[tuple[str, str], ...]) -> str:
    """The name as glexec prints it: what could be read as the start of another attribute is escaped."""
    text = ""
    for kind, value in name:
        escaped = re.sub(r"\\|[/+](?=[A-Za-z0-9._-]*=)", lambda found: "\\" + found.group(), value)
        text += (kind if kind.startswith("+") else f"/{kind}") + f"={escaped}"
    return text
