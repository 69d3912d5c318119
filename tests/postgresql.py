"""A PostgreSQL server of the test's own, in a temporary folder, on a unix socket alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "postgres"  # the server refuses to run as root


@dataclass(frozen=True)
class Server:
    programs: Path
    folder: Path
    password: str = "open-sesame"

    @property
    def url(self) -> str:
        return f"postgresql://reader:{self.password}@/postgres?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        subprocess.run(
            [*(become if os.getuid() == 0 else []), str(self.programs / program), *arguments],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"},
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A running server; the test is skipped where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        # a server of the system is no part of the environment that `make test` sets up
        pytest.skip("PostgreSQL is not installed (/usr/lib/postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path has about 100 characters
    try:
        if os.getuid() == 0:
            try:
                owner = pwd.getpwnam(USER)
            except KeyError:
                # the package makes this user, a server built by hand need not have it
                pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER}")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        here = Server(found[-1].parent, folder)
        (folder / "password").write_text(here.password)
        (folder / "password").chmod(0o644)
        here.run(
            "initdb", "-D", "data", "-U", "reader", "-A", "scram-sha-256", "--no-sync",
            "--pwfile=password",
        )  # fmt: skip
        options = f"-c listen_addresses='' -k {folder} -F"
        here.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
        try:
            yield here
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                here.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
