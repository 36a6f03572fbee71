"""The REST operations on references, commits, trees and blobs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.servers.github_asked import Asked, account, page
from tests.servers.github_description import ViolationError
from tests.servers.github_git import BOT, GITHUB, NOTHING, Commit, Entry, Person, RefusedError
from tests.servers.github_state import ProblemError


def ref_shown(asked: Asked, ref: str) -> dict[str, Any]:
    sha = asked.state.git.ref(ref)
    url = f"{asked.url}/git/{ref}"
    return {"ref": ref, "url": url, "object": {"sha": sha, "type": "commit", "url": f"{asked.url}/git/commits/{sha}"}}


def get_ref(asked: Asked) -> dict[str, Any]:
    if not asked.state.git.ref(asked.ref):
        raise ProblemError(404, "Not Found")
    return ref_shown(asked, asked.ref)


def create_ref(asked: Asked) -> dict[str, Any]:
    ref, sha, git = asked.body["ref"], asked.body["sha"], asked.state.git
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise ProblemError(422, "Reference name must start with 'refs/' and contain at least two slashes.")
    if git.ref(ref):
        raise ProblemError(422, "Reference already exists")
    moved(asked, ref, sha, NOTHING)
    return ref_shown(asked, ref)


def update_ref(asked: Asked) -> dict[str, Any]:
    git, old, new = asked.state.git, existing(asked), asked.body["sha"]
    if git.found(new) and not asked.body.get("force") and not git.contains(new, old):
        raise ProblemError(422, "Update is not a fast forward")
    moved(asked, asked.ref, new, old)
    return ref_shown(asked, asked.ref)


def delete_ref(asked: Asked) -> None:
    moved(asked, asked.ref, NOTHING, existing(asked))


def existing(asked: Asked) -> str:
    if sha := asked.state.git.ref(asked.ref):
        return sha
    raise ProblemError(422, "Reference does not exist")


def moved(asked: Asked, ref: str, new: str, old: str) -> None:
    if new != NOTHING and not asked.state.git.found(new):
        raise ProblemError(422, "Object does not exist")
    try:
        asked.state.git.move(ref, new, old)
    except RefusedError as error:
        raise ProblemError(422, "Reference update failed") from error


def date(person: Person) -> str:
    return datetime.fromtimestamp(person.time or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed(person: Person) -> dict[str, str]:
    return {"name": person.name, "email": person.email, "date": date(person)}


def details(asked: Asked, commit: Commit) -> dict[str, Any]:
    tree = {"sha": commit.tree, "url": f"{asked.url}/git/trees/{commit.tree}"}
    people = {"author": signed(commit.author), "committer": signed(commit.committer)}
    url = f"{asked.url}/git/commits/{commit.sha}"
    verified = {"verified": commit.committer.email == GITHUB.email, "reason": "valid"}
    return {**people, "message": commit.message, "tree": tree, "url": url, "verification": verified}


def parents_of(asked: Asked, commit: Commit) -> list[dict[str, str]]:
    return [{"sha": sha, "url": f"{asked.url}/git/commits/{sha}", "html_url": ""} for sha in commit.parents]


def commit_shown(asked: Asked, commit: Commit) -> dict[str, Any]:
    return {"sha": commit.sha, "parents": parents_of(asked, commit), **details(asked, commit)}


def get_commit(asked: Asked) -> dict[str, Any]:
    sha = asked.parameters["commit_sha"]
    if len(sha) != len(NOTHING) or not asked.state.git.found(sha):
        raise ProblemError(404, "Not Found")
    return commit_shown(asked, asked.state.git.read(sha))


def list_commits(asked: Asked) -> list[dict[str, Any]]:
    git, start = asked.state.git, asked.query.get("sha", asked.state.default_branch)
    if not (commit := git.branch(start) or git.found(start)):
        raise ProblemError(404, "Not Found")
    found = git.log(commit, asked.query.get("path", ""), *page(asked))
    return [
        {"sha": commit.sha, "url": f"{asked.url}/commits/{commit.sha}", "parents": parents_of(asked, commit)}
        | {"commit": details(asked, commit), "author": account(commit.author), "committer": account(commit.committer)}
        for commit in found
    ]


def create_blob(asked: Asked) -> dict[str, Any]:
    content = asked.body["content"].encode()
    if asked.body.get("encoding", "utf-8") == "base64":
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise ViolationError(f"git/create-blob: the content is not base64: {error}") from error
    sha = asked.state.git.blob(content)
    return {"sha": sha, "url": f"{asked.url}/git/blobs/{sha}"}


def create_tree(asked: Asked) -> dict[str, Any]:
    git, base = asked.state.git, asked.body.get("base_tree")
    if base and not git.found(base, "tree"):
        raise ProblemError(422, "base_tree is not a valid tree oid")
    entries = [entry(asked, given) for given in asked.body["tree"]]
    try:
        sha = git.tree(base, entries)
    except RefusedError as error:
        raise ProblemError(422, "GitRPC::BadObjectState") from error
    shown = [{"path": entry.path, "mode": entry.mode, "sha": entry.sha} for entry in entries if entry.sha]
    return {"sha": sha, "url": f"{asked.url}/git/trees/{sha}", "tree": shown, "truncated": False}


def entry(asked: Asked, given: Mapping[str, Any]) -> Entry:
    """Return an entry of a tree; what it contains is stored first where it is given as text."""
    if ("sha" in given) == ("content" in given) or not {"path", "mode", "type"} <= set(given):
        raise ViolationError("git/create-tree: an entry has path, mode, type, and either sha or content")
    sha = given["sha"] if "sha" in given else asked.state.git.blob(given["content"].encode())
    if sha and given["type"] != "commit" and not asked.state.git.found(sha, given["type"]):
        raise ProblemError(422, f"tree.sha {sha} is not a valid {given['type']}")
    return Entry(given["path"], sha, given["mode"])


def create_commit(asked: Asked) -> dict[str, Any]:
    git, body = asked.state.git, asked.body
    parents = body.get("parents", [])
    if not git.found(body["tree"], "tree"):
        raise ProblemError(422, "Tree SHA does not exist")
    if not all(git.found(parent) for parent in parents):
        raise ProblemError(422, "Parent SHA does not exist or is not a commit object")
    author = person(body.get("author"), BOT)
    committer = person(body.get("committer"), author if "author" in body else GITHUB)
    return commit_shown(asked, git.read(git.commit(body["tree"], parents, body["message"], author, committer)))


def person(given: Mapping[str, str] | None, default: Person) -> Person:
    if given is None:
        return default
    time = int(datetime.fromisoformat(given["date"]).timestamp()) if "date" in given else None
    return Person(given.get("name", default.name), given.get("email", default.email), time)
