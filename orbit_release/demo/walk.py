"""demo: the main job on a sample monorepo, with the real commands, an engine and a registry."""

from __future__ import annotations

from collections.abc import Callable

from orbit_release.demo.sandbox import Sandbox

_MANIFESTS = "infrastructure/k8s"
_FOLDERS = {
    "orbit-www": "orbit-www",
    "repository-service": "services/repository",
    "build-service": "services/build-service",
    "bifrost": "services/bifrost",
    "kafka-service": "services/kafka",
    "plugins-service": "services/plugins",
    "temporal-worker": "temporal-workflows",
}
_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: {name}
          image: {registry}/orbit/{name}:latest # the tag is all that a release changes
"""


def demo(sandbox: Sandbox, registry: str, say: Callable[[str], None]) -> None:
    """Make the sample and walk through releases and a rollback; the registry is a `host:port` on loopback."""
    _make(sandbox, registry)
    say("\n# The first release: all seven services are new.")
    _release(sandbox)
    say("\n# A change under proto/: the six services that are built from it.")
    message = 'syntax = "proto3";\nmessage Orbit { string id = 1; }\n'
    _push(sandbox, "Add a field to the API", {"proto/api.proto": message})
    _release(sandbox)
    say("\n# A change in bifrost: one service.")
    _push(sandbox, "Retry in bifrost", {"services/bifrost/main.go": "package main // retries\n"})
    _release(sandbox)
    say("\n# A build that fails: the others are released, and nothing is lost.")
    broken = _dockerfile("services/kafka") + "COPY services/kafka/missing.go /app/\n"
    files = {"services/kafka/Dockerfile": broken, "services/plugins/main.go": "package main // plugins\n"}
    _push(sandbox, "Break kafka-service, change plugins-service", files)
    _release(sandbox, build=7, bump=5)
    say("\n# The next push repairs it, in a file of its own: the plan still knows what is missing.")
    _push(sandbox, "Add the missing file", {"services/kafka/missing.go": "package main // found\n"})
    _release(sandbox)
    _roll_back(sandbox, say)
    _pull(sandbox)  # who plays on starts where the release branch is
    say("\n# What was deployed when, how things stand now, and a page with both.")
    _run(sandbox, "history", "bifrost", "-v")
    _run(sandbox, "status")
    _run(sandbox, "report", "-o", "../report")


def _roll_back(sandbox: Sandbox, say: Callable[[str], None]) -> None:
    say("\n# A bad release of bifrost: back to the tag before, and held there.")
    _push(sandbox, "Drop the retries of bifrost", {"services/bifrost/main.go": "package main // no retries\n"})
    _release(sandbox)
    _run(sandbox, "rollback", "bifrost", "-m", "it gives up too soon")
    say("\n# Others are released meanwhile; bifrost stays where it is.")
    _push(sandbox, "Page the plugins", {"services/plugins/main.go": "package main // pages\n"})
    _release(sandbox)
    say("\n# bifrost is mended: let go of it, and the next run releases it.")
    _push(sandbox, "Bring the retries back", {"services/bifrost/main.go": "package main // more retries\n"})
    _run(sandbox, "unhold", "bifrost")
    _release(sandbox)


def _make(sandbox: Sandbox, registry: str) -> None:
    sandbox.write({f"orbit/{path}": text for path, text in sample(registry).items()})
    for command in (
        ("init", "-q", "--bare", "-b", "main", "origin.git"),
        ("init", "-q", "-b", "main", "orbit"),
        ("-C", "orbit", "remote", "add", "origin", "../origin.git"),
        ("-C", "orbit", "config", "user.name", "Orbit Demo"),
        ("-C", "orbit", "config", "user.email", "demo@example.com"),
        ("-C", "orbit", "add", "-A"),
        ("-C", "orbit", "commit", "-q", "-m", "Import the monorepo"),
        ("-C", "orbit", "push", "-q", "-u", "origin", "main"),
    ):
        sandbox.run("git", *command, quiet=True)


def _pull(sandbox: Sandbox) -> None:
    sandbox.run("git", "pull", "-q", "--ff-only", directory="orbit", quiet=True)


def _push(sandbox: Sandbox, subject: str, files: dict[str, str]) -> None:
    _pull(sandbox)
    sandbox.write({f"orbit/{path}": text for path, text in files.items()})
    sandbox.run("git", "add", "-A", directory="orbit", quiet=True)
    sandbox.run("git", "commit", "-q", "-m", subject, directory="orbit")
    sandbox.run("git", "push", "-q", directory="orbit")


def _release(sandbox: Sandbox, *, build: int = 0, bump: int = 0) -> None:
    _run(sandbox, "plan")
    _run(sandbox, "build", expect=build)
    _run(sandbox, "bump", "--built", expect=bump)


def _run(sandbox: Sandbox, *arguments: str, expect: int = 0) -> None:
    sandbox.run("orbit-release", *arguments, directory="orbit", expect=expect)


def sample(registry: str) -> dict[str, str]:
    """Return the sample monorepo's files by path: seven services with images of one layer, and their manifests."""
    head = f"image: {registry}/orbit/{{service}}\nbranch: main\nmanifests: {_MANIFESTS}\nservices:\n"
    entries = "".join(_entry(name, folder) for name, folder in _FOLDERS.items())
    files = {"orbit-release.yaml": head + entries, "proto/api.proto": 'syntax = "proto3";\n'}
    files |= {f"{_MANIFESTS}/{name}.yaml": _MANIFEST.format(name=name, registry=registry) for name in _FOLDERS}
    files |= {f"{folder}/Dockerfile": _dockerfile(folder) for folder in _FOLDERS.values()}
    files |= {f"{folder}/main.go": "package main\n" for folder in _FOLDERS.values() if folder != "orbit-www"}
    return files | {"orbit-www/package.json": '{"name": "orbit-www"}\n'}


def _dockerfile(folder: str) -> str:
    if folder == "orbit-www":
        return "FROM scratch\nCOPY package.json /app/\n"
    return f"FROM scratch\nCOPY proto/ /proto/\nCOPY {folder}/ /app/\n"


def _entry(name: str, folder: str) -> str:
    if folder == "orbit-www":
        return f"  {name}: {{context: {folder}, paths: [{folder}/**]}}\n"
    return f"  {name}: {{dockerfile: {folder}/Dockerfile, paths: [{folder}/**, proto/**]}}\n"
