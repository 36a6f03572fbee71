"""What was deployed when, and what a rollback goes back to; laws over random releases, rollbacks, holds and edits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from orbit_release.errors import InvalidError
from orbit_release.git.graph import Commit, History
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import NewImage
from orbit_release.releases.release import plan_release
from orbit_release.releases.timeline import LoggedImages, Stretch, deployed_at, explain, replay, rollback_targets
from orbit_release.tag_scheme import TagScheme
from tests.alone import find_images, manifests_of

API, WEB = Repository("ghcr.io/o/api"), Repository("ghcr.io/o/web")
MANIFEST = """\
kind: Deployment # held: not here
spec: {{template: {{spec: {{containers: [
  {{name: a, image: "{web}:latest"}},
]}}}}}}
---
kind: CronJob
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - name: b
              image: {api}:latest{end}# the first one{end}
            - image: '{api}:latest'\r
""".replace("{end}", "  ")


def line_of(count: int) -> History:
    """Return a line of commits c0, c1, …, of which the tag sha-000N names cN."""
    names = [f"{number:040x}" for number in range(count)]
    commits = (Commit(names[n], tuple(names[n - 1 : n]) if n else (), n, "", f"c{n}") for n in reversed(range(count)))
    return History(names, commits)


def tag(number: int) -> Tag:
    return Tag(f"sha-{number:040x}")


def commit_of(reference: ImageReference) -> str | None:
    return TagScheme().commit_prefix(reference.tag)


@cache
def images(data: bytes, path: str) -> tuple[FoundImage, ...] | None:
    try:
        return find_images(data, path, [API, WEB])
    except InvalidError:
        return None


@dataclass
class World:
    """Manifests by path, and what each commit did to them."""

    files: dict[str, bytes]
    changes: list[LoggedImages] = field(default_factory=list)

    def write(self, files: dict[str, bytes]) -> None:
        before, after = ({path: images(d.get(path, b""), path) for path in files} for d in (self.files, files))
        number = len(self.changes)
        self.changes.append(LoggedImages(Commit(f"r{number}", (), number, "Ada", "s"), before, after))
        self.files |= files

    def release(self, *images: NewImage, **marks: str | None) -> None:
        named = {{"api": API, "web": WEB}[name]: mark for name, mark in marks.items()}
        self.write(plan_release(manifests_of(self.files, [API, WEB]), images, named).files)

    def stretches(self, repository: Repository) -> tuple[Stretch, ...]:
        found = replay(self.changes)[repository]
        return explain(found, {one.reference: commit_of(one.reference) for one in found}, line_of(40))

    def deployed(self, repository: Repository) -> set[str]:
        found = [image for path, data in self.files.items() for image in find_images(data, path, [repository])]
        return {str(one.reference.tag) for one in found}


def world() -> World:
    made = World({})
    text = MANIFEST.format(api=API, web=WEB)
    made.write({"a.yaml": text.encode(), "b.yaml": text.replace("\n", "\r\n").encode("utf-16")})
    return made


def told(stretches: tuple[Stretch, ...]) -> list[str]:
    """Return the numbers of the tags, oldest first; what went back is marked."""
    return [f"{'<' * one.is_rollback}{int(c, 16) if (c := commit_of(one.reference)) else '-'}" for one in stretches]


def deploy(*numbers: int) -> World:
    made = world()
    for number in numbers:
        made.release(NewImage(API, tag(number)))
    return made


@pytest.mark.parametrize(
    ("numbers", "history", "targets"),
    [
        ((), "-", ""),
        ((1,), "- 1", ""),
        ((1, 2, 3), "- 1 2 3", "2 1"),
        ((1, 2, 3, 2), "- 1 2 3 <2", "1"),
        ((1, 2, 3, 2, 1), "- 1 2 3 <2 <1", ""),
        ((1, 2, 3, 2, 5), "- 1 2 3 <2 5", "2 1"),
        ((1, 2, 3, 1, 5), "- 1 2 3 <1 5", "1"),
        ((1, 2, 3, 2, 3), "- 1 2 3 <2 3", "2 1"),
        ((1, 3, 2, 4), "- 1 3 <2 4", "2 1"),  # a person went back to what never ran
        ((1, 2, 2, 3), "- 1 2 3", "2 1"),
    ],
)
def test_what_a_rollback_goes_back_to(numbers: tuple[int, ...], history: str, targets: str) -> None:
    stretches = deploy(*numbers).stretches(API)
    assert " ".join(told(stretches)) == history
    assert [commit_of(one.reference) for one in rollback_targets(stretches)] == [
        f"{int(number):040x}" for number in targets.split()
    ]


def test_what_came_in_and_what_went_out() -> None:
    stretches = deploy(2, 5, 3).stretches(API)
    assert [[commit.subject for commit in one.commits] for one in stretches] == [
        [],
        [],
        ["c5", "c4", "c3"],
        ["c5", "c4"],
    ]


def test_without_known_commits_a_tag_that_comes_again_is_a_rollback() -> None:
    made = world()
    for name in ("v1", "v2", "v1"):
        made.release(NewImage(API, Tag(name)))
    assert told(made.stretches(API)) == ["-", "-", "-", "<-"]


@pytest.mark.parametrize(("time", "number"), [(-1, None), (0, None), (1, 1), (2, 2), (99, 3)])
def test_what_was_deployed_at_a_time(time: int, number: int | None) -> None:
    found = deployed_at(deploy(1, 2, 3).stretches(API), time)
    assert (commit_of(found.reference) if found else None) == (f"{number:040x}" if number else None)


def test_nothing_was_deployed_before_and_after() -> None:
    made = deploy(1)
    made.write({"a.yaml": b"", "b.yaml": b""})
    stretches = made.stretches(API)
    assert stretches[-1].until is not None
    assert [deployed_at(stretches, time) is None for time in (-1, 0, 1, 2)] == [True, False, False, True]


NUMBERS = st.integers(0, 30)
REASONS = st.sampled_from(["crash loop", "# held: twice", "no", "größer 🚀", "a: {b}"])
STEPS = st.one_of(
    st.tuples(st.just("bump"), st.sampled_from([API, WEB]), NUMBERS),
    st.tuples(st.just("hold"), st.just(API), REASONS),
    st.tuples(st.just("unhold"), st.just(API), st.none()),
    st.tuples(st.just("edit"), st.sampled_from([API, WEB]), NUMBERS),
    st.tuples(st.just("comment"), st.just(API), NUMBERS),
    st.tuples(st.just("rollback"), st.sampled_from([API, WEB]), st.none()),
    st.tuples(st.sampled_from(["break", "away", "second"]), st.just(API), NUMBERS),
    st.tuples(st.just("pin"), st.just(API), NUMBERS),
)


def step(made: World, kind: str, repository: Repository, value: int | str | None) -> None:
    match kind, value:
        case "bump", int():
            made.release(NewImage(repository, tag(value)))
        case (("hold" | "unhold"), (str() | None)):
            made.release(api=value)
        case "rollback", None:
            roll_back(made, repository)
        case "break", _:  # and mend
            text = made.files["a.yaml"]
            made.write({"a.yaml": text + b"\n  - ]: {"})
            made.write({"a.yaml": text})
        case "away", _:  # and back
            text = made.files["a.yaml"]
            made.write({"a.yaml": b""})
            made.write({"a.yaml": text})
        case "second", int():
            made.write({"d.yaml": f"images: [{{name: {API}, newTag: {tag(value)}}}]\n".encode()})
        case "pin", int():
            pattern = rf"({re.escape(API.name)}:[\w.-]+)(?:@[\w:]+)?".encode()
            made.write({"a.yaml": re.sub(pattern, rb"\1@sha256:" + f"{value:064x}".encode(), made.files["a.yaml"])})
        case "edit", int():  # a person changes one file only
            pattern = rf"({re.escape(repository.name)}):[\w.-]+(?:@[\w:]+)?".encode()
            made.write({"a.yaml": re.sub(pattern, rb"\1:" + str(tag(value)).encode(), made.files["a.yaml"])})
        case _:
            made.write({"a.yaml": made.files["a.yaml"] + f"# {value}\n".encode()})


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, max_size=8))
def test_the_history_replays_to_the_current_state(steps: list[tuple[str, Repository, int | str | None]]) -> None:
    made = world()
    for one in steps:
        before = {path: lines(data) for path, data in made.files.items()}
        step(made, *one)
        if one[0] in {"bump", "hold", "unhold"}:
            assert_only_image_lines(before, made.files)
    for repository in (API, WEB):
        stretches = made.stretches(repository)
        last = stretches[-1]
        assert last.until is None
        assert str(last.reference.tag) in made.deployed(repository)
        assert all(old.until is new.since and old.reference == new.before for old, new in pairwise(stretches))
        assert all(old.place < new.place for old, new in pairwise(stretches))


def roll_back(made: World, repository: Repository) -> None:
    """Go back as the command does; it may have nowhere to go."""
    stretches = made.stretches(repository)
    for target in rollback_targets(stretches)[:1]:
        digest = target.reference.digest or Digest(f"sha256:{'f' * 64}")
        made.release(NewImage(repository, target.reference.tag, refresh=digest), api="bad")
        now = made.stretches(repository)[-1].reference
        assert now.version == target.reference.version
        assert now != stretches[-1].reference
        assert made.deployed(repository) == {now.version}


def lines(data: bytes) -> list[str]:
    return data.decode("utf-16" if data[:1] == b"\xff" else "utf-8").split("\n")


def assert_only_image_lines(before: dict[str, list[str]], files: dict[str, bytes]) -> None:
    for path, data in files.items():
        pairs = zip(before[path], lines(data), strict=True)
        assert all("image: " in old or "newTag: " in old for old, new in pairs if old != new)


@settings(deadline=None, max_examples=30)
@given(st.lists(NUMBERS, min_size=1, max_size=5, unique=True), st.sampled_from([API, WEB]), REASONS)
def test_a_rollback_inverts_a_bump_and_unhold_a_hold(numbers: list[int], repository: Repository, reason: str) -> None:
    made = deploy(*sorted(numbers))
    made.release(NewImage(WEB, tag(1)))
    before = dict(made.files)
    old = made.stretches(repository)[-1].reference.tag
    made.release(NewImage(repository, tag(35)))
    (previous, *_) = rollback_targets(made.stretches(repository))
    assert previous.reference.tag == old
    made.release(NewImage(repository, previous.reference.tag or Tag("x")), api=reason)
    made.release(api=None)
    assert made.files == before
