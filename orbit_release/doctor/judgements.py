"""What the answers of the outside systems mean for a release, each as a line of the checklist."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.argocd.application import SKIPPED, Application, ApplicationSource, fit
from orbit_release.doctor.checklist import ChecklistLine, failed_line, listed, ok_line, unchecked_line
from orbit_release.errors import MANUAL
from orbit_release.github.push_rights import BLOCKING, BYPASSES, BranchRule, PushRights
from orbit_release.image import ImageReference
from orbit_release.remote_address import web_address
from orbit_release.text import counted

_APP = (
    f"use the token of a GitHub App that may bypass it ({MANUAL}/publishing.md#branch-protection), "
    "or propose releases with --pr."
)
_DAY = 24 * 60 * 60  # seconds
_LEAST_DAYS = 14  # that a certificate still has to last


def branch_line(branch: str, access: PushRights) -> ChecklistLine:
    asked = [BLOCKING.get(rule.kind, rule.kind.replace("_", " ")) for rule in access.rules]
    asked += [f"the checks {listed(access.checks)}"] if access.checks else []
    asked += ["a classic rule"] if access.is_protected else []
    what = f"is protected: {listed(dict.fromkeys(asked))}" if asked else "is not protected"
    return ok_line("github", "branch", f"{branch} {what}")


def publish_line(branch: str, access: PushRights) -> ChecklistLine:
    if trouble := _refusal(branch, access):
        return failed_line("github", "publish", *trouble)
    if doubt := _doubt(branch, access):
        return unchecked_line("github", "publish", *doubt)
    signed = any(rule.kind == "required_signatures" and rule.bypass not in BYPASSES for rule in access.rules)
    how = ", if they are signed: those that GitHub makes (--via api) are" if signed else ""
    return ok_line("github", "publish", f"this token may put commits on {branch}{how}")


def _refusal(branch: str, access: PushRights) -> tuple[str, str] | None:
    """Return why a token may not publish, and what to do about it."""
    if access.is_archived:
        return "the repository is archived: nothing can be published there", "unarchive it in its settings."
    if access.can_push is False:
        fix = "give the token `contents: write`; in Actions see `permissions:` of the job."
        return "this token may read the repository, and not write to it", fix
    needed = {"repo"} if access.is_private else {"repo", "public_repo"}
    if access.scopes is not None and needed.isdisjoint(access.scopes):
        return f"this classic token lacks the scope {min(needed, key=len)}", "make one that has it."
    if blocking := [rule for rule in access.rules if rule.blocks and rule.bypass is not None]:
        return f"the rules of {branch} ask for {_asked(blocking)}", _APP
    if access.checks:
        return f"the classic rule of {branch} asks for the checks {listed(access.checks)}", _APP
    return None


def _doubt(branch: str, access: PushRights) -> tuple[str, str] | None:
    if access.can_push is None:
        return "GitHub does not tell an App's token whether it may write", "give it `contents: write`."
    if blocking := [rule for rule in access.rules if rule.blocks]:
        doubt = "whether this token may bypass them GitHub does not say"
        return f"the rules of {branch} ask for {_asked(blocking)}; {doubt}", _APP
    if patterns := [rule.kind for rule in access.rules if rule.is_pattern]:
        kinds = listed(kind.replace("_", " ") for kind in patterns)
        return f"the rules of {branch} have a {kinds}", "a release's commit has to match it: see the ruleset."
    if access.is_protected:
        fix = "see Settings, Branches; if it asks for reviews: --pr."
        return f"{branch} has a classic rule, which only administrators can read", fix
    return None


def _asked(rules: list[BranchRule]) -> str:
    return listed(dict.fromkeys(BLOCKING[rule.kind] for rule in rules))


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """What a registry says of an image; `is_public`: it says so to everybody; `error`: why it said nothing."""

    image: ImageReference
    is_there: bool = False
    is_public: bool = False
    is_denied: bool = False
    error: str = ""
    hint: str = ""


def images_line(answers: Sequence[RegistryAnswer]) -> ChecklistLine:
    missing = [answer.image for answer in answers if not answer.is_there and not answer.error]
    unanswered = [answer for answer in answers if answer.error and not answer.is_denied]
    denied = [answer for answer in answers if answer.is_denied]
    if missing:
        fix = "orbit-release build makes those of the services; others have another tag, or were deleted."
        return failed_line("registry", "images", f"not there: {listed(missing)}", fix)
    if unanswered:
        what = "; ".join(dict.fromkeys(f"{_host(answer.image)}: {answer.error}" for answer in unanswered))
        fix = "check the network and the registry's status page, and try again."
        return failed_line("registry", "images", what, fix)
    if denied:
        what = f"private, or not there: {listed(answer.image for answer in denied)}"
        return unchecked_line("registry", "images", what, denied[0].hint)
    return ok_line("registry", "images", f"{counted(len(answers), 'image')} of the manifests: all there")


def pull_line(answers: Sequence[RegistryAnswer], secrets: Mapping[ImageReference, Sequence[str]]) -> ChecklistLine:
    """Tell whether a cluster may pull the images: because they are public, or by a pull secret."""
    private = [answer.image for answer in answers if not answer.is_public and (answer.is_there or answer.is_denied)]
    naked = [image for image in private if not secrets.get(image)]
    unknown = [answer.image for answer in answers if answer.error and not answer.is_denied]
    if naked:
        fix = "name an imagePullSecret in the workload or its ServiceAccount, or make the package public."
        return failed_line("registry", "pull", f"not public, and no pull secret is named: {listed(naked)}", fix)
    if private:
        names = listed(dict.fromkeys(name for image in private for name in secrets[image]))
        hosts = listed(dict.fromkeys(map(_host, private)))
        what = f"{counted(len(private), 'image')} of {hosts} need the pull secret {names}, which the manifests name"
        fix = f"whether the cluster has it cannot be seen from here: kubectl get secrets {names.replace(', ', ' ')}"
        return unchecked_line("registry", "pull", what, fix)
    if unknown:
        return unchecked_line("registry", "pull", f"unanswered for {listed(unknown)}", "see registry/images.")
    return ok_line("registry", "pull", "every image that is there can be pulled anonymously")


def _host(image: ImageReference) -> str:
    return image.repository.registry


def keys_line(wanted: Collection[str], there: Collection[str], where: str) -> ChecklistLine:
    """Tell which keys that the manifests ask for are missing in a store."""
    missing = sorted(set(wanted) - set(there))
    if missing:
        keys = ", ".join(missing)  # all of them: somebody has to enter each
        what = f"{where}: {len(missing)} of {len(wanted)} keys are missing: {keys}"
        return failed_line("doppler", "keys", what, f"doppler secrets set {' '.join(missing)}")
    return ok_line("doppler", "keys", f"{where}: all {len(wanted)} keys are there")


def directory_lines(directories: Mapping[str, Collection[str]]) -> Iterator[ChecklistLine]:
    """Tell, for each NFS server, the command that checks what the volumes mount from it."""
    for server, paths in directories.items():
        count = "1 directory" if len(paths) == 1 else f"{len(paths)} directories"
        fix = f"ssh {shlex.quote(server)} ls -ldn {' '.join(map(shlex.quote, paths))}"
        yield unchecked_line("nfs", server, f"{count}: cannot be seen from here", fix)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a trusted authority: the names that it covers, and when it ends, in seconds since 1970."""

    names: tuple[str, ...]
    ends: float


