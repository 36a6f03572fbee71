"""init: begin in a monorepo that is not released by this tool yet."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from orbit_release.cli.session import Session
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.init.new_files import NewFiles

_WORKFLOW = "build-and-push.yml"


@click.command("init")
@click.option("--dry-run", is_flag=True, help="Print what would be written, as a diff, and stop.")
@click.pass_obj
def init_command(session: Session, /, *, dry_run: bool) -> None:
    """Write orbit-release.yaml and the workflow, from the Dockerfiles and manifests that are there.

    Nothing is overwritten. What cannot be told from the repository is a comment `# choose: …` in
    the file, at its place.
    """
    from orbit_release.init.new_files import new_files, refuse_existing, write_new_files

    if session.config_file:
        raise UsageError("init writes orbit-release.yaml at the repository's root", "leave --config out.")
    git = session.git()
    if not dry_run:
        refuse_existing(git)
    files = new_files(git, _workflow_template())
    if dry_run:
        _show_diff(files)
        refuse_existing(git)
    else:
        write_new_files(git, files)
        _tell(files)


def _workflow_template() -> str:
    """Return this repository's own workflow: a wheel carries it, a checkout has it where GitHub looks for it."""
    from importlib.resources import files

    package = files("orbit_release")
    shipped = package / _WORKFLOW
    place = shipped if shipped.is_file() else package / ".." / ".github" / "workflows" / _WORKFLOW
    return place.read_text(encoding="utf-8")


def _show_diff(files: NewFiles) -> None:
    from orbit_release import output

    for path, text in files.texts.items():
        lines = difflib.unified_diff([], text.splitlines(), "/dev/null", f"b/{path}", lineterm="")
        click.echo("\n".join(map(output.foreign, lines)))


def _tell(files: NewFiles) -> None:
    from orbit_release import output
    from orbit_release.text import counted

    output.say(f"{counted(len(files.services), 'service')}: {', '.join(files.services)}")
    for path in files.texts:
        choices = files.choices(path)
        left = f", with {counted(choices, 'choice')} to make: look for `# choose:`" if choices else ""
        output.say(f"wrote {path}{left}")
    output.say("next: `orbit-release check` finds what would fail, `orbit-release plan` shows what would be released")
