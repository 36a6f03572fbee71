"""Argo CD as seen from outside: how its server is reached, and what an application syncs."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from orbit_release.core.checklist import Line, failed, ok, unchecked
from orbit_release.core.documents import at, each
from orbit_release.core.release import web_address
from orbit_release.errors import UsageError

_SKIPPED = "argocd.argoproj.io/skip-reconcile"
_SERVER = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:]+\](:[0-9]+)?", re.ASCII)
_HEADER = ("header", "H")
_NEXT_HEADER = r",(?=[\w-]+:)"
_OFF = ("false", "0", "f")
_OPTS_HINT = "write them as for argocd: --insecure --plaintext --grpc-web-root-path PATH --header 'NAME: VALUE'."


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server's API is, and how it is spoken to; `headers` may hold the secrets of an access proxy."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True
    server_certificate: str | None = None

    @classmethod
    def parse(cls, server: str, options: str) -> Connection:
        """Read ARGOCD_SERVER (`host`, `host:port`) and ARGOCD_OPTS; options that say nothing about HTTP are ignored."""
        given = list(_options(options))
        values = dict(given)
        scheme = "http" if _on(values, "plaintext") else "https"
        address = server.removeprefix("https://").rstrip("/")
        if not _SERVER.fullmatch(address):
            raise UsageError("ARGOCD_SERVER is no server's address", "set it to host or host:port, without a scheme.")
        root = values.get("grpc-web-root-path", "").strip("/")
        headers = tuple(header for name, value in given if name in _HEADER for header in _headers(value))
        certificate = values.get("server-crt") or None
        url = f"{scheme}://{address}{f'/{root}' if root else ''}"
        return cls(url, headers, verify=not _on(values, "insecure"), server_certificate=certificate)


def option(options: str, name: str) -> str:
    """Return the value of an option in ARGOCD_OPTS, or ""."""
    return dict(_options(options)).get(name, "")


def secrets(options: str) -> Iterator[str]:
    """Yield what nobody should read of ARGOCD_OPTS: a token, and the headers for an access proxy."""
    with suppress(UsageError):  # which is told where they are used
        for name, value in _options(options):
            if name == "auth-token":
                yield value
            elif name in _HEADER:
                yield from (text for _, text in _headers(value))


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option, as `--name value`, `--name=value` or, for flags, `--name`.

    As Argo CD's own program does: the next word is the value unless it begins another option (util/config/env.go).
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError("ARGOCD_OPTS has a quote that does not end", _OPTS_HINT) from error
    for word, following in pairwise([*words, "--"]):
        if _begins_option(word):
            name, is_given, value = word.lstrip("-").partition("=")
            yield name, value if is_given else "true" if _begins_option(following) else following


def _begins_option(word: str) -> bool:
    return word.startswith("--") or word == "-H"


def _on(values: dict[str, str], flag: str) -> bool:
    return values.get(flag, "false").lower() not in _OFF


def _headers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the headers of one option: `NAME: VALUE`, several separated by commas, in quotes if they hold one."""
    for part in _fields(text) if text.startswith('"') else re.split(_NEXT_HEADER, text):
        name, colon, value = part.partition(":")
        is_value = value.isprintable() and value.isascii()
        if not colon or not re.fullmatch(r"[\w-]+", name.strip(), re.ASCII) or not is_value:
            raise UsageError("ARGOCD_OPTS has a --header that is none", _OPTS_HINT)  # it may be a secret: not shown
        yield name.strip(), value.strip()


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader([text], skipinitialspace=True))
    except csv.Error:
        return [""]


@dataclass(frozen=True, slots=True)
class Origin:
    """What an application syncs: a repository's address, a folder or chart, and a revision."""

    repository: str
    path: str
    revision: str


