"""Laws of the rewrite, over manifests in many styles, line ends and encodings."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Any

from hypothesis import given, settings, strategies as st
from ruamel.yaml import YAML

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, Repository, Tag
from orbit_release.manifests.mark import valid_reason
from orbit_release.manifests.placeholder import is_placeholder
from orbit_release.manifests.rewrite import NewImage
from tests.alone import find_images, mark, rewrite

API = Repository("ghcr.io/acme/api")
ENCODINGS = [
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
# IMAGE is the reference that counts; TEXT is the same reference where nothing may change.
IMAGES = [
    "image: IMAGE",
    "image:    IMAGE   # TEXT",
    "image: 'IMAGE'",
    '"image": "IMAGE" # held: TEXT',
    r'image: "\x67ESCAPED"',
    "image: !!str IMAGE",
    "image: &image !!str 'IMAGE'",
    "image: |\n      IMAGE\n",
    "image: >-\n      IMAGE",
    "image: |+ # TEXT\n      IMAGE\n\n",
    "? image\n    : IMAGE",
    "<<: {image: IMAGE}",
    "<<: [{x: y}, {'image': \"IMAGE\", z: 'TEXT'}]",
    "image: ghcr.io/acme/api-proxy:1",
]
NOISE = [
    "# image: TEXT",
    "\n",
    "args: ['TEXT', \"TEXT\", TEXT]",
    "env:\n    - name: A\n      value: TEXT",
    "command:\n    - |\n      image: TEXT\n\n    -   sh",
    "x: 🚀é\u00a0",
]
FIRST = "abyzAZ0189_"
WORDS = st.builds(str.__add__, st.sampled_from(FIRST), st.text(FIRST + ".-", max_size=9))
TAGS = WORDS.filter(lambda tag: not is_placeholder(tag))  # those are another test's
REFRESHED = st.sampled_from("0123456789abcdef").map(lambda digit: Digest("sha256:" + digit * 64))
DIGESTS = st.none() | REFRESHED
SUFFIXES = st.builds(lambda tag, digest: f":{tag}" + (f"@{digest}" if digest else ""), TAGS, DIGESTS) | st.just("")


@st.composite
def containers(draw: st.DrawFn, written: str) -> str:
    parts = [draw(st.sampled_from(IMAGES)), *draw(st.lists(st.sampled_from(NOISE), max_size=3, unique=True))]
    body = "\n    ".join(draw(st.permutations(parts))).replace("&image", f"&image{draw(st.uuids()).hex}")
    suffix = draw(SUFFIXES)
    body = body.replace("ESCAPED", rf"hcr.io\/acme\u002fapi{suffix}")
    return f"  - name: api\n    {body}\n".replace("IMAGE", f"{API}{suffix}").replace("TEXT", written)


@st.composite
def workloads(draw: st.DrawFn) -> str:
    written = f"{API}{draw(SUFFIXES)}"
    return "kind: Pod\nspec:\n  containers:\n" + "".join(draw(st.lists(containers(written), min_size=1, max_size=3)))


@st.composite
def kustomizations(draw: st.DrawFn) -> str:
    quote, tag = draw(st.sampled_from(["'", '"', ""])), draw(TAGS)
    mark = quote if quote or not tag[0].isdigit() else "'"
    return f"images:\n- newTag: {mark}{tag}{mark} # {API}:{tag}\n  name: {API}\n- {{name: x, newTag: 'a'}}\n"


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    documents = draw(st.lists(workloads() | kustomizations(), min_size=1, max_size=3))
    text = draw(st.sampled_from(["", "# é\n", "---\n"])) + draw(st.sampled_from(["---\n", "...\n---\n"])).join(
        documents
    )
    text = text.rstrip("\n") if draw(st.booleans()) else text
    bom, encoding = draw(st.sampled_from(ENCODINGS))
    return bom + text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"]))).encode(encoding)


NEW_IMAGES = st.builds(NewImage, st.just(API), TAGS.map(Tag), st.none(), REFRESHED)
PLAIN_IMAGES = st.builds(NewImage, st.just(API), TAGS.map("v{}".format).map(Tag), st.none(), REFRESHED)


def text_of(data: bytes) -> str:
    bom, encoding = next((one for one in ENCODINGS[1:] if data.startswith(one[0])), ENCODINGS[0])
    return data[len(bom) :].decode(encoding)


def values(data: bytes) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(text_of(data)))


def expected(document: dict[str, Any], new: NewImage) -> dict[str, Any]:
    """Change a loaded document as the contract says; the oracle knows nothing of texts."""
    for container in document.get("spec", {}).get("containers", []):
        image = container["image"].rstrip("\n")
        if image.removeprefix(API.name)[:1] in ("", ":", "@"):
            digest = f"@{new.refresh}" if "@" in image else ""
            container["image"] = f"{API}:{new.tag}{digest}" + container["image"][len(image) :]
    for entry in document.get("images", []):
        if entry["name"] == API.name:
            entry["newTag"] = str(new.tag)
    return document


@settings(deadline=None, max_examples=60)
@given(manifests(), NEW_IMAGES)
def test_only_the_references_values_change(data: bytes, new: NewImage) -> None:
    done = rewrite(data, "p", [new])
    assert values(done.data) == [expected(document, new) for document in values(data)]


@settings(deadline=None, max_examples=60)
@given(manifests(), NEW_IMAGES)
def test_everything_outside_the_edits_is_byte_identical(data: bytes, new: NewImage) -> None:
    done = rewrite(data, "p", [new])
    before, after = (text_of(one).splitlines(keepends=True) for one in (data, done.data))
    pairs = enumerate(zip(before, after, strict=True), 1)
    changed = {number: differing(*pair) for number, pair in pairs if pair[0] != pair[1]}
    assert changed.keys() == {edit.line for edit in done.edits}
    for edit in done.edits:
        old, new_part = changed[edit.line]
        assert old.strip("'\"") in str(edit.before)
        assert new_part.strip("'\"") in str(edit.after)


def differing(old: str, new: str) -> tuple[str, str]:
    start = common(old, new)
    end = common(old[start:][::-1], new[start:][::-1])
    return old[start : len(old) - end], new[start : len(new) - end]


def common(one: str, other: str) -> int:
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


@settings(deadline=None, max_examples=60)
@given(manifests(), NEW_IMAGES)
def test_rewriting_is_idempotent(data: bytes, new: NewImage) -> None:
    once = rewrite(data, "p", [new])
    twice = rewrite(once.data, "p", [new])
    assert (twice.data, twice.edits) == (once.data, ())


@settings(deadline=None, max_examples=60)
@given(manifests(), NEW_IMAGES, NEW_IMAGES)
def test_the_last_of_two_bumps_counts(data: bytes, first: NewImage, second: NewImage) -> None:
    direct = find_images(rewrite(data, "p", [second]).data, "p", [API])
    assert find_images(rewrite(rewrite(data, "p", [first]).data, "p", [second]).data, "p", [API]) == direct


@settings(deadline=None, max_examples=60)
@given(manifests(), PLAIN_IMAGES, PLAIN_IMAGES)
def test_there_and_back_restores_the_bytes(data: bytes, here: NewImage, there: NewImage) -> None:
    start = rewrite(data, "p", [here]).data
    assert rewrite(rewrite(start, "p", [there]).data, "p", [here]).data == start


@settings(deadline=None, max_examples=60)
@given(manifests(), NEW_IMAGES)
def test_what_was_written_is_found(data: bytes, new: NewImage) -> None:
    before, done = find_images(data, "p", [API]), rewrite(data, "p", [new])
    after = find_images(done.data, "p", [API])
    assert [(one.line, one.hold) for one in after] == [(one.line, one.hold) for one in before]
    assert {one.reference.tag for one in after} <= {new.tag}


# Hashes, quotes and colons more often than chance would have them.
REASONS = st.text(st.sampled_from("#'\": ,}*no") | st.characters(codec="utf-8", exclude_categories=["C", "Z"])).filter(
    lambda text: text == text.strip() and text.lower() not in ("", "no")
)


@settings(deadline=None, max_examples=60)
@given(manifests(), REASONS)
def test_a_mark_and_its_removal_leave_no_trace(data: bytes, reason: str) -> None:
    bare = mark(data, "p", {API: None}).data
    assert {one.mark for one in find_images(bare, "p", [API])} <= {None}
    held = mark(bare, "p", {API: valid_reason(reason)}).data
    assert mark(held, "p", {API: None}).data == bare
    assert values(held) == values(bare)


@settings(deadline=None, max_examples=60)
@given(manifests(), REASONS)
def test_a_mark_is_read_back_and_changes_the_lines_of_images_only(data: bytes, reason: str) -> None:
    done, images = mark(data, "p", {API: reason}), find_images(data, "p", [API])
    held = find_images(done.data, "p", [API])
    assert [(one.reference, one.line) for one in held] == [(one.reference, one.line) for one in images]
    assert sum(one.mark != reason for one in held) == len(done.unplaced)
    before, after = (text_of(one).splitlines() for one in (data, done.data))
    changed = {line for line, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]}
    assert changed == {edit.line for edit in done.edits} <= {one.line for one in images}
    assert done.warnings == ()


@settings(deadline=None, max_examples=60)
@given(manifests(), REASONS | st.none())
def test_marking_is_idempotent(data: bytes, reason: str | None) -> None:
    once = mark(data, "p", {API: reason})
    again = mark(once.data, "p", {API: reason})
    assert (again.data, again.edits, again.unplaced) == (once.data, (), once.unplaced)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode), st.sampled_from([b"", b"\n- ghcr.io/acme/api"]))
def test_whatever_the_bytes_are_reading_ends_in_an_answer_or_our_error(data: bytes, name: bytes) -> None:
    with suppress(InvalidError):
        assert find_images(data + name, "p", [API]) == ()
