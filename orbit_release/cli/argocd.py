"""Argo CD as options and the environment name it, for the commands that need it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orbit_release import output
from orbit_release.errors import AccessError, ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orbit_release.adapters.argocd import ArgoCD
    from orbit_release.cli.session import Session
    from orbit_release.core.argocd import Released
    from orbit_release.core.login import Login
    from orbit_release.flows.source import Source


def argocd_server(server: str | None, seconds: float) -> ArgoCD:
    """Return the server of an option, of the environment, or of the argocd command's own configuration file."""
    from orbit_release.adapters.argocd import TOKEN_HINT, ArgoCD
    from orbit_release.core.argocd import Connection, option, secrets

    address, token, options = _named(server)
    login = None if address and token else _login(address, option(options, "argocd-context"))
    if not (address or login):
        raise UsageError("Argo CD's server is not known", "set ARGOCD_SERVER or --server, or run: argocd login SERVER")
    token = token or (login.token if login else "")
    if not token:
        raise AccessError("Argo CD's API needs a token in ARGOCD_AUTH_TOKEN", TOKEN_HINT)
    for secret in (token, *secrets(options)) if output.in_actions() else ():
        output.mask(secret, "")
    more = f"{login.options} " if login else ""
    return ArgoCD(Connection.parse(address or (login.server if login else ""), more + options), token, seconds=seconds)


def named_server(seconds: float) -> ArgoCD | None:
    """Return the server that the environment names; None without its address or a token."""
    from orbit_release.adapters.argocd import ArgoCD
    from orbit_release.core.argocd import Connection

    address, token, options = _named(None)
    return ArgoCD(Connection.parse(address, options), token, seconds=seconds) if address and token else None


def _named(server: str | None) -> tuple[str, str, str]:
    """Return address, token and options; the variables are those of Argo CD's own program."""
    from orbit_release.core.argocd import option

    options = os.environ.get("ARGOCD_OPTS", "")
    address = server or os.environ.get("ARGOCD_SERVER") or option(options, "server")
    return address, os.environ.get("ARGOCD_AUTH_TOKEN") or option(options, "auth-token"), options


def _login(server: str, context: str) -> Login | None:
    from orbit_release.core.login import read_login

    file = _folder() / "config"
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return read_login(data, str(file), server=server.removeprefix("https://").rstrip("/"), context=context)


def _folder() -> Path:
    """Return where the argocd command keeps its configuration."""
    from pathlib import Path

    if own := os.environ.get("ARGOCD_CONFIG_DIR"):
        return Path(own)
    former = Path.home() / ".argocd"
    return former if former.exists() else Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "argocd"


def released(session: Session, source: Source) -> Released:
    """Return what this clone releases to."""
    from orbit_release.core.argocd import Released

    return Released(session.address(source.git), source.config.manifests, source.config.branch)


def application_name(server: ArgoCD, source: Source, ours: Released) -> str:
    """Return the application that the configuration names, else the only one that syncs the manifests."""
    from orbit_release.core.argocd import candidates

    names = source.config.argocd
    if names.application:
        return names.application
    found = candidates(server.applications(project=names.project, namespace=names.namespace), ours)
    if len(found) != 1:
        which = ", ".join(one.name for one in found) or "none that this token sees"
        hint = "set `argocd.application` in orbit-release.yaml."
        raise ConfigurationError(f"which application syncs {ours.folder}: {which}", hint)
    return found[0].name
