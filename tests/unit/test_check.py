"""What all rules of `check` share: comments that let a finding pass, and the deployed tags."""

from __future__ import annotations

import pytest

from orbit_release.check.deployed_tag_rules import check_deployed_tags
from orbit_release.check.finding import CheckRule, Finding, Group, without_ignored
from orbit_release.check.leftover_rules import check_leftovers
from orbit_release.check.run_rules import RULES
from orbit_release.image import ImageReference
from orbit_release.manifests.places import FoundImage
from orbit_release.tag_scheme import TagScheme
from tests.shop import tree

RULE = CheckRule("some-rule", Group.INPUTS, "because")


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("a\nCOPY x y # orbit-release: ignore[some-rule] it is made by the build\n", True),
        ("# orbit-release: ignore[some-rule] made by the build\nCOPY x y\n", True),
        ("  #orbit-release:ignore[other, some-rule] made by the build\nCOPY x y\n", True),
        ("# orbit-release: ignore[inputs] made by the build\nCOPY x y\n", True),
        ("# orbit-release: ignore[some-rule]\nCOPY x y\n", False),  # without a reason
        ("# orbit-release: ignore[other] why\nCOPY x y\n", False),
        ("RUN x # orbit-release: ignore[some-rule] why\nCOPY x y\n", False),  # that is of its own line
        ("# orbit-release: ignore[some-rule] why\n\nCOPY x y\n", False),
    ],
)
def test_a_comment_lets_a_finding_pass(text: str, passes: bool) -> None:  # noqa: FBT001
    line = text.split("\n").index("COPY x y") + 1 if "COPY x y\n" in text else 2
    finding = Finding(RULE, "Dockerfile", line, "m", "f")
    assert list(without_ignored([finding], lambda _: text.encode())) == ([] if passes else [finding])


def test_a_finding_of_an_empty_file() -> None:
    finding = Finding(RULE, "f", 1, "m", "f")
    assert list(without_ignored([finding], lambda _: b"")) == [finding]


COMMITS = {"aaaaaaa": "a" * 40, "bbbbbbb": "b" * 40}


@pytest.mark.parametrize(
    ("tag", "rules"),
    [
        ("sha-aaaaaaa", []),
        ("sha-bbbbbbb", ["tag-not-merged"]),
        ("sha-ccccccc", ["tag-without-commit"]),
        ("latest", []),
        ("v1.2.3", []),
    ],
)
def test_a_deployed_tag_names_a_commit_of_the_branch(tag: str, rules: list[str]) -> None:
    image = FoundImage(ImageReference.parse(f"ghcr.io/o/api:{tag}"), "k8s/api.yaml", 7, None)
    found = list(check_deployed_tags([image], COMMITS.get, lambda commit: commit == "a" * 40, "main", TagScheme()))
    assert [(one.rule.name, one.path, one.line) for one in found] == [(rule, "k8s/api.yaml", 7) for rule in rules]


@pytest.mark.parametrize(
    ("text", "rules"),
    [("20240101", ["pinned-tag"]), ("20240101 # held: because", []), ("aaaaaaa", []), ("bbbbbbb", ["tag-not-merged"])],
)
def test_without_letters_in_the_scheme_what_names_no_commit_is_a_pin(text: str, rules: list[str]) -> None:
    tag, _, mark = text.partition(" # held: ")
    image = FoundImage(ImageReference.parse(f"ghcr.io/o/api:{tag}"), "k8s/api.yaml", 7, mark or None)
    scheme = TagScheme("{sha}")
    found = list(check_deployed_tags([image], COMMITS.get, lambda commit: commit == "a" * 40, "main", scheme))
    assert [one.rule.name for one in found] == rules


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


WORKFLOW = ".github/workflows/release.yml"
USES = "      - uses: {}/orbit-release/.github/actions/orbit-release@main # choose: who holds orbit-release"


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ("orbit-release.yaml", "  # choose: a guess, for their names are alike", "open-choice"),
        ("orbit-release.yaml", "branch: main # choose: the branch", "open-choice"),
        ("orbit-release.yaml", "image: ghcr.io/OWNER/{service}", None),
        ("orbit-release.yaml", "# what to choose: nothing", None),
        (WORKFLOW, USES.format("OWNER"), "workflow-placeholder"),
        (WORKFLOW, "  uses: 'OWNER/orbit-release/.github/workflows/x.yml@main'", "workflow-placeholder"),
        (WORKFLOW, USES.format("acme"), "open-choice"),
        (WORKFLOW, "# - uses: OWNER/orbit-release@main", None),
        (WORKFLOW, "- uses: acme/OWNER/orbit-release@main", None),
        (".github/workflows/other.yml", "- uses: OWNER/action@main # choose: x", None),
    ],
)
def test_what_was_left_for_a_person_is_found(path: str, line: str, found: str | None) -> None:
    files = {WORKFLOW: "# orbit-release\n", ".github/workflows/other.yml": "\n", "orbit-release.yaml": "branch: main\n"}
    files[path] += f"{line}\n"
    leftovers = check_leftovers(tree(files), "orbit-release.yaml", files["orbit-release.yaml"].encode())
    assert [(one.rule.name, one.path, one.line) for one in leftovers] == ([(found, path, 2)] if found else [])
