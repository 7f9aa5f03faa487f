"""A payload that runs: `Popen`, and what is known of one that has ended: `Done`."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Any, Union

from . import _report, _tree
from ._call import Call, Command, StrPath, path, words
from ._errors import CLASSES, Error, NotFound, Refused, TimeoutExpired, Unsupported, UsageError
from ._report import Report

File = Union[None, int, IO[Any]]
Output = Union[str, bytes, None]

#: How long what has been killed may take to be gone, in seconds: a lingering glexec ends a whole tree in one.
_END = 10.0
#: Runs as the target account where a signal cannot be sent from here: $0 is the signal, "$@" the processes.
_KILL = 'kill -s "$0" -- "$@" 2> /dev/null'


@dataclass(frozen=True)
class Done(Report):
    """A payload that has run.

    returncode            its exit code, or minus the signal that ended it, as in subprocess. Where glexec lingers,
                          a payload's own 201 to 204 arrive as 204
    stdout, stderr        what it wrote, where that was captured
    account, uid, gid, gids, subject, target_proxy, target_token, not_after, call
                          what glexec reported: None from an older gLExec. `not_after` is when the credential ends,
                          in seconds since 1970; the paths are as the payload sees them
    """

    args: tuple[str, ...] = ()
    returncode: int = 0
    stdout: Output = None
    stderr: Output = None


class Popen:
    """Starts a command as the owner of a credential, like subprocess.Popen.

    It returns at once; `wait` and `communicate` say how it ended, and raise `Refused` where glexec refused, so that a
    payload's exit code is never mistaken for glexec's own. The arguments are those of `glexec.run`. The process that
    `pid` names is glexec's; what is sent to it reaches the payload.
    """

    def __init__(
        self,
        command: Command,
        *,
        credential: StrPath | None = None,
        token: StrPath | None = None,
        sandbox: StrPath | None = None,
        expected: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: StrPath | None = None,
        stdin: File = None,
        stdout: File = None,
        stderr: File = None,
        text: bool | None = None,
        encoding: str | None = None,
        errors: str | None = None,
        bufsize: int = -1,
        start_new_session: bool = False,
        source_proxy: StrPath | None = None,
        source_token: StrPath | None = None,
        target_proxy: StrPath | None = None,
        target_token: StrPath | None = None,
        id: str | None = None,
        program: StrPath | None = None,
    ) -> None:
        call = Call(
            command=words(command),
            credential=path(credential),
            token=path(token),
            sandbox=path(sandbox),
            expected=expected,
            env=env,
            cwd=path(cwd),
            source_proxy=path(source_proxy),
            source_token=path(source_token),
            target_proxy=path(target_proxy),
            target_token=path(target_token),
            id=id,
            program=path(program),
        )
        self._begin(
            call,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            encoding=encoding,
            errors=errors,
            bufsize=bufsize,
            start_new_session=start_new_session,
        )

    @classmethod
    def _of(cls, call: Call, **streams: Any) -> Popen:
        """Starts a call that is ready, as one without a command."""
        job = cls.__new__(cls)
        job._begin(call, **streams)
        return job

    def _begin(self, call: Call, **streams: Any) -> None:
        self._call = call
        self._lock = threading.RLock()
        self._text = b""
        self._signalled = False
        self._reading: IO[bytes] | None = None
        prepared = call.prepared()
        self._features = prepared.features
        environment, inherited, writing = prepared.environment, [], -1
        if self._features.report:
            reading, writing = _pipe()
            os.set_blocking(reading, False)
            self._reading = open(reading, "rb", buffering=0)
            environment["GLEXEC_REPORT_FD"] = str(writing)
            inherited = [writing]
        try:
            self._process: subprocess.Popen[Any] = subprocess.Popen(
                prepared.arguments, env=environment, pass_fds=inherited, **streams
            )
        except OSError as error:
            self._close_report()
            if error.filename == prepared.arguments[0]:
                raise NotFound(f"{error.filename} cannot be executed: {error.strerror}") from error
            raise Error(f"glexec cannot be started: {error}") from error
        except BaseException:
            self._close_report()
            raise
        finally:
            if writing >= 0:
                os.close(writing)

    # ---- what it is ----

    @property
    def args(self) -> tuple[str, ...]:
        """The payload's command line."""
        return self._call.command

    @property
    def pid(self) -> int:
        """The process that was started: glexec's, or, where it does not linger, the payload's own."""
        return self._process.pid

    @property
    def stdin(self) -> IO[Any] | None:
        """The pipe to the payload, where there is one."""
        return self._process.stdin

    @property
    def stdout(self) -> IO[Any] | None:
        """The pipe from the payload, where there is one."""
        return self._process.stdout

    @property
    def stderr(self) -> IO[Any] | None:
        """The pipe of what the payload complains of, where there is one."""
        return self._process.stderr

    @property
    def returncode(self) -> int | None:
        """The exit code as far as it is known: see `poll`."""
        return self._process.returncode

    @property
    def credential(self) -> str | None:
        """The proxy file that glexec is called with, for signals and renewal too; `renew` replaces it."""
        return self._call.credential

    @property
    def token(self) -> str | None:
        """The token file that glexec is called with; `renew` replaces it."""
        return self._call.token

    @property
    def report(self) -> Report:
        """What glexec reported; waits until it has decided. Raises `Refused` where it refused."""
        report, refused = self._outcome(wait=True)
        if refused is not None:
            raise refused
        return report or Report()

    @property
    def account(self) -> str | None:
        """The account that the payload runs as; waits until glexec has decided."""
        return self.report.account

    @property
    def call(self) -> str | None:
        """The call's id in the site's log; waits until glexec has decided."""
        return self.report.call

    @property
    def target_proxy(self) -> str | None:
        """Where the payload finds its proxy; waits until glexec has decided."""
        return self.report.target_proxy or _no_device(self._call.target_proxy)

    @property
    def target_token(self) -> str | None:
        """Where the payload finds its token; waits until glexec has decided."""
        return self.report.target_token or _no_device(self._call.target_token)

    # ---- its end ----

    def poll(self) -> int | None:
        """The exit code, or None while the payload runs. It does not say whether it is glexec's own: `wait` does."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end and returns the payload's exit code, or minus its signal; raises `Refused`.

        After `timeout` seconds: `TimeoutExpired`, and the payload runs on.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired as expired:
            raise TimeoutExpired(self.args, expired.timeout) from None
        return self._judged()

    def communicate(self, input: str | bytes | None = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Sends `input`, reads what comes until the end, and returns it, as in subprocess; raises what `wait` does."""
        try:
            output = self._process.communicate(input, timeout)
        except subprocess.TimeoutExpired as expired:
            raise TimeoutExpired(self.args, expired.timeout, expired.output, expired.stderr) from None
        self._judged()
        return output

    def _judged(self) -> int:
        """The payload's exit code of a process that has ended, or `Refused`."""
        code = self._process.returncode
        report, refused = self._outcome(wait=False)
        self._close_report()
        if refused is not None:
            raise refused
        if self._features.report and report is None and not self._signalled:
            raise Refused(
                f"glexec ended ({_ending(code)}) before it could say anything: ask the site to look at its log"
            )
        if not self._features.report and code in CLASSES:
            raise Refused(
                f"gLExec refused ({_ending(code)}); its own line is on standard error", None, CLASSES[code], False, code
            )
        return int(code)

    def _done(self, stdout: Output, stderr: Output) -> Done:
        report = self._outcome(wait=False)[0] or Report()
        return Done(**vars(report), args=self.args, returncode=self._process.returncode, stdout=stdout, stderr=stderr)

    # ---- the report ----

    def _outcome(self, wait: bool) -> tuple[Report | None, Refused | None]:
        with self._lock:
            while self._reading is not None:
                if wait:
                    # glexec closes its end when it executes the command, whatever becomes of that.
                    poll = select.poll()
                    poll.register(self._reading, select.POLLIN)
                    poll.poll()
                chunk = self._reading.read(65536)
                if chunk is None and not wait:
                    break
                if chunk is not None:
                    self._text += chunk
                if chunk == b"" or len(self._text) > _report.MAX_BYTES:
                    self._close_report()
            return _report.parse(self._text)

    def _close_report(self) -> None:
        with self._lock:
            if self._reading is not None:
                self._reading.close()
                self._reading = None

    # ---- signals ----

    def send_signal(self, number: int) -> None:
        """Sends the payload a signal.

        Where glexec does not linger, the process is the payload's account's and only that account may signal it: then a
        second call of glexec with the same credential does it, and raises what `wait` does.
        """
        if self._process.poll() is not None:
            return
        self._signalled = True
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            self._signal_as_target(number, [self.pid])

    def terminate(self) -> None:
        """Asks the payload to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the payload and everything that it has started (SIGKILL).

        Where glexec does not linger, what has left the payload's tree of processes cannot be found and stays.
        """
        if self._process.poll() is not None:
            return
        self._signalled = True
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            self._kill_tree_as_target()

    def _kill_tree_as_target(self) -> None:
        # What is stopped starts nothing new, so that this ends; only then is it killed.
        tree: list[int] = []
        found = [self.pid]
        while found:
            self._signal_as_target(signal.SIGSTOP, found)
            tree += found
            found = [pid for pid, _ in _tree.below(self.pid) if pid not in tree]
        self._signal_as_target(signal.SIGKILL, tree)

    def _signal_as_target(self, number: int, pids: Sequence[int]) -> None:
        name = signal.Signals(number).name[len("SIG") :]
        command = ("/bin/sh", "-c", _KILL, name, *(str(pid) for pid in pids))
        call = replace(self._call, command=command, env=None, cwd=None, sandbox=None, target_proxy="/dev/null")
        call = replace(call, source_proxy=None, source_token=None, target_token=None)
        helper = Popen._of(call, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        helper.wait()

    def _end(self) -> None:
        """Kills the payload and waits until everything that it had started is gone."""
        tree = _tree.below(self.pid)
        self.kill()
        self._process.wait()
        _tree.wait_until_gone(tree, _END)

    # ---- renewal ----

    def renew(
        self,
        credential: StrPath | None = None,
        *,
        token: StrPath | None = None,
        source_token: StrPath | None = None,
    ) -> Report:
        """Gives the running payload a fresh proxy, or token, in the place of its old one.

        The new one must be the same person's. From then on it is also what signals and further calls use. The payload
        gets `source_token`; where it was started with one token for both, `token` itself if nothing else is said.
        Returns what glexec reported; raises `Refused`, and the payload keeps what it has.
        """
        call = replace(self._call, command=(), env=None, cwd=None, source_proxy=None, source_token=None)
        if token is None:
            call = replace(call, credential=path(credential), token=None, target_token=None)
            call = replace(call, target_proxy=self.target_proxy)
            if call.target_proxy is None:
                raise Unsupported("nobody knows where the payload's proxy is: start it with target_proxy=")
        else:
            call = replace(call, credential=None, token=path(token), target_proxy=None, target_token=self.target_token)
            if call.target_token is None:
                raise Unsupported("nobody knows where the payload's token is: start it with source_token=")
            if source_token is None and self._call.source_token != self._call.token:
                raise UsageError("the payload has another token than the one that starts jobs: say source_token=, too")
            call = replace(call, source_token=path(source_token or token))
        if call.expected is None and self._features.expected:
            call = replace(call, expected=self.report.subject)
        report = renew_call(call)
        source = call.source_token or self._call.source_token
        self._call = replace(self._call, credential=call.credential, token=call.token, source_token=source)
        return report

    # ---- with ----

    def __enter__(self) -> Popen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._outcome(wait=False)
        self._close_report()

    def _close(self) -> None:
        """Lets go of the payload, whether it has ended or, because nobody may end it, runs on."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self._close_report()

    def __repr__(self) -> str:
        return f"<glexec.Popen: {self.args!r}, pid {self.pid}, returncode {self.returncode}>"


def renew_call(call: Call) -> Report:
    """Makes a call without a command and returns what glexec reported."""
    job = Popen._of(call, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    code = job.wait()
    if code != 0:
        raise Error(f"glexec without a command ended strangely ({_ending(code)})")
    return job.report


def _pipe() -> tuple[int, int]:
    """A pipe whose writing end is no standard stream's number, which a pilot with closed streams would get."""
    reading, writing = os.pipe()
    try:
        if writing < 3:
            writing, low = fcntl.fcntl(writing, fcntl.F_DUPFD_CLOEXEC, 3), writing
            os.close(low)
        if reading < 3:
            reading, low = fcntl.fcntl(reading, fcntl.F_DUPFD_CLOEXEC, 3), reading
            os.close(low)
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    return reading, writing


def _no_device(target: str | None) -> str | None:
    return None if target == "/dev/null" else target


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
