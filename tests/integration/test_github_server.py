"""The test server for GitHub's API: it does what GitHub does, and tells what GitHub would not understand."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import github
import pytest
import requests
from github.PullRequest import PullRequest
from github.Repository import Repository

from tests.integration.monorepo import Monorepo, git
from tests.servers import github_description
from tests.servers.github import (
    ARCHIVED,
    BAD_CREDENTIALS,
    BAD_GATEWAY,
    BAD_GATEWAY_AFTER_SUCCESS,
    CUT,
    CUT_AFTER_SUCCESS,
    FORBIDDEN,
    NOT_PERMITTED_PULLS,
    PRIMARY_LIMIT,
    PROTECTED,
    PROTECTED_BRANCH,
    STALE,
    STALE_AFTER_SUCCESS,
    TOKEN,
    Fault,
    GitHubServer,
    running,
    secondary_limit,
)
from tests.servers.github_graphql import mutations
from tests.servers.github_rest import OPERATIONS

BINARY = bytes(range(256)) + b"\r\n"
STRANGE = "dépôt/a b/ü.bin"
QUERY = "mutation M($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }"


@pytest.fixture
def server(offline: Monorepo) -> Iterator[GitHubServer]:
    with running(GitHubServer(offline.origin)) as server:
        yield server


@pytest.fixture
def hub(server: GitHubServer) -> Repository:
    return client(server.url).get_repo(server.repository)


def client(url: str, per_page: int = 30) -> github.Github:
    """Return a client that neither tries again nor waits."""
    return github.Github(
        base_url=url,
        auth=github.Auth.Token(TOKEN),
        per_page=per_page,
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )


def tip(repo: Monorepo, branch: str = "main") -> str:
    return git(repo.origin, "rev-parse", branch)


def commit_input(head: str, branch: str = "main", **files: str) -> dict[str, Any]:
    encoded = {path: base64.b64encode(content.encode()).decode() for path, content in files.items()}
    return {
        "branch": {"repositoryNameWithOwner": "octo/orbit", "branchName": branch},
        "expectedHeadOid": head,
        "message": {"headline": "Bump", "body": "Release: 1"},
        "fileChanges": {"additions": [{"path": path, "contents": text} for path, text in encoded.items()]},
    }


def committed(hub: Repository, given: dict[str, Any]) -> str:
    _, data = hub.requester.graphql_named_mutation("createCommitOnBranch", given, "commit { oid url }")
    return str(data["commit"]["oid"])


def branch(hub: Repository, name: str = "topic", **files: str) -> str:
    """Make a branch with one commit, and return the commit."""
    head = hub.get_git_ref(f"heads/{hub.default_branch}").object.sha
    hub.create_git_ref(f"refs/heads/{name}", head)
    return committed(hub, commit_input(head, name, **(files or {name: "new\n"})))


def opened(hub: Repository) -> PullRequest:
    branch(hub)
    return hub.create_pull(base="main", head="topic", title="Title", body="Body")


def push(repo: Monorepo) -> None:
    repo.push("somebody else", {"file": "1"})


def send(server: GitHubServer, method: str, path: str, value: object = None, **headers: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    body = None if value is None else json.dumps(value)
    return requests.request(method, server.url + path, data=body, headers=sent, timeout=60, allow_redirects=False)


def test_every_described_operation_is_served_and_no_other() -> None:
    assert {described["operationId"] for _, _, described in github_description.operations()} == set(OPERATIONS)
    assert mutations() == {"createCommitOnBranch", "enablePullRequestAutoMerge"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/repos/octo/orbit/pulls", {"head": "topic", "title": "Without a base"}),
        ("POST", "/repos/octo/orbit/pulls", {"head": "topic", "base": "main", "titel": "Misspelt"}),
        ("POST", "/repos/octo/orbit/git/refs", {"ref": "refs/heads/new", "sha": 7}),
        ("GET", "/repos/octo/orbit/pulls?state=merged", None),
        ("GET", "/repos/octo/orbit/pulls?sate=all", None),
        ("GET", "/repos/octo/orbit/commits?per_page=many", None),
        ("GET", "/repos/octo/orbit/branches", None),
        ("PUT", "/repos/octo/orbit/git/refs/heads/main", {"sha": "0"}),
        ("POST", "/graphql", {"query": "mutation { createCommitOnBranch }"}),
        ("POST", "/graphql", {"query": QUERY, "variables": {"input": {"message": {"headline": "No branch"}}}}),
        ("POST", "/graphql", {"query": QUERY, "variables": {"input": commit_input("main")}}),
        (
            "POST",
            "/graphql",
            {"query": QUERY, "variables": {"input": commit_input("0" * 40), "more": 1}},
        ),
        ("POST", "/graphql", {"query": QUERY, "operationName": "M", "variables": {"input": commit_input("0" * 40)}}),
        ("POST", "/graphql", ["no query"]),
        ("POST", "/repos/octo/orbit/git/blobs", {"content": "*", "encoding": "base64"}),
        ("POST", "/repos/octo/orbit/git/trees", {"tree": [{"path": "a", "sha": None}]}),
    ],
)
def test_what_github_would_not_understand_is_a_violation(
    offline: Monorepo, method: str, path: str, body: object
) -> None:
    server = GitHubServer(offline.origin)
    with pytest.raises(AssertionError, match="would not have understood"), running(server):
        assert send(server, method, path, body).status_code == 500
    assert len(server.violations) == 1


def test_an_answer_that_github_would_not_give_is_a_violation(offline: Monorepo) -> None:
    server = GitHubServer(offline.origin)
    server.default_branch = 7  # type: ignore[assignment]
    with pytest.raises(AssertionError, match="default_branch"), running(server):
        assert send(server, "GET", "/repos/octo/orbit").status_code == 500


def test_a_fault_of_an_operation_that_does_not_exist_is_refused(server: GitHubServer) -> None:
    with pytest.raises(ValueError, match="pulls/creat "):
        server.fail("pulls/creat", CUT)


@pytest.mark.parametrize("root", ["", "/api/v3"])
@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307)])
def test_who_asks_by_a_former_name_is_sent_on(server: GitHubServer, root: str, method: str, status: int) -> None:
    server.rename("octo/new")
    value = {"head": "topic", "base": "main", "title": "Title"} if method == "POST" else None
    sent = send(server, method, f"{root}/repos/octo/orbit/pulls?base=main", value)
    assert (sent.status_code, server.pulls) == (status, [])
    assert sent.headers["Location"] == f"{server.url}{root}/repositories/1/pulls?base=main"
    assert client(server.url + root).get_repo("octo/orbit").full_name == "octo/new"


def test_a_wrong_token_is_refused(server: GitHubServer) -> None:
    assert send(server, "GET", "/repos/octo/orbit", Authorization="Bearer wrong").status_code == 401


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_pygithub_commits_and_reads_back(offline: Monorepo, server: GitHubServer, prefix: str) -> None:
    hub = client(server.url + prefix).get_repo("octo/orbit")
    before = tip(offline)
    oid = committed(hub, commit_input(before, **{STRANGE: "a\r\nb"}))
    assert oid == tip(offline)
    assert git(offline.origin, "show", f"main:{STRANGE}", strip=False) == "a\r\nb"
    assert git(offline.origin, "log", "-1", "--format=%an %cn|%P|%B", "main") == (
        f"github-actions[bot] GitHub|{before}|Bump\n\nRelease: 1"
    )
    assert [commit.sha for commit in hub.get_commits(sha="main")] == [oid, before]
    assert hub.get_git_commit(oid).message == "Bump\n\nRelease: 1"


def test_commits_come_in_pages(offline: Monorepo, server: GitHubServer) -> None:
    for number in range(4):
        offline.push(f"commit {number}", {"file": str(number)})
    hub = client(server.url, per_page=2).get_repo("octo/orbit")
    messages = [commit.commit.message for commit in hub.get_commits()]
    assert messages == ["commit 3", "commit 2", "commit 1", "commit 0", "first"]


def test_a_commit_on_another_head_is_stale(offline: Monorepo, server: GitHubServer) -> None:
    before = tip(offline)
    head = offline.push("somebody else", {"file": "1"})
    answer = send(server, "POST", "/graphql", {"query": QUERY, "variables": {"input": commit_input(before, a="1")}})
    (error,) = answer.json()["errors"]
    assert answer.status_code == 200
    assert answer.json()["data"] == {"createCommitOnBranch": None}
    assert (error["type"], error["path"]) == ("STALE_DATA", ["createCommitOnBranch"])
    assert head in error["message"]
    assert tip(offline) == head


def test_somebody_may_push_just_before_a_commit(offline: Monorepo, server: GitHubServer, hub: Repository) -> None:
    before = tip(offline)
    server.before["createCommitOnBranch"] = partial(push, offline)
    with pytest.raises(github.GithubException) as caught:
        committed(hub, commit_input(before, a="1"))
    assert caught.value.data["errors"][0]["type"] == "STALE_DATA"
    committed(hub, commit_input(tip(offline), a="1"))


def test_a_commit_adds_and_deletes(offline: Monorepo, hub: Repository) -> None:
    given = commit_input(tip(offline), a="1")
    given["fileChanges"]["deletions"] = [{"path": "proto/api.proto"}]
    committed(hub, given)
    names = git(offline.origin, "diff", "--name-status", "main~1", "main").split("\n")
    assert names == ["A\ta", "D\tproto/api.proto"]
    given["expectedHeadOid"] = tip(offline)
    with pytest.raises(github.GithubException, match="does not exist as of commit"):
        committed(hub, given)


def test_blobs_become_a_tree_a_commit_and_a_ref(offline: Monorepo, hub: Repository) -> None:
    head = hub.get_git_commit(tip(offline))
    blob = hub.create_git_blob(base64.b64encode(BINARY).decode(), "base64")
    elements = [
        github.InputGitTreeElement(STRANGE, "100755", "blob", sha=blob.sha),
        github.InputGitTreeElement("text", "100644", "blob", content="a\r\nb"),
        github.InputGitTreeElement("proto/api.proto", "100644", "blob", sha=None),
    ]
    tree = hub.create_git_tree(elements, head.tree)
    commit = hub.create_git_commit("Message\r\n\n", tree, [head])
    hub.create_git_ref("refs/heads/a/b", commit.sha)
    listed = git(offline.origin, "-c", "core.quotePath=false", "diff", "--raw", "--no-abbrev", "main", "a/b")
    assert [line.split("\t")[1] for line in listed.split("\n")] == [STRANGE, "proto/api.proto", "text"]
    assert f"100755 {'0' * 40} {blob.sha} A\t{STRANGE}" in listed
    assert git(offline.origin, "cat-file", "commit", "a/b", strip=False).endswith("\n\nMessage\r\n\n")
    assert hub.get_git_ref("heads/a/b").object.sha == commit.sha


def test_a_tree_replaces_files_and_folders(offline: Monorepo, hub: Repository) -> None:
    main = hub.get_git_commit(tip(offline)).tree
    web = git(offline.origin, "rev-parse", "main:web")
    elements = [
        github.InputGitTreeElement("orbit-release.yaml", "040000", "tree", sha=web),
        github.InputGitTreeElement("proto", "100644", "blob", content="now a file"),
        github.InputGitTreeElement("web/Dockerfile/below", "100644", "blob", content="now in a folder"),
    ]
    tree = hub.create_git_tree(elements, main)
    assert git(offline.origin, "rev-parse", f"{tree.sha}:orbit-release.yaml") == web
    assert git(offline.origin, "show", f"{tree.sha}:proto") == "now a file"
    assert git(offline.origin, "show", f"{tree.sha}:web/Dockerfile/below") == "now in a folder"


def test_one_of_many_commits_on_the_same_head_wins(offline: Monorepo, server: GitHubServer) -> None:
    before = tip(offline)
    documents = [
        {"query": QUERY, "variables": {"input": commit_input(before, **{f"file{number}": "1"})}} for number in range(6)
    ]
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda document: send(server, "POST", "/graphql", document).json(), documents))
    (oid,) = [said["data"]["createCommitOnBranch"]["commit"]["oid"] for said in answers if "errors" not in said]
    assert oid == tip(offline)
    assert git(offline.origin, "rev-parse", "main~1") == before


def test_refs_move_forward_only_unless_forced(offline: Monorepo, hub: Repository) -> None:
    first = tip(offline)
    branch(hub)
    ref = hub.get_git_ref("heads/topic")
    for make in (lambda: ref.edit(first), lambda: hub.create_git_ref("refs/heads/topic", first)):
        with pytest.raises(github.GithubException) as caught:
            make()
        assert caught.value.status == 422
        assert caught.value.data["message"] in {"Update is not a fast forward", "Reference already exists"}
    ref.edit(first, force=True)
    assert tip(offline, "topic") == first
    ref.delete()
    with pytest.raises(github.UnknownObjectException):
        hub.get_git_ref("heads/topic").object  # noqa: B018 - it is read lazily
    with pytest.raises(github.GithubException, match="Reference does not exist"):
        ref.delete()


def test_pygithub_makes_edits_and_closes_a_pull_request(server: GitHubServer, hub: Repository) -> None:
    pull = opened(hub)
    with pytest.raises(github.GithubException) as caught:
        hub.create_pull(base="main", head="octo:topic", title="Again")
    assert caught.value.data["errors"][0]["message"] == "A pull request already exists for octo:topic."
    pull.edit(title="New", body="New body")
    pull.create_issue_comment("Superseded")
    assert [pull.number for pull in hub.get_pulls(head="octo:topic", base="main")] == [1]
    assert not list(hub.get_pulls(head="octo:other"))
    pull.edit(state="closed")
    assert not list(hub.get_pulls())
    (stored,) = server.pulls
    assert (stored.title, stored.body, stored.state, stored.merged) == ("New", "New body", "closed", False)
    assert stored.comments == ["Superseded"]
    pull.edit(state="open")
    assert hub.get_pull(1).state == "open"


def test_a_pull_request_needs_commits_and_branches(offline: Monorepo, hub: Repository) -> None:
    hub.create_git_ref("refs/heads/topic", tip(offline))
    for head, reason in {"topic": "No commits between main and topic", "absent": "invalid"}.items():
        with pytest.raises(github.GithubException) as caught:
            hub.create_pull(base="main", head=head, title="Title")
        assert reason in caught.value.data["errors"][0].values()


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_pull_request_is_merged(offline: Monorepo, server: GitHubServer, hub: Repository, method: str) -> None:
    pull = opened(hub)
    before = offline.push("meanwhile", {"file": "1"})
    with pytest.raises(github.GithubException, match="Head branch was modified") as caught:
        pull.merge(sha=before, merge_method=method)
    assert caught.value.status == 409
    merged = pull.merge(merge_method=method)
    assert (merged.sha, server.pulls[0].merge_commit_sha) == (tip(offline), tip(offline))
    parents = git(offline.origin, "log", "-1", "--format=%P", "main").split()
    assert parents == [before] + ([pull.head.sha] if method == "merge" else [])
    assert git(offline.origin, "show", "main:topic") == "new"
    assert git(offline.origin, "show", "main:file") == "1"
    assert hub.get_pull(1).merged


def test_a_conflict_or_a_setting_forbids_merging(offline: Monorepo, server: GitHubServer, hub: Repository) -> None:
    pull = opened(hub)
    server.allow_squash_merge = False
    with pytest.raises(github.GithubException, match="Squash merges are not allowed"):
        pull.merge(merge_method="squash")
    offline.push("meanwhile", {"topic": "old\n"})
    assert hub.get_pull(1).mergeable is False
    for method in ("merge", "rebase"):
        with pytest.raises(github.GithubException) as caught:
            pull.merge(merge_method=method)
        assert caught.value.status == 405


def test_pushing_its_commits_to_the_base_merges_a_pull_request(
    offline: Monorepo, server: GitHubServer, hub: Repository
) -> None:
    head = opened(hub).head.sha
    git(offline.origin, "update-ref", "refs/heads/main", head)
    assert hub.get_pull(1).merged
    assert server.pulls[0].state == "closed"


def test_a_head_with_nothing_ahead_closes_a_pull_request(
    offline: Monorepo, server: GitHubServer, hub: Repository
) -> None:
    opened(hub)
    hub.get_git_ref("heads/topic").edit(tip(offline), force=True)
    assert (server.pulls[0].state, server.pulls[0].merged) == ("closed", False)


def test_deleting_the_head_closes_a_pull_request(server: GitHubServer, hub: Repository) -> None:
    pull = opened(hub)
    hub.get_git_ref("heads/topic").delete()
    assert (server.pulls[0].state, server.pulls[0].merged) == ("closed", False)
    with pytest.raises(github.GithubException):
        pull.edit(state="open")


def test_auto_merge_waits_for_checks_where_it_is_allowed(server: GitHubServer, hub: Repository) -> None:
    pull = opened(hub)
    pull.enable_automerge("SQUASH")
    assert server.pulls[0].auto_merge == "squash"
    assert hub.get_pull(1).raw_data["auto_merge"]["merge_method"] == "squash"
    server.checks_pending = False
    with pytest.raises(github.GithubException) as caught:
        pull.enable_automerge("SQUASH")
    assert caught.value.data["errors"][0]["message"] == "Pull request Pull request is in clean status"
    server.allow_auto_merge = False
    with pytest.raises(github.GithubException) as caught:
        pull.enable_automerge("SQUASH")
    message = "Pull request Auto merge is not allowed for this repository"
    assert (caught.value.data["errors"][0]["type"], caught.value.data["errors"][0]["message"]) == (
        "UNPROCESSABLE",
        message,
    )


def test_settings_are_shown(server: GitHubServer, hub: Repository) -> None:
    assert (hub.allow_auto_merge, hub.allow_squash_merge, hub.archived, hub.permissions.push) == (
        True,
        True,
        False,
        True,
    )
    server.allow_squash_merge, server.archived = False, True
    hub.update()
    assert (hub.allow_squash_merge, hub.archived) == (False, True)


def test_an_archived_repository_is_read_only(offline: Monorepo, server: GitHubServer, hub: Repository) -> None:
    server.archived = True
    with pytest.raises(github.GithubException, match="read-only"):
        hub.create_git_ref("refs/heads/topic", tip(offline))
    with pytest.raises(github.GithubException) as caught:
        committed(hub, commit_input(tip(offline), a="1"))
    assert caught.value.data["errors"][0]["type"] == "UNPROCESSABLE"


@pytest.mark.parametrize(
    ("fault", "status", "is_done"),
    [
        (BAD_CREDENTIALS, 401, False),
        (FORBIDDEN, 200, False),
        (PROTECTED, 200, False),
        (PROTECTED_BRANCH, 200, False),
        (ARCHIVED, 200, False),
        (PRIMARY_LIMIT, 200, False),
        (secondary_limit(7), 403, False),
        (STALE, 200, False),
        (STALE_AFTER_SUCCESS, 200, True),
        (BAD_GATEWAY, 502, False),
        (BAD_GATEWAY_AFTER_SUCCESS, 502, True),
    ],
)
def test_a_mutation_fails_as_it_is_told(
    offline: Monorepo, server: GitHubServer, fault: Fault, status: int, *, is_done: bool
) -> None:
    before = tip(offline)
    server.fail("createCommitOnBranch", fault)
    document = {"query": QUERY, "variables": {"input": commit_input(before, a="1")}}
    answer = send(server, "POST", "/graphql", document)
    assert (answer.status_code, tip(offline) != before) == (status, is_done)
    if status == 200:
        (error,) = answer.json()["errors"]
        assert (error["type"], error["message"]) == (fault.kind, fault.message)
        assert answer.json()["data"] == {"createCommitOnBranch": None}
    assert fault.headers.items() <= answer.headers.items()


@pytest.mark.parametrize(("fault", "is_done"), [(CUT, False), (CUT_AFTER_SUCCESS, True)])
def test_a_connection_is_cut(
    offline: Monorepo, server: GitHubServer, hub: Repository, fault: Fault, *, is_done: bool
) -> None:
    before = tip(offline)
    server.fail("createCommitOnBranch", fault)
    with pytest.raises(requests.ConnectionError):
        committed(hub, commit_input(before, a="1"))
    assert (tip(offline) != before) == is_done


def test_an_operation_fails_as_often_as_it_is_told(server: GitHubServer, hub: Repository) -> None:
    branch(hub)
    faults = [NOT_PERMITTED_PULLS, FORBIDDEN, PRIMARY_LIMIT, secondary_limit(7), PROTECTED, BAD_GATEWAY]
    server.fail("pulls/create", *faults)
    for fault in faults:
        with pytest.raises(github.GithubException) as caught:
            hub.create_pull(base="main", head="topic", title="Title")
        assert caught.value.status == fault.status
        assert {name.lower(): value for name, value in fault.headers.items()}.items() <= (
            caught.value.headers or {}
        ).items()
    assert not server.pulls
    hub.create_pull(base="main", head="topic", title="Title")
