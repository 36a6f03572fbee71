"""The machine that a job runs on: fresh folders, the environment of a step, and the files through which steps talk."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.monorepo import IDENTITY, environment

SHELLS = {None: "bash -e {0}", "bash": "bash --noprofile --norc -eo pipefail {0}"}
FILES = ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY")
_ERROR = re.compile(r"^::error(?: (?P<properties>.*?))?::(?P<message>.*)$", re.MULTILINE)
_SECONDS = 1800  # a guard against what never ends, not a limit that a busy machine may reach


class StepFailedError(Exception):
    """A step ends in failure, as it may on GitHub."""


@dataclass
class Site:
    """GitHub as jobs meet it: git and the API over HTTP, with one repository and one token."""

    server: str
    api: str
    repository: str
    token: str
    broken_pushes: list[str] = field(default_factory=list)  # titles of the images whose next push fails, once each
    broken_attestations: list[str] = field(default_factory=list)  # and images whose next attestation does
    logins: list[str] = field(default_factory=list)
    attested: list[tuple[str, str]] = field(default_factory=list)  # image without tag, digest
    variables: dict[str, str] = field(default_factory=dict)  # of the repository or an environment, as are
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def remote(self) -> str:
        return f"{self.server}/{self.repository}"


@dataclass
class Machine:
    """What one job sees of the world; `github` is the context of that name."""

    folder: Path
    github: Mapping[str, Any]
    site: Site
    variables: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=lambda: os.environ["PATH"].split(os.pathsep))
    log: str = ""
    summary: str = ""
    logins: list[str] = field(default_factory=list)  # registries
    has_buildx: bool = False

    def __post_init__(self) -> None:
        for folder in (self.workspace, self.temp, self.home):
            folder.mkdir(parents=True)
        (self.folder / "event.json").write_text(json.dumps(self.github["event"]), encoding="utf-8")

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def temp(self) -> Path:
        return self.folder / "temp"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def runner(self) -> dict[str, str]:
        """Return the context of that name."""
        return {"os": "Linux", "arch": "X64", "temp": str(self.temp), "name": "tests", "debug": ""}

    @property
    def annotations(self) -> list[str]:
        """Return the errors that the page of the run shows, decoded."""
        return [_decoded(match["message"]) for match in _ERROR.finditer(self.log)]

    def say(self, text: str) -> None:
        self.log += f"{text.rstrip()}\n" if text.strip() else ""

    def run(self, command: Sequence[str | Path], env: dict[str, str], folder: Path | None = None) -> None:
        """Run a program into the log; StepFailedError when it fails."""
        done = subprocess.run(
            command,
            cwd=folder or self.workspace,
            env=self.environment() | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_SECONDS,
        )
        self.say(done.stdout.decode(errors="replace"))
        if done.returncode:
            raise StepFailedError(f"{command[0]} ended with {done.returncode}")

    def script(self, text: str, shell: str | None, env: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        """Run the script of a step; return whether it went well, and its outputs, which count in any case."""
        given = {name: self.temp / f"file_{name.lower()}" for name in FILES}
        for path in given.values():
            path.write_text("", encoding="utf-8")
        script = self.temp / "script.sh"
        script.write_text(text, encoding="utf-8")
        told = {f"GITHUB_{name}": str(path) for name, path in given.items()}
        command = [str(script) if word == "{0}" else word for word in SHELLS[shell].split()]
        try:
            self.run(command, {**env, **told})
            went_well = True
        except StepFailedError as error:
            self.say(str(error))
            went_well = False
        return went_well, self._read({name: path.read_text("utf-8") for name, path in given.items()})

    def _read(self, texts: Mapping[str, str]) -> dict[str, str]:
        self.path[:0] = reversed(texts["PATH"].splitlines())
        self.variables |= pairs(texts["ENV"])
        self.summary += texts["STEP_SUMMARY"]
        return pairs(texts["OUTPUT"])

    def environment(self) -> dict[str, str]:
        """Return what each step finds in its environment; there is nobody in git's settings."""
        ours = {name: value for name, value in environment().items() if name not in IDENTITY}
        words = ("actor", "api_url", "event_name", "ref", "ref_name", "repository", "run_attempt", "run_id")
        about = {f"GITHUB_{word.upper()}": str(self.github[word]) for word in (*words, "server_url", "sha", "workflow")}
        places = {"GITHUB_WORKSPACE": self.workspace, "GITHUB_EVENT_PATH": self.folder / "event.json"}
        runner = {f"RUNNER_{name.upper()}": value for name, value in self.runner.items() if value}
        mode = {"CI": "true", "GITHUB_ACTIONS": "true", "HOME": str(self.home), "PATH": os.pathsep.join(self.path)}
        return {**ours, **about, **{name: str(at) for name, at in places.items()}, **runner, **mode, **self.variables}

    def install(self, name: str, command: Sequence[str]) -> None:
        """Put a program on the PATH of the steps that follow."""
        folder = self.temp / name / "bin"
        folder.mkdir(parents=True)
        words = " ".join(f"'{word}'" for word in command)
        (folder / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
        self.path.insert(0, str(folder))


def pairs(text: str) -> dict[str, str]:
    """Return what a command file says: `name=value`, or `name<<delimiter` with lines up to the delimiter."""
    found: dict[str, str] = {}
    lines = text.split("\n")
    while lines:
        line, *lines = lines
        if not line:
            continue
        match = re.fullmatch(r"(.+?)(<<|=)(.*)", line)
        assert match, f"the runner refuses {line!r}"
        name, sign, value = match.groups()
        if sign == "<<":
            assert value in lines, f"{name} has no end"
            end = lines.index(value)
            value, lines = "\n".join(lines[:end]), lines[end + 1 :]
        found[name] = value
    return found


def _decoded(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text
