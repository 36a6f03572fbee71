"""orbit-release.yaml -> Config. All faults at once, each with file:line:column and what to write instead.

libyaml's nodes carry the positions, and every scalar is taken as the text that stands there: YAML 1.1's
guesses (`on`, `1.10`, `012`) never reach a build argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import yaml

from orbit_release.errors import ConfigurationError, InvalidError, UsageError
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.service import BuildSettings, Service

FILE_NAME = "orbit-release.yaml"
_TOP_KEYS = ("image", "branch", "manifests", "argocd", "services")
_ARGOCD_KEYS = ("application", "project", "namespace")
_SERVICE_KEYS = ("image", "context", "dockerfile", "paths", "platforms", "build_args")
_SERVICE_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")
_T = TypeVar("_T")
_BUILD_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# git check-ref-format(1), the rules that a branch name in this file can break
_BRANCH = re.compile(r"(?!-|/|.*(?:\.\.|//|@\{|/\.|\.lock(?:/|\Z)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")
_RESOURCE = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_MAX_DEPTH = 200
_LARGE = 20_000  # bytes; indentation alone cannot nest deeper than 200 levels in less
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ArgoCDNames:
    """Argo CD's names for what syncs the manifests; "" where the configuration has none."""

    application: str = ""
    project: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration; `services` in the order of the file."""

    branch: str
    manifests: str
    services: tuple[Service, ...]
    image: str = ""  # the template of the services' images, with {service}
    argocd: ArgoCDNames = ArgoCDNames()

    def select(self, names: Iterable[str]) -> tuple[Service, ...]:
        """Return the services with these names, in the order of the file; all of them for no names."""
        wanted = dict.fromkeys(names)
        known = {service.name: service for service in self.services}
        for name in wanted:
            if name not in known:
                raise UsageError(f"no service is called {name!r}", suggestion(name, known))
        return tuple(service for service in self.services if not wanted or service.name in wanted)


def load(data: bytes, file: str) -> Config:
    """Read a configuration; ConfigurationError lists every fault of it. `file` is used in messages only."""
    reader = _Reader(file)
    root = _root(reader, data)
    config = _config(reader, root) if root else None
    if config is None or reader.faults:
        count = "the fault" if len(reader.faults) == 1 else f"the {len(reader.faults)} faults"
        message = "\n".join(fault for *_, fault in sorted(reader.faults))
        raise ConfigurationError(message, f"mend {count} in {file}; README.md describes every key.")
    return config


def lines(data: bytes) -> dict[tuple[str, ...], int]:
    """Return the line (from 1) of each entry of a valid configuration, by its keys; a list's items by their texts."""
    root = yaml.compose(data, Loader=_LOADER)
    return dict(_lines(root, ())) if root else {}


