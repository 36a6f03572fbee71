"""Build images with the builder inside a Docker Engine, and push them."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

import docker
import docker.auth
import docker.errors
import requests
import urllib3

from orbit_release.builders.ignore_file import ignore_rules, is_ignored
from orbit_release.builders.request import (
    BuildRequest,
    EngineError,
    Progress,
    Sleep,
    failed,
    interrupted,
    plain,
    pushed,
    require_no_buildkit,
    told,
    unreadable,
    within,
)
from orbit_release.errors import BuildError, UnavailableError
from orbit_release.image import Digest, ImageReference

_GITHUB_REGISTRY = "ghcr.io"
_DOCKERFILE = ".orbit-release.dockerfile"
_ENGINE_HINT = "Start Docker or set DOCKER_HOST; scripts/demo sets up an engine of its own."
_BROKEN_OFF = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
_FAULTS = (docker.errors.DockerException, *_BROKEN_OFF)


def _find(request: BuildRequest, name: str) -> Path:
    # Unlike Path.resolve it stands loops of links: nothing is there, then.
    tree = Path(os.path.realpath(request.tree))
    return within(tree, Path(os.path.realpath(tree / name)))


def _sources(request: BuildRequest) -> tuple[Path, Path]:
    """Return the context and the Dockerfile, both there."""
    context, dockerfile = _find(request, request.context), _find(request, request.dockerfile)
    for there, name in ((context.is_dir(), request.context), (dockerfile.is_file(), request.dockerfile)):
        if not there:
            raise BuildError(f"the commit has no {name}", "Correct its path in orbit-release.yaml.")
    return context, dockerfile


def _ignore_file(request: BuildRequest) -> str:
    """Read the ignore file that counts: the one named after the Dockerfile, else the context's."""
    for name in (f"{request.dockerfile}.dockerignore", f"{request.context}/.dockerignore"):
        path = _find(request, name)
        if path.is_file():
            return path.read_text("utf-8", "surrogateescape")
    return ""


def _context_files(request: BuildRequest, context: Path) -> list[str]:
    rules = ignore_rules(_ignore_file(request))
    names = [
        Path(folder, name).relative_to(context).as_posix()
        for folder, folders, files in os.walk(context)
        for name in folders + files
    ]
    return sorted(name for name in names if not is_ignored(rules, name))


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Who checked the files out is no reason for the engine's cache to miss.
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _pack(request: BuildRequest, archive: tarfile.TarFile) -> str:
    """Fill the archive that the engine builds from; return the Dockerfile's name in it."""
    context, dockerfile = _sources(request)
    names = _context_files(request, context)
    name = dockerfile.relative_to(context).as_posix() if dockerfile.is_relative_to(context) else ""
    if name not in names:
        # It travels along without being part of the context: the engine drops what `.dockerignore` names.
        ignore = b".dockerignore"
        if ".dockerignore" in names:
            ignore = _find(request, f"{request.context}/.dockerignore").read_bytes()
        names = [other for other in names if other != ".dockerignore"]
        name = _DOCKERFILE
        _add_bytes(archive, name, dockerfile.read_bytes())
        _add_bytes(archive, ".dockerignore", ignore + f"\n{name}\n".encode())
    for path in names:
        archive.add(context / path, path, recursive=False, filter=_owned_by_root)
    return name


def connect(environ: Mapping[str, str]) -> docker.APIClient:
    """Return a client of the engine that DOCKER_HOST, or else Docker's current context, names."""
    return docker.from_env(environment=dict(environ)).api


def engine(environ: Mapping[str, str], seconds: int) -> str:
    """Return which engine answers; UnavailableError if none does."""
    try:
        with closing(docker.from_env(environment=dict(environ), timeout=seconds).api) as client:
            version = client.version()
    except (*_FAULTS, OSError, ValueError) as error:
        raise UnavailableError(f"no Docker Engine answers: {_words(error)}", _ENGINE_HINT) from error
    return f"Docker Engine {plain(str(version['Version']))} ({plain(str(version['Os']))}/{plain(str(version['Arch']))})"


