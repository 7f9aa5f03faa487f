"""What glexec says about its own outcome on GLEXEC_REPORT_FD."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ._errors import CLASSES, Refused

#: More than the longest line that glexec writes, in bytes.
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Report:
    """Who the payload is, as glexec reported it; everything is None where an older gLExec reports nothing."""

    call: str | None = None
    account: str | None = None
    uid: int | None = None
    gid: int | None = None
    gids: tuple[int, ...] = ()
    subject: str | None = None
    target_proxy: str | None = None
    target_token: str | None = None
    not_after: int | None = None


def parse(text: bytes) -> tuple[Report | None, Refused | None]:
    """The report of a success and the refusal, each where there is one.

    Both are there where glexec has taken the account and the kernel then refused to execute the command.
    """
    report: Report | None = None
    refused: Refused | None = None
    for line in text.split(b"\n"):
        try:
            said = json.loads(line) if line else None
        except ValueError:
            continue
        if not isinstance(said, dict):
            continue
        if said.get("outcome") == "success":
            report = _success(said)
        elif said.get("outcome") == "refused":
            refused = _refusal(said)
    return report, refused


def _success(said: dict[str, Any]) -> Report:
    gids = said.get("gids")
    return Report(
        call=_text(said.get("call")),
        account=_text(said.get("account")),
        uid=_number(said.get("uid")),
        gid=_number(said.get("gid")),
        gids=tuple(gid for gid in gids if isinstance(gid, int)) if isinstance(gids, list) else (),
        subject=_text(said.get("subject")),
        target_proxy=_text(said.get("target_proxy")),
        target_token=_text(said.get("target_token")),
        not_after=_number(said.get("not_after")),
    )


def _refusal(said: dict[str, Any]) -> Refused:
    exit_code = _number(said.get("exit_code"))
    return Refused(
        message=_text(said.get("message")) or "glexec refused",
        code=_text(said.get("code")),
        klass=_text(said.get("class")) or CLASSES.get(exit_code or 0, "system"),
        transient=said.get("transient") is True,
        exit_code=exit_code,
        call=_text(said.get("call")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
