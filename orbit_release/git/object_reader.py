"""The objects of a clone, read by one `git cat-file --batch` however many there are.

A revision that a person typed goes through the program's standard input, where it can be no option.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from orbit_release.errors import UsageError
from orbit_release.git.process import Process, remote_error

OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEADER = re.compile(rb"([0-9a-f]+) ([a-z]+) ([0-9]+)\n")


@dataclass(frozen=True, slots=True)
class GitObject:
    """An object by its full name; the kind is git's word (`commit`, `tree`, `blob`)."""

    name: str
    kind: str
    data: bytes


class Objects:
    """Reads objects, each that a full name begins with once; close it to end the program."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._reader = self._start()
        self._known: dict[str, GitObject] = {}

    def __contains__(self, name: str) -> bool:
        """Whether an object was read already, so that the clone has it."""
        return name in self._known

    def read(self, name: str) -> GitObject | None:
        """Return what a name stands for; None if that is nothing, or not certain."""
        if "\n" in name:
            raise UsageError(f"{name!r} is not a revision", "write a branch, a tag or a commit's name.")
        known = self._known.get(name) or self._ask(name)
        if known and OBJECT_NAME.match(name):  # what begins with a full name never changes
            self._known[name] = known
        return known

    def close(self) -> None:
        self._reader.communicate()

    def restart(self) -> None:
        """Forget where a shallow history ended, which the program remembers."""
        self.close()
        self._reader = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return self._process.start("cat-file", "--batch")

    def _ask(self, name: str) -> GitObject | None:
        reader = self._reader
        assert reader.stdin and reader.stdout  # noqa: S101, PT018  (both are pipes)
        with suppress(BrokenPipeError):  # then there is no answer either
            reader.stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            reader.stdin.flush()
        line = reader.stdout.readline()
        if not line:
            _, complaint = reader.communicate()
            raise remote_error(complaint, f"reading {name}")
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        return GitObject(header[1].decode(), header[2].decode(), reader.stdout.read(int(header[3]) + 1)[:-1])
