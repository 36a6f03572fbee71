"""The client against the real registry: an open one, one with passwords, and one that is read-only."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from orbit_release.errors import AccessError, ConflictError, NotFoundError
from orbit_release.image import Digest, Repository, Tag
from orbit_release.registry.client import Registry, RemoteImage
from tests.images import MANIFEST, push_image, push_index

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678"
REVISION = {"org.opencontainers.image.revision": COMMIT}
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
USER, PASSWORD = "orbit", "correct horse"
HTPASSWD = f"{USER}:$2b$05$hcKEZkNdLqseXgxO0Rk3xeael8XtbeqjHRTaFmAuH7.XB4Y9uAR1C\n"
ABSENT = Digest("sha256:" + "0" * 64)


@contextmanager
def started_registry(folder: Path, extra: Mapping[str, object]) -> Iterator[str]:
    """Run Debian's registry over `folder/data` and yield its `host:port`."""
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"accesslog": {"disabled": True}},
        "http": {"addr": "127.0.0.1:0"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
    }
    (folder / "config.yml").write_text(json.dumps({**settings, **extra}))
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as registry:
        try:
            assert registry.stderr is not None
            line = next(line for line in registry.stderr if "listening on" in line)
            drain = threading.Thread(target=registry.stderr.read)
            drain.start()
            yield line.partition("listening on ")[2].partition('"')[0]
        finally:
            registry.terminate()
            drain.join()


@pytest.fixture
def repository(registry_host: str) -> Repository:
    """Name a repository that nobody has used."""
    return Repository(f"{registry_host}/{uuid4().hex[:8]}/bifrost")


