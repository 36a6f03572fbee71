"""Whether Argo CD syncs what we release, as lines of the checklist."""

from __future__ import annotations

from orbit_release.argocd.application import SKIPPED, Application, ApplicationSource, is_inside, same_repository
from orbit_release.doctor.checklist import Line, failed, ok, unchecked
from orbit_release.remote import web_address


def source_line(application: Application, ours: ApplicationSource) -> Line:
    """Tell whether an application syncs what this repository releases."""
    name, sources = application.name, application.sources
    here = [source for source in sources if same_repository(source.repository, ours.repository)]
    fix = f"set its source to {ours.repository}, path {ours.path}, targetRevision {ours.revision}."
    if not here:
        addresses = ", ".join(web_address(source.repository) or "another address" for source in sources)
        return failed("argocd", "source", f"{name} syncs {addresses or 'nothing'}, not {ours.repository}", fix)
    inside = [source for source in here if is_inside(source.path, ours.path)]
    if not inside:
        hint = f"{fix} Or set `manifests:` to a folder that holds both."
        return failed("argocd", "source", f"{name} syncs {here[0].path}, not {ours.path}", hint)
    revision = inside[0].revision.removeprefix("refs/heads/")
    if revision in ("", "HEAD"):
        what = f"{name} follows the repository's default branch: is that {ours.revision}?"
        return unchecked("argocd", "source", what, fix)
    if revision != ours.revision:
        return failed("argocd", "source", f"{name} follows {revision}, not {ours.revision}", fix)
    return ok("argocd", "source", f"{name} syncs {inside[0].path} of this repository at {revision}")


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
