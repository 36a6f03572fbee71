"""Whether Argo CD syncs what we release, as lines of the checklist."""

from __future__ import annotations

from orbit_release.argocd.application import SKIPPED, Application, Released, is_inside, same_repository
from orbit_release.doctor.checklist import Line, failed, ok, unchecked
from orbit_release.remote import web_address


def source_line(application: Application, ours: Released) -> Line:
    """Tell whether an application syncs what this repository releases."""
    origins = [one for one in application.origins if same_repository(one.repository, ours.address)]
    fix = f"set its source to {ours.address}, path {ours.folder}, targetRevision {ours.branch}."
    if not origins:
        others = ", ".join(web_address(one.repository) or "another address" for one in application.origins)
        return failed("argocd", "source", f"{application.name} syncs {others or 'nothing'}, not {ours.address}", fix)
    inside = [one for one in origins if is_inside(one.path, ours.folder)]
    if not inside:
        hint = f"{fix} Or set `manifests:` to a folder that holds both."
        return failed("argocd", "source", f"{application.name} syncs {origins[0].path}, not {ours.folder}", hint)
    revision = inside[0].revision.removeprefix("refs/heads/")
    if revision in ("", "HEAD"):
        what = f"{application.name} follows the repository's default branch: is that {ours.branch}?"
        return unchecked("argocd", "source", what, fix)
    if revision != ours.branch:
        return failed("argocd", "source", f"{application.name} follows {revision}, not {ours.branch}", fix)
    return ok("argocd", "source", f"{application.name} syncs {inside[0].path} of this repository at {revision}")


def sync_line(application: Application) -> Line:
    """Tell whether a release is synced without anybody's help."""
    name = application.name
    if application.is_skipped:
        fix = f"kubectl -n argocd annotate application {name} {SKIPPED}-"
        return failed("argocd", "sync", f"{name} is left alone: its annotation {SKIPPED} is set", fix)
    if not application.is_automated:
        what = f"auto-sync of {name} is off: a release waits for somebody to sync it"
        return failed("argocd", "sync", what, f"argocd app set {name} --sync-policy automated")
    return ok("argocd", "sync", f"auto-sync of {name} is on")
