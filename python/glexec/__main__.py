"""``python3 -m glexec run | probe | renew``: the library for shells."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import glexec

_FAILED = 1
_NO_GLEXEC = 2
_TIMED_OUT = 124  # as timeout(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    asked = _parser().parse_args(arguments)
    if asked.credential is None and asked.token is None:
        asked.credential = os.environ.get("GLEXEC_CLIENT_CERT" if asked.what != "probe" else "X509_USER_PROXY")
    try:
        return {"run": _run, "probe": _probe, "renew": _renew}[asked.what](asked)
    except glexec.Refused as refused:
        _complain(str(refused))
        return refused.exit_code or _FAILED
    except glexec.NotFound as error:
        _complain(str(error))
        return _NO_GLEXEC
    except glexec.TimeoutExpired as error:
        _complain(str(error))
        return _TIMED_OUT
    except glexec.Error as error:
        _complain(str(error))
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m glexec", description="glexec for pilots; see help(glexec).")
    whats = parser.add_subparsers(dest="what", required=True, metavar="run | probe | renew")

    run = whats.add_parser("run", help="run a command as the owner of a credential; ends as the command ends")
    run.add_argument("--sandbox", metavar="DIR", help="a directory of yours that is the command's own meanwhile")
    run.add_argument("--cwd", metavar="DIR", help="the command's working directory")
    run.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of the command's")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="end it, and all that it started, after this")
    run.add_argument("--attempts", type=int, default=1, help="calls in all, where a refusal may pass")
    run.add_argument("command", help="the command")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="and its arguments")

    probe = whats.add_parser("probe", help="say in one line whether this node can switch: 0 yes, 1 no, 2 no glexec")

    renew = whats.add_parser("renew", help="write the proxy or token of a running payload anew")
    renew.add_argument("--target", required=True, metavar="FILE", help="where the payload's is")
    renew.add_argument("--sandbox", metavar="DIR", help="the payload's sandbox, where the target is in it")

    for one in (run, probe, renew):
        identity = one.add_mutually_exclusive_group()
        usual = "X509_USER_PROXY" if one is probe else "GLEXEC_CLIENT_CERT"
        identity.add_argument("--credential", metavar="FILE", help=f"the user's proxy file ({usual}, if not said)")
        identity.add_argument("--token", metavar="FILE", help="the user's bearer token file")
    for one in (run, renew):
        one.add_argument("--expected", metavar="DN", help="the user's name: refuse anybody else")
    return parser


def _run(asked: argparse.Namespace) -> int:
    pairs = [variable.partition("=") for variable in asked.env]
    command = [asked.command, *asked.arguments]
    done = glexec.run(
        command[1:] if command[0] == "--" else command,
        credential=asked.credential,
        token=asked.token,
        sandbox=asked.sandbox,
        expected=asked.expected,
        cwd=asked.cwd,
        env={name: value for name, _, value in pairs} or None,
        timeout=asked.timeout,
        retry=glexec.Retry(attempts=asked.attempts),
    )
    if done.returncode < 0:
        _end_by(-done.returncode)
    return done.returncode


def _probe(asked: argparse.Namespace) -> int:
    found = glexec.probe(credential=asked.credential, token=asked.token)
    if found.ok:
        print(f"ok: glexec {found.version} switches to {found.account}")
        return 0
    why = f"{found.message} ({found.code})" if found.code else found.message
    print(f"refused: glexec {found.version}: {why}")
    return _FAILED


def _renew(asked: argparse.Namespace) -> int:
    target = {"target_proxy": asked.target} if asked.token is None else {"target_token": asked.target}
    glexec.renew(
        credential=asked.credential, token=asked.token, expected=asked.expected, sandbox=asked.sandbox, **target
    )
    return 0


def _end_by(number: int) -> None:
    """Ends by this signal, as the payload did, without a core of this program's."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _complain(text: str) -> None:
    print(f"glexec: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
