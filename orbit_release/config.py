"""orbit-release.yaml -> Config. All faults at once, each with file:line:column and what to write instead.

Every scalar is taken as the text that stands there: YAML 1.1's guesses (`on`, `1.10`, `012`) never reach a build
argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TypeVar

from orbit_release import braces
from orbit_release.errors import MANUAL, ConfigurationError, InvalidError, UsageError
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode
from orbit_release.service import BuildSettings, Service
from orbit_release.tag_scheme import DEFAULT_TAG_SCHEME, TagScheme

FILE_NAME = "orbit-release.yaml"
_TOP_KEYS = ("image", "branch", "tag", "manifests", "fields", "argocd", "services")
_FIELD_KEYS = ("kind", "path")
_ARGOCD_KEYS = ("application", "project", "namespace")
_SERVICE_KEYS = ("image", "context", "dockerfile", "paths", "platforms", "build_args", "deploy")
_SERVICE_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")
_T = TypeVar("_T")
_BUILD_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# git check-ref-format(1), the rules that a branch name in this file can break
_BRANCH = re.compile(r"(?!-|/|.*(?:\.\.|//|@\{|/\.|\.lock(?:/|\Z)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")
_BOOLEAN = re.compile(r"true|false")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_FIELD_PATH = re.compile(r"[A-Za-z0-9_-]+(?:\[\])?(?:[./][A-Za-z0-9_-]+(?:\[\])?)*")
_RESOURCE = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class ArgoCDNames:
    """Argo CD's names for what syncs the manifests; "" where the configuration has none."""

    application: str = ""
    project: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration; `services` in the order of the file.

    `manifests` are folders or files, `.` is the root; `fields` hold images in kinds that are not known.
    """

    branch: str
    manifests: tuple[str, ...]
    services: tuple[Service, ...]
    image: str = ""  # the template of the services' images, with {service}
    argocd: ArgoCDNames = ArgoCDNames()
    tag_scheme: TagScheme = DEFAULT_TAG_SCHEME
    fields: tuple[FieldSpec, ...] = ()
    braces: tuple[str, ...] = ()  # the faults of globs that are not written out

    def require_plain_globs(self) -> None:
        """Raise ConfigurationError for globs with braces, which git would not take for several."""
        if self.braces:
            raise ConfigurationError("\n".join(self.braces), "write the globs out, each as an entry of its own.")

    @property
    def where(self) -> str:
        """The manifests' paths, as messages name them."""
        return ", ".join(self.manifests)

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
    root = reader.root(data)
    config = None if root is None else _config(reader, root)
    if config is None or reader.faults:
        count = "the fault" if len(reader.faults) == 1 else f"the {len(reader.faults)} faults"
        message = "\n".join(fault for *_, fault in sorted(reader.faults))
        raise ConfigurationError(message, f"mend {count} in {file}; {MANUAL}/configuration.md describes every key.")
    return replace(config, braces=tuple(reader.braces))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint for a name that is not one of the known ones."""
    import difflib  # noqa: PLC0415  (1 ms that only a typing error pays for)

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}."


class _Reader:
    """Takes values out of nodes and collects the faults, so that one run reports them all."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[tuple[int, int, str]] = []
        self.braces: list[str] = []

    def brace(self, where: Node, message: str, hint: str) -> None:
        """Note a fault that still tells what is meant: only who plans or builds is stopped by it."""
        line, column = nodes.place(where)
        self.braces.append(f"{self.file}:{line}:{column}: {message}: {hint}")

    def fault(self, where: Node | tuple[int, int], message: str, hint: str) -> None:
        line, column = where if isinstance(where, tuple) else nodes.place(where)
        self.faults.append((line, column, f"{self.file}:{line}:{column}: {message}: {hint}"))

    def root(self, data: bytes) -> Node | None:
        try:
            text = nodes.decoded(data, self.file)[0]
            documents = nodes.parse(text, self.file)
        except nodes.UnreadableError as error:
            self.fault(error.place, "this is not YAML", f"{error.problem}.")
            return None
        if len(documents) > 1:
            self.fault((nodes.line_of(text, documents[1].start), 1), "this is not YAML", "but found another document.")
        elif documents:
            return documents[0].root
        else:
            hint = f"it needs image, branch, manifests and services; {MANUAL}/configuration.md has an example."
            self.fault((1, 1), "the file is empty", hint)
        return None

    def mapping(self, node: Node | None, what: str, known: tuple[str, ...] = ()) -> dict[str, Node]:
        """Return the values by key; duplicate keys are faults, and so are keys that are not `known`, if any are."""
        values: dict[str, Node] = {}
        if isinstance(node, MappingNode):
            for key, value in node.entries():
                name = self.text(key, "a key")
                if name in values:
                    self.fault(key, f"{name!r} is there twice", "remove one of the two.")
                if name is not None:
                    values[name] = value
                    if known and name not in known:
                        self.fault(key, f"unknown key {name!r}", suggestion(name, known))
        elif node is not None:
            self.fault(node, f"{what} must be a mapping", "write `key: value` lines.")
        return values

    def text(self, node: Node, what: str) -> str | None:
        """Return a scalar's text as it is written; empty text is a fault."""
        if isinstance(node, Scalar) and node.value and node.value.isprintable():
            return str(node.value)
        self.fault(node, f"{what} must be one line of text", "write a value, or leave the key out.")
        return None

    def texts(self, node: Node | None, what: str) -> list[tuple[Node, str]]:
        if node is None:
            return []
        if not isinstance(node, SequenceNode):
            self.fault(node, f"{what} must be a list", f"write `{what}: [one, two]`.")
            return []
        if not node:
            self.fault(node, f"{what} is empty", "write at least one entry, or leave the key out.")
        return [(item, text) for item in node if (text := self.text(item, f"an entry of {what}"))]

    def matching(self, node: Node | None, what: str, rule: re.Pattern[str], hint: str) -> str | None:
        text = None if node is None else self.text(node, what)
        if node is not None and text is not None and not rule.fullmatch(text):
            self.fault(node, f"{what} {text!r} is not valid", hint)
        return text

    def folder(self, node: Node | None, what: str, default: str) -> str | None:
        """Return a path inside the repository, without a trailing slash; `.` is the root."""
        if node is None:
            return default
        text = self.text(node, what)
        if text is None or text == ".":
            return text
        if text.startswith("/") or not {"", ".", ".."}.isdisjoint(text.removesuffix("/").split("/")):
            hint = "write it relative to the repository's root, without '..', './' and empty parts."
            self.fault(node, f"{what} {text!r} is not a path in this repository", hint)
        return text.removesuffix("/")

    def folders(self, node: Node | None, what: str) -> tuple[str, ...]:
        """Return one path inside the repository, or a list of them."""
        if not isinstance(node, SequenceNode):
            path = self.folder(node, what, "")
            return (path,) if path else ()
        if not node:
            self.fault(node, f"{what} is empty", "write at least one entry.")
        paths = (self.folder(item, what, "") for item in node)
        return tuple(dict.fromkeys(filter(None, paths)))

    def image(self, node: Node | None, default: str | None) -> str | None:
        if node is None:
            return default
        text = self.text(node, "image")
        if text is not None and re.search(r"[{}]", text.replace("{service}", "")):
            self.fault(node, f"image {text!r} has an unknown placeholder", "only {service} is known.")
            return None
        return text

    def valid(self, node: Node, make: Callable[[], _T]) -> _T | None:
        """Return what `make` constructs; its complaint becomes a fault."""
        try:
            return make()
        except InvalidError as error:
            self.fault(node, error.message, error.hint)
            return None


