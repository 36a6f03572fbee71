"""The command line: parse options and the environment, call one flow, print its result."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import click

from orbit_release import __version__
from orbit_release.errors import (
    AccessError,
    ConfigurationError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UsageError,
)

# What a command does is imported when it runs, so that --help and completion stay fast.
if TYPE_CHECKING:
    from orbit_release.adapters.git.clone import Clone, Tip
    from orbit_release.adapters.github import GitHub
    from orbit_release.adapters.registry import Registry
    from orbit_release.config import Config
    from orbit_release.core.plan import Plan
    from orbit_release.core.release import Notes, Release
    from orbit_release.flows.build import Result
    from orbit_release.flows.bump import Built, Change, Landed, Publish, Published
    from orbit_release.flows.plan import Source
    from orbit_release.flows.publish import Proposal

_PROGRAM = "orbit-release"
_INTERRUPTED = 130
_VERBOSE = "orbit_release.verbose"
_ACTIONS = "orbit_release.actions"  # output.py asks for it
_WEB, _API = "https://github.com/", "https://api.github.com"
# https://github.com/actions/checkout#push-a-commit-using-the-built-in-token
_ACTIONS_BOT = {"NAME": "github-actions[bot]", "EMAIL": "41898282+github-actions[bot]@users.noreply.github.com"}


class _Session:
    """What the global options name: the clone, the configuration, and the systems they lead to."""

    def __init__(self, directory: str, config_file: str | None) -> None:
        self.directory = directory
        self.config_file = config_file

    def git(self) -> Clone:
        from orbit_release.adapters.git.clone import Clone

        return click.get_current_context().with_resource(Clone(self.directory, _git_environment()))

    def source(self) -> Source:
        git = self.git()  # it asks git where it is; meanwhile we import
        from orbit_release import config
        from orbit_release.flows.plan import Source

        file = os.path.join(self.directory, self.config_file or os.path.join(git.top, config.FILE_NAME))
        data = _read(file)
        return Source(git, config.load(data, os.path.relpath(file)), _inside(git.top, file), data)

    def registry(self) -> Registry:
        from pathlib import Path

        from orbit_release import output
        from orbit_release.adapters.registry import Registry

        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        masks = output.mask if output.in_actions() else lambda _secret, _username: None
        return Registry(github_token=os.environ.get("GITHUB_TOKEN"), docker_config=folder, on_secret=masks)

    def github(self, git: Clone) -> GitHub:
        """Return the monorepo at GitHub: what Actions says, else what the remote's address says."""
        from orbit_release.adapters.github import GitHub

        token, address = os.environ.get("GITHUB_TOKEN"), self.address(git)
        if not token:
            hint = "GITHUB_TOKEN=$(gh auth token), or a token with `contents: write` and `pull-requests: write`."
            raise AccessError("GitHub's API needs a token in GITHUB_TOKEN", hint)
        api = os.environ.get("GITHUB_API_URL") or (_API if address.startswith(_WEB) else None)
        if api is None:
            hint = "set GITHUB_API_URL (https://HOST/api/v3) and GITHUB_REPOSITORY (owner/name)."
            raise UsageError(f"{address or 'the remote'} is no repository of github.com", hint)
        return GitHub(api, os.environ.get("GITHUB_REPOSITORY") or urlsplit(address).path.strip("/"), token)

    def address(self, git: Clone) -> str:
        """Return the monorepo's web address: what Actions says, else what the remote's address says."""
        from orbit_release.core.release import web_address

        server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
        return f"{server}/{name}" if server and name else web_address(git.remote_address())


def _in_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _git_environment() -> dict[str, str]:
    environment = dict(os.environ)
    if _in_actions():
        bot = {f"GIT_{role}_{key}": _ACTIONS_BOT[key] for role in ("AUTHOR", "COMMITTER") for key in _ACTIONS_BOT}
        environment |= {name: environment.get(name) or value for name, value in bot.items()}
    return environment


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        hint = "write one (README.md shows how), or name it with --config FILE."
        raise ConfigurationError(f"there is no {path}", hint) from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "check what it is.") from error


def _inside(top: str, file: str) -> str | None:
    """Return the file's path in the repository, or None if it lies elsewhere."""
    relative = os.path.relpath(os.path.realpath(file), os.path.realpath(top))
    return None if relative.startswith(os.pardir) else relative


