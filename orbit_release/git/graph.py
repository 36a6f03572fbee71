"""The graph of a branch's commits: what came in between two of them, without asking git about each pair."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; `time` is when it was committed, in seconds since 1970; parents that the clone lacks are left out."""

    name: str
    parents: tuple[str, ...]
    time: int
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that differs between two commits; the status is git's letter (A, D, M, T)."""

    path: bytes
    status: str

    def __str__(self) -> str:
        text = self.path.decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@dataclass(frozen=True, slots=True)
class History:
    """The commits above a common ancestor of all that are asked about, with their parents."""

    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is reachable from `newer`; a commit below the common ancestor is from all above."""
        if older == newer or older not in self.parents:
            return True
        seen: set[str] = set()
        todo = [newer]
        while todo:
            commit = todo.pop()
            if commit == older:
                return True
            if commit not in seen:
                seen.add(commit)
                todo.extend(self.parents.get(commit, ()))
        return False

    def is_forward(self, running: str | None, target: str, tip: str) -> bool:
        """Whether `latest`, built from `running` as far as that is known, may move to a target on the branch's tip."""
        if not self.is_ancestor(target, tip):
            return False
        return running is None or running == target or not self.is_ancestor(target, running)


class Graph:
    """The commits that some heads can reach."""

    def __init__(self, commits: Iterable[Commit]) -> None:
        """Take the commits in topological order: each before its parents."""
        self._commits: Mapping[str, Commit] = {commit.name: commit for commit in commits}
        self._places = {name: place for place, name in enumerate(self._commits)}

    def __contains__(self, name: str) -> bool:
        return name in self._commits

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is reachable from `newer`; a commit is its own ancestor."""
        return older in self._commits and older not in (one.name for one in self.between(newer, older))

    def between(self, base: str, head: str) -> Iterator[Commit]:
        """Yield the commits that `head` can reach and `base` cannot, newest first, as `git log base..head` does.

        It looks at no commit below the newest one from which on both can reach all.
        """
        theirs = {base}  # what base can reach, as far as it has been walked
        queue = [(self._places[name], name) for name in {base, head} if name in self._places]
        heapq.heapify(queue)
        seen = {name for _, name in queue}
        ours = len(seen - theirs)
        while ours and queue:
            _, name = heapq.heappop(queue)
            commit, is_theirs = self._commits[name], name in theirs
            if not is_theirs:
                ours -= 1
                yield commit
            for parent in filter(self._places.__contains__, commit.parents):
                if is_theirs and parent not in theirs:
                    theirs.add(parent)
                    ours -= parent in seen
                if parent not in seen:
                    seen.add(parent)
                    ours += not is_theirs
                    heapq.heappush(queue, (self._places[parent], parent))
