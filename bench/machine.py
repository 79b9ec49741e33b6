"""The machine that a figure comes from: no figure is read without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 11
"""Of /proc/PID/stat after the command's closing bracket: user time; system time is the next."""


def load() -> str:
    """Who else is at work: the load of the last minute, and how many cores share it."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def described() -> str:
    """Processor, system and Python, in one line."""
    return f"{_processor()} · {platform.system()} {platform.release()} · {_python()}"


def cpu_seconds(pid: int) -> float:
    """What a process with all its threads has used, user and system; in steps of a tick (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / TICKS


def memory(pid: int) -> tuple[float, float]:
    """Resident MB of a process: now, and at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return tuple(int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def _python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"
