"""The scheme of tags: what is written is read again, and what cannot give a tag is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from orbit_release.errors import InvalidError
from orbit_release.image import Tag
from orbit_release.tag_scheme import TagScheme

COMMIT = "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d"
COMMITS = st.text("0123456789abcdef", min_size=40, max_size=40)
LENGTHS = st.integers(4, 40).map("{{sha:{}}}".format) | st.just("{sha}")
PREFIXES = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True) | st.just("{branch}-")
TEMPLATES = st.builds("{}{}{}".format, PREFIXES, LENGTHS, st.text("aZ0.-_", max_size=5) | st.just("-{branch}"))
BRANCHES = st.sampled_from(["main", "release/1.2", "x@y#z", "größe"])


@given(TEMPLATES, BRANCHES, COMMITS)
def test_the_tag_of_a_commit_is_read_back_as_its_first_digits(template: str, branch: str, commit: str) -> None:
    scheme = TagScheme(template, branch)
    prefix = scheme.commit_prefix(scheme.tag(commit))
    assert prefix
    assert commit.startswith(prefix)
    assert not scheme.is_pin(scheme.tag(commit), commit)


@pytest.mark.parametrize(
    ("template", "branch", "tag"),
    [
        ("sha-{sha}", "main", "sha-1a2b3c4"),
        ("linux-{sha}", "main", "linux-1a2b3c4"),
        ("{sha}", "main", "1a2b3c4"),
        ("{sha:12}", "main", "1a2b3c4d5e6f"),
        ("{sha:4}", "main", "1a2b"),
        ("{sha:40}", "main", COMMIT),
        ("{branch}-{sha}", "main", "main-1a2b3c4"),
        ("{branch}-{sha}", "release/1.2+x", "release-1.2-x-1a2b3c4"),
        ("{sha}-{branch}", "größe", "1a2b3c4-gr--e"),
    ],
)
def test_a_scheme_writes_a_tag_with_its_own_number_of_digits(template: str, branch: str, tag: str) -> None:
    scheme = TagScheme(template, branch)
    assert (scheme.tag(COMMIT), str(scheme)) == (Tag(tag), template)


@pytest.mark.parametrize(
    ("template", "tag", "prefix"),
    [
        ("sha-{sha}", "sha-1a2b", "1a2b"),
        ("sha-{sha}", "sha-1a2b3c4", "1a2b3c4"),
        ("sha-{sha}", f"sha-{'a' * 40}", "a" * 40),
        ("sha-{sha}", "sha-1a2", None),
        ("sha-{sha}", f"sha-{'a' * 41}", None),
        ("sha-{sha}", "sha-1A2B3C4", None),
        ("sha-{sha}", "sha-main", None),
        ("sha-{sha}", "sha_1a2b3c4", None),
        ("sha-{sha}", "1a2b3c4", None),
        ("sha-{sha}", "latest", None),
        ("sha-{sha}", "v1.2.3", None),
        ("sha-{sha}", "sha-1a2b3c4-dirty", None),
        ("sha-{sha}", "linux-1a2b3c4", None),
        ("linux-{sha}", "linux-1a2b3c4", "1a2b3c4"),
        ("linux-{sha}", "linux-1a2b3c4d5e6f", "1a2b3c4d5e6f"),
        ("linux-{sha}", "sha-1a2b3c4", "1a2b3c4"),
        ("linux-{sha}", "1a2b3c4", None),
        ("v1.{sha}", "v1x1a2b3c4", None),
        ("{sha:12}", "1a2b", "1a2b"),
        ("{sha}", "20240101", "20240101"),
        ("{branch}-{sha}", "main-1a2b3c4", "1a2b3c4"),
        ("{branch}-{sha}", "develop-1a2b3c4", None),
    ],
)
def test_a_tag_names_a_commit_by_4_to_40_digits_in_the_scheme_or_behind_sha(
    template: str, tag: str, prefix: str | None
) -> None:
    assert TagScheme(template).commit_prefix(Tag(tag)) == prefix


def test_no_tag_names_no_commit() -> None:
    assert TagScheme().commit_prefix(None) is None


@pytest.mark.parametrize(
    ("template", "tag", "commit", "is_pin"),
    [
        ("sha-{sha}", "v1.4.2", None, True),
        ("sha-{sha}", "1a2b3c4", None, True),
        ("sha-{sha}", "sha-1a2b3c4", None, False),
        ("sha-{sha}", "latest", None, False),
        ("sha-{sha}", None, None, False),
        ("{sha}", "20240101", None, True),
        ("{sha}", "20240101", "20240101" + "0" * 32, False),
        ("{sha:12}", "1a2b3c4", None, True),
        ("{sha}", "sha-1a2b3c4", None, False),
        ("{branch}-{sha}", "main-1a2b3c4", None, False),
        ("1.0-{sha}", "1.0-20240101", None, True),
    ],
)
def test_a_pin_is_of_no_scheme_or_may_be_a_date(
    template: str, tag: str | None, commit: str | None, *, is_pin: bool
) -> None:
    assert TagScheme(template).is_pin(Tag(tag) if tag else None, commit) is is_pin


@pytest.mark.parametrize(
    ("template", "fault", "hint"),
    [
        ("v1", "tag 'v1' has no {sha}", "{sha:12}"),
        ("{branch}", "tag '{branch}' has no {sha}", "linux-{sha}"),
        ("{sha}-{sha:9}", "tag '{sha}-{sha:9}' has {sha} twice", "sha-{sha}"),
        ("{date}-{sha}", "tag '{date}-{sha}' has the unknown placeholder {date}", "{branch}"),
        ("{SHA}", "tag '{SHA}' has the unknown placeholder {SHA}", "{sha}"),
        ("{sha:x}", "tag '{sha:x}' has the unknown placeholder {sha:x}", "{sha:12}"),
        ("{sha:}", "tag '{sha:}' has the unknown placeholder {sha:}", "{sha:12}"),
        ("{sha:3}", "tag '{sha:3}' asks for 3 digits", "4 to 40"),
        ("{sha:41}", "tag '{sha:41}' asks for 41 digits", "4 to 40"),
        ("v+{sha}", "tag 'v+{sha}' gives no tag", "a tag is 1 to 128"),
        ("-{sha}", "tag '-{sha}' gives no tag", "starts with none"),
        ("a}{sha}", "tag 'a}{sha}' gives no tag", "a tag is 1 to 128"),
        ("{{sha}}", "tag '{{sha}}' gives no tag", "a tag is 1 to 128"),
        ("{sha}\n", "tag '{sha}\\n' gives no tag", "a tag is 1 to 128"),
        (f"{'a' * 122}{{sha}}", f"tag '{'a' * 122}{{sha}}' gives no tag", "128"),
    ],
)
def test_what_gives_no_tag_is_refused_with_what_to_write(template: str, fault: str, hint: str) -> None:
    with pytest.raises(InvalidError) as refused:
        TagScheme(template)
    assert refused.value.message == fault
    assert hint in refused.value.hint