def _covers(certificate: Certificate, host: str) -> bool:
    """Whether a certificate is for a host; a wildcard stands for exactly one label (RFC 6125)."""
    asked = host.lower().rstrip(".")
    wildcard = f"*.{asked.partition('.')[2]}"
    return any(name.lower() in (asked, wildcard) for name in certificate.names)


def certificate_line(host: str, certificate: Certificate, now: float) -> ChecklistLine:
    days = int((certificate.ends - now) // _DAY)
    if not _covers(certificate, host):
        what = f"the certificate covers {listed(certificate.names) or 'nothing'}, not {host}"
        return failed_line("certificate", host, what, f"add {host} to its names; a wildcard covers one level only.")
    if days < _LEAST_DAYS:
        fix = "renew it; where cert-manager does that, see `kubectl get certificates -A`."
        return failed_line("certificate", host, f"it ends in {days} days", fix)
    return ok_line("certificate", host, f"covers it, for {days} days more")


def source_line(application: Application, ours: ApplicationSource) -> ChecklistLine:
    name, sources = application.name, application.sources
    source = max(sources, key=lambda source: fit(source, ours), default=ApplicationSource("", "", ""))
    is_same, is_inside = fit(source, ours)
    fix = f"set its source to {ours.repository}, path {ours.path}, targetRevision {ours.revision}."
    if not is_same:
        addresses = ", ".join(web_address(source.repository) or "another address" for source in sources)
        return failed_line("argocd", "source", f"{name} syncs {addresses or 'nothing'}, not {ours.repository}", fix)
    if not is_inside:
        hint = f"{fix} Or set `manifests:` to a folder that holds both."
        return failed_line("argocd", "source", f"{name} syncs {source.path}, not {ours.path}", hint)
    revision = source.revision.removeprefix("refs/heads/")
    if revision in ("", "HEAD"):
        what = f"{name} follows the repository's default branch: is that {ours.revision}?"
        return unchecked_line("argocd", "source", what, fix)
    if revision != ours.revision:
        return failed_line("argocd", "source", f"{name} follows {revision}, not {ours.revision}", fix)
    return ok_line("argocd", "source", f"{name} syncs {source.path} of this repository at {revision}")


def sync_line(application: Application) -> ChecklistLine:
    name = application.name
    if application.is_skipped:
        fix = f"kubectl -n argocd annotate application {name} {SKIPPED}-"
        return failed_line("argocd", "sync", f"{name} is left alone: its annotation {SKIPPED} is set", fix)
    if not application.is_automated:
        what = f"auto-sync of {name} is off: a release waits for somebody to sync it"
        return failed_line("argocd", "sync", what, f"argocd app set {name} --sync-policy automated")
    return ok_line("argocd", "sync", f"auto-sync of {name} is on")
