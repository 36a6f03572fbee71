"""The client against a registry that challenges, redirects, answers late, wrongly or not at all."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orbit_release.errors import AccessError, ConfigurationError, NotFoundError, OrbitReleaseError, UnavailableError
from orbit_release.image import Digest, Repository, Tag
from orbit_release.registry.client import Registry, RemoteImage
from tests.servers.registry import RegistryServer, Reply, TlsProxy
from tests.servers.serving import serving

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678"
REVISION = {"org.opencontainers.image.revision": COMMIT}
LATEST = Tag("latest")
LOGIN = "orbit:correct horse"
BUDGET = 60.0


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    """Run a registry whose only image is `bifrost:latest`."""
    registry = RegistryServer()
    registry.add_image("bifrost", "latest", REVISION)
    with serving(registry, registry.stopping):
        yield registry


@pytest.fixture
def storage() -> Iterator[RegistryServer]:
    """Run a second host, which has the same blobs."""
    registry = RegistryServer()
    registry.add_image("bifrost", "latest", REVISION)
    with serving(registry, registry.stopping):
        yield registry


@pytest.fixture
def bifrost(server: RegistryServer) -> Repository:
    return Repository(f"{server.host}/bifrost")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Registry:
    """Make a client without credentials, whose jitter is always the longest."""
    return Registry(clock=clock, sleep=clock.sleep, random=lambda: 1.0, budget=BUDGET)


@pytest.fixture
def pushed(server: RegistryServer) -> Digest:
    return Digest(server.add_image("bifrost", "latest", REVISION))


def docker_config(folder: Path, **content: object) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def logged_in(folder: Path, host: str, login: str = LOGIN) -> Path:
    return docker_config(folder, auths={host: {"auth": base64.b64encode(login.encode()).decode()}})


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put `docker-credential-test` on PATH and name it in the Docker configuration."""
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return docker_config(folder, credsStore="test")


# Tokens and credentials


def test_an_anonymous_token_opens_a_public_repository(
    server: RegistryServer, bifrost: Repository, pushed: Digest
) -> None:
    server.scheme = "Bearer"
    assert Registry().image(bifrost, LATEST) == RemoteImage(pushed, COMMIT)


def test_a_password_is_traded_for_a_token(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path
) -> None:
    server.scheme, server.passwords = "Bearer", {LOGIN}
    registry = Registry(docker_config=logged_in(tmp_path, f"https://{server.host}/v2/"))
    registry.copy_tag(bifrost, pushed, Tag("next"))
    assert registry.require(bifrost, Tag("next")) == pushed


def test_an_identity_token_is_traded_for_a_token(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path
) -> None:
    server.scheme, server.passwords, server.identity_tokens = "Bearer", {LOGIN}, {"refresh me"}
    config = docker_config(tmp_path, auths={server.host: {"auth": "", "identitytoken": "refresh me"}})
    assert Registry(docker_config=config).require(bifrost, LATEST) == pushed


def test_reading_never_obtains_the_right_to_push(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path
) -> None:
    server.scheme, server.passwords = "Bearer", {LOGIN}
    registry = Registry(docker_config=logged_in(tmp_path, server.host))
    registry.require(bifrost, LATEST, pushed)
    assert set(server.valid.values()) == {"repository:bifrost:pull"}


def test_one_token_serves_all_calls_of_a_scope(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    server.scheme = "Bearer"
    for _ in range(3):
        registry.image(bifrost, LATEST)
    assert len(server.valid) == 1


def test_an_expired_token_is_replaced(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    server.scheme = "Bearer"
    registry.require(bifrost, LATEST)
    server.valid = {"of somebody else": ""}
    assert registry.require(bifrost, LATEST) == pushed


def test_threads_share_a_client(server: RegistryServer, tmp_path: Path) -> None:
    server.scheme, server.passwords = "Bearer", {LOGIN}
    names = [f"service-{number}" for number in range(16)]
    digests = [Digest(server.add_image(name, "latest", {"name": name})) for name in names]
    registry = Registry(docker_config=logged_in(tmp_path, server.host))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: registry.require(Repository(f"{server.host}/{name}"), LATEST), names))
    assert found == digests


