"""The machine, timers, child processes and tables of the benchmarks."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def machine() -> str:
    """Processor, memory and versions, as a sentence."""
    import torch

    model = next(
        (
            line.split(":")[1].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GB memory, "
        f"{torch.backends.cpu.get_cpu_capability()}; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """Least processor time of a few rounds, in milliseconds; other programs hardly disturb it."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best * 1000


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, pages of mapped files included.

    What `resource` says of a process may be that of the one which started it.
    """
    return _status("VmHWM")


def anonymous_memory_mb() -> float:
    """Resident memory of this process now, without pages of mapped files."""
    return _status("RssAnon")


def _status(key: str) -> float:
    """A number of the process's status, in MB; NaN where the system has none."""
    status = dict(line.split(":", 1) for line in _lines("/proc/self/status") if ":" in line)
    return float(status.get(key, "nan").split()[0]) / 1024


def in_child(module: str, *arguments: object) -> Any:
    """Run ``python -m benchmarks.<module> <arguments>`` and read the JSON it prints last."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers to three figures."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_text, line)) + " |" for line in lines)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
