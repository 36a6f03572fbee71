"""check: find in the working tree what would fail, before it fails; nobody outside of this machine is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from orbit_release.check import deployed_tags as deployed, workflow
from orbit_release.check.configuration import ConfigurationFile
from orbit_release.check.deployed_tags import deployed_findings
from orbit_release.check.finding import Finding, Group, Note
from orbit_release.check.folder import Folder
from orbit_release.check.ignore_comments import without_ignored
from orbit_release.check.inputs import gaps, rules as inputs
from orbit_release.check.inputs.rules import inputs_findings
from orbit_release.check.manifests import rules as manifests
from orbit_release.check.manifests.rules import check_manifests, unapplied
from orbit_release.check.tree import Tree
from orbit_release.check.wiring import rules as wiring
from orbit_release.check.wiring.applications import Render, applications
from orbit_release.check.wiring.rules import check_wiring
from orbit_release.check.workflow import workflow_findings
from orbit_release.config import FILE_NAME, lines, suggestion
from orbit_release.errors import InvalidError, NotFoundError, UnavailableError, UsageError
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.git.worktree import work_file, work_files
from orbit_release.manifests.rewrite import FoundImage, find_images
from orbit_release.service import Service

Findings = Iterable[Finding | Note]

RULES = (
    *(*inputs.RULES, *gaps.RULES, *manifests.RULES, *wiring.RULES),
    *(*workflow.RULES, *deployed.RULES),
)


def check(
    source: Source, *, render: Render, only: Collection[str] = (), ignore: Collection[str] = ()
) -> tuple[list[Finding], list[Note]]:
    """Return what breaks the rules, by place, and what was not checked.

    `render` renders kustomizations that need a program for it. `only` and `ignore` name rules or groups of rules;
    UsageError for a name that is none.
    """
    _require_known((*only, *ignore))
    tree = Tree(work_files(source.git), partial(work_file, source.git))
    file = ConfigurationFile(source.config_path or source.config_name or FILE_NAME, lines(source.config_data))
    found = [one for group in _groups(source, tree, file, render) for one in _chosen(group, only, ignore)]
    read = {file.path: source.config_data}  # which may lie outside of the repository
    findings = without_ignored(
        (one for one in found if isinstance(one, Finding)), lambda path: read.get(path) or tree.read(path)
    )
    notes = [one for one in found if isinstance(one, Note)]
    return sorted(findings, key=lambda one: (one.path, one.line, one.rule.name)), notes


def _require_known(names: Iterable[str]) -> None:
    known = [*(group.value for group in Group), *(rule.name for rule in RULES)]
    for name in names:
        if name not in known:
            raise UsageError(f"no rule is called {name!r}", suggestion(name, known))


def _groups(source: Source, tree: Tree, file: ConfigurationFile, render: Render) -> Iterator[Findings]:
    config = source.config
    folder = Folder(tree, config.manifests)
    images = _images(folder, config.services)
    yield inputs_findings(config.services, tree, file, config.manifests)
    yield check_manifests(folder, file, config.services, config.image)
    yield _wiring(folder, images, config.services, render)
    yield workflow_findings(config.services, tree, partial(_inputs, tree))
    yield _deployed(source.git, images, config.branch)


def _chosen(findings: Findings, only: Collection[str], ignore: Collection[str]) -> Iterator[Finding | Note]:
    for one in findings:
        names = {one.group.value} if isinstance(one, Note) else {one.rule.name, one.rule.group.value}
        if (not only or names & set(only)) and not names & set(ignore):
            yield one


def _wiring(
    folder: Folder, images: Sequence[FoundImage], services: Sequence[Service], render: Render
) -> Iterator[Finding | Note]:
    found, others = applications(folder, render)
    if folder.kustomizations and not others:
        applied = {where.path for one in found for obj in one.objects for where in (obj, obj.origin) if where}
        yield from unapplied(images, services, applied | {*folder.kustomizations})
    yield from (*check_wiring(found), *others)


def _inputs(tree: Tree, service: Service) -> list[str]:
    own = service.settings.own_ignore_file in tree.files
    return [
        path for path in tree.files if service.is_input(path.encode("utf-8", "surrogateescape"), own_ignore_file=own)
    ]


def _deployed(git: Clone, images: Sequence[FoundImage], branch: str) -> Iterator[Finding | Note]:
    """Look at the tags as far as the history is here, on the release branch as it was last seen."""
    if git.is_shallow:
        yield Note(Group.HISTORY, "the clone is shallow: `git fetch --unshallow` brings what the deployed tags name")
        return
    try:
        yield from _tags(git, images, branch)
    except NotFoundError as error:
        yield Note(Group.HISTORY, f"the deployed tags: {error.message}: {error.hint}")
    except UnavailableError:  # a partial clone, and git may fetch nothing
        yield Note(
            Group.HISTORY, "the deployed tags: the clone lacks a part of the history: `git fetch --refetch` brings it"
        )


def _tags(git: Clone, images: Collection[FoundImage], branch: str) -> list[Finding]:
    tip = git.last_seen(branch)
    named = (image.reference.tag.commit_prefix for image in images if image.reference.tag)
    commits = {prefix: git.commit_of_prefix(prefix) for prefix in named if prefix}
    history = git.history([tip.commit, *filter(None, commits.values())])
    merged: Callable[[str], bool] = lambda commit: history.is_ancestor(commit, tip.commit)  # noqa: E731
    return list(deployed_findings(images, commits.get, merged, tip.branch))


def _images(folder: Folder, services: Sequence[Service]) -> list[FoundImage]:
    repositories = {service.repository for service in services}
    found: list[FoundImage] = []
    for path in folder.files:
        with suppress(InvalidError):  # a finding of the manifests' rules
            found += find_images(folder.data(path), path, repositories)
    return found