def _head() -> str | None:
    return os.environ.get("GITHUB_SHA") if _in_actions() else None


def _complete_service(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    options = context.parent.params if context.parent else {}
    session = _Session(options["directory"], options["config"])
    try:
        with context.scope():  # what the session opens is closed with it
            services = session.source().config.services
    except OrbitReleaseError:
        return []
    return [service.name for service in services if service.name.startswith(typed)]


_services = click.argument("names", metavar="[SERVICE]...", nargs=-1, shell_complete=_complete_service)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORBIT_RELEASE"})
@click.version_option(__version__, prog_name=_PROGRAM, message="%(prog)s %(version)s")
@click.option("-C", "directory", type=click.Path(), default=".", help="Run as if started in this folder.")
@click.option("--config", "config", type=click.Path(), help="Instead of orbit-release.yaml.")
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, directory: str, config: str | None, *, verbose: bool) -> None:
    """Release the services of a GitHub monorepo to Kubernetes by GitOps."""
    context.meta[_VERBOSE] = verbose
    context.obj = _Session(directory, config)


@cli.command("plan")
@_services
@click.option("--base", default="deployed", show_default=True, help="A commit to compare with, or what is deployed.")
@click.option("--head", help="The commit to plan for.  [default: GITHUB_SHA in Actions, else HEAD]")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--registry/--no-registry", default=None, help="Ask the registry which images exist already.")
@click.option("--force", is_flag=True, help="Build also what is current or built already.")
@click.option(
    "--format",
    type=click.Choice(["table", "json", "names", "matrix", "github"]),
    default="table",
    show_default=True,
    help="github writes to $GITHUB_OUTPUT, asks the registry, and fetches unless --base is given.",
)
@click.pass_obj
def plan_command(
    session: _Session,
    /,
    names: tuple[str, ...],
    base: str,
    head: str | None,
    *,
    fetch: bool,
    registry: bool | None,
    force: bool,
    format: str,
) -> None:
    """Show which services need a build or a release, and why."""
    from orbit_release import output, workflow
    from orbit_release.flows.plan import plan

    source = session.source()
    services = source.config.select(names)
    github = format == "github"
    found = plan(
        source,
        services,
        head=head or _head() or "HEAD",
        base=None if base == "deployed" else base,
        registry=session.registry() if (github if registry is None else registry) else None,
        tip=source.git.tip(source.config.branch, fetch=True) if fetch or (github and base == "deployed") else None,
        force=force,
        latest=format in ("matrix", "github"),
    )
    output.show_plan(
        found,
        format,
        session.address(source.git) if format in ("matrix", "github") else "",
        os.environ.get("GITHUB_OUTPUT"),
    )
    summary = workflow.plan_summary(found, merging=os.environ.get("GITHUB_EVENT_NAME") == "pull_request")
    output.summarize(os.environ.get("GITHUB_STEP_SUMMARY"), summary)
    _tell_clash(found, goes_on=github)


def _tell_clash(plan: Plan, *, goes_on: bool) -> None:
    """Fail for tags that belong to other images, unless a workflow goes on with the other services and fails then."""
    from orbit_release import output
    from orbit_release.core.plan import PENDING
    from orbit_release.flows.plan import clash_of

    clash = clash_of(plan.services)
    if clash and goes_on and plan.with_action(*PENDING):
        output.show_error(clash)
    elif clash:
        raise clash


