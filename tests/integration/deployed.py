"""Deployments of all kinds in real repositories: what a release of one service changes, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.argocd import NOBODY
from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, Ran, sha

CONFIG = """\
image: {image}
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

    In the files `NOW` stands for the tag that is deployed, which a release of api sets to `NEW`. `STAYS` is the same
    tag where no release may change it, `OLD` another one. `PINNED` is NOW with a digest, `SEALED` its digest alone.
    `more` is put behind the configuration. `err` and `out` are patterns; `not_err` must not match.
    """

    files: Mapping[str, str | bytes]
    err: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    not_err: tuple[str, ...] = ()
    code: int = 0
    command: tuple[str, ...] = BUMP
    manifests: str = FOLDER
    more: str = ""
    image: str = "ghcr.io/acme/{service}"


@dataclass(frozen=True)
class World:
    """A case's repository; `tags` say what the words in its files stand for."""

    repo: Monorepo
    case: Case
    tags: Mapping[str, str]

    @classmethod
    def create(cls, folder: Path, case: Case) -> World:
        repo = Monorepo.create(folder, NOBODY)
        now = sha(repo.push("now", {"services/api/x": "1", "web/x": "1"}))
        new = sha(repo.push("new", {"services/api/x": "2", "web/x": "2"}))
        tags = {"NOW": now, "NEW": new, "STAYS": now, "OLD": "sha-0000000", **_digests(now, DIGEST)}
        world = cls(repo, case, tags)
        own: dict[str, str | bytes | None] = dict.fromkeys(f"{FOLDER}/{name}.yaml" for name in SERVICES)
        config = CONFIG.format(image=case.image, manifests=case.manifests, more=case.more)
        files = {path: world.filled(text) for path, text in case.files.items()}
        repo.push("deployments", own | {"orbit-release.yaml": config} | files)
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
        new = self.tags["NEW"]
        tags = {"NOW": new, **_digests(new, NEWER_DIGEST)} if is_released else {}
        return {path: self.filled(text, **tags) for path, text in self.case.files.items()}


def _digests(tag: str, digest: str) -> dict[str, str]:
    return {"PINNED": f"{tag}@{digest}", "SEALED": digest}


def check(case: Case, folder: Path) -> None:
    """Run a case's command: a release sets `NOW` and no other byte, and what is refused changes nothing."""
    world = World.create(folder, case)
    ran = world.run(*case.command)
    assert lacks(case, world, ran) == [], ran
    assert world.at_origin() == world.expected(is_released=ran.code == 0 and case.command[0] == "bump")


def workload(image: str, kind: str = "Deployment", version: str = "apps/v1", more: str = "") -> str:
    """Return an object that runs an image on line 10."""
    return f"""\
apiVersion: {version}
kind: {kind}
metadata:
  name: app
spec:
  template:
    spec:
      containers:
        - name: app
          image: {image}
{more}"""


def lacks(case: Case, world: World, ran: Ran) -> list[str]:
    """Say what a command's result lacks."""
    faults = [f"exit {ran.code}, not {case.code}"] if ran.code != case.code else []
    for text, patterns in ((ran.err, case.err), (ran.out, case.out)):
        faults += [f"no {p!r}" for p in patterns if not re.search(world.filled(p).decode(), text)]
    return faults + [f"has {p!r}" for p in case.not_err if re.search(world.filled(p).decode(), ran.err)]
