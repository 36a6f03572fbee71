"""Deployments of all kinds in real repositories: what a release of one service changes, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.argocd import NOBODY
from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, Ran, sha

CONFIG = """\
image: ghcr.io/acme/{{service}}
branch: main
manifests: {manifests}
services:
  api: {{dockerfile: services/api/Dockerfile, paths: [services/api/**]}}
  web: {{context: web, dockerfile: web/Dockerfile, paths: [web/**]}}
{more}"""
BUMP = ("bump", "api", "NEW", "--no-verify", "-y")
DIGEST, NEWER_DIGEST = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@dataclass(frozen=True)
class Case:
    """A repository's files, and what a command does there.

    In the files `NOW` stands for the tag that is deployed, which a release of api sets to `NEW`, and `OLD` for one that
    nothing may change. `more` is put behind the configuration. `err` and `out` are patterns; `not_err` must not match.
    """

    files: Mapping[str, str | bytes]
    err: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    not_err: tuple[str, ...] = ()
    code: int = 0
    command: tuple[str, ...] = BUMP
    manifests: str = FOLDER
    more: str = ""
    removed: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class World:
    """A case's repository; `tags` say what the words in its files stand for."""

    repo: Monorepo
    case: Case
    tags: Mapping[str, str]

    @classmethod
    def create(cls, folder: Path, case: Case) -> World:
        repo = Monorepo.create(folder, NOBODY)
        tags = {"OLD": "sha-0000000", "NOW": sha(repo.push("now", {"services/api/x": "1", "web/x": "1"}))}
        tags["NEW"] = sha(repo.push("new", {"services/api/x": "2", "web/x": "2"}))
        world = cls(repo, case, tags)
        own: dict[str, str | bytes | None] = dict.fromkeys(f"{FOLDER}/{name}.yaml" for name in SERVICES)
        own |= {"orbit-release.yaml": CONFIG.format(manifests=case.manifests, more=case.more)}
        repo.push("deployments", own | {path: world.filled(text) for path, text in case.files.items()})
        return world

    def filled(self, text: str | bytes, **tags: str) -> bytes:
        """Return a text with the tags in place of the words."""
        data = text.encode() if isinstance(text, str) else text
        for word, tag in {**self.tags, **tags}.items():
            data = data.replace(word.encode(), tag.encode())
        return data

    def run(self, *words: str) -> Ran:
        return self.repo.run(*(self.filled(word).decode() for word in words))

    def at_origin(self) -> dict[str, bytes]:
        """Return the case's files as they are on the release branch."""
        return {path: self.repo.at_origin(path).encode("utf-8", "surrogateescape") for path in self.case.files}

    def expected(self, *, is_released: bool) -> dict[str, bytes]:
        now = self.tags["NEW" if is_released else "NOW"]
        return {path: self.filled(text, NOW=now) for path, text in self.case.files.items()}


def lacks(case: Case, world: World, ran: Ran) -> list[str]:
    """Say what a command's result lacks."""
    faults = [f"exit {ran.code}, not {case.code}"] if ran.code != case.code else []
    for text, patterns in ((ran.err, case.err), (ran.out, case.out)):
        faults += [f"no {p!r}" for p in patterns if not re.search(world.filled(p).decode(), text)]
    return faults + [f"has {p!r}" for p in case.not_err if re.search(world.filled(p).decode(), ran.err)]
