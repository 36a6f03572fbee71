"""The names of the services' images, as they stand in files: asked of bytes before anything is parsed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from orbit_release.errors import InvalidError
from orbit_release.image import DOCKER_HUB, DOCKER_HUB_HOSTS, Repository

# All that a reference can be made of; what begins or ends such a run is no part of a name.
_RUN = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_UNKNOWN = re.compile(r"[$<{(].*", re.DOTALL)  # where a name is not filled in yet
# Helm values may cut a name into a registry and the rest; what is given to a chart may be a tag alone.
_SPLIT = (b"registry", b"Registry", b"helm:", b'"helm"', b"HelmRelease")


class Names:
    """The repositories that are looked for; None: whatever is an image."""

    def __init__(self, repositories: Collection[Repository] | None) -> None:
        self.repositories = repositories
        known = repositories or ()
        self._by_name = {repository: repository for repository in known}
        self.in_bytes = {spelling.encode(): repository for repository in known for spelling in spellings(repository)}
        self._read: dict[str, Repository | None] = {}

    def repository(self, name: str) -> Repository | None:
        """Return the repository that a name stands for, up to where it is not filled in; None if it is none of ours."""
        if name not in self._read:
            self._read[name] = self._repository(name)
        return self._read[name]

    def _repository(self, name: str) -> Repository | None:
        try:
            repository = Repository(_UNKNOWN.sub("", name).rstrip(":@"))
        except InvalidError:
            return None
        return repository if self.repositories is None else self._by_name.get(repository)

    def named_in(self, data: bytes) -> set[Repository]:
        """Return the repositories whose names stand in bytes, in whichever encoding."""
        ascii_ = data.replace(b"\0", b"") if b"\0" in data else data
        return {self.in_bytes[word] for word in words_in(ascii_) & self.in_bytes.keys()}

    def may_be_in(self, data: bytes) -> bool:
        """Whether a file must be parsed to know: escapes hide names, and so do values that cut them."""
        if self.repositories is None or b"\\" in data or any(word in data for word in _SPLIT):
            return True
        return bool(self.named_in(data))


def words_in(data: bytes) -> set[bytes]:
    """Return what can be names in bytes, without tags and digests."""
    return {_name(run) for run in _RUN.findall(data)}


def references_in(data: bytes, names: Names) -> Iterator[tuple[Repository, str]]:
    """Yield the references with a tag or a digest in bytes, and the repository of each."""
    for run in _RUN.findall(data):
        name = _name(run)
        if name in names.in_bytes and len(run.rstrip(b".:@/-")) > len(name):
            yield names.in_bytes[name], run.rstrip(b".:@/-").decode()


def _name(run: bytes) -> bytes:
    name = run.partition(b"@")[0]
    colon = name.rfind(b":")
    return (name[:colon] if colon > name.rfind(b"/") else name).rstrip(b"./:-")


def spellings(repository: Repository) -> set[str]:
    """Return the ways to write a name: Docker Hub's images have several."""
    if repository.registry != DOCKER_HUB:
        return {repository.name}
    short = {repository.remote, repository.remote.removeprefix("library/")}
    return short | {f"{host}/{name}" for host in DOCKER_HUB_HOSTS for name in short}
