"""A call of glexec as a command line and an environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from . import _env, _program
from ._errors import UsageError

StrPath = Union[str, "os.PathLike[str]"]
Command = Union[str, "os.PathLike[str]", Sequence[StrPath]]

#: What says in the environment how glexec is called: it comes from the call's arguments, never from the pilot's past.
_OWN = (
    "GLEXEC_CLIENT_CERT",
    "GLEXEC_CLIENT_TOKEN",
    "GLEXEC_ENV",
    "GLEXEC_EXPECTED_SUBJECT",
    "GLEXEC_MODE",
    "GLEXEC_REPORT_FD",
    "GLEXEC_SOURCE_PROXY",
    "GLEXEC_SOURCE_TOKEN",
    "GLEXEC_TARGET_PROXY",
    "GLEXEC_TARGET_TOKEN",
)
#: A command of one word that no unwrapping program splits or hands to a shell.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+:,./-]+\Z")


@dataclass(frozen=True)
class Call:
    """What is asked of glexec; None leaves a thing out."""

    command: tuple[str, ...] = ()
    credential: str | None = None
    token: str | None = None
    sandbox: str | None = None
    expected: str | None = None
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: str | None = None
    source_proxy: str | None = None
    source_token: str | None = None
    target_proxy: str | None = None
    target_token: str | None = None
    id: str | None = None
    program: str | None = None

    def prepared(self) -> Prepared:
        """The call as this node's glexec understands it; raises `NotFound` and `Unsupported`."""
        if self.credential is not None and self.token is not None:
            raise UsageError("credential= or token=: a call has one identity")
        glexec = _program.find(self.program)
        features = _program.features(glexec)
        tokens = (self.token, self.source_token, self.target_token)
        features.require(
            expected=self.expected is not None,
            sandbox=self.sandbox is not None,
            token=any(value is not None for value in tokens),
        )
        arguments = [glexec]
        if self.sandbox is not None:
            arguments += ["--sandbox", os.path.abspath(self.sandbox)]
        # An older gLExec knows no `--`; to it a command that begins with a dash is an option, and to nobody useful.
        if features.report:
            arguments.append("--")
        return Prepared(arguments + self._payload(glexec), self._environment(), features)

    def _payload(self, glexec: str) -> list[str]:
        """The command with what puts its environment and its directory in place."""
        command = list(self.command)
        if self.env is None and self.cwd is None:
            return command
        if "/" in command[0] and self.cwd is None and self.sandbox is None:
            command[0] = os.path.join(os.getcwd(), command[0])  # as glexec finds it: from here, not from there
        if self.cwd is not None:
            directory = self.cwd if self.sandbox is None else os.path.join(os.path.abspath(self.sandbox), self.cwd)
            if not os.path.isabs(directory):
                directory = os.path.abspath(directory)
            # env takes NAME=VALUE for a variable; nice takes whatever comes for the command.
            shield = ["/usr/bin/nice", "-n", "0", "--"] if "=" in command[0] else []
            command = ["/usr/bin/env", f"--chdir={directory}", "--", *shield, *command]
        if self.env is not None:
            if len(command) == 1 and not _PLAIN_WORD.match(command[0]):
                command = ["/usr/bin/nice", "-n", "0", "--", *command]
            command = [_program.companion(glexec, "glexec_unwrapenv"), "--", *command]
        return command

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name not in _OWN}
        for name, value in (
            ("GLEXEC_CLIENT_CERT", self.credential),
            ("GLEXEC_CLIENT_TOKEN", self.token),
            ("GLEXEC_EXPECTED_SUBJECT", self.expected),
            ("GLEXEC_SOURCE_PROXY", self.source_proxy),
            ("GLEXEC_SOURCE_TOKEN", self.source_token),
            ("GLEXEC_TARGET_PROXY", self.target_proxy),
            ("GLEXEC_TARGET_TOKEN", self.target_token),
            ("GLEXEC_ID", self.id),
            ("GLEXEC_ENV", None if self.env is None else _env.wrap(self.env)),
        ):
            if value is not None:
                environment[name] = value
        return environment


@dataclass(frozen=True)
class Prepared:
    """A call as execve(2) takes it."""

    arguments: list[str]
    environment: dict[str, str]
    features: _program.Features


def words(command: Command) -> tuple[str, ...]:
    """The words of a command; one string is one word, as in subprocess without a shell."""
    several = [command] if isinstance(command, (str, os.PathLike)) else command
    result = tuple(os.fspath(word) for word in several)
    if not result or not result[0]:
        raise UsageError("no command: what glexec does without one is glexec.renew")
    return result


def path(value: StrPath | None) -> str | None:
    """A path as text."""
    return None if value is None else os.fspath(value)
