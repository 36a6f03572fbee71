"""The oracle of our symbolic kustomize: `kubectl kustomize`, over trees of overlays that are made by chance.

ORACLE_TREES=FROM:TO runs other trees than those of every day.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.image_value import Form, ImageValue, Part
from orbit_release.manifests.kustomize.layers import RenderedEntry, render
from orbit_release.manifests.objects import KUSTOMIZATIONS
from tests.integration.kustomize_trees import made_tree

ROOT = Path(__file__).resolve().parents[2]
_FIRST, _, _END = os.environ.get("ORACLE_TREES", "0:200").partition(":")
TREES = range(int(_FIRST), int(_END))
CHUNK = 50
NEW = "sha-fedcba9"
LISTS = ("containers", "initContainers", "ephemeralContainers")

_Images: TypeAlias = dict[tuple[Any, ...], str]


@pytest.fixture(scope="module")
def command() -> list[str]:
    """Return the program that renders a folder, as `scripts/render` finds it or gets it."""
    loader = importlib.machinery.SourceFileLoader("render", str(ROOT / "scripts/render"))
    spec = importlib.util.spec_from_loader("render", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    found: list[str] = module.renderer()
    return found


@dataclass(frozen=True)
class Seen:
    """What the program says: the images by object and path; `error` where it refuses the tree."""

    images: _Images
    error: str = ""


def program(command: Sequence[str], files: Mapping[str, str], entry: str, folder: Path) -> Seen:
    """Render a tree with the real program."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    done = subprocess.run([*command, str(folder / entry)], capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    if done.returncode:
        return Seen({}, re.sub(r"\s+", " ", done.stderr))
    images: _Images = {}
    for root in yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        metadata = root["metadata"]
        key: tuple[Any, ...] = (root["kind"], metadata.get("namespace", ""), metadata["name"])
        images[key] = ""
        images |= {(*key, path): image for path, image in images_below(root, ())}
    return Seen(images)


def images_below(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        if key == "image" and len(path) > 1 and path[-2] in LISTS and value is not None:
            yield (*path, key), value
        yield from images_below(value, (*path, key))


def ours(files: Mapping[str, str], entry: str) -> RenderedEntry:
    read = {path: text.encode() for path, text in files.items()}
    path = next(path for name in KUSTOMIZATIONS if (path := f"{entry}/{name}") in files)
    return render(path, Files(list(read), read.get))


def values(entry: RenderedEntry) -> dict[tuple[Any, ...], ImageValue | None]:
    found: dict[tuple[Any, ...], ImageValue | None] = {}
    for rendered in entry.objects:
        key = (rendered.kind, rendered.namespace, rendered.name)
        found[key] = None
        for path, value in rendered.images:
            found[*key, path] = value
    return found


def disagreement(files: Mapping[str, str], entry: str, seen: Seen) -> str:
    """Say how ours differs from what the program says; "" for not at all."""
    rendered = ours(files, entry)
    known = values(rendered)
    is_unclear = any(value and value.unclear for value in known.values())
    if "nil pointer" in seen.error:  # an error of that version, since mended: objects that a patch deleted
        return ""
    if seen.error:
        return "" if rendered.faults or is_unclear else f"the program refuses: {seen.error}"
    if rendered.faults:
        return f"ours refuses: {', '.join(map(str, rendered.faults.values()))}"
    if known.keys() != seen.images.keys():
        return "" if is_unclear else f"other places: {sorted(map(str, known.keys() ^ seen.images.keys()))}"
    wrong = [
        f"{key}: {value.text} is {seen.images[key]}"
        for key, value in known.items()
        if value and not value.unclear and value.text != seen.images[key]
    ]
    return "; ".join(wrong)


def edited(files: Mapping[str, str], places: set[tuple[str, int]], parts: list[Part]) -> dict[str, str]:
    """Return the files with the new tag in some places; each value stands on one line, and once."""
    new = dict(files)
    for part in parts:
        if (part.at.path, id(part.at.scalar)) in places:
            lines = new[part.at.path].splitlines(keepends=True)
            value = part.at.value
            tag = NEW if part.form is Form.TAG else f"{value[: part.keep]}:{NEW}"
            at = part.at.line - 1
            assert value in lines[at], (part.at.where, value, lines[at])
            lines[at] = lines[at].replace(value, tag, 1)
            new[part.at.path] = "".join(lines)
            places.remove((part.at.path, id(part.at.scalar)))
    return new


def bumped(files: Mapping[str, str], entry: str, seed: int) -> tuple[dict[str, str], _Images] | None:
    """Give one repository a new tag; return the files, and the images that must be rendered then."""
    known = values(ours(files, entry))
    certain = [value for value in known.values() if value]
    if not certain or any(value.unclear for value in certain):
        return None
    name = certain[seed % len(certain)].name
    parts = [value.tag_at for value in certain if value.name == name and value.tag_at]
    places = {(part.at.path, id(part.at.scalar)) for part in parts}
    if any(is_spoilt(value, places) for value in certain):
        return None
    wanted: _Images = {}
    for key, value in known.items():
        wanted[key] = value.text if value else ""
        if value and value.tag_at and (value.tag_at.at.path, id(value.tag_at.at.scalar)) in places:
            is_kept = value.digest_at is not None and value.digest_at.at != value.tag_at.at
            wanted[key] = f"{value.name}:{NEW}" + (f"@{value.digest}" if is_kept else "")
    return edited(files, places, parts), wanted


def is_spoilt(value: ImageValue, places: set[tuple[str, int]]) -> bool:
    """Whether an edit would put a second tag behind a `newName: REPO:TAG`: it stands in the place of no tag only."""
    is_named = value.tag_at is not None and value.tag_at.form is Form.REFERENCE
    return is_named and any((at.path, id(at.scalar)) in places for at in value.overridden)


def check(command: Sequence[str], seed: int, folder: Path) -> str:
    tree = made_tree(seed)
    seen = program(command, tree.files, tree.entry, folder / str(seed))
    why = disagreement(tree.files, tree.entry, seen)
    if why or seen.error:
        return f"tree {seed}: {why}" if why else ""
    if (change := bumped(tree.files, tree.entry, seed)) is None:
        return ""
    after = program(command, change[0], tree.entry, folder / str(seed)).images
    wrong = [
        f"{key}: {after.get(key)} should be {image}" for key, image in change[1].items() if after.get(key) != image
    ]
    return f"tree {seed} after a bump: {'; '.join(wrong)}" if wrong else ""


@pytest.mark.parametrize("first", TREES[::CHUNK])
def test_what_is_rendered_is_what_kustomize_renders(first: int, command: list[str], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        seeds = range(first, min(first + CHUNK, TREES.stop))
        assert [why for why in threads.map(lambda seed: check(command, seed, tmp_path), seeds) if why] == []
