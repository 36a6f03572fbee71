"""demo: a walk through releases and a rollback."""

from __future__ import annotations

import os
import sys

import click

from orbit_release.cli.session import PROGRAM
from orbit_release.errors import UsageError


@click.command("demo")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path())
@click.option("--registry", metavar="HOST:PORT", help="A registry on loopback that takes the images.")
def demo_command(folder: str | None, registry: str | None) -> None:
    """Walk through releases and a rollback of a sample monorepo, with the real commands, and leave it to play with."""
    import shutil
    from pathlib import Path
    from tempfile import mkdtemp

    from orbit_release.builders.choose import choose_builder
    from orbit_release.demo.sandbox import Sandbox
    from orbit_release.demo.show_walk import show_end, show_heading, show_line
    from orbit_release.demo.walk import demo

    if registry is None:
        hint = "run scripts/demo, which starts one, or `docker run -d -p 127.0.0.1:5000:5000 registry:2` and name it."
        raise UsageError("the demo needs a registry: --registry HOST:PORT", hint)
    with choose_builder(None, environ=os.environ):  # an engine that does not answer is better told now
        pass
    sandbox = Sandbox(Path(folder or mkdtemp(prefix="orbit-release-demo-")).resolve(), os.environ, show_line)
    demo(sandbox, registry, show_heading)
    program = PROGRAM if shutil.which(PROGRAM) else f"{sys.executable} -m orbit_release"
    show_end(str(sandbox.folder), program)
