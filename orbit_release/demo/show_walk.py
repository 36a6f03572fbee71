"""What a person reads on the walk through the demo."""

from __future__ import annotations

import click


def show_line(line: str) -> None:
    click.echo(click.style(line, bold=True) if line.startswith("$ ") else line)


def show_heading(text: str) -> None:
    click.echo(click.style(text, fg="green", bold=True))


def show_end(folder: str, program: str) -> None:
    show_heading(f"\n# The sandbox stays in {folder}. Three things to try in {folder}/orbit:")
    log = "git log -p --first-parent origin/main -- infrastructure/k8s"
    click.echo(f"{log}    # a release changes tags and nothing else")
    click.echo(f"echo '// try' >> services/bifrost/main.go && git commit -qam try && {program} plan    # one service")
    tag = "sha-$(git log --format=%h --abbrev=7 -1 -- proto)"
    click.echo(f"{program} bump bifrost {tag} --no-verify    # refused: never backwards")