def _config(reader: _Reader, root: Node) -> Config:
    top = reader.mapping(root, "the configuration", _TOP_KEYS)
    for key in ("manifests", "services"):
        if key not in top and isinstance(root, MappingNode):
            reader.fault(root, f"{key!r} is missing", f"add `{key}:`; {MANUAL}/configuration.md says what it means.")
    branch = reader.matching(top.get("branch"), "branch", _BRANCH, "see git check-ref-format.")
    manifests = reader.folders(top.get("manifests"), "manifests")
    template = reader.image(top.get("image"), "")
    listed = top.get("services")
    entries = reader.mapping(listed, "services")
    if isinstance(listed, MappingNode) and not listed:
        reader.fault(listed, "no service is configured", "add one below `services:`.")
    services = [_service(reader, name, node, template) for name, node in entries.items()]
    _refuse_shared_images(reader, entries, services)
    names = _argocd(reader, top.get("argocd"))
    scheme = _tag_scheme(reader, top.get("tag"), branch or "main")
    fields = tuple(_fields(reader, top.get("fields")))
    valid = tuple(filter(None, services))
    return Config(branch or "main", manifests, valid, template or "", names, scheme, fields)


def _fields(reader: _Reader, node: Node | None) -> Iterator[FieldSpec]:
    if node is not None and not isinstance(node, SequenceNode):
        reader.fault(node, "fields must be a list", "write `fields: [{kind: MyResource, path: spec.engine.image}]`.")
        return
    hint = "write keys joined by '.' or '/', `[]` behind the key of a list: `spec.engines[].image`."
    for item in node or ():
        entry = reader.mapping(item, "an entry of fields", _FIELD_KEYS)
        kind = reader.matching(entry.get("kind"), "kind", _KIND, "write the kind of an object: `MyResource`.")
        path = reader.matching(entry.get("path"), "path", _FIELD_PATH, hint)
        if kind is None or path is None:
            reader.fault(item, "a field needs kind and path", "write `{kind: MyResource, path: spec.engine.image}`.")
        else:
            yield FieldSpec(kind, path.replace(".", "/"))


