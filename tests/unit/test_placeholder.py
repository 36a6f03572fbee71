"""What a script fills in later, as public manifests write it, and the tags that look a little like it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from orbit_release.manifests.placeholder import is_placeholder
from orbit_release.tag_scheme import TagScheme

COMMITS = st.text("0123456789abcdef", min_size=40, max_size=40)


@pytest.mark.parametrize(
    "tag",
    [
        *("", "${TAG}", "{{ .Values.tag }}", "$(TAG)", "<tag>", "%TAG%", "@TAG@", "a b", "v1:2"),
        *("__TAG__", "CONTAINER_IMAGES_TAG", "IMAGE_TAG", "TAG", "VERSION", "REPLACE_ME", "CHANGEME", "IMAGE-TAG"),
        *("PLACEHOLDER", "placeholder", "placeholder-backend", "PLACEHOLDER-VERSION", "IMAGE_TAG_PLACEHOLDER"),
        *("REPLACE_ME__IMAGE_TAG", "replace-me-with-git-sha", "REPLACED_BY_CI", "replaced-by-ci", "replace_with_sha1"),
        *("ChangeMe", "change-me", "to-be-replaced", "v0-to-be-replaced", "Place-Holder"),
    ],
)
def test_what_a_script_fills_in_is_a_placeholder(tag: str) -> None:
    assert is_placeholder(tag)


@pytest.mark.parametrize(
    "tag",
    [
        *("latest", "stable", "main", "v1.4.2", "1.10", "20240101", "sha-1a2b3c4", "main-1a2b3c4", "V2", "R12"),
        *("RELEASE.2024-01-16T16-07-38Z", "1.0-SNAPSHOT", "8.0-alpine", "replacement-1", "exchange-menu-3", "A1"),
        *("2.0.0.RELEASE", "Final1", "edge", "nightly"),
    ],
)
def test_a_tag_that_a_program_makes_is_none(tag: str) -> None:
    assert not is_placeholder(tag)


@given(COMMITS, st.sampled_from(["sha-{sha}", "linux-{sha}", "{sha}", "{branch}-{sha}", "{sha:40}", "SHA-{sha}-x"]))
def test_no_tag_of_a_scheme_is_a_placeholder(commit: str, template: str) -> None:
    assert not is_placeholder(TagScheme(template).tag(commit).name)