@dataclass(frozen=True, slots=True)
class Application:
    """The part of an Application that says what it syncs, and when."""

    name: str
    origins: tuple[Origin, ...]
    is_automated: bool
    is_skipped: bool = False
    namespace: str = ""

    @classmethod
    def read(cls, document: Any) -> Application | None:
        """Read what Argo CD answers; None if it is no application."""
        name, spec = at(document, "metadata", "name"), at(document, "spec")
        if not isinstance(name, str) or not isinstance(spec, dict):
            return None
        sources = each(spec, "sources") or [spec.get("source")]
        origins = tuple(_origin(one) for one in sources if isinstance(one, dict))
        automated = at(spec, "syncPolicy", "automated")
        # An empty mapping turns it on, and `enabled: false` off again.
        is_automated = isinstance(automated, dict) and automated.get("enabled") is not False
        is_skipped = at(document, "metadata", "annotations", _SKIPPED) == "true"
        return cls(name, origins, is_automated, is_skipped, str(at(document, "metadata", "namespace") or ""))


def _origin(source: dict[str, Any]) -> Origin:
    address, path, revision = (str(source.get(key) or "") for key in ("repoURL", "path", "targetRevision"))
    return Origin(address, path, revision)


@dataclass(frozen=True, slots=True)
class Released:
    """What this clone releases to: the address of its repository, the folder of manifests, the release branch."""

    address: str
    folder: str
    branch: str


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses name one repository: https, ssh:// or scp, with .git or without."""
    addresses = [web_address(address).lower().replace("//ssh.github.com/", "//github.com/") for address in (one, other)]
    return bool(addresses[0]) and addresses[0] == addresses[1]


def _inside(path: str, folder: str) -> bool:
    path, folder = ("/".join(part for part in text.split("/") if part not in ("", ".")) for text in (path, folder))
    return not folder or path == folder or path.startswith(f"{folder}/")


def candidates(applications: Sequence[Application], ours: Released) -> list[Application]:
    """Return the applications that sync the manifests of this repository, whatever the revision."""
    syncs: Callable[[Origin], bool] = lambda one: (  # noqa: E731
        same_repository(one.repository, ours.address) and _inside(one.path, ours.folder)
    )
    return [application for application in applications if any(map(syncs, application.origins))]


def position(application: Application, ours: Released) -> int | None:
    """Return which of an application's sources is ours; None for an application of one source."""
    if len(application.origins) < 2:  # noqa: PLR2004  (its revision is the application's own)
        return None
    same = [place for place, one in enumerate(application.origins) if same_repository(one.repository, ours.address)]
    inside = [place for place in same if _inside(application.origins[place].path, ours.folder)]
    return next(iter(inside or same), 0)


def source_line(application: Application, ours: Released) -> Line:
    """Tell whether an application syncs what this repository releases."""
    origins = [one for one in application.origins if same_repository(one.repository, ours.address)]
    fix = f"set its source to {ours.address}, path {ours.folder}, targetRevision {ours.branch}."
    if not origins:
        others = ", ".join(web_address(one.repository) or "another address" for one in application.origins)
        return failed("argocd", "source", f"{application.name} syncs {others or 'nothing'}, not {ours.address}", fix)
    inside = [one for one in origins if _inside(one.path, ours.folder)]
    if not inside:
        hint = f"{fix} Or set `manifests:` to a folder that holds both."
        return failed("argocd", "source", f"{application.name} syncs {origins[0].path}, not {ours.folder}", hint)
    revision = inside[0].revision.removeprefix("refs/heads/")
    if revision in ("", "HEAD"):
        what = f"{application.name} follows the repository's default branch: is that {ours.branch}?"
        return unchecked("argocd", "source", what, fix)
    if revision != ours.branch:
        return failed("argocd", "source", f"{application.name} follows {revision}, not {ours.branch}", fix)
    return ok("argocd", "source", f"{application.name} syncs {inside[0].path} of this repository at {revision}")


def sync_line(application: Application) -> Line:
    """Tell whether a release is synced without anybody's help."""
    name = application.name
    if application.is_skipped:
        fix = f"kubectl -n argocd annotate application {name} {_SKIPPED}-"
        return failed("argocd", "sync", f"{name} is left alone: its annotation {_SKIPPED} is set", fix)
    if not application.is_automated:
        what = f"auto-sync of {name} is off: a release waits for somebody to sync it"
        return failed("argocd", "sync", what, f"argocd app set {name} --sync-policy automated")
    return ok("argocd", "sync", f"auto-sync of {name} is on")