class SdkBuilder:
    """The builder inside a Docker Engine: no BuildKit syntax, one platform. Safe to share between threads.

    Leaving it stops every build that still runs, so enter it after the thread pool. `connect` is called once
    per build. Credentials are Docker's own; `github_token` is for ghcr.io where Docker has none.
    """

    def __init__(
        self, connect: Callable[[], docker.APIClient], *, github_token: str | None = None, sleep: Sleep
    ) -> None:
        self._connect, self._token, self._sleep = connect, github_token, sleep
        self._lock, self._streams, self._stopped = threading.Lock(), set[requests.Response](), False

    def __enter__(self) -> Self:
        with self._engine():
            return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            for stream in self._streams:
                with suppress(RuntimeError, ValueError, OSError):  # it ended by itself meanwhile
                    stream.raw.shutdown()

    def build(self, request: BuildRequest, *, push: bool, progress: Progress) -> Digest | None:
        """Build and name an image, push its first name; return the digest in the registry (None: no push)."""
        with self._engine() as client:
            version = client.version()
            dockerfile = _sources(request)[1].read_text("utf-8", "replace")
            require_no_buildkit(request, dockerfile, f"{version['Os']}/{version['Arch']}")
            built = _built(client, request, progress)
            for image in request.tags:
                client.tag(built, str(image.repository), str(image.tag))
            first = request.tags[0]
            return pushed(first, lambda: self._pushed(client, first, progress), self._sleep) if push else None

    def _pushed(self, client: docker.APIClient, image: ImageReference, progress: Progress) -> Digest:
        auth = self._credentials(image.repository.host)
        try:
            records = client.push(str(image.repository), str(image.tag), stream=True, decode=True, auth_config=auth)
            digests = [result["Digest"] for result in told(records, progress) if "Digest" in result]
        except _FAULTS as error:
            self._require_running()
            raise EngineError(_words(error)) from error
        self._require_running()
        if not digests:
            raise EngineError("unexpected EOF: the engine named no digest")
        return Digest(digests[-1])

    def _credentials(self, host: str) -> dict[str, str] | None:
        """Return the GitHub token for GitHub's registry where Docker knows nothing better; else leave it to Docker."""
        if host != _GITHUB_REGISTRY or not self._token or docker.auth.load_config().resolve_authconfig(host):
            return None
        return {"username": "x-access-token", "password": self._token, "serveraddress": host}

    def _require_running(self) -> None:
        if self._stopped:
            raise interrupted()

    @contextmanager
    def _engine(self) -> Iterator[docker.APIClient]:
        """Connect for one build; what it opened is closed at its end, which ends it in the engine too."""
        self._require_running()
        opened: list[requests.Response] = []
        try:
            client = self._connect()
        except (*_FAULTS, OSError, ValueError) as error:  # unreadable certificates; DOCKER_HOST is no address
            raise UnavailableError(f"no Docker Engine answers: {_words(error)}", _ENGINE_HINT) from error
        client.hooks["response"].append(lambda response, **_: self._watch(response, opened))
        try:
            yield client
        except (*_FAULTS, OSError, EngineError) as error:
            self._require_running()
            raise _translated(error) from error
        finally:
            with self._lock:
                self._streams.difference_update(opened)
            for response in opened:
                response.close()
            client.close()

    def _watch(self, response: requests.Response, opened: list[requests.Response]) -> None:
        opened.append(response)
        with self._lock:
            self._require_running()
            self._streams.add(response)


def _words(error: Exception) -> str:
    return plain(getattr(error, "explanation", None) or str(error))


def _translated(error: Exception) -> BuildError | UnavailableError:
    if isinstance(error, (EngineError, docker.errors.DockerException)):  # some of the latter are OSErrors as well
        return failed(_words(error))
    if isinstance(error, _BROKEN_OFF):
        return UnavailableError(f"the Docker Engine broke off: {_words(error)}", _ENGINE_HINT)
    return unreadable(error)


def _built(client: docker.APIClient, request: BuildRequest, progress: Progress) -> str:
    """Build; return the image's id."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            dockerfile = _pack(request, archive)
        file.seek(0)
        records = client.build(
            fileobj=file,
            custom_context=True,
            dockerfile=dockerfile,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs=dict(request.build_args),
            labels=dict(request.labels),
        )
        images = [str(result["ID"]) for result in told(records, progress) if "ID" in result]
    if not images:
        raise EngineError("the engine ended the build without an image")
    return images[-1]
