"""Specification of scripts/services."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = Path(__file__).parents[2] / "scripts" / "services"
SECONDS = 900  # a guard against what never ends, not a limit that a busy machine may reach
# Tells its environment, waits for its exit status on standard input. Ctrl-C ends it by the system's own rule: Python's
# handler would wait for the read to return if the signal came between the print and the read.
COMMAND = (
    "import json, os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "print(json.dumps(dict(os.environ)), flush=True); sys.exit(int(sys.stdin.read()))"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A `scripts/services run` whose command is running."""

    program: subprocess.Popen[str]
    keeper: int
    engine: str
    registry: str

    @property
    def folder(self) -> Path:
        return Path(self.engine.removeprefix("unix://")).parent

    @property
    def is_private(self) -> bool:
        return self.folder.name.startswith("orbit-release-")

    def end(self, *, signal_number: int = 0, status: int = 0) -> int:
        """End it, wait until what it started has ended as well, return its exit status."""
        with contextlib.closing(_Watch(self.keeper)) as watch:
            if signal_number:
                self.program.send_signal(signal_number)
                self.program.wait(SECONDS)
            else:
                self.program.communicate(str(status), SECONDS)
            assert watch.has_ended()
        return self.program.returncode

    def is_gone(self) -> bool:
        """Whether nothing is left of it; an engine that was there before must still be."""
        left = self.is_private and (self.folder.exists() or _is_named_by_a_process(self.folder))
        return not left and not _registry_answers(self.registry) and _engine_answers(self.engine) != self.is_private


class _Watch:
    """Tells when a process that is not our child has ended."""

    def __init__(self, process: int) -> None:
        self._descriptor = os.pidfd_open(process)

    def has_ended(self) -> bool:
        return bool(select.select([self._descriptor], [], [], SECONDS)[0])

    def close(self) -> None:
        os.close(self._descriptor)


def _processes() -> Iterator[tuple[int, int, bytes]]:
    """Yield every process: its id, its parent's and its command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(entry.name), int(parent), (entry / "cmdline").read_bytes()


def _is_named_by_a_process(folder: Path) -> bool:
    return any(os.fsencode(folder) in line for _, _, line in _processes())


def _engine_answers(address: str) -> bool:
    if not Path(address.removeprefix("unix://")).exists():
        return False
    with contextlib.closing(docker.from_env(environment={"DOCKER_HOST": address}, use_context=False)) as client:
        return bool(client.ping())


def _registry_answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False


@contextlib.contextmanager
def _running(docker_host: str = "") -> Iterator[Run]:
    environment = os.environ | {"DOCKER_HOST": docker_host, "DOCKER_BUILDKIT": "1"}
    command = [sys.executable, str(SERVICES), "run", sys.executable, "-c", COMMAND]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as program:
        assert program.stdout
        told = json.loads(program.stdout.readline())
        assert told["ORBIT_RELEASE_TEST_REGISTRY"] == told["ORBIT_RELEASE_DEMO_REGISTRY"]
        assert "DOCKER_BUILDKIT" not in told
        keeper = next(pid for pid, parent, line in _processes() if parent == program.pid and b"\0keep\0" in line)
        yield Run(program, keeper, told["DOCKER_HOST"], told["ORBIT_RELEASE_TEST_REGISTRY"])


def test_two_runs_side_by_side_do_not_meet() -> None:
    with _running() as one, _running() as two:
        assert one.registry != two.registry
        assert one.engine != two.engine or not one.is_private
        assert all(_engine_answers(run.engine) and _registry_answers(run.registry) for run in (one, two))
        one.end()
        assert one.is_gone()
        assert _engine_answers(two.engine)
        assert _registry_answers(two.registry)
        two.end()
        assert two.is_gone()


def test_an_engine_that_answers_is_used_and_stays(docker_host: str) -> None:
    with _running(docker_host) as run:
        assert run.engine == docker_host
        assert _registry_answers(run.registry)
        run.end()
        assert not _registry_answers(run.registry)
        assert _engine_answers(docker_host)


def test_the_exit_status_of_the_command_is_passed_on(docker_host: str) -> None:
    with _running(docker_host) as run:
        assert run.end(status=7) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_stops_everything(number: int) -> None:
    with _running() as run:
        assert run.end(signal_number=number) == 128 + number
        assert run.is_gone()


def test_a_killed_run_leaves_nothing_behind() -> None:
    with _running() as run:
        assert run.end(signal_number=signal.SIGKILL) == -signal.SIGKILL
        assert run.is_gone()


def test_a_command_that_does_not_exist_is_named(docker_host: str) -> None:
    environment = os.environ | {"DOCKER_HOST": docker_host}
    command = [sys.executable, str(SERVICES), "run", "no-such-command"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 1
    assert ended.stderr == "scripts/services: cannot run no-such-command: No such file or directory\n"
