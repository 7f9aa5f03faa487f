"""What can go wrong, in exceptions of the package's own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

__all__ = ["Error", "NotFound", "Refused", "TimeoutExpired", "Unsupported", "UsageError"]

#: The class of a refusal by glexec's exit code.
CLASSES = {201: "client", 202: "system", 203: "authorization"}


class Error(Exception):
    """Whatever this package raises."""


class UsageError(Error, ValueError):
    """The arguments of a call make no sense together; nothing was run."""


class NotFound(Error):
    """There is no glexec (or no other program that is needed) where it was looked for; nothing was run."""


class Unsupported(Error):
    """The glexec that was found cannot do what is asked for; nothing was run."""


class Refused(Error):
    """Glexec refused: the payload did not run.

    code        the stable reason code, as ``lcas.userban``; None for an older gLExec, which gives none
    klass       who can fix it: "client" (the caller), "system" (the site), "authorization" (the user, or the policy)
    transient   whether the same call may succeed later
    message     one sentence: what was wrong, and what to do
    exit_code   glexec's exit code: 201, 202, 203 or 126
    call        the call's id in the site's log; None where there is none
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        klass: str = "system",
        transient: bool = False,
        exit_code: int | None = None,
        call: str | None = None,
    ) -> None:
        super().__init__(message, code, klass, transient, exit_code, call)
        self.message = message
        self.code = code
        self.klass = klass
        self.transient = transient
        self.exit_code = exit_code
        self.call = call

    def __str__(self) -> str:
        return f"{self.message} ({self.code})" if self.code else self.message


class TimeoutExpired(Error, subprocess.TimeoutExpired):
    """The payload took longer than it may. `glexec.run` has ended it and all that it had started."""

    def __init__(
        self,
        cmd: Sequence[str],
        timeout: float,
        output: str | bytes | None = None,
        stderr: str | bytes | None = None,
    ) -> None:
        subprocess.TimeoutExpired.__init__(self, list(cmd), timeout, output, stderr)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cmd, self.timeout, self.output, self.stderr)
