"""The command line: parse options and the environment, call one flow, print its result."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click

from orbit_release import __version__
from orbit_release.cli.session import INTERRUPTED, PROGRAM, Session, in_actions
from orbit_release.errors import OrbitReleaseError, UnavailableError, UsageError

_VERBOSE = "orbit_release.verbose"

_COMMANDS = [
    *("plan", "build", "bump", "rollback", "hold", "unhold", "history", "status", "report"),
    *("check", "doctor", "init", "wait", "demo"),
]
_ELSEWHERE = {"unhold": "hold"}  # a command that shares the module of another


class _Commands(click.Group):
    """The commands; the module of each is imported when somebody asks for it."""

    def list_commands(self, _: click.Context) -> list[str]:
        return _COMMANDS

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return super().get_command(context, name)
        module = import_module(f"orbit_release.cli.{_ELSEWHERE.get(name, name)}")
        command: click.Command = getattr(module, f"{name}_command")
        return command


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORBIT_RELEASE"}
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.option("-C", "directory", type=click.Path(), default=".", help="Run as if started in this folder.")
@click.option("--config", "config", type=click.Path(), help="Instead of orbit-release.yaml.")
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, directory: str, config: str | None, *, verbose: bool) -> None:
    """Release the services of a GitHub monorepo to Kubernetes by GitOps."""
    context.meta[_VERBOSE] = verbose
    context.obj = Session(directory, config)


def main() -> None:
    """Run the command line; every error ends in two lines and the exit code of its kind."""
    # A command is short, and nearly all that it makes lives to its end: looking for the rest takes a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    # https://no-color.org; that nobody sees colours in a file or a pipe is known to click
    colour = False if os.environ.get("NO_COLOR") else None
    for number in (signal.SIGTERM, signal.SIGHUP):  # a cancelled workflow leaves nothing running or lying about
        signal.signal(number, _interrupt)
    if not isinstance(sys.stdout and sys.stdout.buffer, io.BufferedWriter | None):
        # PYTHONUNBUFFERED: a write that the system takes only in part would be cut off without a word
        sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    with click.Context(cli, color=colour) as context:
        context.meta["orbit_release.actions"] = in_actions()  # output asks for it
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
        return int(cli.main(prog_name=PROGRAM, standalone_mode=False, parent=context) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        return _show(UsageError(error.format_message(), f"{command} --help says more."))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except OrbitReleaseError as error:
        return _show(error)
    except OSError as error:  # a full disk, a folder without permission: not our bug
        return _show(UnavailableError(str(error), "check the disk and the permissions; -v shows what was tried."))
    except Exception as error:  # noqa: BLE001  (the last resort: a bug is ours, and says so)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        hint = "this is a bug of orbit-release; run it again with -v and report what it prints."
        return _show(OrbitReleaseError(what, hint).with_traceback(error.__traceback__))


def _show(error: OrbitReleaseError) -> int:
    from orbit_release import output

    with suppress(OSError):  # where nobody can be told, the exit code still says it
        if click.get_current_context().meta.get(_VERBOSE):
            output.console.say_traceback(error)
        output.show_error(error)
    return error.exit_code
