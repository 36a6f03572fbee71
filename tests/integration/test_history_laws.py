"""Laws over random releases, rollbacks, holds and edits by hand, on a real origin."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings, strategies as st

from orbit_release import config
from orbit_release.errors import NotFoundError
from orbit_release.flows import bump, hold, rollback
from orbit_release.flows.history import history
from orbit_release.flows.publish import put_by_git
from orbit_release.flows.publish_until_landed import Publishing
from orbit_release.flows.restore_images import RollbackHold
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.image import Tag
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service
from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, environment, git, sha

WITH_GIT = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
STEPS = st.tuples(
    st.sampled_from(["release", "rollback", "no hold", "hold", "unhold", "edit", "revert"]),
    st.sampled_from(SERVICES[1:]),
)


@dataclass
class World:
    """A monorepo and the flows that work in it."""

    repo: Monorepo
    git: Clone

    @property
    def source(self) -> Source:
        data = (self.repo.clone / "orbit-release.yaml").read_bytes()
        return Source(self.git, config.load(data, "orbit-release.yaml"), "orbit-release.yaml", data)

    @property
    def publishing(self) -> Publishing:
        return Publishing(partial(put_by_git, self.git))

    def service(self, name: str) -> Service:
        return self.source.config.select([name])[0]

    def history(self, name: str) -> tuple[Stretch, ...]:
        tip = self.git.tip("main", fetch=True)
        return history(self.source, [self.service(name)], tip)[name]

    def texts(self) -> dict[str, str]:
        return {name: self.repo.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES}

    def step(self, kind: str, name: str) -> None:
        """Do one thing to a service; a rollback may have nowhere to go."""
        service = self.service(name)
        try:
            match kind:
                case "release":
                    self.release(name)
                case "rollback" | "no hold":
                    how = RollbackHold(kind == "rollback")
                    rollback.rollback(self.source, service, None, registry=None, publishing=self.publishing, hold=how)
                case "hold":
                    hold.hold(self.source, [service], "why", everything=False, publishing=self.publishing)
                case "unhold":
                    hold.unhold(self.source, [service], None, everything=False, publishing=self.publishing)
                case _:
                    self.by_hand(kind, name)
        except NotFoundError as error:
            assert "nothing to go back to" in error.message  # noqa: PT017  (it may also succeed)

    def release(self, name: str) -> None:
        self.repo.git("pull", "-q", "origin", "main")
        count = self.repo.git("rev-list", "--count", "HEAD")
        commit = self.repo.push("change", {f"services/{name}/{count}": "1"})
        change = bump.TagChange(self.service(name), Tag(sha(commit)))
        bump.bump(
            self.source,
            [change],
            registry=None,
            publishing=self.publishing,
            confirm_unmerged=lambda _: False,
            unhold=True,
        )

    def by_hand(self, kind: str, name: str) -> None:
        self.repo.git("pull", "-q", "origin", "main")
        last = self.repo.git("log", "-1", "--format=%H", "--", f"{FOLDER}/{name}.yaml")
        if kind == "edit" or not self.repo.git("rev-list", "--parents", "-1", last).partition(" ")[2]:
            self.repo.deploy(**{name: f"v{self.repo.git('rev-list', '--count', 'HEAD')}"})
        else:
            git(self.repo.clone, "revert", "--no-edit", last)
            self.repo.git("push", "-q", "origin", "main")


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        repo = Monorepo.create(Path(folder), "127.0.0.1:9")
        with Clone(str(repo.clone), environment()) as clone:
            yield World(repo, clone)


@WITH_GIT
@given(st.lists(STEPS, min_size=2, max_size=7))
def test_the_history_ends_in_what_the_origin_has_and_only_image_lines_change(steps: list[tuple[str, str]]) -> None:
    with world() as made:
        for step in steps:
            before = made.texts()
            made.step(*step)
            for name, text in made.texts().items():
                pairs = zip(before[name].splitlines(), text.splitlines(), strict=True)
                assert all("image: " in old for old, new in pairs if old != new)
        for name, tag in made.repo.deployed().items():
            last = made.history(name)[-1]
            assert (str(last.reference.tag), last.until) == (tag.split()[0], None)


@settings(WITH_GIT, max_examples=8)
@given(st.lists(STEPS, max_size=3), st.sampled_from(SERVICES[1:]))
def test_a_rollback_inverts_a_release_and_unhold_a_hold(steps: list[tuple[str, str]], name: str) -> None:
    with world() as made:
        made.release(name)
        for step in steps:
            made.step(*step)
        made.step("release", name)  # takes the hold away
        before = made.texts()
        assume("held:" not in before[name])  # what let go once stays as a mark until the next one takes its place
        made.release(name)
        made.step("rollback", name)
        assert made.texts() != before
        made.step("unhold", name)
        assert made.texts() == before
        made.step("hold", name)
        made.step("unhold", name)
        assert made.texts() == before
