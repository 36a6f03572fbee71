"""Builds against a real engine and a real registry: fixtures `docker_host` and `registry_host`.

Every builder that this machine has runs the same tests: the engine's own always, `docker buildx` where
`docker buildx version` works.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import os
import tarfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import docker
import pytest
import requests

from orbit_release.builders.buildx import BuildxBuilder, is_installed
from orbit_release.builders.choose import choose_builder
from orbit_release.builders.engine import SdkBuilder
from orbit_release.builders.request import BuildRequest
from orbit_release.errors import AccessError, BuildError, UnavailableError, UsageError
from orbit_release.image import Digest, ImageReference, Repository, Tag

BUILDERS = ["engine", *(["buildx"] if is_installed(os.environ) else [])]
MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
DENIED = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
READ_ONLY = b'{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}'


class Gate(ThreadingHTTPServer):
    """A way to the real registry on which manifests meet scripted faults, or that wants a password, or hangs."""

    daemon_threads = True

    def __init__(self, registry_host: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.registry_host = registry_host
        self.faults: deque[tuple[int, bytes]] = deque()
        self.password = ""
        self.heard: set[str] = set()
        self.hangs, self.asked, self.released = False, Event(), Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Passage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        authorization = self.headers.get("Authorization", "")
        self.server.heard.add(authorization)
        if self.server.hangs:
            self.server.asked.set()
            self.server.released.wait()
        if self.server.password and authorization != f"Basic {self.server.password}":
            self._answer(401, {"WWW-Authenticate": 'Basic realm="gate"'}, DENIED)
        elif self.command == "PUT" and "/manifests/" in self.path and self.server.faults:
            status, content = self.server.faults.popleft()
            self._answer(status, {"Content-Type": "application/json"}, content)
        else:
            self._forward(body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the base class asks for these names

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self, body: bytes) -> None:
        dropped = {"transfer-encoding", "content-length", "authorization", "connection"}
        connection = http.client.HTTPConnection(self.server.registry_host)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # some come more than once
            if name.lower() not in dropped:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in dropped}
        self._answer(answer.status, kept, answer.read(), answer.getheader("Content-Length"))
        connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def gate(registry_host: str) -> Iterator[Gate]:
    with Gate(registry_host) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def engine(docker_host: str, pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SdkBuilder:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return SdkBuilder(lambda: docker.APIClient(base_url=docker_host), sleep=pauses.append)


@pytest.fixture(params=BUILDERS)
def builder(
    request: pytest.FixtureRequest, docker_host: str, pauses: list[float]
) -> Iterator[SdkBuilder | BuildxBuilder]:
    if request.param == "engine":
        found: SdkBuilder | BuildxBuilder = request.getfixturevalue("engine")
    else:
        found = BuildxBuilder(None, os.environ | {"DOCKER_HOST": docker_host}, sleep=pauses.append)
    with found:
        yield found


@pytest.fixture
def repository(registry_host: str) -> Repository:
    return Repository(f"{registry_host}/{uuid4().hex[:8]}/bifrost")


@pytest.fixture
def wanted(tmp_path: Path, repository: Repository) -> BuildRequest:
    """One static file; the tags are sha-1a2b3c4 and latest."""
    write(tmp_path / "tree", {"Dockerfile": "FROM scratch\nCOPY . /\n", "main": "1"})
    tags = tuple(ImageReference(repository, Tag(name)) for name in ("sha-1a2b3c4", "latest"))
    return BuildRequest(tmp_path / "tree", ".", "Dockerfile", tags, (), {}, {})


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def at(request: BuildRequest, host: str) -> BuildRequest:
    """Return the request with its images at another registry."""
    names = (ImageReference(Repository(f"{host}/{i.repository.path}"), i.tag) for i in request.tags)
    return replace(request, tags=tuple(names))


def ask(repository: Repository, path: str) -> requests.Response:
    return requests.get(
        f"http://{repository.host}/v2/{repository.path}/{path}", headers={"Accept": MANIFEST}, timeout=10
    )


def tags(repository: Repository) -> list[str]:
    return list(ask(repository, "tags/list").json().get("tags", []))


def members(repository: Repository, digest: Digest | None) -> dict[str, tarfile.TarInfo]:
    """Everything in an image's layers."""
    found = {}
    for layer in ask(repository, f"manifests/{digest}").json()["layers"]:
        blob = gzip.decompress(ask(repository, f"blobs/{layer['digest']}").content)
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            found.update({member.name: member for member in archive})
    return found


