"""The processes below a process, as /proc shows them."""

from __future__ import annotations

import os
import time
from collections import defaultdict

#: A process for good: its number and when it began, in clock ticks since boot.
Process = tuple[int, int]


def below(root: int) -> list[Process]:
    """Everything that descends from a process, parents first; without the process itself."""
    children: defaultdict[int, list[Process]] = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = _look(int(name))
            if found is not None:
                parent, process = found
                children[parent].append(process)
    result: list[Process] = []
    parents = [root]
    while parents:
        mine = children.pop(parents.pop(), [])
        result += mine
        parents += [pid for pid, _ in mine]
    return result


def alive(process: Process) -> bool:
    """Whether this very process is still there and not a zombie."""
    found = _look(process[0])
    return found is not None and found[1] == process


def wait_until_gone(processes: list[Process], patience: float) -> bool:
    """Waits until none of these processes is left, for so many seconds at most; whether none is."""
    deadline = time.monotonic() + patience
    while any(alive(process) for process in processes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _look(pid: int) -> tuple[int, Process] | None:
    """The parent of a process, and the process; None for a zombie and for none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name in parentheses may hold anything.
            fields = stat.read().rpartition(b")")[2].split()
        state, parent, start = fields[0], int(fields[1]), int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
    return None if state in (b"Z", b"X") else (parent, (pid, start))
