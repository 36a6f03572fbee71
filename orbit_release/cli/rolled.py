"""What is told of a rollback, by a person's command or after a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbit_release.flows.put_back import RollbackOutcome


def tell_rolled(rolled: RollbackOutcome, *, dry_run: bool = False) -> None:
    """Tell which services stay as they are, and which are held now."""
    from orbit_release import output
    from orbit_release.manifests.mark import is_hold
    from orbit_release.text import printable

    for name, why in rolled.left.items():
        output.say(f"{name} stays: it {printable(why)}")
    holds = rolled.published.notes.holds if rolled.published and not dry_run else {}
    for name, reason in holds.items():
        if is_hold(reason):
            output.say(f"{name} is held: {printable(reason or '')}; once it is mended: orbit-release unhold {name}")
    for name, back in rolled.loose.items():
        then = "that it went back holds it, until a bump by hand" if back else "nothing holds it"
        output.warn(f"{name} has no place for the comment `# held`: {then}")
