"""A proposed configuration as the text of orbit-release.yaml; each choice is a comment above its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from orbit_release.check.tree import path_bytes
from orbit_release.init.proposed_configuration import ProposedConfiguration, ProposedService
from orbit_release.manifests.texts.yaml_nodes import is_ambiguous
from orbit_release.text import printable

SCHEMA = "https://raw.githubusercontent.com/drewpayment/orbit/main/orbit_release/configuration.schema.json"
CHOOSE = "choose:"
_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z0-9_./][\w./{}*@+-]*", re.ASCII)


def configuration_text(proposal: ProposedConfiguration) -> str:
    return "".join(f"{line}\n" for line in _lines(proposal))


def _lines(proposal: ProposedConfiguration) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={SCHEMA}"
    yield "# Which services this monorepo releases, what each is built from, and where its image tag is written."
    yield from _choices(proposal.image_choices)
    if proposal.image:
        yield f"image: {_scalar(proposal.image)}"
    yield from _choices(proposal.branch_choices)
    yield f"branch: {_scalar(proposal.branch)}"
    yield from _choices(proposal.manifest_choices)
    yield f"manifests: {_scalar(proposal.manifests)}"
    yield from ("", "services:")
    for service in proposal.services:
        yield from _service(service)
    yield from _choices(proposal.left_over, "  ")


def _service(service: ProposedService) -> Iterator[str]:
    yield f"  {_scalar(service.name)}:"
    yield from _choices(service.choices, "    ")
    if service.image:
        yield f"    image: {_scalar(service.image)}"
    if service.settings.context != ".":
        yield f"    context: {_scalar(service.settings.context)}"
    yield f"    dockerfile: {_scalar(service.settings.dockerfile)}"
    globs = [_scalar(_printable_glob(glob)) for glob in service.paths]
    line = f"    paths: [{', '.join(globs)}]"
    yield from [line] if len(line) <= _WIDTH else ["    paths:", *(f"      - {glob}" for glob in globs)]


def _choices(choices: Iterable[str], indentation: str = "") -> Iterator[str]:
    for choice in choices:
        yield f"{indentation}# {CHOOSE} {printable(choice)}"


def _printable_glob(glob: str) -> str:
    """Return a glob that can be written: each byte that cannot is a `?`, which matches it and little else."""
    return "".join(c if c.isprintable() else "?" * len(path_bytes(c)) for c in glob)


def _scalar(text: str) -> str:
    """Return text as YAML that every reader takes for text."""
    return text if _PLAIN.fullmatch(text) and not is_ambiguous(text) else json.dumps(text, ensure_ascii=False)
