"""Whether Argo CD syncs what we release, as lines of the checklist."""

from __future__ import annotations

from orbit_release.argocd.application import SKIPPED, Application, ApplicationSource, fit
from orbit_release.doctor.checklist import ChecklistLine, failed_line, ok_line, unchecked_line
from orbit_release.remote import web_address

_NOTHING = ApplicationSource("", "", "")


def source_line(application: Application, ours: ApplicationSource) -> ChecklistLine:
    name, sources = application.name, application.sources
    source = max(sources, key=lambda source: fit(source, ours), default=_NOTHING)
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