@pytest.fixture(scope="module")
def locked_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry that wants the user name and the password."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "htpasswd").write_text(HTPASSWD)
    with started_registry(folder, {"auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}}) as host:
        yield host


def docker_login(folder: Path, host: str, password: str) -> Path:
    """Write what `docker login` writes."""
    encoded = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": encoded}}}))
    return folder


@pytest.mark.parametrize("kind", [MANIFEST, DOCKER_MANIFEST])
def test_both_kinds_of_manifest_tell_their_commit(repository: Repository, kind: str) -> None:
    pushed = push_image(repository, "latest", REVISION, kind=kind)
    assert Registry().image(repository, Tag("latest")) == RemoteImage(pushed, COMMIT)


def test_whether_there_is_an_image_at_all(repository: Repository) -> None:
    digest = push_image(repository, "latest")
    names = (Tag("latest"), digest, Tag("next"), ABSENT)
    assert [Registry().has(repository, name) for name in names] == [True, True, False, False]


def test_an_image_is_found_by_its_digest(repository: Repository) -> None:
    pushed = push_image(repository, "latest", REVISION)
    assert Registry().image(repository, pushed) == RemoteImage(pushed, COMMIT)


def test_an_index_tells_the_commit_of_its_first_platform_and_passes_over_attestations(repository: Repository) -> None:
    other = push_image(repository, "other", {"org.opencontainers.image.revision": "f" * 40})
    real = push_image(repository, "real", REVISION)
    unknown = {"platform": {"architecture": "unknown", "os": "unknown"}}
    entries = [
        (other, {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}),
        (other, unknown),
        (real, {"platform": {"architecture": "amd64", "os": "linux"}}),
        (other, {"platform": {"architecture": "arm64", "os": "linux"}}),
    ]
    index = push_index(repository, "latest", entries)
    assert Registry().image(repository, Tag("latest")) == RemoteImage(index, COMMIT)


def test_an_index_of_attestations_alone_tells_no_commit(repository: Repository) -> None:
    real = push_image(repository, "real", REVISION)
    index = push_index(repository, "latest", [(real, {"platform": {"architecture": "unknown", "os": "unknown"}})])
    assert Registry().image(repository, Tag("latest")) == RemoteImage(index, None)


@pytest.mark.parametrize("labels", [None, {}, {"org.opencontainers.image.revision": "v1.2\x1b[31m"}])
def test_an_image_without_a_commit_on_its_label_tells_none(
    repository: Repository, labels: Mapping[str, str] | None
) -> None:
    pushed = push_image(repository, "latest", labels)
    assert Registry().image(repository, Tag("latest")) == RemoteImage(pushed, None)


def test_a_tag_that_is_not_there_is_absent(repository: Repository) -> None:
    push_image(repository, "latest")
    assert Registry().image(repository, Tag("sha-1a2b3c4")) is None


def test_a_tag_of_a_repository_that_is_not_there_is_absent(repository: Repository) -> None:
    assert Registry().image(repository, Tag("latest")) is None


@pytest.mark.parametrize("kind", [MANIFEST, DOCKER_MANIFEST])
def test_a_copied_tag_has_the_same_digest(repository: Repository, kind: str) -> None:
    source = push_image(repository, "sha-1a2b3c4", REVISION, kind=kind)
    Registry().copy_tag(repository, source, Tag("latest"))
    assert Registry().image(repository, Tag("latest")) == RemoteImage(source, COMMIT)


def test_a_copied_index_has_the_same_digest(repository: Repository) -> None:
    index = push_index(repository, "sha-1a2b3c4", [(push_image(repository, "real", REVISION), {})])
    Registry().copy_tag(repository, index, Tag("latest"))
    assert Registry().image(repository, Tag("latest")) == RemoteImage(index, COMMIT)


def test_copying_moves_a_tag_that_was_elsewhere(repository: Repository) -> None:
    push_image(repository, "latest")
    source = push_image(repository, "sha-1a2b3c4", REVISION)
    Registry().copy_tag(repository, source, Tag("latest"))
    assert Registry().require(repository, Tag("latest")) == source


def test_copying_an_image_that_is_not_there_says_so(repository: Repository) -> None:
    push_image(repository, "latest")
    with pytest.raises(NotFoundError, match="has no image sha256:0000"):
        Registry().copy_tag(repository, ABSENT, Tag("next"))


def test_a_required_tag_yields_its_digest(repository: Repository) -> None:
    pushed = push_image(repository, "sha-1a2b3c4")
    assert Registry().require(repository, Tag("sha-1a2b3c4")) == pushed
    assert Registry().require(repository, Tag("sha-1a2b3c4"), pushed) == pushed


def test_a_required_tag_that_is_missing_names_the_tags_there(repository: Repository) -> None:
    for tag in ("latest", "sha-1a2b3c4", "sha-9f8e7d6"):
        push_image(repository, tag)
    with pytest.raises(NotFoundError) as caught:
        Registry().require(repository, Tag("sha-abc1234"))
    assert caught.value.message == f"{repository} has no tag sha-abc1234"
    assert caught.value.hint.startswith("Tags there: sha-9f8e7d6, sha-1a2b3c4. Was the build pushed?")


def test_a_required_tag_of_an_unknown_repository_says_that_nothing_was_pushed(repository: Repository) -> None:
    with pytest.raises(NotFoundError) as caught:
        Registry().require(repository, Tag("sha-abc1234"))
    assert "none like sha-{sha} yet" in caught.value.hint


def test_a_required_tag_with_another_digest_is_a_conflict(repository: Repository) -> None:
    pushed = push_image(repository, "latest")
    with pytest.raises(ConflictError, match=f"latest is {pushed}, not {ABSENT}"):
        Registry().require(repository, Tag("latest"), ABSENT)


def test_a_password_in_dockers_config_opens_a_locked_registry(locked_host: str, tmp_path: Path) -> None:
    repository = Repository(f"{locked_host}/locked/bifrost")
    source = push_image(repository, "sha-1a2b3c4", REVISION, auth=(USER, PASSWORD))
    registry = Registry(docker_config=docker_login(tmp_path, locked_host, PASSWORD))
    registry.copy_tag(repository, source, Tag("latest"))
    assert registry.image(repository, Tag("latest")) == RemoteImage(source, COMMIT)


@pytest.mark.parametrize("password", [None, "battery staple"])
def test_a_locked_registry_denies_strangers(locked_host: str, tmp_path: Path, password: str | None) -> None:
    config = docker_login(tmp_path, locked_host, password) if password else tmp_path
    with pytest.raises(AccessError) as caught:
        Registry(docker_config=config).require(Repository(f"{locked_host}/locked/bifrost"), Tag("latest"))
    assert "HTTP 401" in caught.value.message
    assert f"docker login {locked_host}" in caught.value.hint
    assert (password or PASSWORD) not in str(caught.value)


def test_a_read_only_registry_says_so(tmp_path: Path) -> None:
    with started_registry(tmp_path, {}) as host:
        source = push_image(Repository(f"{host}/bifrost"), "sha-1a2b3c4")
    storage = {"rootdirectory": str(tmp_path / "data")}
    read_only = {"filesystem": storage, "maintenance": {"readonly": {"enabled": True}}}
    with started_registry(tmp_path, {"storage": read_only}) as host:
        with pytest.raises(AccessError, match=f"{host} is read-only"):
            Registry().copy_tag(Repository(f"{host}/bifrost"), source, Tag("latest"))
        assert Registry().image(Repository(f"{host}/bifrost"), Tag("latest")) is None
        assert Registry().require(Repository(f"{host}/bifrost"), Tag("sha-1a2b3c4")) == source
