"""The workflow that `init` writes, held to what validators say; that the action is pinned is left to its reader."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orbit_release.init.adopted_workflow import PATH, adopted_workflow
from tests.workflows.expressions import ROOT
from tests.workflows.lint import VALIDATORS


@pytest.mark.parametrize("branch", ["main", "release/1.0"])
@pytest.mark.parametrize("validator", ["actionlint", "language service"])
def test_what_init_writes_gives_a_validator_nothing_to_say(validator: str, branch: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    text = adopted_workflow((ROOT / PATH).read_text(encoding="utf-8"), branch, {"ghcr.io", "quay.io"})
    (tmp_path / PATH).write_text(text, encoding="utf-8")
    assert VALIDATORS[validator](tmp_path) == []
