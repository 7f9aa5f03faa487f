"""`run`: one call from its beginning to its end; `Retry`: again, where that may help; `probe`."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from . import _program
from ._call import Call, Command, StrPath, path
from ._errors import Refused, TimeoutExpired, UsageError
from ._process import Done, File, Popen, renew_call
from ._report import Report


@dataclass(frozen=True)
class Retry:
    """How often, and how soon, a call is tried again that was refused for a passing reason.

    attempts   calls in all, the first one included
    first      seconds before the second call; each pause after it is twice as long
    longest    seconds that no pause exceeds
    jitter     each pause is longer or shorter by up to this part of it, by chance, so that many pilots that were
               refused at once do not come back at once
    """

    attempts: int = 3
    first: float = 1.0
    longest: float = 60.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first < 0 or self.longest < 0 or not 0 <= self.jitter <= 1:
            raise UsageError("Retry: at least one attempt, no negative pauses, and a jitter between 0 and 1")

    def pause(self, attempt: int) -> float:
        """Seconds to wait after this attempt; the first one is 1."""
        plain = min(self.first * 2.0 ** min(attempt - 1, 64), self.longest)
        return plain * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 -- no secret


def run(
    command: Command,
    *,
    credential: StrPath | None = None,
    token: StrPath | None = None,
    sandbox: StrPath | None = None,
    expected: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: StrPath | None = None,
    timeout: float | None = None,
    retry: Retry | None = None,
    stdin: File = None,
    input: str | bytes | None = None,
    stdout: File = None,
    stderr: File = None,
    capture_output: bool = False,
    text: bool | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    start_new_session: bool = False,
    source_proxy: StrPath | None = None,
    source_token: StrPath | None = None,
    target_proxy: StrPath | None = None,
    target_token: StrPath | None = None,
    id: str | None = None,
    program: StrPath | None = None,
) -> Done:
    """Runs a command as the owner of a credential and waits for its end.

    command       the words of the command line; no shell takes part
    credential    the user's proxy file: certificates and key, yours, mode 0600
    token         the user's bearer token file, instead of a proxy
    sandbox       a directory of yours that is the payload's own meanwhile, and its working directory; a relative
                  command is found there
    expected      the user's name as the work has it, ``/DC=org/CN=Alice``: a credential of anybody else is refused
    env           variables of the payload, beside those that glexec sets. None: nothing of your environment
    cwd           the payload's working directory; below the sandbox where there is one. None: the account's home, or
                  the sandbox
    timeout       seconds, all attempts together; then the payload and all that it has started is ended, and
                  `TimeoutExpired` raised
    retry         a `Retry`: whether a refusal that may pass is tried again. A payload that has run is never run again
    stdin, input, stdout, stderr, capture_output, text, encoding, errors, start_new_session
                  as in subprocess.run
    source_proxy, source_token    what to copy for the payload, where it is not the credential
    target_proxy, target_token    where to put the payload's copy; ``/dev/null`` for none
    id            a text for the site's log, such as your own number of the job
    program       glexec; see `glexec.find`

    Where glexec does not linger, ending it needs a credential that is still valid: else `Refused` is raised after the
    timeout, and the payload runs on.

    Returns `Done`. Raises `Refused`, `TimeoutExpired`, `NotFound`, `Unsupported`, `UsageError`, which are all `Error`.
    """
    if capture_output:
        if stdout is not None or stderr is not None:
            raise UsageError("capture_output= or stdout= and stderr=")
        stdout = stderr = subprocess.PIPE
    if input is not None:
        if stdin is not None:
            raise UsageError("input= or stdin=")
        stdin = subprocess.PIPE
    deadline = None if timeout is None else time.monotonic() + timeout
    attempts = 1 if retry is None else retry.attempts
    for attempt in range(1, attempts + 1):
        job = Popen(
            command,
            credential=credential,
            token=token,
            sandbox=sandbox,
            expected=expected,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            encoding=encoding,
            errors=errors,
            start_new_session=start_new_session,
            source_proxy=source_proxy,
            source_token=source_token,
            target_proxy=target_proxy,
            target_token=target_token,
            id=id,
            program=program,
        )
        try:
            return _finish(job, input, deadline, timeout)
        except Refused as refused:
            if retry is None or not refused.transient or attempt == attempts:
                raise
            pause = retry.pause(attempt)
            if deadline is not None and time.monotonic() + pause >= deadline:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _finish(job: Popen, input: str | bytes | None, deadline: float | None, timeout: float | None) -> Done:
    try:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        output, errors = job.communicate(input, left)
        return job._done(output, errors)
    except TimeoutExpired as expired:
        job._end()
        # A daemon that got away may hold the pipes: what has come by now is all that there is.
        raise TimeoutExpired(job.args, timeout or 0, expired.output, expired.stderr) from None
    except Refused:
        raise
    except BaseException:
        job._end()
        raise
    finally:
        job._close()


def renew(
    *,
    credential: StrPath | None = None,
    token: StrPath | None = None,
    target_proxy: StrPath | None = None,
    target_token: StrPath | None = None,
    source_proxy: StrPath | None = None,
    source_token: StrPath | None = None,
    sandbox: StrPath | None = None,
    expected: str | None = None,
    id: str | None = None,
    program: StrPath | None = None,
) -> Report:
    """Writes a payload's proxy or token anew, by a call of glexec without a command.

    `target_proxy` (`target_token`) is where the payload's is. A running `Popen` has a `renew` of its own, which knows.
    The payload gets `token` itself, or `source_token` where it works with another one. The arguments are those of
    `run`. Returns what glexec reported; raises `Refused`.
    """
    if target_token is not None and source_token is None:
        source_token = token  # without a source glexec writes none
    return renew_call(
        Call(
            credential=path(credential),
            token=path(token),
            target_proxy=path(target_proxy),
            target_token=path(target_token),
            source_proxy=path(source_proxy),
            source_token=path(source_token),
            sandbox=path(sandbox),
            expected=expected,
            id=id,
            program=path(program),
        )
    )


@dataclass(frozen=True)
class Probe:
    """Whether this node can switch.

    ok        whether a command ran as somebody
    account   as whom
    code      why not: the reason code; None for an older gLExec
    message   why not, in a sentence
    version   glexec's
    """

    ok: bool
    account: str | None
    code: str | None
    message: str | None
    version: str


def probe(
    *,
    credential: StrPath | None = None,
    token: StrPath | None = None,
    program: StrPath | None = None,
) -> Probe:
    """Tries whether this node may switch, as whom, and if not why: for the start of a pilot and for validation scripts.

    Runs /usr/bin/id as the owner of the credential. Raises `NotFound` where there is no glexec.
    """
    glexec = _program.find(path(program))
    version = _program.features(glexec).version
    try:
        done = run(
            ["/usr/bin/id", "-un"],
            credential=credential,
            token=token,
            target_proxy="/dev/null",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            program=glexec,
        )
    except Refused as refused:
        return Probe(False, None, refused.code, refused.message, version)
    if done.returncode != 0:
        return Probe(False, None, None, f"/usr/bin/id ended with {done.returncode}: {done.stderr!s}".strip(), version)
    return Probe(True, done.account or str(done.stdout).strip(), None, None, version)
