"""check: find in the working tree what would fail, before it fails; nobody outside of this machine is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from orbit_release.check import deployed_tag_rules, leftover_rules, manifest_rules, workflow_rules
from orbit_release.check.configuration_file import ConfigurationFile, lines
from orbit_release.check.finding import Finding, Group, Note, without_ignored
from orbit_release.check.inputs import input_rules, missing_inputs
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.tree import Tree, path_bytes
from orbit_release.check.wiring import wiring_rules
from orbit_release.check.wiring.rendered_groups import Render, rendered_groups
from orbit_release.check.working_tree import ignored, working_tree
from orbit_release.config import FILE_NAME, Config, suggestion
from orbit_release.errors import NotFoundError, UnavailableError, UsageError
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.manifests.deployed import Deployed
from orbit_release.manifests.places import FoundImage
from orbit_release.service import Service

RULES = (
    *(*leftover_rules.RULES, *input_rules.RULES, *missing_inputs.RULES, *manifest_rules.RULES),
    *(*wiring_rules.RULES, *workflow_rules.RULES, *deployed_tag_rules.RULES),
)


def check(
    source: Source, *, render: Render, only: Collection[str] = (), ignore: Collection[str] = ()
) -> tuple[list[Finding], list[Note]]:
    """Return what breaks the rules, by place, and what was not checked.

    `render` renders kustomizations that need a program for it. `only` and `ignore` name rules or groups of rules;
    UsageError for a name that is none.
    """
    known = [*(group.value for group in Group), *(rule.name for rule in RULES)]
    for name in (*only, *ignore):
        if name not in known:
            raise UsageError(f"no rule is called {name!r}", suggestion(name, known))
    tree = working_tree(source.git)
    file = ConfigurationFile(source.config_path or source.config_name or FILE_NAME, lines(source.config_data))
    everything = _check_groups(source, tree, file, render)
    allowed = (each for each in everything if each.names.isdisjoint(ignore))
    chosen = [each for each in allowed if not only or not each.names.isdisjoint(only)]
    notes = [each for each in chosen if isinstance(each, Note)]
    breaches = (each for each in chosen if isinstance(each, Finding))
    data = {file.path: source.config_data}  # which may lie outside of the repository
    findings = without_ignored(breaches, lambda path: data.get(path) or tree.read(path))
    return sorted(findings, key=lambda finding: (finding.path, finding.line, finding.rule.name)), notes


def _check_groups(source: Source, tree: Tree, file: ConfigurationFile, render: Render) -> Iterator[Finding | Note]:
    config = source.config
    manifests = manifest_rules.read_manifests(tree, config)
    folders = [ManifestFolder(tree, path) for path in config.manifests]
    yield from leftover_rules.check_leftovers(tree, file.path, source.config_data)
    yield from input_rules.check_inputs(config.services, tree, file, partial(ignored, source.git))
    yield from manifest_rules.check_manifests(manifests, folders, tree, file, config)
    yield from _check_wiring(folders, render, manifests.deployed)
    edited = {value.path for place in manifests.deployed.places for value in place.value.deciders}
    yield from workflow_rules.check_workflows(config.services, tree, lambda service: _inputs(tree, service, edited))
    images = [image for service in config.services for image in manifests.deployed[service.repository]]
    yield from _check_history(source.git, images, config)


def _check_wiring(folders: Sequence[ManifestFolder], render: Render, deployed: Deployed) -> Iterator[Finding | Note]:
    """Check all that is applied at once: what one folder names, another one may make.

    An entry of which it is told already that it cannot be rendered is left out.
    """
    told = {*deployed.broken, *(why.partition(":")[0] for why in deployed.refused)}
    told = told.union(*(files for files in deployed.entries if not told.isdisjoint(files)))
    rendered = [rendered_groups(folder, render) for folder in folders]
    yield from wiring_rules.check_wiring([group for groups, _ in rendered for group in groups])
    others = dict.fromkeys(other for _, others in rendered for other in others)
    yield from (other for other in others if isinstance(other, Note) or other.path not in told)


def _inputs(tree: Tree, service: Service, edited: Collection[str]) -> list[str]:
    """Return what a service is built from; a file that a release edits is no input."""
    own = service.settings.own_ignore_file in tree.files
    files = (path for path in tree.files if path not in edited)
    return [path for path in files if service.is_input(path_bytes(path), own_ignore_file=own)]


def _check_history(git: Clone, images: Sequence[FoundImage], config: Config) -> Sequence[Finding | Note]:
    """Look at the tags as far as the history is here, on the release branch as it was last seen."""
    if git.is_shallow:
        what = "the clone is shallow: `git fetch --unshallow` brings what the deployed tags name"
    else:
        try:
            return _check_tags(git, images, config)
        except NotFoundError as error:
            what = f"the deployed tags: {error.message}: {error.hint}"
        except UnavailableError:  # a partial clone, and git may fetch nothing
            what = "the deployed tags: the clone lacks a part of the history: `git fetch --refetch` brings it"
    return [Note(Group.HISTORY, what)]


def _check_tags(git: Clone, images: Sequence[FoundImage], config: Config) -> list[Finding]:
    tip, scheme = git.last_seen(config.branch), config.tag_scheme
    prefixes = {scheme.commit_prefix(image.reference.tag) for image in images}
    commits = {prefix: git.commit_of_prefix(prefix) for prefix in prefixes if prefix}
    history = git.history([tip.commit, *filter(None, commits.values())])
    is_merged = partial(history.is_ancestor, newer=tip.commit)
    return list(deployed_tag_rules.check_deployed_tags(images, commits.get, is_merged, tip.branch, scheme))
