"""What a Dockerfile reads of its context, by BuildKit's grammar and its rules for variables."""

from __future__ import annotations

import pytest

from orbit_release.check.inputs.context_reads import ContextRead, UnknownRead, context_reads, expand
from orbit_release.check.inputs.missing_inputs import local_modules


def paths(text: str, **build_args: str) -> list[str | None]:
    return [read.path if isinstance(read, ContextRead) else None for read in context_reads(text, build_args)]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("a", "a"),
        ("./a/", "a"),
        ("/a", "a"),
        ("../../a", "a"),
        ("a/../b", "b"),
        (".", "."),
        ("/", "."),
        ("..", "."),
        ("./a/./b", "a/b"),
        ("a*", "a*"),
        (r"\$x", "$x"),
        ("'$x'", "$x"),
        ('"$V"', "v"),
        ("$V", "v"),
        ("${V}w", "vw"),
        ("$Vw", None),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-${V}}", "v"),
        ("${NO:-${NO:-$V}}", "v"),
        ("${V:+x}", "x"),
        ("${NO:+x}a", "a"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}a", "a"),
        ("${EMPTY:+x}a", "a"),
        ("${EMPTY+x}", "x"),
        ("${V#v}a", None),
        ("${V", None),
        ("$NO", None),
        ("a$", "a$"),
    ],
)
def test_a_source_is_a_path_below_the_context(source: str, path: str | None) -> None:
    assert paths(f'FROM x\nENV V=v EMPTY=""\nCOPY {source} /to\n') == [path]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("ARG V=1\nFROM x\nCOPY $V /", [None]),
        ("ARG V=1\nFROM x\nARG V\nCOPY $V /", ["1"]),
        ("ARG V=1\nFROM x\nARG V=2\nCOPY $V /", ["2"]),
        ("ARG V=1\nARG W=$V/w\nFROM x\nARG W\nCOPY $W /", ["1/w"]),
        ("FROM x\nARG GIVEN=1\nCOPY $GIVEN /", ["given"]),
        ("FROM x\nARG GIVEN\nCOPY $GIVEN /", ["given"]),
        ("FROM x\nCOPY $GIVEN /", [None]),
        ("FROM x\nENV V=env\nARG V=arg\nCOPY $V /", ["env"]),
        ("FROM x\nARG V=1 W=2\nCOPY $V $W /", ["1", "2"]),
        ("FROM x\nENV V=1\nENV V=2 W=$V\nCOPY $W /", ["1"]),
        ("FROM x\nENV V a  b\nCOPY $V /", ["a  b"]),
        ('FROM x\nENV V="a b" W=c\\ d\nCOPY $V $W /', ["a b", "c d"]),
        ("FROM x\nENV V=1\nENV V=$NO\nCOPY $V /", [None]),
        ("FROM x AS a\nENV V=1\nFROM y\nCOPY $V /", [None]),
        ("FROM x AS Base\nENV V=1\nFROM base\nENV W=2\nCOPY $V/$W /", ["1/2"]),
        ("FROM x\nENV V=1\nFROM x\nCOPY $V /", [None]),
        ("ARG B=base\nFROM x AS base\nENV V=1\nFROM --platform=linux/amd64 $B\nCOPY $V /", ["1"]),
        ("FROM x\nARG TARGETARCH\nCOPY bin/$TARGETARCH /", [None]),
        ("FROM x\nCOPY --chown=$NO a /", ["a"]),
        ('FROM x\nARG GIVEN\nCOPY ["a  b", "$GIVEN", "/"]', ["a  b", "given"]),
        ("FROM x\nCOPY [ab]c /", ["[ab]c"]),
        ('FROM x\nCOPY ["a", 1] /to', ["[a,", "1]"]),
        ("FROM x\nCOPY a\n", []),
        ("FROM x\nCOPY\n", []),
    ],
)
def test_variables_have_the_values_of_their_stage(statements: str, expected: list[str | None]) -> None:
    assert paths(f"{statements}\n", GIVEN="given") == expected


def test_flags_and_lines_are_told() -> None:
    text = "FROM x\n\nCOPY --parents --exclude=*.md \\\n  --exclude=$NO a b /\nRUN --mount=source=*,target=/x y\n"
    assert list(context_reads(text, {})) == [
        ContextRead(3, "a", "a", parents=True, excludes=("*.md",)),
        ContextRead(3, "b", "b", parents=True, excludes=("*.md",)),
        ContextRead(5, "*", "*", mounted=True),
    ]
    assert list(context_reads("FROM x\nRUN --mount=source=$NO,target=/x y\n", {})) == [UnknownRead(2, "$NO")]


@pytest.mark.parametrize(("word", "value"), [("a\\", "a\\"), ("'a", "'a"), ('"a\\"b\\c"', 'a"b\\c'), ("`$V", "`v")])
def test_quotes_and_escapes_end_where_the_shell_ends_them(word: str, value: str) -> None:
    assert expand(word, {"V": "v"}, "\\") == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("module x\nreplace a => ./a\n", [(2, "./a")]),
        ("replace a v1 => ../a // why\n", [(1, "../a")]),
        ("replace (\n\ta => ../a\n\tb => example.com/b v1\n\tc => ..\n)\n", [(2, "../a"), (4, "..")]),
        ('replace a => "../a"\n', [(1, "../a")]),
        ("replace(\n\ta => ./a\n)\nrequire b v1\n", [(2, "./a")]),
        ("use ./a\nuse (\n\t.\n\t./b\n)\n", [(1, "./a"), (3, "."), (4, "./b")]),
        ("require (\n\t./x v1\n)\nexclude a => ./a\n// replace a => ./a\n", []),
        ("replace a =>\nuse\n", []),
    ],
)
def test_the_folders_that_stand_for_modules_are_found(text: str, expected: list[tuple[int, str]]) -> None:
    assert list(local_modules(text)) == expected
