"""What the global options and the environment name: the clone, the configuration, and the systems they lead to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from orbit_release.errors import MANUAL, AccessError, ConfigurationError, OrbitReleaseError, UsageError

# What a command does is imported when it runs, so that --help and completion stay fast.
if TYPE_CHECKING:
    from orbit_release.doppler.client import Doppler
    from orbit_release.flows.source import Source
    from orbit_release.git.clone import Clone
    from orbit_release.github.client import GitHub
    from orbit_release.registry.client import Registry
    from orbit_release.tag_scheme import TagScheme

PROGRAM = "orbit-release"
INTERRUPTED = 130
_WEB, _API = "https://github.com/", "https://api.github.com"
# https://github.com/actions/checkout#push-a-commit-using-the-built-in-token
_ACTIONS_BOT = {"NAME": "github-actions[bot]", "EMAIL": "41898282+github-actions[bot]@users.noreply.github.com"}


class Session:
    def __init__(self, directory: str, config_file: str | None) -> None:
        self.directory = directory
        self.config_file = config_file

    def git(self, *, offline: bool = False) -> Clone:
        """Return the clone until the command ends; `offline`: git asks nobody."""
        from orbit_release.git.clone import Clone
        from orbit_release.git.process import OFFLINE

        environment = {**_git_environment(), **(OFFLINE if offline else {})}
        return click.get_current_context().with_resource(Clone(self.directory, environment))

    def source(self, *, offline: bool = False, plain_globs: bool = False) -> Source:
        """Return what a command reads; `plain_globs`: globs that are not written out are an error, and no warning."""
        git = self.git(offline=offline)  # it asks git where it is; meanwhile we import
        from orbit_release import config, output
        from orbit_release.flows.source import Source

        file = os.path.join(self.directory, self.config_file or os.path.join(git.top, config.FILE_NAME))
        data = _read(file)
        # GitHub puts annotations at paths that start at the workspace.
        start = os.environ.get("GITHUB_WORKSPACE") if in_actions() else None
        loaded = config.load(data, os.path.relpath(file, start or os.curdir))
        if plain_globs:
            loaded.require_plain_globs()
        for brace in loaded.braces:
            output.warn(brace)
        git.branch = loaded.branch
        path = os.path.relpath(os.path.realpath(file), os.path.realpath(git.top))
        inside = not path.startswith(os.pardir)
        return Source(git, loaded, path if inside else None, data, os.path.relpath(file))

    def registry(self, scheme: TagScheme | None = None, *, budget: float = 60.0) -> Registry:
        """`scheme`: which tags to name where one is missing; `budget`: seconds that a question may take."""
        from pathlib import Path

        from orbit_release import output
        from orbit_release.registry.client import Registry
        from orbit_release.tag_scheme import DEFAULT_TAG_SCHEME

        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        masks = output.mask if output.in_actions() else lambda _secret, _username: None
        token = os.environ.get("GITHUB_TOKEN", "").strip() or None
        tags = scheme or DEFAULT_TAG_SCHEME
        return Registry(github_token=token, docker_config=folder, budget=budget, on_secret=masks, scheme=tags)

    def github(self, git: Clone, *, timeout: int = 30, attempts: int = 5) -> GitHub:
        """Return the monorepo at GitHub: what Actions says, else what the remote's address says.

        `timeout`: seconds for an answer; `attempts`: how often a call is tried where trying again can help.
        """
        from orbit_release.github.client import TOKEN_HINT, GitHub

        token, address = os.environ.get("GITHUB_TOKEN"), self.address(git)
        if not token:
            raise AccessError("GitHub's API needs a token in GITHUB_TOKEN", TOKEN_HINT)
        api = os.environ.get("GITHUB_API_URL") or (_API if address.startswith(_WEB) else None)
        if api is None:
            hint = "set GITHUB_API_URL (https://HOST/api/v3) and GITHUB_REPOSITORY (owner/name)."
            raise UsageError(f"{address or 'the remote'} is no repository of github.com", hint)
        name = os.environ.get("GITHUB_REPOSITORY") or urlsplit(address).path.strip("/")
        return GitHub(api, name, token, timeout=timeout, attempts=attempts)

    def doppler(self, seconds: float) -> Doppler | None:
        """Return Doppler's config, None without a token; the variables are those of Doppler's own program."""
        from orbit_release.doppler import client as doppler

        token, api = os.environ.get("DOPPLER_TOKEN"), os.environ.get("DOPPLER_API_HOST") or doppler.API
        names = {key: os.environ.get(f"DOPPLER_{key.upper()}", "") for key in ("project", "config")}
        return doppler.Doppler(token, api=api, seconds=seconds, **names) if token else None

    def address(self, git: Clone) -> str:
        """Return the monorepo's web address as Actions, else as the remote names it."""
        from orbit_release.remote_address import web_address

        server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
        return f"{server}/{name}" if server and name else web_address(git.remote_address())


def refuse(*mistakes: tuple[object, str, str]) -> None:
    """Raise the message and the hint of the first mistake that was made."""
    for is_made, message, hint in mistakes:
        if is_made:
            raise UsageError(message, hint)


def in_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _git_environment() -> dict[str, str]:
    environment = dict(os.environ)
    if in_actions():
        bot = {f"GIT_{role}_{key}": _ACTIONS_BOT[key] for role in ("AUTHOR", "COMMITTER") for key in _ACTIONS_BOT}
        environment |= {name: environment.get(name) or value for name, value in bot.items()}
    return environment


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        hint = f"run `orbit-release init` to write one ({MANUAL}/configuration.md), or name it with --config FILE."
        raise ConfigurationError(f"there is no {path}", hint) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "check what it is.") from error


def head_of_run() -> str | None:
    return os.environ.get("GITHUB_SHA") if in_actions() else None


def complete_service(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    options = context.parent.params if context.parent else {}
    session = Session(options["directory"], options["config"])
    try:
        with context.scope():  # what the session opens is closed with it
            services = session.source().config.services
    except OrbitReleaseError:
        return []
    return [service.name for service in services if service.name.startswith(typed)]


services_argument = click.argument("names", metavar="[SERVICE]...", nargs=-1, shell_complete=complete_service)
