"""What `init`, or an example of the manual, left for a person to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orbit_release.check.finding import Finding, Group
from orbit_release.check.tree import Tree
from orbit_release.check.workflow_rules import FOLDER

OPEN_CHOICE = Group.CONFIGURATION.rule("open-choice", "`init` could not tell what is right here, and took a guess.")
PLACEHOLDER = Group.WORKFLOW.rule("workflow-placeholder", "GitHub finds no action there, and the run fails at once.")
RULES = (OPEN_CHOICE, PLACEHOLDER)

_CHOICE = re.compile(r"(?:^|\s)#\s*choose:\s*(.*)")
_OWNER = re.compile(r"[^#]*\buses:\s*[\"']?(OWNER/[^\s\"'#]*)")


def check_leftovers(tree: Tree, configuration: str, data: bytes) -> Iterator[Finding]:
    """Yield what is still open in the configuration, and in the workflows that name this tool."""
    yield from _leftovers(configuration, data)
    for path in filter(tree.is_file, tree.below(FOLDER)):
        workflow = tree.read(path)
        if b"orbit-release" in workflow:
            yield from _leftovers(path, workflow)


def _leftovers(path: str, data: bytes) -> Iterator[Finding]:
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if placeholder := _OWNER.match(line):
            message = f"{placeholder[1]} is a placeholder"
            fix = "name the repository that you install this tool from, and a commit of it that you trust."
            yield Finding(PLACEHOLDER, path, number, message, fix)
        elif choice := _CHOICE.search(line):
            message = f"still to choose: {choice[1].strip()}"
            yield Finding(OPEN_CHOICE, path, number, message, "decide, and remove the comment.")
