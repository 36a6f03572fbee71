"""Build images with the builder inside a Docker Engine, and push them."""

from __future__ import annotations

import re
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, Self

import docker
import docker.auth
import docker.errors
import requests
import urllib3

from orbit_release.builders import failures
from orbit_release.builders.context import context_and_dockerfile, pack
from orbit_release.builders.dockerfile import buildkit_needs
from orbit_release.builders.failures import START_DOCKER, EngineError, plain
from orbit_release.builders.request import BuildRequest, Progress, Sleep
from orbit_release.errors import BuildError, UnavailableError
from orbit_release.image import Digest, ImageReference

_GITHUB_REGISTRY = "ghcr.io"
_BROKEN_OFF = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
_FAULTS = (docker.errors.DockerException, *_BROKEN_OFF)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64/v8": "arm64"}


def connect(environ: Mapping[str, str]) -> docker.APIClient:
    """Return a client of the engine that DOCKER_HOST, or else Docker's current context, names."""
    return docker.from_env(environment=dict(environ)).api


def answering_engine(environ: Mapping[str, str], seconds: int) -> str:
    """Return the version and platform of the engine; UnavailableError if none answers."""
    try:
        with closing(docker.from_env(environment=dict(environ), timeout=seconds).api) as client:
            version = client.version()
    except (*_FAULTS, OSError, ValueError) as error:
        raise _no_engine(error) from error
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
            dockerfile = context_and_dockerfile(request)[1].read_text("utf-8", "replace")
            _require_no_buildkit(request, dockerfile, f"{version['Os']}/{version['Arch']}")
            image_id = _build(client, request, progress)
            for image in request.tags:
                client.tag(image_id, str(image.repository), str(image.tag))
            first = request.tags[0]
            if not push:
                return None
            return failures.push_with_retries(first, lambda: self._push(client, first, progress), self._sleep)

    def _push(self, client: docker.APIClient, image: ImageReference, progress: Progress) -> Digest:
        auth = self._credentials(image.repository.host)
        try:
            records = client.push(str(image.repository), str(image.tag), stream=True, decode=True, auth_config=auth)
            digests = [result["Digest"] for result in _results(records, progress) if "Digest" in result]
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
            raise failures.interruption()

    @contextmanager
    def _engine(self) -> Iterator[docker.APIClient]:
        """Connect for one build; what it opened is closed at its end, which ends it in the engine too."""
        self._require_running()
        opened: list[requests.Response] = []
        try:
            client = self._connect()
        except (*_FAULTS, OSError, ValueError) as error:  # unreadable certificates; DOCKER_HOST is no address
            raise _no_engine(error) from error
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


def _no_engine(error: Exception) -> UnavailableError:
    return UnavailableError(f"no Docker Engine answers: {_words(error)}", START_DOCKER)


def _translated(error: Exception) -> BuildError | UnavailableError:
    if isinstance(error, (EngineError, docker.errors.DockerException)):  # some of the latter are OSErrors as well
        return failures.build_error(_words(error))
    if isinstance(error, _BROKEN_OFF):
        return UnavailableError(f"the Docker Engine broke off: {_words(error)}", START_DOCKER)
    return failures.machine_error(error)


def _build(client: docker.APIClient, request: BuildRequest, progress: Progress) -> str:
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            dockerfile = pack(request, archive)
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
        ids = [str(result["ID"]) for result in _results(records, progress) if "ID" in result]
    if not ids:
        raise EngineError("the engine ended the build without an image")
    return ids[-1]


def _results(records: Iterable[Mapping[str, Any]], progress: Progress) -> Iterator[Mapping[str, Any]]:
    """Pass on an engine's words line by line and yield its results; EngineError where it reports one."""
    rest = ""
    for record in records:
        if not record.get("progressDetail"):
            status = f"{record.get('id', '')} {record['status']}".strip() + "\n" if record.get("status") else ""
            *lines, rest = re.split(r"[\r\n]+", rest + record.get("stream", "") + status)
            for line in filter(None, map(plain, lines)):
                progress(line)
        fault = (record.get("errorDetail") or {}).get("message") or record.get("error") or record.get("message")
        if fault:
            progress(plain(rest + fault))
            raise EngineError(plain(fault))
        yield record.get("aux") or {}


def _require_no_buildkit(request: BuildRequest, dockerfile: str, engine: str) -> None:
    """Refuse what an engine's own builder (on `os/arch`) would refuse late or get wrong silently."""
    faults = [f"{request.dockerfile}:{need.line}: {need.what}" for need in buildkit_needs(dockerfile)]
    if any(_machine(platform) != _machine(engine) for platform in request.platforms):
        faults.append(f"platforms {', '.join(request.platforms)}: this engine builds {engine}")
    if faults:
        hint = "Install docker buildx, or use --builder tcp://HOST:PORT of a BuildKit server."
        raise BuildError("\n".join(["this build needs BuildKit:", *faults]), hint)


def _machine(platform: str) -> tuple[str, str]:
    system, _, architecture = platform.partition("/")
    return system, _ARCHITECTURES.get(architecture, architecture)
