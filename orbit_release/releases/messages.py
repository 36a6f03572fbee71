"""What a release says of itself: the message of its commit, and its summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orbit_release.git.graph import Commit
from orbit_release.image import Repository
from orbit_release.manifests.mark import is_hold
from orbit_release.manifests.rewrite import Edit
from orbit_release.text import code, counted, markdown_table


@dataclass(frozen=True, slots=True)
class Step:
    """One service's way from one reference to the next.

    `commits` counts the service's own between the commits `base` and `head`, the older one first, as far as these are
    known. They go out if it `is_back`: then `leaving` are the newest of them.
    """

    service: str
    before: str
    after: str
    base: str | None = None
    head: str | None = None
    commits: int | None = None
    image: str = ""
    leaving: tuple[Commit, ...] = ()
    is_back: bool = False

    @property
    def distance(self) -> str:
        """How many commits come in or go out, as text; "" where that is not known or there are none."""
        return counted(self.commits, "commit") + (" out" if self.is_back else "") if self.commits else ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a release says of itself: its steps, the monorepo's web address (or ""), and a subject of one's own.

    `verb` says what is done; `holds` has, by service, the mark that is set (None: it is taken away).
    """

    steps: tuple[Step, ...]
    source: str = ""
    subject: str = ""
    verb: str = "release"
    holds: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """One line: the services, and their tag if it is one."""
        tags = {step.after for step in self.steps}
        names = [step.service for step in self.steps] or list(self.holds)
        what = names[0] if len(names) == 1 else f"{len(names)} services"
        return self.subject or f"{self.verb}: {what}{f' {tags.pop()}' if len(tags) == 1 else ''}"

    def message(self) -> str:
        """Return a title, a line for each service, and trailers for machines."""
        lines = [f"{step.service}: {step.before} -> {step.after}{self._about(step)}" for step in self.steps]
        # The reason is in the manifest: here GitHub would notify `@name`, and close what `Fixes #1` names.
        lines += [f"{service}: {'held' if is_hold(mark) else 'not held'}" for service, mark in self.holds.items()]
        trailers = [f"Orbit-Release: {step.service} {step.after}" for step in self.steps]
        return "\n\n".join(filter(None, (self.title, "\n".join(lines), "\n".join(trailers)))) + "\n"

    def compare_link(self, step: Step) -> str:
        """Return the address that shows a step's commits, or ""."""
        differ = self.source and step.base and step.head and step.base != step.head
        return f"{self.source}/compare/{step.base}...{step.head}" if differ else ""

    def _about(self, step: Step) -> str:
        about = ", ".join(filter(None, (step.distance, self.compare_link(step))))
        return f" ({about})" if about else ""


def hold_text(mark: str | None) -> str:
    return f"held: {mark}" if is_hold(mark) else "not held"


def steps_of(edits: Iterable[Edit], names: Mapping[Repository, str]) -> dict[str, Edit]:
    """Return one edit for each service, in order; several manifests may carry a service's reference."""
    steps: dict[str, Edit] = {}
    for edit in edits:
        steps.setdefault(names[edit.after.repository], edit)
    return steps


def summary(notes: Notes) -> str:
    """Return Markdown: the steps as a table, and the holds that change."""
    rows = [
        (code(step.service), code(step.before), code(step.after), _changes(notes, step), code(step.image))
        for step in notes.steps
    ]
    table = markdown_table(("Service", "Before", "After", "Changes", "Image"), rows) if rows else ""
    holds = "".join(f"- {code(name)}: {code(hold_text(mark))}\n" for name, mark in notes.holds.items())
    return "\n".join(filter(None, (table, holds)))


def _changes(notes: Notes, step: Step) -> str:
    link = notes.compare_link(step)
    return f"[{step.distance or 'compare'}]({link})" if link else step.distance