@cli.command("bump")
@click.argument("words", metavar="[SERVICE TAG]...", nargs=-1, shell_complete=_complete_service)
@click.option("--built", is_flag=True, help="Release whatever has been built: all services, or the named ones.")
@click.option("--head", help="With --built, the commit to release.  [default: GITHUB_SHA in Actions, else the tip]")
@click.option("--dry-run", is_flag=True, help="Print the change as a unified diff and stop.")
@click.option("--no-push", is_flag=True, help="Commit to the clone's own release branch instead.")
@click.option(
    "--via", type=click.Choice(["git", "api"]), help="Push, or have GitHub commit.  [default: api in Actions]"
)
@click.option("--pr", is_flag=True, help="Open a pull request instead, or bring the open one up to date.")
@click.option("--auto-merge", is_flag=True, help="With --pr, merge it once its checks have passed.")
@click.option("--no-verify", is_flag=True, help="Do not ask the registry whether the tags exist.")
@click.option("-y", "--yes", is_flag=True, help="Publish without asking.")
@click.option("--allow-unmerged", is_flag=True, help="Deploy a commit that is not on the release branch.")
@click.option("-m", "--message", default="", help="The release commit's subject.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def bump_command(
    session: _Session, /, words: tuple[str, ...], *, built: bool, head: str | None, **options: Any
) -> None:
    """Set image tags in the manifests and publish the release.

    TAG may carry a digest: sha-1a2b3c4@sha256:…
    """
    from orbit_release.flows import bump as flow

    if head and not built:
        raise UsageError("--head goes with --built", "a tag names its commit itself.")
    if built and options["no_verify"]:
        raise UsageError("--built asks the registry what was built", "leave out --no-verify.")
    _check_ways(**options)
    source = session.source()
    proposal = _proposal(session, source.git, words if built else words[::2], built=built, **options)
    common = {
        "registry": None if options["no_verify"] else session.registry(),
        "publish": _publisher(session, source.git, proposal, **options),
        "local": options["no_push"],
        "subject": _one_line(options["message"]),
        "address": session.address(source.git),
    }
    if built:
        result = flow.bump_built(source, source.config.select(words), head=head or _head(), **common)
        if proposal and not result.plan.superseded and not result.published and not result.missing:
            _withdraw(proposal, source.config.branch, **options)
        _show_built(result, options["format"], dry_run=options["dry_run"])
        return
    changes = _changes(source.config, words)
    confirm = _unmerged(allowed=options["allow_unmerged"])
    published = flow.bump(source, changes, confirm_unmerged=confirm, **common)
    if proposal and not published:
        _withdraw(proposal, source.config.branch, **options)
    _show_bump(published, changes, options["format"], dry_run=options["dry_run"])


def _check_ways(*, no_push: bool, via: str | None, pr: bool, auto_merge: bool, **_: object) -> None:
    if auto_merge and not pr:
        raise UsageError("--auto-merge goes with --pr", "add --pr.")
    if no_push and (pr or via == "api"):
        raise UsageError("--no-push keeps the release here", f"leave out --no-push or {'--pr' if pr else '--via api'}.")
    if pr and via == "git":
        raise UsageError("--pr goes through GitHub's API", "leave out --via git.")


def _proposal(
    session: _Session, git: Clone, names: Sequence[str], *, pr: bool, built: bool, auto_merge: bool, **_: object
) -> Proposal | None:
    from orbit_release.core.pull_request import branch_name
    from orbit_release.flows.publish import Proposal

    return Proposal(git, session.github(git), branch_name(names), forward=built, auto_merge=auto_merge) if pr else None


def _withdraw(proposal: Proposal, branch: str, *, dry_run: bool, **_: object) -> None:
    from orbit_release import output

    if not dry_run and (closed := proposal.withdraw(branch)):
        output.say(f"closed {closed}: it would change nothing any more")


def _changes(config: Config, words: tuple[str, ...]) -> list[Any]:
    from orbit_release.core.image import Digest, Tag
    from orbit_release.flows.bump import Change

    if not words or len(words) % 2:
        raise UsageError(
            "bump takes pairs of a service and a tag", "for example: orbit-release bump bifrost sha-1a2b3c4"
        )
    names, tags = words[::2], words[1::2]
    if len(set(names)) < len(names):
        raise UsageError("a service is named twice", "give each service one tag.")
    parts = [text.partition("@") for text in tags]
    wanted = {
        name: (Tag(tag), Digest(digest) if at else None) for name, (tag, at, digest) in zip(names, parts, strict=True)
    }
    return [Change(service, *wanted[service.name]) for service in config.select(names)]


