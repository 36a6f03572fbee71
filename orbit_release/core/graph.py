"""The graph of a branch's commits: what came in between two of them, without asking git about each pair."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; `time` is when it was committed, in seconds since 1970; parents that the clone lacks are left out."""

    name: str
    parents: tuple[str, ...]
    time: int
    author: str
    subject: str


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
