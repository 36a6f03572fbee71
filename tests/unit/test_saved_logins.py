"""The logins that the argocd command has saved."""

from __future__ import annotations

import pytest

from orbit_release.argocd.saved_logins import Login, read_login
from orbit_release.errors import ConfigurationError

SAVED = b"""\
current-context: home
contexts:
- {name: home, server: cd.example.com, user: me}
- {name: work, server: "localhost:8080", user: them}
servers:
- {server: cd.example.com, insecure: false, plain-text: "true"}
- {server: "localhost:8080", plain-text: true, insecure: true, grpc-web-root-path: a b}
users:
- {name: me, auth-token: "1"}
- {name: them, auth-token: "2"}
"""
HOME = Login("cd.example.com", "1", "")
WORK = Login("localhost:8080", "2", "--plaintext --insecure --grpc-web-root-path 'a b'")


def test_a_login_is_that_of_the_current_context_of_a_named_one_or_of_a_server() -> None:
    assert read_login(SAVED, "config") == HOME
    assert read_login(SAVED, "config", context="work") == WORK
    assert read_login(SAVED, "config", context="home", server="localhost:8080") == WORK
    assert read_login(SAVED, "config", server="elsewhere") is None


@pytest.mark.parametrize("data", [b"", b"- a", b"contexts: 1", b"contexts: [1, {name: x}]"])
def test_a_file_of_any_shape_is_survived(data: bytes) -> None:
    assert read_login(data, "config", context="home") is None


@pytest.mark.parametrize("data", [b"a: [", b"\xff", b"[" * 5_000])
def test_what_is_no_yaml_says_how_to_log_in_again(data: bytes) -> None:
    with pytest.raises(ConfigurationError, match="config is not YAML") as refused:
        read_login(data, "config")
    assert "argocd login" in refused.value.hint
