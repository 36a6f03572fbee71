"""What validators and our own rules say about the GitHub Actions files of a repository: one line for each finding.

The npm packages are GitHub's own. After a change of `package.json`, in this folder:

    PATH="$PWD/../../.venv/bin:$PATH" npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

The lock then holds hashes and no address of a registry. `scripts/setup-node` installs what it names into `.cache/node`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.expressions import NODE

Document = dict[str, Any]
_BIN = NODE.parent
_USES = re.compile(
    r"^\s*(?:- )?uses:\s+(?P<action>[^\s@]+)(?:@(?P<commit>\S+))?(?:\s+# (?P<version>.*))?$", re.MULTILINE
)
_OWN = ("./", "$/")  # actions and workflows of the same repository


def workflows(root: Path) -> list[Path]:
    """Return the workflows of a repository, of which there must be some."""
    found = sorted((root / ".github" / "workflows").glob("*.y*ml"))
    assert found, f"no workflows in {root}"
    return found


def actions(root: Path) -> list[Path]:
    """Return the repository's own actions."""
    return sorted((root / ".github" / "actions").glob("*/action.y*ml"))


def documents(root: Path) -> list[Path]:
    """Return the workflows and the actions."""
    return [*workflows(root), *actions(root)]


def load(path: Path) -> Document:
    """Return a document; YAML reads its key `on` as a truth value, here it is text again."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()}


def actionlint(root: Path) -> list[str]:
    """Return what actionlint and shellcheck say about workflows, and about actions in the shape of a workflow."""
    texts = {path: _with_tags(path.read_text(encoding="utf-8")) for path in workflows(root)}
    texts |= {path: _as_workflow(_with_tags(path.read_text(encoding="utf-8"))) for path in actions(root)}
    return [line for path, text in texts.items() for line in _actionlint(root, path, text)]


def _actionlint(root: Path, path: Path, text: str) -> list[str]:
    # Where shellcheck is not found actionlint goes without it, and says nothing: hence its path.
    options = ["-no-color", "-oneline", "-pyflakes", "", "-shellcheck", str(_BIN / "shellcheck")]
    name = str(path.relative_to(root))
    return _run(root, [_BIN / "actionlint", *options, "-stdin-filename", name, "-"], {0, 1}, text).splitlines()


def _with_tags(text: str) -> str:
    # actionlint knows the inputs of well-known actions by their major tag, not by the commit that it stands for.
    return re.sub(r"@[0-9a-f]{40} # (v\d+)\S*", r"@\1", text)


def _as_workflow(text: str) -> str:
    # actionlint checks how an action is called, not its steps; in a workflow with the same inputs it does.
    action = yaml.safe_load(text)
    inputs = {name: {"type": "string"} for name in action.get("inputs", {})}
    outputs = {name: output["value"] for name, output in action.get("outputs", {}).items()}
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]} | ({"outputs": outputs} if outputs else {})
    call = {"inputs": inputs} if inputs else None
    return yaml.safe_dump({"on": {"workflow_call": call}, "jobs": {"steps": job}})


def zizmor(root: Path) -> list[str]:
    """Return the security findings; only a comment beside the line may silence one."""
    options = ["--offline", "--no-progress", "--no-config", "--strict-collection", "--persona=auditor"]
    # Its status tells how severe its findings are (11 to 14); 1 to 3 mean that it did not look.
    answer = _run(root, [_BIN / "zizmor", "--quiet", "--format=json", *options, ".github"], {0, 10, 11, 12, 13, 14})
    return [_finding(one) for one in json.loads(answer)]


def _finding(finding: Document) -> str:
    place = next(one for one in finding["locations"] if one["symbolic"]["kind"] == "Primary")
    path = place["symbolic"]["key"]["Local"]["verbatim_path"]
    line = place["concrete"]["location"]["start_point"]["row"] + 1
    return f"{path}:{line}: {finding['ident']}: {finding['desc']} ({place['symbolic']['annotation']})"


def language_service(root: Path) -> list[str]:
    """Return the diagnostics of GitHub's own parser and language service."""
    names = [str(path.relative_to(root)) for path in documents(root)]
    program = Path(__file__).with_name("languageservice.mjs")
    return _run(root, [NODE, program, root, *names], {0}).splitlines()


