"""A command from the warm interpreter is the same process as one that `python -m orbit_release` starts."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration import warm
from tests.integration.monorepo import Monorepo, Ran, environment, sha
from tests.integration.terminal import terminal

REAL = (sys.executable, "-m", "orbit_release")


def real(repo: Monorepo, *arguments: str, **extra: str) -> Ran:
    known = environment(**extra)
    done = subprocess.run(
        [*REAL, *arguments],
        cwd=repo.clone,
        env=known,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("--help",), {}),
        (("plan",), {"ORBIT_RELEASE_PLAN_FORMAT": "json"}),
        (("plan", "nowhere"), {"GITHUB_ACTIONS": "true"}),
        (("-v", "plan", "--base", "nothing"), {}),
        (("history", "api"), {"TZ": "Asia/Tokyo"}),
        (("doctor", "--only", "git"), {"PYTHONIOENCODING": "ascii"}),
        (("bump", "api", "größer 🚀"), {}),
        (("bump",), {"PYTHONUNBUFFERED": "1"}),
        (("plan",), {"PATH": "/nowhere"}),
    ],
)
def test_it_prints_the_same_and_ends_the_same(
    offline: Monorepo, arguments: tuple[str, ...], extra: dict[str, str]
) -> None:
    expected = real(offline, *arguments, **extra)
    assert expected.out + expected.err
    assert offline.run(*arguments, directory=None, **extra) == expected


def test_nothing_of_a_command_comes_back(offline: Monorepo) -> None:
    before = offline.run("plan")
    assert offline.run("--config", "x", "plan", directory=offline.clone / "web", GITHUB_ACTIONS="true").code
    terminal(offline, "plan")
    assert offline.run("plan") == before


def test_commands_run_side_by_side(offline: Monorepo) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = [ran.err for ran in pool.map(lambda number: offline.run("plan", f"nowhere{number}"), range(16))]
    assert [number for number, text in enumerate(told) if f"'nowhere{number}'" not in text] == []


@dataclass(frozen=True)
class Hanging:
    """A command that waits for git, which waits for us."""

    caller: subprocess.Popen[bytes]
    errors: Path
    command: int

    def told(self) -> str:
        return self.errors.read_text()

    def state(self) -> dict[str, object]:
        """Return what the system knows of a process that was given to it."""
        status = Path(f"/proc/{self.command}/status").read_text()
        descriptors = [entry.readlink().name for entry in Path(f"/proc/{self.command}/fd").iterdir()]
        return {
            "signals": re.findall(r"(?m)^(?:Sig(?:Blk|Ign|Cgt)|Umask|Threads):.*", status),
            "session": os.getsid(self.command),
            "group": os.getpgid(self.command),
            "folder": Path(f"/proc/{self.command}/cwd").readlink(),
            "descriptors": sorted(re.split(r"[\d\[-]", name)[0] for name in descriptors),
        }


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def hanging(repo: Monorepo, program: tuple[str, ...]) -> Iterator[Hanging]:
    fifo, script = repo.clone.parent / "started", repo.clone.parent / "upload-pack"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    script.write_text(f"#!/bin/sh\necho $$ >{fifo}\nexec sleep 600\n")
    script.chmod(0o755)
    repo.git("config", "remote.origin.uploadpack", str(script))
    errors = repo.clone.parent / f"errors-{uuid4().hex}"
    with (
        errors.open("wb") as file,
        subprocess.Popen(
            [*program, "bump", "api", sha(repo.git("rev-parse", "HEAD")), "--no-verify"],
            cwd=repo.clone,
            env=environment(),
            stderr=file,
        ) as caller,
    ):
        innermost = int(fifo.read_text())
        git = _parent(innermost)
        while Path(f"/proc/{_parent(git)}/comm").read_text().startswith(("git", "sh")):
            git = _parent(git)
        try:
            yield Hanging(caller, errors, _parent(git))
        finally:
            os.kill(innermost, signal.SIGTERM)


def test_the_system_sees_the_same_process(offline: Monorepo) -> None:
    with hanging(offline, warm.program()) as ours, hanging(offline, REAL) as theirs:
        assert ours.command != ours.caller.pid
        assert theirs.command == theirs.caller.pid
        assert ours.state() == theirs.state()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_the_same(offline: Monorepo, number: int) -> None:
    ended = []
    for program in (warm.program(), REAL):
        with hanging(offline, program) as run:
            os.kill(run.command, number)
            code = run.caller.wait()
        ended.append((code, run.told()))
    assert ended[0] == ended[1]
    assert ended[0][0]


def test_a_caller_that_is_ended_early_disturbs_nobody(offline: Monorepo) -> None:
    for text in (b"", b"      99", b"      99{"):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(warm.address())
            caller.sendall(text)
    assert offline.run("--version").code == 0


def test_what_nobody_waits_for_is_ended(offline: Monorepo) -> None:
    with hanging(offline, warm.program()) as run:
        watch = os.pidfd_open(run.command)
        run.caller.kill()
        assert select.select([watch], [], [])[0] == [watch]
        os.close(watch)