def _publisher(
    session: _Session,
    git: Clone,
    proposal: Proposal | None,
    *,
    dry_run: bool,
    no_push: bool,
    yes: bool,
    via: str | None,
    **_: object,
) -> Publish:
    """Return what is done with a release: publish it, ask first on a terminal, or with --dry-run show it only."""
    from orbit_release import output
    from orbit_release.flows.bump import Landed
    from orbit_release.flows.publish import through_api, through_git

    default = (
        "api" if _in_actions() and os.environ.get("GITHUB_TOKEN") and os.environ.get("GITHUB_REPOSITORY") else "git"
    )
    by_api = (via or default) == "api" and not (dry_run or no_push or proposal)
    put = proposal.put if proposal else through_api(git, session.github(git)) if by_api else through_git(git)
    where = "propose it for" if proposal else "commit it to" if no_push else "publish it on"

    @cache
    def agreed(diff: str) -> bool:
        output.say(output.coloured_diff(diff))
        return click.confirm(f"{where} the release branch?", default=True, err=True)

    def publish(tip: Tip, release: Release, notes: Notes) -> Landed | None:
        for warning in release.warnings:
            output.warn(warning)
        if dry_run:
            output.show_diff(release.diff(), terminal=sys.stdout.isatty())
            return Landed(tip.commit)
        if not yes and _is_interactive() and not agreed(release.diff()):
            output.say("nothing was published")
            raise click.exceptions.Exit(_INTERRUPTED)
        return put(tip, release, notes)

    return publish


def _default_way() -> str:
    known = all(os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
    return "api" if _in_actions() and known else "git"


def _is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _unmerged(*, allowed: bool) -> Callable[[str], bool]:
    @cache
    def confirm(message: str) -> bool:
        if allowed or not _is_interactive():
            return allowed
        return click.confirm(f"{message}. Deploy it all the same?", default=False, err=True)

    return confirm


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise UsageError("the message must be one line without control characters", "shorten it.")
    return text.strip()


@cli.command("build")
@_services
@click.option("--head", help="The commit to build for.  [default: GITHUB_SHA in Actions, else HEAD]")
@click.option("--push/--no-push", default=True, show_default=True, help="Push to the registry, or keep in the engine.")
@click.option("--builder", metavar="NAME|tcp://HOST:PORT", help="A buildx builder, or a remote BuildKit.")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="How many builds at once.")
@click.option("--force", is_flag=True, help="Build also what the registry has already.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def build_command(
    session: _Session,
    /,
    names: tuple[str, ...],
    *,
    head: str | None,
    push: bool,
    builder: str | None,
    jobs: int,
    force: bool,
    format: str,
) -> None:
    """Build the images that the plan asks for, or those of the named services, and push them."""
    from orbit_release import output
    from orbit_release.flows.build import Building, build
    from orbit_release.flows.builder import choose_builder

    source = session.source()
    registry = session.registry() if push else None
    building = Building(source, registry, session.address(source.git), jobs=jobs, force=force)
    services = source.config.select(names)
    with output.build_progress(terminal=sys.stderr.isatty()) as progress:
        results = build(
            building,
            services,
            named=bool(names),
            head=head or _head() or "HEAD",
            builder=lambda: choose_builder(builder, environ=os.environ, github_token=os.environ.get("GITHUB_TOKEN")),
            progress=progress,
        )
    output.show_builds(results, format)
    _raise_failed(results)


def _raise_failed(results: Sequence[Result]) -> None:
    """End with exit code 7 if a build failed, after its last log lines; with 6 or 8 if that was all that failed."""
    from orbit_release import output
    from orbit_release.core.text import printable
    from orbit_release.errors import BuildError, ConflictError

    failed = [result for result in results if result.error]
    for name, line in ((result.plan.service.name, line) for result in failed for line in result.log):
        output.say(f"{name} | {printable(line)}")
    messages = "\n".join(f"{result.plan.service.name}: {result.error.message}" for result in failed if result.error)
    hint = next((result.error.hint for result in failed if result.error and result.error.hint), "")
    if failed:
        kinds = {type(result.error) for result in failed if result.error}
        kind = kinds.pop() if kinds in ({AccessError}, {ConflictError}) else BuildError
        raise kind(messages, hint or "mend it and run build again: what was pushed is not built twice.")


def _show_bump(published: Published | None, changes: Sequence[Change], shape: str, *, dry_run: bool) -> None:
    from orbit_release import output

    if published is None:
        already = ", ".join(f"{change.service.name} {change.tag}" for change in changes)
        output.say(f"nothing to do: already at {already}")
    _show_release(published, shape, dry_run=dry_run)


def _show_release(published: Published | None, shape: str, *, dry_run: bool, **more: Any) -> None:
    from orbit_release import output

    if dry_run:
        return
    if shape == "json":
        click.echo(output.to_json({**output.release_document(published), **more}))
    elif published:
        click.echo(output.release_table(published.release))
        output.say(output.where_it_went(published))
    output.summarize_release(published, more.get("missing", ()), os.environ.get("GITHUB_STEP_SUMMARY"))