def _run(folder: Path, command: list[str | Path], accepted: set[int], text: str = "") -> str:
    # Nothing of our own environment, so that no token and no setting of a tool decides what it finds.
    environment = {"PATH": str(_BIN)}
    done = subprocess.run(
        command, cwd=folder, env=environment, input=text, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode in accepted, f"{command[0]} ended with {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


def pins(root: Path) -> list[str]:
    """Return each `uses:` that is not a commit with its version behind it, and versions that contradict each other."""
    found = [(path, match) for path in documents(root) for match in _remote(path)]
    loose = [f"{path}: {match[0].strip()}" for path, match in found if not _is_pinned(match)]
    pairs = {(match["action"], match["commit"], match["version"]) for _, match in found}
    commits = Counter((action, version) for action, _, version in pairs)
    versions = Counter((action, commit) for action, commit, _ in pairs)
    several = [f"{action}: {name}" for (action, name), count in (commits + versions).items() if count > 1]
    return [*loose, *several, *_unread(root)]


def _remote(path: Path) -> Iterator[re.Match[str]]:
    matches = _USES.finditer(path.read_text(encoding="utf-8"))
    return (match for match in matches if not match["action"].startswith(_OWN))


def _is_pinned(match: re.Match[str]) -> bool:
    commit, version = match["commit"] or "", match["version"] or ""
    return bool(re.fullmatch(r"[0-9a-f]{40}", commit) and re.fullmatch(r"v\d+\.\d+\.\d+", version))


def _unread(root: Path) -> Iterator[str]:
    # A `uses:` in another notation (quotes, braces) would escape the pattern.
    for path in documents(root):
        read = Counter(match["action"] for match in _USES.finditer(path.read_text(encoding="utf-8")))
        there = Counter(str(uses).partition("@")[0] for uses in _uses(load(path)))
        yield from (f"{path}: write plainly: uses: {action}" for action in there - read)


def _uses(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "uses" and isinstance(value, str))
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _uses(child)


def jobs(root: Path) -> list[str]:
    """Return each job without a limit of time or of what its token may do."""
    return [
        f"{path}: {name} has no {key}"
        for path in workflows(root)
        for name, job in load(path)["jobs"].items()
        for key in ("timeout-minutes", "permissions")
        if key not in job and not ("uses" in job and key == "timeout-minutes")  # which a called workflow's jobs have
    ]


def triggers(root: Path) -> list[str]:
    """Return each trigger that runs foreign code with our rights, and each push that leaves commits out by path."""
    found = []
    for path in workflows(root):
        on = load(path)["on"]
        events = on if isinstance(on, dict) else dict.fromkeys([on] if isinstance(on, str) else on)
        found += [f"{path}: pull_request_target"] if "pull_request_target" in events else []
        found += [f"{path}: push has {key}" for key in ("paths", "paths-ignore") if key in (events.get("push") or {})]
    return found


def ignores(root: Path) -> list[str]:
    """Return each comment that silences a validator and does not say why."""
    silent = re.compile(r"# (?:zizmor: ignore\[[^\]]*\]|shellcheck disable=\S+)\s*$")
    files = (*documents(root), *(root / ".github").glob("dependabot.y*ml"))
    lines = ((path, line) for path in files for line in path.read_text(encoding="utf-8").splitlines())
    return [f"{path}: {line.strip()}" for path, line in lines if silent.search(line)]


VALIDATORS: dict[str, Callable[[Path], list[str]]] = {
    "actionlint": actionlint,
    "zizmor": zizmor,
    "language service": language_service,
    "pins": pins,
    "jobs": jobs,
    "triggers": triggers,
    "ignores": ignores,
}
