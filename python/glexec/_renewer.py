"""`Renewer`: keeps the credential of a running payload fresh."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType

from . import _x509
from ._errors import Error, Refused, UsageError
from ._process import Popen
from ._report import Report
from .myproxy import MyProxyError


class Renewer:
    """Renews the proxy, or token, of a running payload in the background, before it ends.

        with glexec.Renewer(job, fetch, on_failure=warn):
            job.wait()

    job          the `Popen`
    fetch        is called with the user's name and returns the path of a fresh proxy (token, where the job has
                 one for itself and its payload), as `glexec.myproxy.retrieve` does
    on_failure   is called with the error where it could not be renewed: at once where trying again cannot help, else
                 when it is too late for another attempt. After that it is not tried any more
    before       how many seconds before the end it is renewed, or at half of what is left, if that is later
    first        seconds before another attempt after one that failed; each pause is twice as long, and each is
                 longer or shorter by up to a half, by chance

    Both functions are called in a thread of the renewer's own. It ends with the payload or with the ``with``.
    """

    def __init__(
        self,
        job: Popen,
        fetch: Callable[[str], str],
        *,
        on_failure: Callable[[Exception], object] | None = None,
        before: float = 3600.0,
        first: float = 5.0,
    ) -> None:
        self._job = job
        self._fetch = fetch
        self._on_failure = on_failure
        self._before = before
        self._first = first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="glexec.Renewer", daemon=True)
        self.renewals = 0
        """How often it has renewed."""

    def __enter__(self) -> Renewer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            report = self._job.report
        except Error:
            return  # the one who waits for the job is told
        try:
            subject, end = self._identity(report)
            while self._wait_until(self._begin(end)):
                end = self._renewed(subject, end)
                self.renewals += 1
        except _Ended:
            pass
        except Exception as error:  # whatever fetch raises is the caller's to hear
            if self._on_failure is not None and self._runs():
                self._on_failure(error)

    def _identity(self, report: Report) -> tuple[str, float]:
        """Whose the credential is, and when it ends; an older gLExec says neither."""
        subject, end = report.subject, report.not_after
        if subject is None or end is None:
            if self._job.credential is None:
                raise Error("glexec did not report when the token ends")
            credential = _x509.read(self._job.credential)
            subject, end = subject or credential.subject, end or credential.not_after
        return subject, float(end)

    def _begin(self, end: float) -> float:
        """When to renew; some time earlier by chance, so that not all jobs of a node do it at once."""
        window = min(self._before, (end - time.time()) / 2)
        return end - window * random.uniform(1.0, 1.1)  # noqa: S311 -- no secret

    def _renewed(self, subject: str, end: float) -> float:
        """Renews, again and again until it is too late; the new end."""
        last = time.time() + (end - time.time()) * 0.9
        pause = self._first
        while True:
            try:
                return self._renew(subject)
            except Exception as error:  # whatever fetch raises
                again = time.time() + pause * random.uniform(0.5, 1.5)  # noqa: S311 -- no secret
                if not _may_pass(error) or again >= last:
                    raise
                pause *= 2
                if not self._wait_until(again):
                    raise _Ended from None

    def _renew(self, subject: str) -> float:
        fresh = self._fetch(subject)
        if not self._runs():
            raise _Ended
        report = self._job.renew(token=fresh) if self._job.token is not None else self._job.renew(fresh)
        return float(report.not_after or _x509.read(fresh).not_after)

    def _runs(self) -> bool:
        return not self._stop.is_set() and self._job.poll() is None

    def _wait_until(self, moment: float) -> bool:
        """Waits; whether the payload still runs then."""
        while self._runs():
            left = moment - time.time()
            if left <= 0:
                return True
            self._stop.wait(min(left, 1.0))
        return False


class _Ended(Exception):
    """The payload has ended, or the renewer: there is nothing to renew."""


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help; of what others raise nobody knows, so it may."""
    if isinstance(error, UsageError):
        return False
    return error.transient if isinstance(error, (Refused, MyProxyError)) else True