def _show_built(result: Built, shape: str, *, dry_run: bool) -> None:
    from orbit_release import output
    from orbit_release.core.plan import Action
    from orbit_release.core.text import printable
    from orbit_release.flows.plan import clash_of

    missing = [str(image) for image in result.missing]
    if result.plan.superseded:
        output.say("nothing to do: this head is not on the release branch any more")
    elif result.published is None and not missing:
        output.say("nothing to do: no image waits for its release")
    for one in result.plan.with_action(Action.HELD):
        output.say(f"{one.service.name} stays: {printable(one.reason)}")
    _show_release(result.published, shape, dry_run=dry_run, missing=missing)
    if clash := clash_of(result.plan.services):
        raise clash
    if missing:
        hint = "their builds failed or did not run: run `orbit-release build`, then this again."
        raise NotFoundError("not in the registry: " + ", ".join(missing), hint)


@cli.command("demo")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path())
@click.option("--registry", metavar="HOST:PORT", help="A registry on loopback that takes the images.")
def demo_command(folder: str | None, registry: str | None) -> None:
    """Walk through four releases of a sample monorepo, with the real commands, and leave it to play with."""
    import shutil
    from pathlib import Path
    from tempfile import mkdtemp

    from orbit_release import output
    from orbit_release.adapters.sandbox import Sandbox
    from orbit_release.flows.builder import choose_builder
    from orbit_release.flows.demo import demo

    if registry is None:
        hint = "run scripts/demo, which starts one, or `docker run -d -p 127.0.0.1:5000:5000 registry:2` and name it."
        raise UsageError("the demo needs a registry: --registry HOST:PORT", hint)
    with choose_builder(None, environ=os.environ):  # an engine that does not answer is better told now
        pass
    sandbox = Sandbox(Path(folder or mkdtemp(prefix="orbit-release-demo-")).resolve(), os.environ, output.show_line)
    demo(sandbox, registry, output.show_heading)
    program = _PROGRAM if shutil.which(_PROGRAM) else f"{sys.executable} -m orbit_release"
    output.show_demo_end(str(sandbox.folder), program)


def main() -> None:
    """Run the command line; every error ends in two lines and the exit code of its kind."""
    # https://no-color.org; that nobody sees colours in a file or a pipe is known to click
    colour = False if os.environ.get("NO_COLOR") else None
    for number in (signal.SIGTERM, signal.SIGHUP):  # a cancelled workflow leaves nothing running or lying about
        signal.signal(number, _interrupt)
    if not isinstance(sys.stdout and sys.stdout.buffer, io.BufferedWriter | None):
        # PYTHONUNBUFFERED: a write that the system takes only in part would be cut off without a word
        sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    with click.Context(cli, color=colour) as context:
        context.meta[_ACTIONS] = _in_actions()
        code = _run(context)
    _leave(code)


def _interrupt(*_: object) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning up short
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """End without freeing every object first, which would take `plan` another tenth of its time."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def _run(context: click.Context) -> int:
    try:
        return int(cli.main(prog_name=_PROGRAM, standalone_mode=False, parent=context) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _failed(_usage_error(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except OrbitReleaseError as error:
        return _failed(error)
    except OSError as error:  # a full disk, a folder without permission: not our bug
        return _failed(UnavailableError(str(error), "check the disk and the permissions; -v shows what was tried."))
    except Exception as error:  # noqa: BLE001  (the last resort: a bug is ours, and says so)
        return _failed(_bug(error))


def _usage_error(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    return UsageError(error.format_message(), f"{context.command_path if context else _PROGRAM} --help says more.")


def _failed(error: OrbitReleaseError) -> int:
    from orbit_release import output

    with suppress(OSError):  # where nobody can be told, the exit code still says it
        if click.get_current_context().meta.get(_VERBOSE):
            output.say_traceback(error)
        output.show_error(error)
    return error.exit_code


def _bug(error: Exception) -> OrbitReleaseError:
    what = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "this is a bug of orbit-release; run it again with -v and report what it prints."
    return OrbitReleaseError(what, hint).with_traceback(error.__traceback__)
