"""Proxies of users from a MyProxy server, by the myproxy programs (Debian: myproxy).

    import glexec.myproxy

    path = glexec.myproxy.retrieve(
        "/DC=org/CN=Alice", server="myproxy.example.org", pilot="/scratch/pilot.pem", to="/scratch/alice.pem"
    )

A user stores a credential under her own name that a pilot may fetch: ``myproxy-init -x -Z PILOT_DN -d``, or `delegate`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from . import _x509
from ._call import StrPath
from ._errors import Error

__all__ = ["MyProxyError", "delegate", "retrieve"]

#: Where myproxy-logon is told to look for the server's name if it is not its host's.
_SERVER_VARIABLE = "MYPROXY_SERVER"


class MyProxyError(Error):
    """A proxy could not be fetched, or stored; what was there before is still there.

    number      the number that PanDA's pilots have had for it since 2007:
                2100 no server named; 2101 VOMS attributes missing; 2102 no name of a user; 2103 no name of a pilot;
                2104 the proxy cannot be written there; 2105 the pilot's proxy is not there; 2106 no path;
                2200, 2201 myproxy-init, myproxy-logon not in PATH; 2202, 2203 they do not tell their versions;
                2300 storing failed; 2301 fetching failed, the server cannot be reached for instance;
                2400 the server's credential is somebody else's
    transient   whether the same may succeed later
    message     what was wrong, in a sentence
    """

    def __init__(self, number: int, message: str, *, transient: bool | None = None) -> None:
        super().__init__(number, message)
        self.number = number
        self.message = message
        # The server, or the way to it, may come back.
        self.transient = number in (2300, 2301) if transient is None else transient

    def __str__(self) -> str:
        return f"{self.message} ({self.number})"


def retrieve(
    subject: str,
    *,
    server: str | None = None,
    pilot: StrPath | None = None,
    to: StrPath,
    voms: str | Sequence[str] = (),
    hours: int = 12,
    timeout: float = 60.0,
) -> str:
    """Fetches the proxy that a user has stored, and returns its path.

    subject   the user's one-line name, ``/DC=org/CN=Alice``, by which it is stored
    server    the MyProxy server, ``host`` or ``host:port``; None: as MYPROXY_SERVER says
    pilot     the pilot's own proxy, which the server asks for; None: as X509_USER_PROXY says
    to        where to put it, 0600. It gets there at once and whole, or what was there stays
    voms      VOs or groups, ``testvo`` or ``testvo:/testvo/Role=production``, whose attributes it shall have
    hours     how long it shall live
    timeout   seconds that the server may take

    The credential must be `subject`'s: anybody can store a credential under another's name. This looks at the name
    only: give `glexec.run` the same name as ``expected=``, for glexec verifies. Raises `MyProxyError`.
    """
    if not subject:
        raise MyProxyError(2102, "no name of a user to fetch a proxy of")
    target = os.fspath(to)
    if not target:
        raise MyProxyError(2106, "no path to put the proxy at")
    options, environment = _server_and_pilot(server, os.fspath(pilot) if pilot is not None else None)
    wanted = [voms] if isinstance(voms, str) else list(voms)
    if not all(wanted):
        raise MyProxyError(2101, "an empty name of a VO")
    program = _program("myproxy-logon", 2201, 2203)
    directory = os.path.dirname(os.path.abspath(target))
    if os.path.isdir(target):
        raise MyProxyError(2104, f"{target} is a directory")
    try:
        work = tempfile.TemporaryDirectory(prefix=".glexec-myproxy-", dir=directory)
    except OSError as error:
        raise MyProxyError(2104, f"no proxy can be written in {directory}: {error.strerror}") from error
    with work as place:
        fresh = os.path.join(place, "proxy")
        arguments = [program, *options, "--no_passphrase", "-l", subject, "-t", str(hours), "--out", fresh]
        for attributes in wanted:
            arguments += ["--voms", attributes]
        try:
            _work(arguments, environment, timeout, 2301)
        except MyProxyError as error:
            # The server answered: what failed is voms-proxy-init, which myproxy-logon calls here.
            if "VOMS attributes" in str(error):
                raise MyProxyError(2101, error.message, transient=True) from error
            raise
        try:
            fetched = _x509.read(fresh)
        except _x509.Unreadable as error:
            raise MyProxyError(2301, f"the server sent no proxy: {error}") from error
        if fetched.subject != subject:
            raise MyProxyError(2400, f"what is stored as {subject} is the credential of {fetched.subject}")
        if wanted and not fetched.has_voms:
            raise MyProxyError(2101, f"the proxy of {subject} came without VOMS attributes")
        try:
            os.chmod(fresh, 0o600)
            os.replace(fresh, target)
        except OSError as error:
            raise MyProxyError(2104, f"no proxy can be written at {target}: {error.strerror}") from error
    return target


def delegate(
    pilot_subject: str,
    *,
    server: str | None = None,
    credential: StrPath | None = None,
    hours: int = 168,
    timeout: float = 60.0,
) -> None:
    """Stores a credential on the server, under its owner's name, for one pilot to fetch; what a user does.

    `pilot_subject` is the pilot's name, `credential` a proxy of the user's (None: as X509_USER_PROXY says). It lives
    there for `hours` at most, and no longer than itself. Raises `MyProxyError`.
    """
    if not pilot_subject:
        raise MyProxyError(2103, "no name of a pilot that may fetch the proxy")
    options, environment = _server_and_pilot(server, os.fspath(credential) if credential is not None else None)
    # myproxy-init makes a proxy of the user's key and passphrase first; this hands on the proxy that there is.
    environment = {**environment, "X509_USER_CERT": environment["X509_USER_PROXY"]}
    environment["X509_USER_KEY"] = environment["X509_USER_PROXY"]
    program = _program("myproxy-init", 2200, 2202)
    arguments = [program, *options, "-x", "-Z", pilot_subject, "-d", "-c", str(hours)]
    _work(arguments, environment, timeout, 2300)


def _server_and_pilot(server: str | None, proxy: str | None) -> tuple[list[str], dict[str, str]]:
    """The options that name the server, and the environment with the proxy that the server asks for."""
    environment = dict(os.environ)
    named = server or environment.get(_SERVER_VARIABLE)
    if not named:
        raise MyProxyError(2100, f"no MyProxy server named: server=, or {_SERVER_VARIABLE}")
    host, colon, port = named.rpartition(":")
    options = ["-s", host, "-p", port] if colon and port.isdigit() else ["-s", named]
    own = proxy or environment.get("X509_USER_PROXY") or f"/tmp/x509up_u{os.getuid()}"  # noqa: S108 -- its usual place
    if not os.access(own, os.R_OK):
        raise MyProxyError(2105, f"no proxy that can be read at {own}")
    environment["X509_USER_PROXY"] = own
    environment["LC_ALL"] = "C"
    return options, environment


def _program(name: str, missing: int, broken: int) -> str:
    path = shutil.which(name)
    if path is None:
        raise MyProxyError(missing, f"{name} is not in PATH: install the package myproxy")
    try:
        done = _silent([path, "--version"], os.environ, 60.0)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MyProxyError(broken, f"{name} cannot be executed: {error}") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise MyProxyError(broken, f"{name} does not tell its version: it is broken, or something else")
    return path


def _work(arguments: list[str], environment: Mapping[str, str], timeout: float, number: int) -> None:
    name = os.path.basename(arguments[0])
    try:
        done = _silent(arguments, environment, timeout)
    except subprocess.TimeoutExpired as error:
        raise MyProxyError(number, f"{name} was not done within {timeout:g} seconds") from error
    except OSError as error:
        raise MyProxyError(number, f"{name} cannot be executed: {error}") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
        raise MyProxyError(number, f"{name}: {'; '.join(lines[-3:]) or 'no reason given'}")


def _silent(arguments: list[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
