"""The codec of GLEXEC_ENV: base64(zlib(base64("NAME=VALUE") " " base64("NAME=VALUE") " " …))."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Mapping

from ._errors import UsageError

#: Variables that say who the payload is: they are glexec's to set, and unwrapping leaves them alone.
OWN = frozenset({"GLEXEC_ENV", "HOME", "LOGNAME", "USER", "X509_USER_PROXY", "_"})
#: Longest value that execve(2) accepts: 32 pages with ``GLEXEC_ENV=`` and the closing NUL, in bytes.
MAX_VALUE = 131_072 - len("GLEXEC_ENV=") - 1


def wrap(variables: Mapping[str, str]) -> str:
    """One value for GLEXEC_ENV that carries these variables."""
    items = []
    for name, value in variables.items():
        if name in OWN:
            raise UsageError(f"env= cannot set {name}: it says who the payload is, and glexec sets it")
        item = os.fsencode(name) + b"=" + os.fsencode(value)
        if not name or "=" in name or b"\0" in item:
            raise UsageError(f"env= has a variable that no environment can hold: {name!r}")
        items.append(base64.b64encode(item) + b" ")
    wrapped = base64.b64encode(zlib.compress(b"".join(items))).decode("ascii")
    if len(wrapped) > MAX_VALUE:
        raise UsageError(f"env= is too large for one variable: {len(wrapped)} bytes wrapped, {MAX_VALUE} at most")
    return wrapped
