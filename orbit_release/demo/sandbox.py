"""A folder to try things in: files are written and commands run there, each shown before it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from orbit_release.errors import ConflictError, UnavailableError, UsageError

# What the caller's surroundings would change about the commands.
_FOREIGN = ("GIT_", "GITHUB_", "ORBIT_RELEASE_")
_PROGRAM = "orbit-release"


class Sandbox:
    """Commands run in `folder`, with a git identity of their own and none of the caller's git settings."""

    def __init__(self, folder: Path, environment: Mapping[str, str], show: Callable[[str], None]) -> None:
        self.folder = folder
        self._show = show
        self._environment = {k: v for k, v in environment.items() if not k.startswith(_FOREIGN)}
        self._environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{folder} cannot be made: {error.strerror}"
            raise UsageError(message, "name a folder that you may write.") from error
        if any(folder.iterdir()):
            raise ConflictError(f"{folder} is not empty", "name a folder that does not exist yet.")

    def write(self, files: Mapping[str, str]) -> None:
        try:
            for path, text in files.items():
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_text(text, encoding="utf-8")
        except OSError as error:
            message = f"{self.folder} cannot be written: {error.strerror}"
            raise UnavailableError(message, "name a folder that you may write, on a disk with space.") from error

    def run(self, *command: str, directory: str = ".", expect: int = 0, quiet: bool = False) -> None:
        """Run a command, shown with all it prints unless `quiet`; `expect` is the exit code it must end with."""
        if not quiet:
            self._show(f"$ {shlex.join(command)}")
        program = (sys.executable, "-m", "orbit_release") if command[0] == _PROGRAM else command[:1]
        result = subprocess.run(
            (*program, *command[1:]),
            cwd=self.folder / directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE if quiet else None,
            check=False,
        )
        if result.returncode != expect:
            told = (result.stderr or b"").decode("utf-8", "replace").strip()
            message = f"`{shlex.join(command)}` ended with exit code {result.returncode}. {told}".rstrip()
            hint = f"the message above says why; the sandbox stays in {self.folder}."
            raise UnavailableError(message, hint)
