"""Addresses, challenges and pauses, as the distribution protocol writes them."""

from __future__ import annotations

import pytest

from orbit_release.errors import ConfigurationError
from orbit_release.http import WebOrigin
from orbit_release.image import Repository
from orbit_release.registry.authentication import Challenge
from orbit_release.registry.credentials import Credentials, DockerConfig, server_name
from orbit_release.registry.distribution import GHCR, origin_of, retry_after

NOON = "Wed, 01 Jul 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("name", "address", "path"),
    [
        ("ghcr.io/x/bifrost", "https://ghcr.io", "x/bifrost"),
        ("GHCR.io:443/x", "https://ghcr.io", "x"),
        ("registry.example.com:5000/x", "https://registry.example.com:5000", "x"),
        ("127.0.0.1:5000/x", "http://127.0.0.1:5000", "x"),
        ("127.8.9.1:80/x", "http://127.8.9.1", "x"),
        ("localhost/x", "http://localhost", "x"),
        ("[::1]:5000/x", "http://[::1]:5000", "x"),
        ("localhost.example.com/x", "https://localhost.example.com", "x"),
        ("128.0.0.1/x", "https://128.0.0.1", "x"),
        ("redis", "https://registry-1.docker.io", "library/redis"),
        ("bitnami/redis", "https://registry-1.docker.io", "bitnami/redis"),
        ("docker.io/redis", "https://registry-1.docker.io", "library/redis"),
        ("index.docker.io/acme/api", "https://registry-1.docker.io", "acme/api"),
        ("registry-1.docker.io/library/redis", "https://registry-1.docker.io", "library/redis"),
    ],
)
def test_a_repository_is_served_by_https_except_on_loopback(name: str, address: str, path: str) -> None:
    assert str(origin_of(Repository(name))) == address
    assert Repository(name).remote == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v2/",
        "ftp://ghcr.io",
        "https://",
        "https://user@ghcr.io/",
        "https://ghcr.io\\@evil.example/",
        "https://ghcr.io/ x",
        "https://ghcr.io:x/",
        "https://ghcr.io:99999/",
        "https://[::1/",
        "https://ghcr\u3002io/",
    ],
)
def test_an_address_that_two_parsers_may_read_differently_is_none(url: str) -> None:
    assert WebOrigin.parse(url) is None


@pytest.mark.parametrize(
    ("registry", "target", "allowed"),
    [
        ("https://ghcr.io", "https://storage.example.com", True),
        ("https://ghcr.io", "http://ghcr.io", False),
        ("https://ghcr.io", "http://127.0.0.1", False),
        ("https://ghcr.io", "https://localhost", False),
        ("http://127.0.0.1:5000", "http://localhost:6000", True),
        ("http://127.0.0.1:5000", "https://storage.example.com", True),
        ("http://127.0.0.1:5000", "http://storage.example.com", False),
    ],
)
def test_a_registry_may_send_to_https_and_loopback_to_loopback(registry: str, target: str, *, allowed: bool) -> None:
    home = WebOrigin.parse(registry)
    assert home is not None
    assert home.allows(WebOrigin.parse(target)) is allowed


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Bearer realm="https://ghcr.io/token",service="ghcr.io"', (True, "https://ghcr.io/token", "ghcr.io")),
        ("bearer realm=https://x/t", (True, "https://x/t", "")),
        ('Basic realm="a, Bearer b"', (False, "a, Bearer b", "")),
        ('Basic realm="a", Bearer realm="b",service="c"', (True, "b", "c")),
        (r'Basic realm="say \"hi\""', (False, 'say "hi"', "")),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_a_challenge_is_read(header: str, challenge: tuple[bool, str, str] | None) -> None:
    found = Challenge.parse(header)
    assert (found and (found.bearer, found.realm, found.service)) == challenge


def test_only_ghcr_is_trusted_with_the_credentials_of_ghcr() -> None:
    assert Challenge(bearer=True, realm="https://ghcr.io/token", service="").is_trusted(GHCR)
    assert not Challenge(bearer=True, realm="https://ghcr.io:444/token", service="").is_trusted(GHCR)
    assert not Challenge(bearer=True, realm="https://github.com/token", service="").is_trusted(GHCR)


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("7", "", 7.0),
        ("Wed, 01 Jul 2026 12:00:30 GMT", NOON, 30.0),
        ("Wed, 01 Jul 2026 11:00:00 GMT", NOON, 0.0),
        ("Wed, 01 Jul 2026 12:00:30 GMT", "", None),
        ("", NOON, None),
        ("-7", NOON, None),
        ("soon", NOON, None),
    ],
)
def test_a_pause_is_read_in_seconds_or_as_a_date(asked: str, date: str, seconds: float | None) -> None:
    assert retry_after(asked, date) == seconds


@pytest.mark.parametrize("key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/", "GHCR.io"])
def test_a_host_is_found_however_dockers_config_spells_it(key: str) -> None:
    config = DockerConfig.parse(f'{{"auths": {{"{key}": {{"auth": "b3JiaXQ6YTpi"}}}}}}'.encode())
    assert config.credentials("ghcr.io") == Credentials("orbit", "a:b")


def test_docker_hub_has_one_entry_for_all_its_names() -> None:
    config = DockerConfig.parse(b'{"auths": {"https://index.docker.io/v1/": {"auth": "b3JiaXQ6YTpi"}}}')
    assert config.credentials("docker.io") == Credentials("orbit", "a:b")
    assert server_name("docker.io") == "https://index.docker.io/v1/"


def test_a_helper_for_one_host_goes_before_the_one_for_all() -> None:
    config = DockerConfig.parse(b'{"credsStore": "all", "credHelpers": {"ghcr.io": "one"}, "auths": {"x": {}}}')
    assert config.helper("ghcr.io") == "docker-credential-one"
    assert config.helper("docker.io") == "docker-credential-all"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"auths": [1]}',
        b'{"auths": {"x": {"auth": "c2VjcmV0"}}}',
        b'{"auths": {"x": {"auth": 1}}}',
        b'{"credsStore": "../../bin/sh"}',
        b'{"credHelpers": {"x": 1}}',
    ],
)
def test_a_malformed_config_is_refused_without_being_quoted(text: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DockerConfig.parse(text)
    assert caught.value.message == "Docker's config.json is malformed"
    assert caught.value.__cause__ is None


def test_a_secret_is_not_in_the_text_of_its_credentials() -> None:
    assert "hush" not in repr(Credentials("orbit", "hush"))
