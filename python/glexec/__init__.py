"""Runs commands as the grid users they belong to, by glexec(1): for pilots and those who write them.

    import glexec

    done = glexec.run(["./job.sh"], credential="/path/proxy.pem", sandbox="/scratch/job", expected="/DC=org/CN=Alice")
    print(done.returncode, done.account)

`run` waits for the end, `Popen` does not. Where glexec refuses, both raise `Refused`, with a reason code, whose fault
it is and whether trying again can help; a payload's exit code is never mistaken for glexec's own. `Retry` tries again
what may pass. `probe` says whether a node can switch at all. `Renewer` keeps a running payload's proxy or token fresh,
and `glexec.myproxy` fetches proxies. Every exception derives from `Error`.

On the command line: ``python3 -m glexec run | probe | renew``.
"""

from __future__ import annotations

from ._errors import Error, NotFound, Refused, TimeoutExpired, Unsupported, UsageError
from ._process import Done, Popen
from ._program import find
from ._renewer import Renewer
from ._report import Report
from ._run import Probe, Retry, probe, renew, run

__all__ = [
    "Done",
    "Error",
    "NotFound",
    "Popen",
    "Probe",
    "Refused",
    "Renewer",
    "Report",
    "Retry",
    "TimeoutExpired",
    "Unsupported",
    "UsageError",
    "find",
    "probe",
    "renew",
    "run",
]