def _lines(node: yaml.Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*keys, key.value), key.start_mark.line + 1
            yield from _lines(value, (*keys, key.value))
    elif isinstance(node, yaml.SequenceNode):
        yield from (((*keys, item.value), item.start_mark.line + 1) for item in node.value)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint for a name that is not one of the known ones."""
    import difflib  # noqa: PLC0415  (1 ms that only a typing error pays for)

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}."


class _Reader:
    """Takes values out of YAML nodes and collects the faults, so that one run reports them all."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[tuple[int, int, str]] = []

    def fault(self, mark: yaml.Mark | None, message: str, hint: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.faults.append((line, column, f"{self.file}:{line}:{column}: {message}: {hint}"))

    def mapping(self, node: yaml.Node, what: str) -> dict[str, yaml.Node]:
        """Return the values by key; duplicate keys are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node.start_mark, f"{what} must be a mapping", "write `key: value` lines.")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key, "a key")
            if name is None:
                continue
            if name in found:
                self.fault(key.start_mark, f"{name!r} is there twice", "remove one of the two.")
            found[name] = value
        return found

    def known(self, node: yaml.Node, what: str, keys: tuple[str, ...]) -> dict[str, yaml.Node]:
        """Return a mapping of which every key must be one of `keys`."""
        found = self.mapping(node, what)
        for key, _ in node.value if found else ():
            if isinstance(key, yaml.ScalarNode) and key.value in found and key.value not in keys:
                self.fault(key.start_mark, f"unknown key {key.value!r}", suggestion(key.value, keys))
        return found

    def text(self, node: yaml.Node, what: str) -> str | None:
        """Return a scalar's text as it is written; empty text is a fault."""
        if isinstance(node, yaml.ScalarNode) and node.value and node.value.isprintable():
            return str(node.value)
        self.fault(node.start_mark, f"{what} must be one line of text", "write a value, or leave the key out.")
        return None

    def texts(self, node: yaml.Node, what: str) -> tuple[str, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node.start_mark, f"{what} must be a list", f"write `{what}: [one, two]`.")
            return ()
        if not node.value:
            self.fault(node.start_mark, f"{what} is empty", "write at least one entry, or leave the key out.")
        return tuple(text for item in node.value if (text := self.text(item, f"an entry of {what}")))

    def matching(self, node: yaml.Node, what: str, rule: re.Pattern[str], hint: str) -> str | None:
        text = self.text(node, what)
        if text is not None and not rule.fullmatch(text):
            self.fault(node.start_mark, f"{what} {text!r} is not valid", hint)
        return text

    def folder(self, node: yaml.Node, what: str) -> str | None:
        """Return a path inside the repository, without a trailing slash; `.` is the root."""
        text = self.text(node, what)
        if text is None or text == ".":
            return text
        if text.startswith("/") or not {"", ".", ".."}.isdisjoint(text.removesuffix("/").split("/")):
            hint = "write it relative to the repository's root, without '..', './' and empty parts."
            self.fault(node.start_mark, f"{what} {text!r} is not a path in this repository", hint)
        return text.removesuffix("/")

    def valid(self, node: yaml.Node, make: Callable[[], _T]) -> _T | None:
        """Return what `make` constructs; its complaint becomes a fault."""
        try:
            return make()
        except InvalidError as error:
            self.fault(node.start_mark, error.message, error.hint)
            return None


def _root(reader: _Reader, data: bytes) -> yaml.Node | None:
    try:
        _refuse_depth(data)
        root: yaml.Node | None = yaml.compose(data, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        reader.fault(getattr(error, "problem_mark", None), "this is not YAML", f"{problem}.")
        return None
    if root is None:
        reader.fault(None, "the file is empty", "it needs image, branch, manifests and services; see README.md.")
    return root


def _refuse_depth(data: bytes) -> None:
    """Refuse nesting that libyaml would follow by recursion until the stack ends; Python's own limit is not asked."""
    if len(data) < _LARGE and sum(map(data.count, (b"[", b"{", b"- -", b"? ?", b"-\t-"))) < _MAX_DEPTH:
        return  # it cannot be that deep, and counting would cost as much as reading
    depth = 0
    for event in yaml.parse(data, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=event.start_mark)  # type: ignore[arg-type]  # libyaml's marks have the same fields


def _config(reader: _Reader, root: yaml.Node) -> Config:
    top = reader.known(root, "the configuration", _TOP_KEYS)
    for key in ("manifests", "services"):
        if key not in top and isinstance(root, yaml.MappingNode):
            reader.fault(root.start_mark, f"{key!r} is missing", f"add `{key}:`; see README.md.")
    branch = (
        reader.matching(top["branch"], "branch", _BRANCH, "see git check-ref-format.") if "branch" in top else "main"
    )
    manifests = reader.folder(top["manifests"], "manifests") if "manifests" in top else None
    template = _template(reader, top["image"]) if "image" in top else ""
    entries = reader.mapping(top["services"], "services") if "services" in top else {}
    if "services" in top and isinstance(top["services"], yaml.MappingNode) and not top["services"].value:
        reader.fault(top["services"].start_mark, "no service is configured", "add one below `services:`.")
    services = [_service(reader, name, node, template) for name, node in entries.items()]
    _unique_images(reader, entries, services)
    names = _argocd(reader, top["argocd"]) if "argocd" in top else ArgoCDNames()
    return Config(branch or "", manifests or "", tuple(filter(None, services)), template or "", names)


def _argocd(reader: _Reader, node: yaml.Node) -> ArgoCDNames:
    hint = "use lower-case letters and digits, joined by '-' or '.'."
    entry = reader.known(node, "argocd", _ARGOCD_KEYS)
    found = {key: reader.matching(entry[key], f"argocd.{key}", _RESOURCE, hint) for key in _ARGOCD_KEYS if key in entry}
    return ArgoCDNames(**{key: text or "" for key, text in found.items()})


def _template(reader: _Reader, node: yaml.Node) -> str | None:
    text = reader.text(node, "image")
    if text is not None and re.search(r"[{}]", text.replace("{service}", "")):
        reader.fault(node.start_mark, f"image {text!r} has an unknown placeholder", "only {service} is known.")
        return None
    return text


def _service(reader: _Reader, name: str, node: yaml.Node, template: str | None) -> Service | None:
    if not _SERVICE_NAME.fullmatch(name):
        hint = "use lower-case letters and digits, joined by '-', '.' or '_'."
        reader.fault(node.start_mark, f"service name {name!r} is not valid", hint)
    entry = reader.known(node, f"service {name!r}", _SERVICE_KEYS)
    if not isinstance(node, yaml.MappingNode):
        return None
    repository = _repository(reader, name, node, entry.get("image"), template)
    paths = _paths(reader, name, node, entry.get("paths"))
    settings = _settings(reader, entry)
    return Service(name, repository, paths, settings) if repository and paths and settings else None


def _repository(
    reader: _Reader, name: str, node: yaml.Node, own: yaml.Node | None, template: str | None
) -> Repository | None:
    text = _template(reader, own) if own else template
    if text == "":
        hint = "add `image: ghcr.io/<owner>/<repository>/{service}` at the top, or `image:` here."
        reader.fault(node.start_mark, f"service {name!r} has no image", hint)
    if not text:
        return None
    return reader.valid(own or node, lambda: Repository(text.replace("{service}", name)))


def _paths(reader: _Reader, name: str, node: yaml.Node, paths: yaml.Node | None) -> Globs | None:
    if paths is None:
        reader.fault(node.start_mark, f"service {name!r} has no paths", f"add `paths: [{name}/**]`.")
        return None
    globs = reader.texts(paths, "paths")
    before = len(reader.faults)
    for item in paths.value if globs else ():
        if item.value in globs:
            reader.valid(item, partial(Globs, (item.value.removeprefix("!"),)))
    return reader.valid(paths, partial(Globs, globs)) if globs and len(reader.faults) == before else None


def _settings(reader: _Reader, entry: Mapping[str, yaml.Node]) -> BuildSettings | None:
    context = reader.folder(entry["context"], "context") if "context" in entry else "."
    default = "Dockerfile" if context == "." else f"{context}/Dockerfile"
    dockerfile = reader.folder(entry["dockerfile"], "dockerfile") if "dockerfile" in entry else default
    platforms = reader.texts(entry["platforms"], "platforms") if "platforms" in entry else ()
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            hint = "write os/architecture, like linux/amd64 or linux/arm64."
            reader.fault(entry["platforms"].start_mark, f"platform {platform!r} is not valid", hint)
    if context is None or dockerfile is None:
        return None
    return BuildSettings(context, dockerfile, platforms, _build_args(reader, entry.get("build_args")))


def _build_args(reader: _Reader, node: yaml.Node | None) -> tuple[tuple[str, str], ...]:
    found = reader.mapping(node, "build_args") if node else {}
    for name, value in found.items():
        if not _BUILD_ARG.fullmatch(name):
            hint = "use letters, digits and '_'."
            reader.fault(value.start_mark, f"build argument {name!r} is not a variable name", hint)
    texts = {name: reader.text(value, f"build argument {name!r}") for name, value in found.items()}
    return tuple((name, text or "") for name, text in sorted(texts.items()))


def _unique_images(reader: _Reader, entries: Mapping[str, yaml.Node], services: Iterable[Service | None]) -> None:
    first: dict[Repository, str] = {}
    for service in filter(None, services):
        other = first.setdefault(service.repository, service.name)
        if other != service.name:
            message = f"services {other!r} and {service.name!r} have one image, {service.repository}"
            reader.fault(entries[service.name].start_mark, message, "give each an image of its own.")
