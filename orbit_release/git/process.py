"""Running git: its environment, its complaints, and what they mean for the reader."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from functools import cached_property

from orbit_release.errors import AccessError, NotFoundError, OrbitReleaseError, UnavailableError, UsageError
from orbit_release.text import without_passwords

# What a person has configured must not change what we read or push, nor run a hook of theirs.
SETTINGS = (
    *("core.hooksPath=/dev/null", "core.quotePath=false", "core.fsmonitor=false"),
    *("diff.ignoreSubmodules=none", "diff.relative=false", "log.showRoot=true", "log.showSignature=false"),
    *("i18n.logOutputEncoding=UTF-8", "i18n.commitEncoding=UTF-8", "gc.auto=0", "maintenance.auto=false"),
    *("submodule.recurse=false", "push.recurseSubmodules=no", "push.followTags=false"),
    *("http.lowSpeedLimit=1000", "http.lowSpeedTime=60"),
)
_GIT = ("git", *(word for setting in SETTINGS for word in ("-c", setting)))
# Git asks nobody then, not for objects that a partial clone lacks either; before 2.44 only the second is known.
OFFLINE = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
_QUESTIONS = ("--is-bare-repository", "--is-shallow-repository", "--git-common-dir", "--show-toplevel")
# Out of `git rev-parse --local-env-vars`: they belong to the hook or the alias that started us.
_LOCAL_VARIABLES = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE"),
    *("GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"),
    *("GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE"),
)
_LONGEST_COMPLAINT = 4000
_NO_ACCESS = re.compile(r"denied|could not read (Username|Password)|Authentication failed|error: 40[13]|publickey")
_NOT_THERE = re.compile(r"not found|does not appear to be a git repository|does not exist|No such file")


class Process:
    """Runs git in a clone. It asks at once where that is, and waits for the answer when somebody needs it."""

    def __init__(self, directory: str, environment: Mapping[str, str]) -> None:
        self.environment = {k: v for k, v in environment.items() if k not in _LOCAL_VARIABLES}
        self.environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
        self._directory = directory
        self._asked = self.start("rev-parse", "--path-format=absolute", *_QUESTIONS)

    @cached_property
    def _answers(self) -> tuple[bool, bool, str, str]:
        """Whether the repository is bare, whether it is shallow, its own folder, and its top."""
        out, err = self._asked.communicate()
        answers = out.decode("utf-8", "surrogateescape").splitlines()
        is_bare = answers[:1] == ["true"]  # then git has no top level to tell
        if self._asked.returncode and not is_bare:
            foreign = b"dubious ownership" in err
            trust = f"git config --global --add safe.directory {os.path.abspath(self._directory)}"
            hint = f"if you trust it: {trust}" if foreign else "run it in the monorepo's clone, or name it with -C DIR."
            raise NotFoundError(f"{self._directory}: {complaint(err)}", hint)
        return is_bare, answers[1] == "true", answers[2], answers[2 if is_bare else 3]

    def close(self) -> None:
        """End the question of the start where nobody has waited for its answer."""
        if "_answers" not in self.__dict__:
            self._asked.communicate()

    @property
    def is_bare(self) -> bool:
        return self._answers[0]

    @property
    def is_shallow(self) -> bool:
        return self._answers[1]

    def shallow_commits(self) -> frozenset[str]:
        """Return the commits at which a shallow clone's history ends."""
        with open(os.path.join(self._answers[2], "shallow"), encoding="ascii") as file:
            return frozenset(file.read().split())

    @property
    def top(self) -> str:
        """The root of the working tree, or the repository itself if it is bare."""
        return self._answers[3]

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None, own_session: bool = False
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*_GIT, *arguments],
                cwd=self._directory,
                env={**self.environment, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=own_session,
            )
        except OSError as error:
            raise self._start_error(error) from error

    def run(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*_GIT, *arguments],
            cwd=self.top,
            env={**self.environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            check=False,
        )

    def _start_error(self, error: OSError) -> OrbitReleaseError:
        if not os.path.isdir(self._directory):
            return UsageError(f"there is no folder {self._directory}", "check the path behind -C.")
        if isinstance(error, FileNotFoundError):
            return UnavailableError("git is not installed", "install git 2.34 or newer.")
        message = f"git cannot be started in {self._directory}: {error.strerror}"
        return UnavailableError(message, "check its permissions.")

    def out(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Return what git prints about this clone; UnavailableError if it fails."""
        result = self.run(*arguments, stdin=stdin, environment=environment)
        if result.returncode:
            verb = next((word for word in arguments if not word.startswith("-")), "")
            message = f"git {verb} failed: {complaint(result.stderr)}"
            raise UnavailableError(message, "see what `git fsck` says of this clone.")
        return result.stdout

    def talk(self, remote: str, *arguments: str) -> bytes:
        """Return what git prints after talking to a remote; its failures say what the reader can do."""
        result = self.run(*arguments)
        if result.returncode:
            raise remote_error(result.stderr, remote)
        return result.stdout


def complaint(stderr: bytes) -> str:
    """Return what git complained of, without credentials and control characters."""
    text = without_passwords(stderr[-_LONGEST_COMPLAINT:].decode("utf-8", "replace"))
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or [s for s in lines if s]
    return "; ".join(telling[:3]) or "git gave no reason"


def remote_error(stderr: bytes, remote: str) -> OrbitReleaseError:
    """Return what a failed conversation with a remote means for the reader."""
    reason = complaint(stderr)
    if _NO_ACCESS.search(reason):
        return AccessError(f"{remote} refuses access: {reason}", "check the token or key, and what it may do.")
    if _NOT_THERE.search(reason):
        return NotFoundError(f"{remote} is not there: {reason}", "check the address with `git remote -v`.")
    hint = "check the network and try again; nothing is lost."
    return UnavailableError(f"{remote} cannot be reached: {reason}", hint)
