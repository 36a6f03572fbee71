"""doctor: the surroundings of a release, as a checklist."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

import click

from orbit_release.cli.session import Session

if TYPE_CHECKING:
    from orbit_release.doctor.checks import Surroundings
    from orbit_release.flows.source import Source
    from orbit_release.git.clone import Clone
    from orbit_release.github.client import GitHub

GROUPS = ("git", "github", "registry", "builder", "doppler", "dns", "certificate", "argocd", "nfs")
_SECONDS = 10.0  # for the whole checklist
_QUESTION_SECONDS = 8  # for one answer, so that its system is named when it hangs
_REGISTRY_SECONDS = 4.0  # an image may need two questions
_TOKENS = ("GITHUB_TOKEN", "DOPPLER_TOKEN", "ARGOCD_AUTH_TOKEN")


@click.command("doctor")
@click.option(
    "--only", metavar="NAME", type=click.Choice(GROUPS), multiple=True, help=f"Of {', '.join(GROUPS)}; repeatable."
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def doctor_command(session: Session, /, only: tuple[str, ...], *, format: str) -> None:
    """Check what releases and the deployment need around them, and change nothing anywhere."""
    from orbit_release import output
    from orbit_release.argocd.connection import secrets as login_secrets
    from orbit_release.doctor.checklist import LineState
    from orbit_release.doctor.run_checks import run_checks
    from orbit_release.doctor.show_checklist import show_checklist

    surroundings = _surroundings(session, session.source())
    for path in surroundings.needs.unread:
        output.warn(f"{path} cannot be read: what it needs is not checked")
    checks = surroundings.checks()
    chosen = [checks[group] for group in GROUPS if not only or group in only]
    tokens = (os.environ.get(name, "") for name in _TOKENS)
    secrets = (*tokens, *login_secrets(os.environ.get("ARGOCD_OPTS", "")))
    lines = run_checks(chosen, seconds=_SECONDS, secrets=secrets)
    show_checklist(lines, format)
    if any(line.state is LineState.FAILED for line in lines):
        raise click.exceptions.Exit(1)


def _surroundings(session: Session, source: Source) -> Surroundings:
    from orbit_release.builders.choose import answering_builder
    from orbit_release.cli.argocd import named_server, our_source
    from orbit_release.doctor import endpoint
    from orbit_release.doctor.checks import Surroundings
    from orbit_release.doctor.manifest_needs import needs
    from orbit_release.registry.client import Registry

    git, config = source.git, source.config
    tip = git.seen_tip(config.branch)
    return Surroundings(
        git,
        tip,
        needs(source.manifests(tip)),
        our_source(session, source),
        config.argocd,
        _QUESTION_SECONDS,
        github=partial(_github, session, git),
        registry=session.registry(budget=_REGISTRY_SECONDS),
        anonymous=Registry(budget=_REGISTRY_SECONDS),
        builder=partial(answering_builder, dict(os.environ), _QUESTION_SECONDS),
        doppler=partial(session.doppler, _QUESTION_SECONDS),
        argocd=partial(named_server, _QUESTION_SECONDS),
        addresses=endpoint.look_up_addresses,
        certificate=partial(endpoint.fetch_certificate, seconds=_QUESTION_SECONDS),
        now=time.time(),
    )


def _github(session: Session, git: Clone) -> GitHub | None:
    return session.github(git, timeout=_QUESTION_SECONDS, attempts=1) if os.environ.get("GITHUB_TOKEN") else None
