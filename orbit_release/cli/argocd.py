"""Argo CD as options and the environment name it. It is slow to import: only where somebody asks Argo CD."""

from __future__ import annotations

import os
import time
from pathlib import Path

from orbit_release import output
from orbit_release.argocd.application import ApplicationSource
from orbit_release.argocd.client import TOKEN_HINT, ArgoCD
from orbit_release.argocd.connection import Connection, option, secrets
from orbit_release.argocd.saved_logins import SavedLogin, read_login
from orbit_release.cli.session import Session
from orbit_release.errors import AccessError, UsageError
from orbit_release.flows.source import Source
from orbit_release.flows.wait import ObservedApplication


def observed_application(session: Session, source: Source, server: str | None, seconds: float) -> ObservedApplication:
    """Return our application at a server; `seconds`: how long an answer may take."""
    return ObservedApplication(_server(server, seconds), our_source(session, source), source.config.argocd, time.sleep)


def our_source(session: Session, source: Source) -> ApplicationSource:
    """Return what an application must sync to bring our releases into the cluster."""
    return ApplicationSource(session.address(source.git), source.config.manifests[0], source.config.branch)


def _server(server: str | None, seconds: float) -> ArgoCD:
    """Return the server of an option, of the environment, or of the argocd command's own configuration file."""
    address, token, options = _named(server)
    login = None if address and token else _login(address, option(options, "argocd-context"))
    if login:
        address, token, options = address or login.server, token or login.token, f"{login.options} {options}"
    if not (address or login):
        raise UsageError("Argo CD's server is not known", "set ARGOCD_SERVER, or run: argocd login SERVER")
    if not token:
        raise AccessError("Argo CD's API needs a token in ARGOCD_AUTH_TOKEN", TOKEN_HINT)
    for secret in (token, *secrets(options)) if output.in_actions() else ():
        output.mask(secret, "")
    return ArgoCD(Connection.parse(address, options), token, seconds=seconds)


def named_server(seconds: float) -> ArgoCD | None:
    """Return the server that the environment names; None without its address or a token."""
    address, token, options = _named(None)
    return ArgoCD(Connection.parse(address, options), token, seconds=seconds) if address and token else None


def _named(server: str | None) -> tuple[str, str, str]:
    """Return address, token and options; the variables are those of Argo CD's own program."""
    variables = {name: os.environ.get(f"ARGOCD_{name}", "").strip() for name in ("SERVER", "AUTH_TOKEN", "OPTS")}
    options = variables["OPTS"]
    address = server or variables["SERVER"] or option(options, "server")
    return address, variables["AUTH_TOKEN"] or option(options, "auth-token"), options


def _login(server: str, context: str) -> SavedLogin | None:
    """Return a login of the argocd command, from where that keeps its configuration."""
    former = Path.home() / ".argocd"
    current = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "argocd"
    folder = os.environ.get("ARGOCD_CONFIG_DIR") or (former if former.exists() else current)
    file = Path(folder) / "config"
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return read_login(data, str(file), server=server.removeprefix("https://").rstrip("/"), context=context)
