"""Running git: its environment, its complaints, and what they mean for the reader."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orbit_release.errors import AccessError, NotFoundError, OrbitReleaseError, UnavailableError, UsageError

# Nothing that a person or a clone has configured may change what we read, or run a program of theirs.
PLUMBING = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.quotePath=false"),
    *("-c", "diff.ignoreSubmodules=none"),
    *("-c", "log.showRoot=true"),
    *("-c", "log.showSignature=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "http.lowSpeedLimit=1000"),
    *("-c", "http.lowSpeedTime=60"),
)
_LOCAL_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_CREDENTIALS = re.compile(r"(\w+://)[^/@\s]+@")
_NO_ACCESS = re.compile(r"denied|could not read (Username|Password)|Authentication failed|error: 40[13]|publickey")
_NOT_THERE = re.compile(r"not found|does not appear to be a git repository|does not exist|No such file")


class Process:
    """Runs git in a clone: `top` is its working tree, or the repository itself if it is bare."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.environment = {k: v for k, v in environment.items() if k not in _LOCAL_VARIABLES}
        self.environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
        self.top = directory
        questions = ("--is-bare-repository", "--is-shallow-repository", "--git-common-dir", "--show-toplevel")
        result = self.run("rev-parse", "--path-format=absolute", *questions)
        answers = result.stdout.decode("utf-8", "surrogateescape").splitlines()
        self.is_bare = answers[:1] == ["true"]  # then git has no top level to tell
        if result.returncode and not self.is_bare:
            hint = "run it in the monorepo's clone, or name it with -C DIR."
            raise NotFoundError(f"{directory}: {complaint(result.stderr)}", hint)
        self.shallow_file = Path(answers[2]) / "shallow" if answers[1] == "true" else None
        self.top = Path(answers[2 if self.is_bare else 3])

    def run(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and return how it ended."""
        try:
            return subprocess.run(
                ["git", *PLUMBING, *arguments],
                cwd=self.top,
                env={**self.environment, **(environment or {})},
                input=stdin,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise self._not_started(error) from error

    def _not_started(self, error: OSError) -> OrbitReleaseError:
        if not self.top.is_dir():
            return UsageError(f"there is no folder {self.top}", "check the path behind -C.")
        if isinstance(error, FileNotFoundError):
            return UnavailableError("git is not installed", "install git 2.34 or newer.")
        return UnavailableError(f"git cannot be started in {self.top}: {error.strerror}", "check its permissions.")

    def out(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Return what git prints about this clone; UnavailableError if it fails."""
        result = self.run(*arguments, stdin=stdin, environment=environment)
        if result.returncode:
            verb = next((word for word in arguments if not word.startswith("-")), "")
            message = f"git {verb} failed: {complaint(result.stderr)}"
            raise UnavailableError(message, "see what `git fsck` says of this clone.")
        return result.stdout

    def talk(self, remote: str, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
        """Return what git prints after talking to a remote; its failures say what the reader can do."""
        result = self.run(*arguments, environment=environment)
        if result.returncode:
            raise remote_error(result.stderr, remote)
        return result.stdout


def complaint(stderr: bytes) -> str:
    """Return what git complained of, without credentials and control characters."""
    text = _CREDENTIALS.sub(r"\1***@", stderr.decode("utf-8", "replace"))
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or [s for s in lines if s]
    return "; ".join(told[:3]) or "git gave no reason"


def remote_error(stderr: bytes, remote: str) -> OrbitReleaseError:
    """Return what a failed conversation with a remote means for the reader."""
    told = complaint(stderr)
    if _NO_ACCESS.search(told):
        return AccessError(f"{remote} refuses access: {told}", "check the token or key, and what it may do.")
    if _NOT_THERE.search(told):
        return NotFoundError(f"{remote} is not there: {told}", "check the address with `git remote -v`.")
    return UnavailableError(f"{remote} cannot be reached: {told}", "check the network and try again; nothing is lost.")
