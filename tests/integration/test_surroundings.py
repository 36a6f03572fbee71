"""The adapters that only doctor needs, each against a server: Doppler, Argo CD, and TLS."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orbit_release.argocd.client import ArgoCD
from orbit_release.argocd.connection import Connection
from orbit_release.doctor.endpoint import fetch_certificate, look_up_addresses
from orbit_release.doppler.client import Doppler
from orbit_release.errors import (
    MANUAL,
    AccessError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UnusableError,
    UsageError,
)
from tests.certificates import certificate_file, server_context, showing
from tests.servers import argocd as argocd_server, doppler as doppler_server
from tests.servers.argocd import BAD_GATEWAY, LOGIN, PAGE, TO_HTTPS, ArgoCDServer, Reply, application
from tests.servers.doppler import DopplerServer
from tests.servers.serving import serving

SECONDS = 30.0  # nobody waits that long for a server that answers
AT_ONCE = 0.01  # for one that hangs


@pytest.fixture
def store() -> Iterator[DopplerServer]:
    server = DopplerServer("KEY_A", "KEY_B")
    with serving(server, server.stopping):
        yield server


def doppler(
    store: DopplerServer, token: str = doppler_server.TOKEN, seconds: float = SECONDS, **config: str
) -> Doppler:
    return Doppler(token, api=store.url, seconds=seconds, **config)


def test_a_service_token_shows_the_names_of_its_own_config(store: DopplerServer) -> None:
    assert doppler(store).names() >= {"KEY_A", "KEY_B"}


def test_another_token_has_to_name_the_config(store: DopplerServer) -> None:
    token = doppler_server.PERSONAL
    assert "KEY_A" in doppler(store, token, project="orbit", config="prd").names()
    with pytest.raises(NotFoundError, match="Please provide a project") as refused:
        doppler(store, token).names()
    assert "DOPPLER_PROJECT" in refused.value.hint
    with pytest.raises(NotFoundError, match="Could not find requested config 'dev'"):
        doppler(store, token, project="orbit", config="dev").names()


@pytest.mark.parametrize("token", ["dp.st.wrong", "two\nlines", "ü"])
def test_a_wrong_token_is_refused_and_never_shown(store: DopplerServer, token: str) -> None:
    with pytest.raises(AccessError) as refused:
        doppler(store, token).names()
    assert "doppler configs tokens create" in refused.value.hint
    assert token not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize("page", [b"<html>", b"[]", b'{"names": "KEY_A"}', b'{"names": [1]}', b"\xff"])
def test_what_is_no_list_of_names_is_none(store: DopplerServer, page: bytes) -> None:
    store.page = page
    with pytest.raises(UnavailableError, match="no list of names"):
        doppler(store).names()


def test_a_store_that_hangs_and_one_that_is_not_there(store: DopplerServer) -> None:
    store.hangs = True
    with pytest.raises(UnavailableError, match="Doppler does not answer"):
        doppler(store, seconds=AT_ONCE).names()
    with pytest.raises(UnavailableError, match="Doppler cannot be reached"):
        Doppler("token", api="http://127.0.0.1:9", seconds=SECONDS).names()


def test_a_token_travels_by_https_alone() -> None:
    with pytest.raises(UsageError, match="is not https"):
        Doppler("token", api="http://doppler.example.com", seconds=SECONDS)


@pytest.fixture
def server() -> Iterator[ArgoCDServer]:
    server = ArgoCDServer(application(), application("other", repoURL="https://github.com/octo/other"))
    with serving(server, server.stopping):
        yield server


def argocd(
    server: ArgoCDServer, options: str = "--plaintext", token: str = argocd_server.TOKEN, seconds: float = SECONDS
) -> ArgoCD:
    return ArgoCD(Connection.parse(server.host, options), token, seconds=seconds)


def test_an_application_and_all_of_them(server: ArgoCDServer) -> None:
    found = argocd(server).application("orbit", project="applications", namespace="argocd")
    assert [source.path for source in found.sources] == ["deploy"]
    assert [application.name for application in argocd(server).applications()] == ["orbit", "other"]
    assert argocd(server).applications(project="none") == []


@pytest.mark.parametrize(
    ("project", "error", "said"),
    [("", AccessError, "it says so too where there is no such application"), ("p", NotFoundError, '"gone" not found')],
)
def test_an_application_that_is_not_there(
    server: ArgoCDServer, project: str, error: type[OrbitReleaseError], said: str
) -> None:
    with pytest.raises(error) as refused:
        argocd(server).application("gone", project=project)
    assert said in refused.value.message
    assert "argocd.project" in refused.value.hint


@pytest.mark.parametrize("token", ["wrong", "two\nlines"])
def test_argo_cds_token_is_never_shown(server: ArgoCDServer, token: str) -> None:
    with pytest.raises(AccessError) as refused:
        argocd(server, token=token).applications()
    assert "argocd account generate-token" in refused.value.hint
    assert token not in refused.value.message


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (LOGIN, AccessError, "redirects to a login page at login.example.com"),
        (TO_HTTPS, UnavailableError, "wants https"),
        (PAGE, UnavailableError, "not JSON: is it Argo CD"),
        (BAD_GATEWAY, UnavailableError, "refuses: HTTP 502"),
        (Reply(302, b"", {"Location": "//[x"}), UnavailableError, "cannot be reached: "),
        (Reply.of(200, []), UnavailableError, "not JSON"),
        (Reply.of(200, {"items": 1}), UnavailableError, "no list of applications"),
        (Reply.of(403, None), AccessError, "denies access: HTTP 403"),
    ],
)
def test_what_stands_in_front_of_a_server(
    server: ArgoCDServer, reply: Reply, error: type[OrbitReleaseError], said: str
) -> None:
    server.always = reply
    with pytest.raises(error) as refused:
        argocd(server).applications()
    assert said in refused.value.message


def test_an_answer_that_is_no_application(server: ArgoCDServer) -> None:
    server.always = Reply.of(200, {"spec": 1})
    with pytest.raises(UnavailableError, match="no application"):
        argocd(server).application("orbit")


def test_an_access_proxy_gets_its_headers_and_a_root_path_is_kept(server: ArgoCDServer) -> None:
    server.needed, server.root = {"CF-Access-Client-Id": "me"}, "/argo"
    with pytest.raises(AccessError, match="login page") as refused:
        argocd(server).applications()
    assert "--header" in refused.value.hint
    options = "--plaintext --grpc-web-root-path=argo --header 'CF-Access-Client-Id: me'"
    assert argocd(server, options).applications()


def test_a_server_that_hangs_and_one_that_is_not_there(server: ArgoCDServer) -> None:
    server.hangs = True
    with pytest.raises(UnavailableError, match="does not answer within 0 s"):
        argocd(server, seconds=AT_ONCE).applications()
    nobody = ArgoCD(Connection.parse("127.0.0.1:9", "--plaintext"), "token", seconds=SECONDS)
    with pytest.raises(UnavailableError, match="cannot be reached: Connection refused") as refused:
        nobody.applications()
    assert refused.value.hint.endswith(f"see {MANUAL}/argo-cd.md#an-argo-cd-that-is-not-public")


@contextmanager
def closing_at_once() -> Iterator[str]:
    """Listen, and hang up on whoever calls: a server that restarts behind a balancer."""
    listening = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        with suppress(OSError):  # it is closed: the test is over
            while True:
                called, _ = listening.accept()
                called.close()

    thread = Thread(target=hang_up, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_handshake_that_is_cut_may_go_well_the_next_time_and_one_without_tls_does_not(server: ArgoCDServer) -> None:
    with pytest.raises(UnusableError, match="does not speak TLS"):
        argocd(server, "").applications()
    with closing_at_once() as host, pytest.raises(UnavailableError) as cut:
        ArgoCD(Connection.parse(host, ""), "token", seconds=SECONDS).applications()
    assert not isinstance(cut.value, UnusableError)


def test_secrets_that_come_back_are_not_told(server: ArgoCDServer) -> None:
    server.always = Reply.problem(500, 13, "internal: Authorization: Bearer argocd-topsecret; X-Id: access-secret; 1")
    options = "--plaintext --header 'X-Id: access-secret,X-One: 1'"
    with pytest.raises(UnavailableError) as refused:
        argocd(server, options).applications()
    assert refused.value.message.endswith("internal: Authorization: Bearer ***; X-Id: ***; 1")
    server.always = Reply.problem(500, 13, f"{'x' * 190} argocd-topsecret")  # where a long text is cut
    with pytest.raises(UnavailableError) as refused:
        argocd(server, options).applications()
    assert "argocd" not in refused.value.message.removeprefix(f"127.0.0.1:{server.server_port}")


def test_a_certificate_is_verified_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    file = certificate_file(tmp_path, "localhost")
    server = ArgoCDServer(application(), tls=server_context(file))
    with serving(server, server.stopping):
        host = server.host.replace("127.0.0.1", "localhost")
        for options, trusted in (("", False), ("--insecure", True), (f"--server-crt {file}", True)):
            client = ArgoCD(Connection.parse(host, options), argocd_server.TOKEN, seconds=SECONDS)
            if trusted:
                assert client.application("orbit").name == "orbit"
                continue
            with pytest.raises(UnavailableError, match="certificate is not trusted"):
                client.application("orbit")
        with pytest.raises(UsageError, match="/none cannot be read"):
            ArgoCD(Connection.parse(host, "--server-crt /none"), "token", seconds=SECONDS)


def shown(port: int, **given: Any) -> Any:
    return fetch_certificate("localhost", port=port, **{"seconds": SECONDS, **given})


def test_a_certificate_is_shown_with_its_names_and_its_end(tmp_path: Path) -> None:
    file = certificate_file(tmp_path, "orbit.example.com", "*.example.com")
    with showing(file) as port:
        found = shown(port, context=partial(ssl.create_default_context, cafile=file))
    assert found.names == ("orbit.example.com", "*.example.com")
    assert found.ends > time.time()


def test_a_certificate_that_nobody_trusts_and_one_that_has_ended(tmp_path: Path) -> None:
    file = certificate_file(tmp_path, "localhost")
    with showing(file) as port, pytest.raises(AccessError, match="not valid: self-signed certificate"):
        shown(port)
    file = certificate_file(tmp_path, "localhost", days=-1)
    context = partial(ssl.create_default_context, cafile=file)
    with showing(file) as port, pytest.raises(AccessError, match="not valid: certificate has expired"):
        shown(port, context=context)


def test_what_does_not_speak_tls(server: ArgoCDServer) -> None:
    with pytest.raises(UnavailableError, match="does not speak TLS"):
        shown(server.server_port)
    with pytest.raises(UnavailableError, match="Connection refused"):
        shown(9)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(UnavailableError, match="timed out"),
    ):
        shown(silent.getsockname()[1], seconds=AT_ONCE)


def test_names_and_their_addresses() -> None:
    assert "127.0.0.1" in look_up_addresses("localhost")
    for name in ("a" * 64 + ".example.com", "..", ""):
        with pytest.raises(NotFoundError, match="does not resolve"):
            look_up_addresses(name)