def test_pushing_without_credentials_says_how_to_log_in(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    server.scheme = "Bearer"
    with pytest.raises(AccessError) as caught:
        registry.copy_tag(bifrost, pushed, Tag("next"))
    assert "incorrect username or password" in caught.value.message
    assert caught.value.hint == f"Run `docker login {server.host}` with an account that may push to it."


def test_a_credential_helper_is_asked(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.scheme, server.passwords = "Basic", {LOGIN}
    script = (
        f'read host; [ "$1 $host" = "get {server.host}" ] && echo \'{{"Username":"orbit","Secret":"correct horse"}}\''
    )
    assert Registry(docker_config=helper(tmp_path, monkeypatch, script)).require(bifrost, LATEST) == pushed


def test_a_credential_helpers_identity_token_is_traded_in(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.scheme, server.passwords, server.identity_tokens = "Bearer", {LOGIN}, {"refresh me"}
    config = helper(tmp_path, monkeypatch, 'echo \'{"Username":"<token>","Secret":"refresh me"}\'')
    assert Registry(docker_config=config).require(bifrost, LATEST) == pushed


def test_a_credential_helper_that_knows_nothing_leaves_a_stranger(
    server: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.scheme = "Bearer"
    config = helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")
    assert Registry(docker_config=config).require(bifrost, LATEST) == pushed


@pytest.mark.parametrize(
    ("script", "complaint"),
    [("echo hush; exit 3", "failed with exit code 3"), ("exec sleep 600", "does not answer within")],
)
def test_a_credential_helper_that_fails_is_named(
    server: RegistryServer,
    bifrost: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    complaint: str,
) -> None:
    server.scheme = "Basic"
    with pytest.raises(AccessError, match=complaint) as caught:
        Registry(docker_config=helper(tmp_path, monkeypatch, script), budget=0.3).require(bifrost, LATEST)
    assert f"echo {server.host} | docker-credential-test get" in caught.value.hint
    assert "hush" not in str(caught.value)


def test_a_credential_helper_that_is_missing_is_named(
    server: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme = "Basic"
    config = docker_config(tmp_path, credHelpers={server.host: "is-not-there"})
    with pytest.raises(AccessError, match="docker-credential-is-not-there cannot be run: No such file"):
        Registry(docker_config=config).require(bifrost, LATEST)


def test_a_malformed_docker_config_is_a_configuration_error(
    server: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme = "Basic"
    (tmp_path / "config.json").write_text('{"auths": {"x": {"auth": "secret"')
    with pytest.raises(ConfigurationError, match=r"config\.json is malformed"):
        Registry(docker_config=tmp_path).require(bifrost, LATEST)


def test_a_docker_config_that_cannot_be_read_is_a_configuration_error(
    server: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme = "Basic"
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ConfigurationError, match="cannot read"):
        Registry(docker_config=tmp_path).require(bifrost, LATEST)


# Where credentials must not go


def test_githubs_token_goes_to_no_other_registry(server: RegistryServer, bifrost: Repository) -> None:
    server.scheme, server.passwords = "Basic", {LOGIN}
    with pytest.raises(AccessError):
        Registry(github_token="ghs_secret").require(bifrost, LATEST)  # noqa: S106
    assert server.heard == set()


def test_loopback_is_never_reached_through_a_proxy(
    server: RegistryServer, bifrost: Repository, pushed: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert Registry().require(bifrost, LATEST) == pushed


@pytest.mark.parametrize("realm", ["http://auth.example.com/token", "https://user@auth.example.com", "", "file:///etc"])
def test_a_token_server_without_https_is_refused(
    server: RegistryServer, bifrost: Repository, registry: Registry, realm: str
) -> None:
    server.scheme, server.realm = "Bearer", realm
    with pytest.raises(AccessError, match="token server"):
        registry.require(bifrost, LATEST)


def test_blobs_are_fetched_from_storage_without_credentials(
    server: RegistryServer, storage: RegistryServer, bifrost: Repository, pushed: Digest, tmp_path: Path
) -> None:
    server.scheme, server.passwords, server.storage = "Basic", {LOGIN}, f"http://{storage.host}"
    registry = Registry(docker_config=logged_in(tmp_path, server.host))
    assert registry.image(bifrost, LATEST) == RemoteImage(pushed, COMMIT)
    assert storage.heard == set()


def test_a_challenge_by_storage_gets_no_credentials(
    server: RegistryServer, storage: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme, server.passwords, server.storage = "Basic", {LOGIN}, f"http://{storage.host}"
    storage.script.append(Reply(401, {"WWW-Authenticate": 'Basic realm="give"'}))
    with pytest.raises(AccessError, match=f"{storage.host}: HTTP 401"):
        Registry(docker_config=logged_in(tmp_path, server.host)).image(bifrost, LATEST)
    assert storage.heard == set()


def test_a_redirect_to_storage_without_https_is_refused(
    server: RegistryServer, bifrost: Repository, registry: Registry
) -> None:
    server.storage = "http://storage.example.com"
    with pytest.raises(UnavailableError, match="not https") as caught:
        registry.image(bifrost, LATEST)
    assert "signature" not in str(caught.value)


def test_a_redirect_to_nowhere_is_refused(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    server.script.extend([Reply(302, {"Location": "https://["})] * 8)
    with pytest.raises(UnavailableError, match="Invalid IPv6 URL"):
        registry.image(bifrost, LATEST)


def test_redirects_in_a_circle_end(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    server.script.extend([Reply(302, {"Location": "/v2/bifrost/manifests/latest"})] * 20)
    with pytest.raises(UnavailableError, match="redirects more than 5 times"):
        registry.require(bifrost, LATEST)


def test_all_pages_of_the_tags_are_read(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    for number in range(6):
        server.add_image("bifrost", f"sha-000{number}")
    server.page_size = 3
    with pytest.raises(NotFoundError) as caught:
        registry.require(bifrost, Tag("sha-1a2b3c4"))
    assert caught.value.hint.startswith("Tags there: sha-0005, sha-0004, sha-0003, sha-0002, sha-0001.")


def test_a_page_of_tags_on_another_host_is_asked_of_the_registry_itself(
    server: RegistryServer, storage: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme, server.passwords = "Basic", {LOGIN}
    server.add_image("bifrost", "sha-0001")
    server.page_size, server.next_host = 1, f"http://{storage.host}"
    with pytest.raises(NotFoundError, match="has no tag"):
        Registry(docker_config=logged_in(tmp_path, server.host)).require(bifrost, Tag("sha-1a2b3c4"))
    assert storage.heard == set()


# ghcr.io itself, as far as a client can tell: TLS, its name, a proxy and a certificate from the environment


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for ghcr.io that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ghcr.io")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ghcr.io")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "ghcr.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


@pytest.fixture
def ghcr(
    server: RegistryServer, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RegistryServer]:
    """Reach the server as https://ghcr.io through a proxy, as in a company's network."""
    server.scheme, server.passwords = "Bearer", {"x-access-token:ghs_secret"}
    server.realm = "https://ghcr.io/token"
    proxy = TlsProxy(certificate[1], {"ghcr.io": server, "ghcr.io.example.com": server})
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with serving(proxy):
        yield server


def test_githubs_token_opens_ghcr(ghcr: RegistryServer, pushed: Digest) -> None:
    registry = Registry(github_token="ghs_secret")  # noqa: S106
    registry.copy_tag(Repository("ghcr.io/bifrost"), pushed, Tag("next"))
    assert ghcr.tags["bifrost"] == ["latest", "next"]


def test_dockers_config_goes_before_githubs_token(ghcr: RegistryServer, pushed: Digest, tmp_path: Path) -> None:
    ghcr.passwords = {LOGIN}
    registry = Registry(github_token="ghs_secret", docker_config=logged_in(tmp_path, "ghcr.io"))  # noqa: S106
    assert registry.require(Repository("ghcr.io/bifrost"), LATEST) == pushed


def test_githubs_token_does_not_follow_a_forged_realm(ghcr: RegistryServer) -> None:
    ghcr.realm = "https://ghcr.io.example.com/token"
    with pytest.raises(AccessError, match=r"ghcr\.io names a token server that it must not"):
        Registry(github_token="ghs_secret").require(Repository("ghcr.io/bifrost"), LATEST)  # noqa: S106
    assert ghcr.heard == set()


def test_passwords_in_netrc_stay_there(
    ghcr: RegistryServer, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ghcr.scheme, ghcr.passwords = "Basic", {"orbit:correct"}
    (tmp_path / "netrc").write_text("machine ghcr.io login orbit password correct\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(AccessError):
        registry.require(Repository("ghcr.io/bifrost"), LATEST)
    assert ghcr.heard == set()


def test_ghcr_denying_access_says_what_the_token_needs(ghcr: RegistryServer) -> None:
    with pytest.raises(AccessError) as caught:
        Registry(github_token="ghs_wrong").require(Repository("ghcr.io/bifrost"), LATEST)  # noqa: S106
    assert "read:packages" in caught.value.hint
    assert "a missing one is denied, too" in caught.value.hint


def test_a_certificate_that_nobody_vouches_for_is_refused(
    ghcr: RegistryServer, monkeypatch: pytest.MonkeyPatch, registry: Registry
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(UnavailableError, match=r"(?i)certificate.verify.failed"):
        registry.require(Repository("ghcr.io/bifrost"), LATEST)
    assert ghcr.heard == set()


# Answers that are no answer


@pytest.mark.parametrize("status", [400, 401, 403, 405, 408, 409, 418, 429, 500, 503])
def test_only_404_means_absent(
    server: RegistryServer,
    bifrost: Repository,
    registry: Registry,
    status: int,
) -> None:
    server.script.extend([Reply(status)] * 20)
    for ask in (registry.require, registry.image):
        with pytest.raises((AccessError, UnavailableError)):
            ask(bifrost, LATEST)
    server.script.clear()
    server.script.extend([Reply(404), Reply(404)])
    assert registry.image(bifrost, LATEST) is None
    with pytest.raises(NotFoundError):
        registry.require(bifrost, LATEST)


def test_a_denial_is_quoted_without_control_characters_and_secrets(
    server: RegistryServer, bifrost: Repository, tmp_path: Path
) -> None:
    server.scheme, server.passwords = "Basic", {LOGIN}
    registry = Registry(docker_config=logged_in(tmp_path, server.host))
    registry.image(bifrost, LATEST)
    said = {"code": "DENIED", "message": "no\x1b[31m red\n::error::x\u202e for correct horse"}
    server.script.append(Reply(403, body=json.dumps({"errors": [said]}).encode()))
    with pytest.raises(AccessError) as caught:
        registry.image(bifrost, LATEST)
    expected = f"access to {bifrost} denied ({server.host}: HTTP 403, DENIED: no [31m red ::error::x for ***)"
    assert caught.value.message == expected


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_waited_out(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest, clock: Clock, status: int
) -> None:
    server.script.extend([Reply(status)] * 3)
    assert registry.require(bifrost, LATEST) == pushed
    assert clock.now == 0.5 + 1 + 2


def test_a_fault_that_stays_ends_within_the_budget(
    server: RegistryServer, bifrost: Repository, registry: Registry, clock: Clock
) -> None:
    server.script.extend([Reply(503)] * 99)
    with pytest.raises(UnavailableError, match=f"{server.host} does not answer: HTTP 503") as caught:
        registry.image(bifrost, LATEST)
    assert clock.now <= BUDGET
    assert "run this again" in caught.value.hint


def test_faults_of_every_request_of_a_call_share_one_budget(
    server: RegistryServer, bifrost: Repository, registry: Registry, clock: Clock
) -> None:
    absent = Reply(404)
    server.script.extend([*[Reply(503)] * 6, absent, *[Reply(503)] * 99])
    with pytest.raises(OrbitReleaseError):
        registry.require(bifrost, Tag("sha-1a2b3c4"))
    assert clock.now <= BUDGET


def test_retry_after_in_seconds_is_respected(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest, clock: Clock
) -> None:
    server.script.append(Reply(429, {"Retry-After": "7"}))
    assert registry.require(bifrost, LATEST) == pushed
    assert clock.now == 7


def test_retry_after_as_a_date_is_respected(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest, clock: Clock
) -> None:
    then = datetime.now(UTC) + timedelta(seconds=30)
    server.script.append(Reply(503, {"Retry-After": format_datetime(then, usegmt=True)}))
    assert registry.require(bifrost, LATEST) == pushed
    assert 25 < clock.now <= 30


def test_a_pause_beyond_the_budget_fails_at_once(
    server: RegistryServer, bifrost: Repository, registry: Registry, clock: Clock
) -> None:
    server.script.append(Reply(429, {"Retry-After": "3600"}))
    with pytest.raises(UnavailableError, match="HTTP 429, asking to wait 3600 s"):
        registry.require(bifrost, LATEST)
    assert clock.now == 0


def test_a_body_that_is_cut_off_is_fetched_again(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    server.script.append(Reply(200, body=b"{", cut=5))
    assert registry.image(bifrost, LATEST) == RemoteImage(pushed, COMMIT)


def test_an_answer_that_is_not_http_is_quoted_without_control_characters(
    server: RegistryServer, bifrost: Repository, registry: Registry
) -> None:
    server.script.extend([Reply(raw=b"SSH-2.0 \x1b[31mred\r\n")] * 20)
    with pytest.raises(UnavailableError) as caught:
        registry.require(bifrost, LATEST)
    assert caught.value.message.isprintable()


def test_a_put_that_was_interrupted_is_repeated(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    found = server.contents["bifrost/manifests/latest"]
    server.script.extend([Reply(200, {"Content-Type": "application/x"}, found), Reply(502)])
    registry.copy_tag(bifrost, pushed, Tag("next"))
    assert registry.require(bifrost, Tag("next")) == pushed


def test_a_server_that_hangs_is_left_within_the_budget(server: RegistryServer, bifrost: Repository) -> None:
    server.script.extend([Reply(hangs=True)] * 9)
    with pytest.raises(UnavailableError, match="timed out"):
        Registry(budget=0.2).require(bifrost, LATEST)


def test_a_server_that_drips_is_left_within_the_budget(server: RegistryServer, bifrost: Repository) -> None:
    server.script.extend([Reply(body=b"{", drips=True)] * 9)
    with pytest.raises(UnavailableError, match="timed out"):
        Registry(budget=0.2).image(bifrost, LATEST)


def test_a_server_that_floods_is_left(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    server.script.append(Reply(body=b" " * (5 * 1024 * 1024)))
    with pytest.raises(UnavailableError, match="more than 4194304 bytes"):
        registry.image(bifrost, LATEST)


def test_nobody_listening_is_told_soon(registry: Registry, clock: Clock) -> None:
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9 does not answer: Connection refused"):
        registry.require(Repository("127.0.0.1:9/bifrost"), LATEST)
    assert clock.now < 2


def test_an_address_that_cannot_be_is_told_at_once(registry: Registry, clock: Clock) -> None:
    with pytest.raises(UnavailableError, match="no registry has the address"):
        registry.require(Repository("127.0.0.1:99999999/bifrost"), LATEST)
    assert clock.now == 0


def test_a_fault_of_the_token_server_is_waited_out(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    server.scheme = "Bearer"
    server.token_script.append(Reply(503))
    assert registry.require(bifrost, LATEST) == pushed


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nHost: b"}'])
def test_a_token_server_that_answers_no_token_is_named(
    server: RegistryServer, bifrost: Repository, registry: Registry, answer: bytes
) -> None:
    server.scheme = "Bearer"
    server.token_script.append(Reply(body=answer))
    with pytest.raises(UnavailableError, match=f"{server.host} answers with something that is no token"):
        registry.require(bifrost, LATEST)


# Contents that do not fit


@pytest.mark.parametrize("header", ["", "sha256:short"])
def test_a_digest_that_the_registry_does_not_tell_is_computed(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest, header: str
) -> None:
    server.digest_header = header
    assert registry.require(bifrost, LATEST) == pushed
    assert registry.image(bifrost, LATEST) == RemoteImage(pushed, COMMIT)


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(
    server: RegistryServer, bifrost: Repository, registry: Registry
) -> None:
    server.digest_header = "sha256:" + "0" * 64
    with pytest.raises(UnavailableError, match="not those of sha256:0000"):
        registry.image(bifrost, LATEST)


def test_a_forged_manifest_is_neither_copied_nor_read(
    server: RegistryServer, bifrost: Repository, registry: Registry, pushed: Digest
) -> None:
    server.contents[f"bifrost/manifests/{pushed}"] = b"{}"
    with pytest.raises(UnavailableError, match=f"not those of {pushed}"):
        registry.copy_tag(bifrost, pushed, Tag("next"))
    with pytest.raises(UnavailableError, match=f"not those of {pushed}"):
        registry.image(bifrost, pushed)
    assert server.tags["bifrost"] == ["latest"]


def test_a_forged_configuration_is_refused(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    blob = next(name for name in server.contents if "/blobs/" in name)
    server.contents[blob] = server.contents[blob].replace(b"1a2b", b"ffff")
    with pytest.raises(UnavailableError, match="sent bytes that are not those"):
        registry.image(bifrost, LATEST)


def test_an_image_that_lost_a_part_says_so(server: RegistryServer, bifrost: Repository, registry: Registry) -> None:
    del server.contents[next(name for name in server.contents if "/blobs/" in name)]
    with pytest.raises(UnavailableError, match="a part of an image"):
        registry.image(bifrost, LATEST)


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"tags": [1]}', b'{"tags": ["a b"]}', b"[" * 100_000])
def test_a_tag_list_that_is_none_is_not_quoted(
    server: RegistryServer, bifrost: Repository, registry: Registry, answer: bytes
) -> None:
    server.script.extend([Reply(404), Reply(body=answer)])
    with pytest.raises(NotFoundError, match="has no tag sha-1a2b3c4") as caught:
        registry.require(bifrost, Tag("sha-1a2b3c4"))
    assert caught.value.hint.startswith("Was the build pushed?")


def test_a_missing_tag_is_reported_even_when_the_tags_cannot_be_listed(
    server: RegistryServer, bifrost: Repository, registry: Registry
) -> None:
    server.script.extend([Reply(404), Reply(403)])
    with pytest.raises(OrbitReleaseError, match="has no tag sha-1a2b3c4") as caught:
        registry.require(bifrost, Tag("sha-1a2b3c4"))
    assert caught.value.hint.startswith("Was the build pushed?")
