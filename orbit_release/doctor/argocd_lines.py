"""Whether Argo CD syncs what we release, as lines of the checklist."""

from __future__ import annotations

from orbit_release.argocd.application import SKIPPED, Application, Released, is_inside, same_repository
from orbit_release.doctor.checklist import ChecklistLine, failed_line, ok_line, unchecked_line
from orbit_release.remote import web_address


def source_line(application: Application, ours: Released) -> ChecklistLine:
    name = application.name
    origins = [origin for origin in application.origins if same_repository(origin.repository, ours.address)]
    fix = f"set its source to {ours.address}, path {ours.folder}, targetRevision {ours.branch}."
    if not origins:
        others = ", ".join(web_address(origin.repository) or "another address" for origin in application.origins)
        return failed_line("argocd", "source", f"{name} syncs {others or 'nothing'}, not {ours.address}", fix)
    inside = [origin for origin in origins if is_inside(origin.path, ours.folder)]
    if not inside:
        hint = f"{fix} Or set `manifests:` to a folder that holds both."
        return failed_line("argocd", "source", f"{name} syncs {origins[0].path}, not {ours.folder}", hint)
    revision = inside[0].revision.removeprefix("refs/heads/")
    if revision in ("", "HEAD"):
        what = f"{name} follows the repository's default branch: is that {ours.branch}?"
        return unchecked_line("argocd", "source", what, fix)
    if revision != ours.branch:
        return failed_line("argocd", "source", f"{name} follows {revision}, not {ours.branch}", fix)
    return ok_line("argocd", "source", f"{name} syncs {inside[0].path} of this repository at {revision}")


def sync_line(application: Application) -> ChecklistLine:
    name = application.name
    if application.is_skipped:
        fix = f"kubectl -n argocd annotate application {name} {SKIPPED}-"
        return failed_line("argocd", "sync", f"{name} is left alone: its annotation {SKIPPED} is set", fix)
    if not application.is_automated:
        what = f"auto-sync of {name} is off: a release waits for somebody to sync it"
        return failed_line("argocd", "sync", what, f"argocd app set {name} --sync-policy automated")
    return ok_line("argocd", "sync", f"auto-sync of {name} is on")