def files(repository: Repository, digest: Digest | None) -> set[str]:
    return {name for name, member in members(repository, digest).items() if not member.isdir()}


def silent(_: str) -> None:
    pass


def test_the_digest_of_a_push_is_the_one_that_the_registry_serves(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    digest = builder.build(wanted, push=True, progress=silent)
    assert ask(repository, "manifests/sha-1a2b3c4").headers["Docker-Content-Digest"] == str(digest)


def test_only_the_first_name_is_pushed(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    builder.build(wanted, push=True, progress=silent)
    assert tags(repository) == ["sha-1a2b3c4"]


def test_without_a_push_the_engine_has_every_name_and_the_registry_none(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository, docker_host: str
) -> None:
    assert builder.build(wanted, push=False, progress=silent) is None
    client = docker.APIClient(base_url=docker_host)
    (image,) = client.images(str(repository))
    client.close()
    assert set(image["RepoTags"]) == {str(name) for name in wanted.tags}
    assert tags(repository) == []


def test_labels_and_build_arguments_reach_the_image_as_they_are(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    write(wanted.tree, {"Dockerfile": "FROM scratch\nARG V\nLABEL v=$V\nCOPY main /\n"})
    text = 'a b="c",--push=$HOME é'
    digest = builder.build(replace(wanted, build_args={"V": text}, labels={"org.x": text}), push=True, progress=silent)
    config = ask(repository, f"manifests/{digest}").json()["config"]["digest"]
    assert ask(repository, f"blobs/{config}").json()["config"]["Labels"] == {"v": text, "org.x": text}


def test_a_build_that_fails_says_why_and_pushes_nothing(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    write(wanted.tree, {"Dockerfile": "FROM scratch\nCOPY nowhere /\n"})
    lines: list[str] = []
    with pytest.raises(BuildError, match="nowhere"):
        builder.build(wanted, push=True, progress=lines.append)
    assert "nowhere" in lines[-1]
    assert tags(repository) == []


def test_an_instruction_that_does_not_exist_is_a_failed_build(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest
) -> None:
    write(wanted.tree, {"Dockerfile": "FROM scratch\nFETCH it\n"})
    with pytest.raises(BuildError, match=r"(?i)unknown instruction: FETCH"):
        builder.build(wanted, push=False, progress=silent)


def test_the_output_comes_in_plain_lines(builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest) -> None:
    lines: list[str] = []
    builder.build(wanted, push=True, progress=lines.append)
    assert any("COPY . /" in line for line in lines)
    assert all(line and line.isprintable() for line in lines)


def test_a_registry_that_is_not_there_fails_the_push_after_three_more_tries(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, pauses: list[float]
) -> None:
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:1/.*sha-1a2b3c4 was not pushed: .*refused"):
        builder.build(at(wanted, "127.0.0.1:1"), push=True, progress=silent)
    assert pauses == [1.0, 2.0, 4.0]


def test_a_flaky_push_is_repeated_until_it_arrives(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository, gate: Gate
) -> None:
    gate.faults += [(503, b""), (403, b""), (401, DENIED)]
    digest = builder.build(at(wanted, gate.host), push=True, progress=silent)
    assert ask(repository, "manifests/sha-1a2b3c4").headers["Docker-Content-Digest"] == str(digest)


def test_a_registry_that_denies_twice_asks_for_a_login(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository, gate: Gate
) -> None:
    gate.faults += [(401, DENIED)] * 3
    with pytest.raises(AccessError, match="denied") as caught:
        builder.build(at(wanted, gate.host), push=True, progress=silent)
    assert caught.value.hint == f"docker login {gate.host}"
    assert len(gate.faults) == 1
    assert tags(repository) == []


def test_a_registry_that_is_read_only_is_not_asked_again(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, gate: Gate
) -> None:
    gate.faults += [(405, READ_ONLY)] * 2
    with pytest.raises(AccessError, match="unsupported"):
        builder.build(at(wanted, gate.host), push=True, progress=silent)
    assert len(gate.faults) == 1


def test_the_credentials_of_docker_login_are_used(
    engine: SdkBuilder, wanted: BuildRequest, repository: Repository, gate: Gate, tmp_path: Path
) -> None:
    gate.password = base64.b64encode(b"me:secret").decode()
    write(tmp_path, {"docker/config.json": json.dumps({"auths": {gate.host: {"auth": gate.password}}})})
    with engine:
        engine.build(at(wanted, gate.host), push=True, progress=silent)
    assert tags(repository) == ["sha-1a2b3c4"]


def test_the_github_token_goes_to_no_other_registry(
    wanted: BuildRequest, gate: Gate, docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    gate.password = base64.b64encode(b"me:secret").decode()
    pauses: list[float] = []
    token = uuid4().hex
    client = SdkBuilder(lambda: docker.APIClient(base_url=docker_host), github_token=token, sleep=pauses.append)
    with client, pytest.raises(AccessError):
        client.build(at(wanted, gate.host), push=True, progress=silent)
    assert gate.heard == {""}


def test_what_needs_buildkit_is_refused_by_the_engines_builder_with_every_line(
    engine: SdkBuilder, wanted: BuildRequest
) -> None:
    write(wanted.tree, {"Dockerfile": "FROM scratch\nCOPY --link main /\nRUN --mount=type=ssh x\n"})
    with engine, pytest.raises(BuildError) as caught:
        engine.build(replace(wanted, platforms=("linux/s390x",)), push=False, progress=silent)
    assert caught.value.message.splitlines()[:3] == [
        "this build needs BuildKit:",
        "Dockerfile:2: COPY --link",
        "Dockerfile:3: RUN --mount",
    ]
    assert "platforms linux/s390x" in caught.value.message
    assert "Install docker buildx, or use --builder tcp://" in caught.value.hint


@pytest.mark.parametrize(
    ("ignores", "kept"),
    [
        ({".dockerignore": "secret\n.dockerignore\nDockerfile"}, {"main"}),
        ({".dockerignore": "main\n", "Dockerfile.dockerignore": "secret\n*ocker*\n"}, {"main"}),
        ({".dockerignore": "*\n!main"}, {"main"}),
    ],
)
def test_the_ignore_file_named_after_the_dockerfile_wins(
    builder: SdkBuilder | BuildxBuilder,
    wanted: BuildRequest,
    repository: Repository,
    ignores: dict[str, str],
    kept: set[str],
) -> None:
    write(wanted.tree, {"secret": "s", **ignores})
    digest = builder.build(wanted, push=True, progress=silent)
    assert files(repository, digest) == kept


def test_a_dockerfile_may_lie_outside_the_context(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    write(wanted.tree, {"docker/x/Dockerfile": "FROM scratch\nCOPY . /\n", "services/x/app": "1"})
    outside = replace(wanted, context="services/x", dockerfile="docker/x/Dockerfile")
    assert files(repository, builder.build(outside, push=True, progress=silent)) == {"app"}


def test_a_dockerfile_may_lie_deep_in_the_context(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    write(wanted.tree, {"www/Dockerfile": "FROM scratch\nCOPY app /\n", "www/app": "1"})
    inside = replace(wanted, context="www", dockerfile="www/Dockerfile")
    assert files(repository, builder.build(inside, push=True, progress=silent)) == {"app"}


def test_symbolic_links_modes_and_odd_names_are_kept(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    write(wanted.tree, {"Dockerfile": "FROM scratch\nCOPY bin /\n", "bin/run me": "", "bin/é\n": ""})
    (wanted.tree / "bin/run me").chmod(0o755)
    (wanted.tree / "bin/link").symlink_to("run me")
    found = members(repository, builder.build(wanted, push=True, progress=silent))
    assert set(found) == {"run me", "é\n", "link"}
    assert found["link"].linkname == "run me"
    assert found["run me"].mode & 0o777 == 0o755
    assert (found["run me"].uid, found["run me"].gid) == (0, 0)


@pytest.mark.parametrize("name", ["Dockerfile", "context"])
def test_a_symbolic_link_out_of_the_repository_is_refused(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, tmp_path: Path, name: str
) -> None:
    write(tmp_path, {"private/Dockerfile": "FROM scratch\n"})
    target = tmp_path / "private" / ("Dockerfile" if name == "Dockerfile" else "")
    (wanted.tree / "away").symlink_to(target)
    outside = replace(wanted, dockerfile="away") if name == "Dockerfile" else replace(wanted, context="away")
    with pytest.raises(BuildError, match="outside the repository"):
        builder.build(outside, push=False, progress=silent)


@pytest.mark.parametrize("own_ignore_file", ["Dockerfile.dockerignore", "other"])
def test_an_ignore_file_that_links_out_of_the_repository_is_refused(
    engine: SdkBuilder, wanted: BuildRequest, tmp_path: Path, own_ignore_file: str
) -> None:
    write(tmp_path, {"private/key": "secret\n", f"tree/{own_ignore_file}": "", "tree/app/main": "1"})
    (wanted.tree / "app/.dockerignore").symlink_to(tmp_path / "private/key")
    with engine, pytest.raises(BuildError, match="outside the repository"):
        engine.build(replace(wanted, context="app"), push=False, progress=silent)


def test_an_ignore_file_may_be_a_symbolic_link_within_the_repository(
    engine: SdkBuilder, wanted: BuildRequest, repository: Repository
) -> None:
    """BuildKit does not follow it, and sends everything."""
    write(wanted.tree, {"ignored": "secret\n.dockerignore\n", "app/secret": "s", "app/main": "1"})
    (wanted.tree / "app/.dockerignore").symlink_to("../ignored")
    with engine:
        digest = engine.build(replace(wanted, context="app"), push=True, progress=silent)
    assert files(repository, digest) == {"main"}


@pytest.mark.parametrize("name", ["dockerfile", "context"])
def test_a_loop_of_symbolic_links_is_a_failed_build_with_a_hint(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, name: str
) -> None:
    (wanted.tree / "loop").symlink_to("loop")
    looping = replace(wanted, dockerfile="loop") if name == "dockerfile" else replace(wanted, context="loop")
    with pytest.raises(BuildError, match=r"loop|too many links") as caught:
        builder.build(looping, push=False, progress=silent)
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_a_failed_build_with_a_hint(engine: SdkBuilder, wanted: BuildRequest) -> None:
    name = "d" * 300  # longer than a file's name may be
    with engine, pytest.raises(BuildError, match="name too long") as caught:
        engine.build(replace(wanted, dockerfile=name), push=False, progress=silent)
    assert caught.value.hint


def test_one_builder_builds_in_parallel(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, registry_host: str
) -> None:
    names = [Repository(f"{registry_host}/{uuid4().hex[:8]}/s{n}") for n in range(4)]
    requests_ = [replace(wanted, tags=(ImageReference(name, Tag("sha-1a2b3c4")),)) for name in names]
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda one: builder.build(one, push=True, progress=silent), requests_))
    served = [ask(name, "manifests/sha-1a2b3c4").headers["Docker-Content-Digest"] for name in names]
    assert served == [str(digest) for digest in digests]


def test_leaving_the_builder_ends_a_build_that_runs(
    builder: SdkBuilder | BuildxBuilder, wanted: BuildRequest, gate: Gate
) -> None:
    gate.hangs = True
    write(wanted.tree, {"Dockerfile": f"FROM {gate.host}/base:{uuid4().hex}\nCOPY main /\n"})
    with ThreadPoolExecutor(1) as pool, builder:
        running = pool.submit(builder.build, wanted, push=True, progress=silent)
        assert gate.asked.wait(60)
    with pytest.raises(BuildError, match="interrupted"):
        running.result(60)
    with pytest.raises(BuildError, match="interrupted"):
        builder.build(wanted, push=False, progress=silent)


def test_a_builder_needs_buildx(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs docker buildx") as caught:
        choose_builder("tcp://127.0.0.1:1234", environ={"PATH": str(tmp_path)})
    assert "docs.docker.com/go/buildx" in caught.value.hint


def test_an_engine_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "DOCKER_HOST": "tcp://127.0.0.1:1"}
    with (
        pytest.raises(UnavailableError, match="no Docker Engine answers") as caught,
        choose_builder(None, environ=environ),
    ):
        pass
    assert "DOCKER_HOST" in caught.value.hint


def test_the_engines_builder_is_taken_where_there_is_no_buildx(
    wanted: BuildRequest, repository: Repository, docker_host: str, tmp_path: Path
) -> None:
    with choose_builder(None, environ={"PATH": str(tmp_path), "DOCKER_HOST": docker_host}) as found:
        found.build(wanted, push=True, progress=silent)
    assert tags(repository) == ["sha-1a2b3c4"]
