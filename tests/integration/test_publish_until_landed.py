from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from orbit_release import config
from orbit_release.errors import ConflictError
from orbit_release.flows.publish import put_by_git
from orbit_release.flows.publish_until_landed import OvertakenError, Publishing, publish_until_landed
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone, Tip
from tests.integration.monorepo import Monorepo, environment


@pytest.fixture
def source(offline: Monorepo) -> Iterator[Source]:
    data = (offline.clone / "orbit-release.yaml").read_bytes()
    with Clone(str(offline.clone), environment()) as clone:
        yield Source(clone, config.load(data, "orbit-release.yaml"), "orbit-release.yaml", data)


def test_whoever_is_overtaken_tries_again_on_the_new_tip(offline: Monorepo, source: Source) -> None:
    tips: list[str] = []
    pauses: list[float] = []

    def attempt(tip: Tip) -> str:
        tips.append(tip.commit)
        if len(tips) < 3:
            offline.push("faster", {"README.md": str(len(tips))})
            raise OvertakenError
        return tip.commit

    landed = publish_until_landed(source, Publishing(partial(put_by_git, source.git)), attempt, sleep=pauses.append)
    assert (landed, len(set(tips)), len(pauses)) == (tips[-1], 3, 2)
    assert all(0 <= pause <= 0.2 for pause in pauses)


def test_a_branch_that_always_moves_ends_in_a_conflict(source: Source) -> None:
    pauses: list[float] = []

    def attempt(_: Tip) -> None:
        raise OvertakenError

    with pytest.raises(ConflictError, match="main moved during each of 40 attempts to publish"):
        publish_until_landed(source, Publishing(partial(put_by_git, source.git)), attempt, sleep=pauses.append)
    assert len(pauses) == 39
    assert max(pauses) <= 2
