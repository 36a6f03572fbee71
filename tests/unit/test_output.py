from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from orbit_release.output import table
from orbit_release.output.github_actions import outputs as github_output
from orbit_release.output.releases import coloured_diff
from orbit_release.text import printable

ESCAPES = st.sampled_from(
    ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\r", "\n", "\u202e", "\u2066", "\u200b", "\u2028"]
)
FOREIGN = st.lists(st.text() | ESCAPES).map("".join)


@given(FOREIGN)
def test_printable_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown


@given(FOREIGN)
def test_printable_text_keeps_every_other_character_in_its_place(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(after in (before, "\ufffd") for before, after in zip(text, shown, strict=True))


MARKS = "\x1b\x07\b\r\n\t\x7f\x85\x9b\u061c\u200b\u200e\u202e\u2028\u2029\u2066\u2069\ufeff\U000e0041\udc80"


@pytest.mark.parametrize("mark", MARKS)
def test_control_escape_and_bidirectional_characters_are_replaced(mark: str) -> None:
    assert printable(f"a{mark}b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["", "services/bifröst/main.go", "日本語", "a b", "sha-1a2b3c4 → sha-5d6e7f8", "🚀"])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_a_table_is_aligned_and_its_rows_stay_one_line_each() -> None:
    rows = [("web", "x\ny\x1b[2K", "why"), ("api-service", "z", "")]
    assert table(("NAME", "A", "REASON"), rows).splitlines() == [
        "NAME         A        REASON",
        "web          x\ufffdy\ufffd[2K  why",
        "api-service  z",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("NAME", "A"), []) == "NAME  A"


def test_a_diff_shown_to_a_person_cannot_command_their_terminal() -> None:
    shown = coloured_diff("-image: a # \x1b]0;owned\x07\n+image: b\r+image: c\n")
    assert {c for c in re.sub(r"\x1b\[\d+m", "", shown) if not c.isprintable()} == {"\n"}


NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
LOOK_ALIKES = [
    "EOF",
    "EOF_",
    "x<<EOF",
    f"EOF_{'0' * 32}",
    "any=true",
    "matrix<<EOF_",
    "",
    "a<<b\nc\nb",
    "::set-output::",
]
VALUES = st.lists(st.sampled_from(LOOK_ALIKES) | st.text(st.characters(exclude_characters="\r")), max_size=6)
OUTPUTS = st.dictionaries(NAMES, VALUES.map("\n".join), max_size=5)


def read_by_the_runner(text: str) -> dict[str, str]:
    """Read an output file as actions/runner does (FileCommandManager.cs): `name<<delimiter`, lines, delimiter."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        name, heredoc, delimiter = line.partition("<<")
        if heredoc:
            value = []
            while (inner := next(lines)) != delimiter:
                value.append(inner)
            found[name] = "\n".join(value)
        else:
            assert not line
    return found


@given(OUTPUTS)
def test_the_runner_reads_back_any_outputs(outputs: dict[str, str]) -> None:
    assert read_by_the_runner(github_output(outputs)) == outputs


@given(OUTPUTS, OUTPUTS)
def test_outputs_may_follow_the_outputs_of_somebody_else(first: dict[str, str], second: dict[str, str]) -> None:
    assert read_by_the_runner(github_output(first) + github_output(second)) == {**first, **second}


def test_nobody_can_foresee_the_delimiter() -> None:
    assert len({github_output({"a": "b"}) for _ in range(50)}) == 50
