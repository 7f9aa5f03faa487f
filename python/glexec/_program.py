"""Where glexec is, and what the one that is there can do."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ._errors import NotFound, Unsupported

#: Where glexec is when nothing says otherwise. Debian's PATH of an ordinary account does not lead there.
DEFAULT = "/usr/sbin/glexec"
#: How long glexec may take to print a page of text, in seconds.
_PATIENCE = 60

_known: dict[tuple[str, int, int, int], Features] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Features:
    """What a glexec can do that older ones cannot."""

    version: str
    """Its version line's last word, as ``1.0.0``; what it printed, for an older gLExec."""
    report: bool
    """It reports on GLEXEC_REPORT_FD."""
    expected: bool
    """It compares the user with GLEXEC_EXPECTED_SUBJECT."""
    sandbox: bool
    """It has ``--sandbox``."""
    token: bool
    """It takes bearer tokens."""

    def require(self, *, expected: bool = False, sandbox: bool = False, token: bool = False) -> None:
        """Raises `Unsupported` where something that is asked for is missing."""
        for wanted, there, what in (
            (expected, self.expected, "expected= (GLEXEC_EXPECTED_SUBJECT)"),
            (sandbox, self.sandbox, "sandbox= (glexec --sandbox)"),
            (token, self.token, "token= (GLEXEC_CLIENT_TOKEN)"),
        ):
            if wanted and not there:
                raise Unsupported(f"the glexec of this node ({self.version or 'unknown version'}) does not know {what}")


def find(program: str | None = None) -> str:
    """The path of glexec.

    It is `program`, or what OSG_GLEXEC_LOCATION names, or ``sbin/glexec`` below GLEXEC_LOCATION; without any of them
    the first that exists of ``sbin/glexec`` below GLITE_LOCATION, ``glexec`` in PATH, and /usr/sbin/glexec.
    """
    location = os.environ.get("GLEXEC_LOCATION")
    named = program or os.environ.get("OSG_GLEXEC_LOCATION") or (location and os.path.join(location, "sbin/glexec"))
    if named:
        candidates: list[str | None] = [named]
    else:
        glite = os.environ.get("GLITE_LOCATION")
        candidates = [glite and os.path.join(glite, "sbin/glexec"), shutil.which("glexec"), DEFAULT]
    for candidate in candidates:
        if candidate and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise NotFound(f"no glexec that can be executed at {' or '.join(c for c in candidates if c)}")


def companion(glexec: str, name: str) -> str:
    """The path of a companion program beside glexec, by its own or its historic name."""
    for candidate in (name, f"{name}.pl"):
        path = os.path.join(os.path.dirname(os.path.realpath(glexec)), candidate)
        for place in (os.path.join(os.path.dirname(os.path.abspath(glexec)), candidate), path):
            if os.access(place, os.X_OK):
                return place
    raise NotFound(f"no {name} beside {glexec}: env= needs it; ask the site to install glexec's companions")


def features(glexec: str) -> Features:
    """What this glexec can do, as its ``--help`` says; asked once for each program."""
    try:
        status = os.stat(glexec)
    except OSError as error:
        raise NotFound(f"{glexec}: {error.strerror}") from error
    key = (glexec, status.st_ino, status.st_size, status.st_mtime_ns)
    with _lock:
        if key not in _known:
            text = _ask(glexec, "--help")
            modern = "GLEXEC_REPORT_FD" in text
            _known[key] = Features(
                version=_version(_ask(glexec, "--version" if modern else "-v")),
                report=modern,
                expected=modern and "GLEXEC_EXPECTED_SUBJECT" in text,
                sandbox=modern and "--sandbox" in text,
                token=modern and "GLEXEC_CLIENT_TOKEN" in text,
            )
        return _known[key]


def _version(text: str) -> str:
    line = text.strip().split("\n")[0]
    return line[len("glexec ") :] if line.startswith("glexec ") else line


def _ask(glexec: str, option: str) -> str:
    """What glexec prints about itself; nothing where it fails, as an older one may."""
    environment: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [glexec, option],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFound(f"{glexec} cannot be executed: {error}") from error
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