def _tag_scheme(reader: _Reader, node: Node | None, branch: str) -> TagScheme:
    if node is not None and not isinstance(node, Scalar):
        hint = 'put quotes around it, `tag: "{sha}"`: YAML takes a brace for the start of a mapping.'
        reader.fault(node, "tag must be one line of text", hint)
        return TagScheme(branch=branch)
    template = None if node is None else reader.text(node, "tag")
    if node is None or template is None:
        return TagScheme(branch=branch)
    return reader.valid(node, lambda: TagScheme(template, branch)) or TagScheme(branch=branch)


def _argocd(reader: _Reader, node: Node | None) -> ArgoCDNames:
    hint = "use lower-case letters and digits, joined by '-' or '.'."
    entry = reader.mapping(node, "argocd", _ARGOCD_KEYS)
    names = {key: reader.matching(entry.get(key), f"argocd.{key}", _RESOURCE, hint) for key in _ARGOCD_KEYS}
    return ArgoCDNames(**{key: name or "" for key, name in names.items()})


def _service(reader: _Reader, name: str, node: Node, template: str | None) -> Service | None:
    if not _SERVICE_NAME.fullmatch(name):
        hint = "use lower-case letters and digits, joined by '-', '.' or '_'."
        reader.fault(node, f"service name {name!r} is not valid", hint)
    entry = reader.mapping(node, f"service {name!r}", _SERVICE_KEYS)
    if not isinstance(node, MappingNode):
        return None
    repository = _repository(reader, name, node, entry.get("image"), template)
    paths = _paths(reader, name, node, entry.get("paths"))
    settings = _settings(reader, entry)
    deploy = reader.matching(entry.get("deploy"), "deploy", _BOOLEAN, "write `deploy: false` for what is only built.")
    return Service(name, repository, paths, settings, deploy != "false") if repository and paths and settings else None


def _repository(reader: _Reader, name: str, node: Node, own: Node | None, template: str | None) -> Repository | None:
    image = reader.image(own, template)
    if image == "":
        hint = "add `image: ghcr.io/<owner>/<repository>/{service}` at the top, or `image:` here."
        reader.fault(node, f"service {name!r} has no image", hint)
    if not image:
        return None
    return reader.valid(node if own is None else own, lambda: Repository(image.replace("{service}", name)))


def _paths(reader: _Reader, name: str, node: Node, paths: Node | None) -> Globs | None:
    if paths is None:
        reader.fault(node, f"service {name!r} has no paths", f"add `paths: [{name}/**]`.")
        return None
    globs = [_valid_globs(reader, item, glob) for item, glob in reader.texts(paths, "paths")]
    if not globs or () in globs:
        return None
    return reader.valid(paths, partial(Globs, tuple(chain.from_iterable(globs))))


def _valid_globs(reader: _Reader, item: Node, glob: str) -> tuple[str, ...]:
    """Return a glob; with braces, all globs that other tools would take it for, which the person must write out."""
    globs = braces.written_out(glob)
    if globs:
        more = ", …" if len(globs) == braces.MOST else ""
        hint = rf"write {', '.join(globs)}{more}; a brace in a file's name is `\{{`."
        message = f"glob {glob!r} has braces, which select nothing here"
        if more:
            reader.fault(item, message, hint)
        else:
            reader.brace(item, message, hint)
    valid = [reader.valid(item, partial(Globs, (each.removeprefix("!"),))) for each in globs or (glob,)]
    return () if None in valid else globs or (glob,)


def _settings(reader: _Reader, entry: Mapping[str, Node]) -> BuildSettings | None:
    context = reader.folder(entry.get("context"), "context", ".")
    default = "Dockerfile" if context == "." else f"{context}/Dockerfile"
    dockerfile = reader.folder(entry.get("dockerfile"), "dockerfile", default)
    platforms = tuple(platform for _, platform in reader.texts(entry.get("platforms"), "platforms"))
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            hint = "write os/architecture, like linux/amd64 or linux/arm64."
            reader.fault(entry["platforms"], f"platform {platform!r} is not valid", hint)
    if context is None or dockerfile is None:
        return None
    return BuildSettings(context, dockerfile, platforms, _build_args(reader, entry.get("build_args")))


def _build_args(reader: _Reader, node: Node | None) -> tuple[tuple[str, str], ...]:
    values = reader.mapping(node, "build_args")
    for name, value in values.items():
        if not _BUILD_ARG.fullmatch(name):
            hint = "use letters, digits and '_'."
            reader.fault(value, f"build argument {name!r} is not a variable name", hint)
    texts = {name: reader.text(value, f"build argument {name!r}") for name, value in values.items()}
    return tuple((name, text or "") for name, text in sorted(texts.items()))


def _refuse_shared_images(reader: _Reader, entries: Mapping[str, Node], services: Iterable[Service | None]) -> None:
    first: dict[Repository, str] = {}
    for service in filter(None, services):
        owner = first.setdefault(service.repository, service.name)
        if owner != service.name:
            message = f"services {owner!r} and {service.name!r} have one image, {service.repository}"
            reader.fault(entries[service.name], message, "give each an image of its own.")
