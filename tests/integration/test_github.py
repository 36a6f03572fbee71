"""The GitHub adapter against a server that is held to GitHub's own descriptions: what it does, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orbit_release.errors import (
    MANUAL,
    AccessError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
    UsageError,
)
from orbit_release.github.client import GitHub
from orbit_release.github.commits import File
from orbit_release.github.pull_request import PullRequest
from tests.integration.monorepo import git
from tests.servers import github as faults
from tests.servers.github import TOKEN, Fault, GitHubServer, running
from tests.servers.github_state import Pull
from tests.servers.serving import serving

REPOSITORY = "octo/orbit"
MESSAGE = "release: web sha-1a2b3c4\n\nweb: latest -> sha-1a2b3c4\n\nOrbit-Release: web sha-1a2b3c4\n"
FILE = File("deploy/wéb.yaml", "100644", b"\xef\xbb\xbfimage: web:sha-1a2b3c4\r\n")
BRANCH = "orbit-release/only/web"


@dataclass
class Site:
    """GitHub with one repository, a client of it, and the pauses that the client made."""

    server: GitHubServer
    origin: Path
    clone: Path
    pauses: list[float] = field(default_factory=list)

    def client(self, **other: str) -> GitHub:
        given = {"api": self.server.url, "repository": REPOSITORY, "token": TOKEN} | other
        return GitHub(given["api"], given["repository"], given["token"], sleep=self.pauses.append)

    def commit(self) -> str | None:
        return self.client().commit("main", self.tip("HEAD"), [FILE], MESSAGE)

    def tip(self, revision: str = "main") -> str:
        return git(self.clone if revision == "HEAD" else self.origin, "rev-parse", revision)

    def count(self) -> int:
        return int(git(self.origin, "rev-list", "--count", "main"))

    def push(self) -> None:
        """Have somebody else commit on top of what the branch is now."""
        git(self.clone, "fetch", "-q", "origin")
        git(self.clone, "switch", "-q", "--detach", "origin/main")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", "somebody was faster")
        git(self.clone, "push", "-q", "origin", "HEAD:main")
        git(self.clone, "switch", "-q", "-")

    def stranger(self) -> None:
        """Have somebody open a pull request of their own."""
        git(self.origin, "branch", "feature", git(self.origin, "commit-tree", "main^{tree}", "-p", "main", "-m", "x"))
        self.server.pulls.append(Pull(1, "Mine", "", "feature", "main", self.tip("feature"), self.tip()))

    def propose(self, content: str = "a", title: str = "release", body: str = "the table") -> PullRequest:
        commit = self.client().store_commit(
            BRANCH, self.tip(), [File("deploy/web.yaml", "100755", content.encode())], MESSAGE
        )
        return self.client().propose(BRANCH, "main", commit, title, body)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(origin))
    git(tmp_path, "init", "-q", "-b", "main", str(clone))
    (clone / "README").write_text("first\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "first")
    git(clone, "remote", "add", "origin", str(origin))
    git(clone, "push", "-q", "origin", "main")
    with running(GitHubServer(origin, REPOSITORY)) as server:
        yield Site(server, origin, clone)


def test_a_commit_holds_the_very_bytes_and_stands_on_the_branch(site: Site) -> None:
    commit = site.commit()
    assert commit == site.tip()
    assert git(site.origin, "show", f"main:{FILE.path}", strip=False).encode() == FILE.data
    assert git(site.origin, "rev-parse", "main^") == site.tip("HEAD")
    assert git(site.origin, "show", "main:README") == "first"


def test_the_message_keeps_its_parts_and_gains_a_trailer(site: Site) -> None:
    site.commit()
    message = git(site.origin, "log", "-1", "--format=%B", "main")
    assert re.fullmatch(re.escape(MESSAGE.rstrip()) + r"\nOrbit-Release-Id: [0-9a-f]{32}", message)
    trailers = git(site.origin, "log", "-1", "--format=%(trailers:only)", "main")
    assert trailers.startswith("Orbit-Release: web sha-1a2b3c4\nOrbit-Release-Id: ")


def test_a_branch_that_moved_is_not_overwritten(site: Site) -> None:
    site.push()
    moved = site.tip()
    assert site.commit() is None
    assert site.tip() == moved
    assert site.pauses == []


INTERNAL = Fault(200, "Something went wrong while executing your query. Please include `AB:1` in a report.", "INTERNAL")


def test_a_conflict_that_is_not_our_own_success_is_a_conflict(site: Site) -> None:
    site.server.fail("createCommitOnBranch", faults.STALE)
    assert site.commit() is None
    assert site.commit() == site.tip()


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([faults.STALE_AFTER_SUCCESS], []),
        ([faults.BAD_GATEWAY], [1.0]),
        ([Fault(408, "too slow")], [1.0]),
        ([faults.CUT], [1.0]),
        ([faults.BAD_GATEWAY_AFTER_SUCCESS], [1.0]),
        ([faults.CUT_AFTER_SUCCESS], [1.0]),
        ([faults.BAD_GATEWAY, faults.CUT, faults.CUT_AFTER_SUCCESS], [1.0, 2.0, 4.0]),
        ([faults.BAD_GATEWAY_AFTER_SUCCESS, *[faults.BAD_GATEWAY] * 4], [1.0, 2.0, 4.0, 8.0]),
        ([faults.secondary_limit(7)], [7.0]),
        ([faults.BAD_GATEWAY_AFTER_SUCCESS, faults.secondary_limit(3600)], [1.0]),
        ([faults.CUT_AFTER_SUCCESS, faults.PRIMARY_LIMIT], [1.0]),
        ([INTERNAL], [1.0]),
        ([replace(INTERNAL, after=True)], [1.0]),
    ],
)
def test_what_was_lost_on_the_way_is_done_once(site: Site, answers: list[Fault], pauses: list[float]) -> None:
    site.server.fail("createCommitOnBranch", *answers)
    assert site.commit() == site.tip()
    assert (site.count(), site.pauses) == (2, pauses)


def test_what_may_have_arrived_is_not_said_to_be_unpublished(site: Site) -> None:
    site.server.fail("createCommitOnBranch", faults.BAD_GATEWAY, faults.PRIMARY_LIMIT)
    with pytest.raises(UnavailableError, match=r"has used up GitHub's rate limit$"):
        site.commit()


def test_our_own_success_is_found_below_what_others_pushed_since(site: Site) -> None:
    site.server.fail("createCommitOnBranch", faults.BAD_GATEWAY_AFTER_SUCCESS)
    site.server.before["repos/list-commits"] = site.push
    commit = site.commit()
    assert commit == git(site.origin, "rev-parse", "main^")
    assert site.count() == 3


def test_an_outage_ends_after_a_few_attempts(site: Site) -> None:
    site.server.fail("createCommitOnBranch", *[faults.BAD_GATEWAY] * 5)
    with pytest.raises(UnavailableError, match="does not answer: status 502"):
        site.commit()
    assert (site.count(), site.pauses) == (1, [1.0, 2.0, 4.0, 8.0])


NONE_LEFT = faults.PRIMARY_LIMIT.headers  # as the last answer of an hour has them too
LIMIT = "GitHub's secondary rate limit holds this token back"
USED_UP = "GITHUB_TOKEN has used up GitHub's rate limit: nothing was published"
PROTECTS = "octo/orbit protects main: "
RULE = f"{PROTECTS}Repository rule violations found Changes must be made through a pull request."
REFUSALS: list[tuple[Fault, type[OrbitReleaseError], str, str]] = [
    (faults.BAD_CREDENTIALS, AccessError, "GitHub does not accept GITHUB_TOKEN", "make a new one"),
    (faults.FORBIDDEN, AccessError, "may not do this in octo/orbit", "contents: write"),
    (faults.PROTECTED, AccessError, RULE, "GitHub App"),
    (faults.PROTECTED_BRANCH, AccessError, f"{PROTECTS}Protected branch update failed", "--pr"),
    (faults.ARCHIVED, AccessError, "octo/orbit is archived", "unarchive it"),
    (faults.PRIMARY_LIMIT, UnavailableError, USED_UP, "after 00:00:00 UTC"),
    (faults.secondary_limit(3600), UnavailableError, LIMIT, "in 3600 seconds"),
    (Fault(429, "Slow down", headers={"Retry-After": "3600"}), UnavailableError, LIMIT, "in 3600 seconds"),
    (replace(faults.FORBIDDEN, headers=NONE_LEFT), AccessError, "may not do this in octo/orbit", "contents: write"),
    (replace(faults.PROTECTED, headers=NONE_LEFT), AccessError, RULE, "GitHub App"),
    (Fault(422, "Sorry", headers=NONE_LEFT), ConflictError, "refuses: Sorry", "look at the repository"),
]


@pytest.mark.parametrize(("fault", "kind", "message", "hint"), REFUSALS)
def test_a_refusal_says_what_happened_and_what_to_do(
    site: Site, fault: Fault, kind: type[OrbitReleaseError], message: str, hint: str
) -> None:
    site.server.fail("createCommitOnBranch", fault)
    with pytest.raises(kind) as raised:
        site.commit()
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert "\n" not in raised.value.message
    assert TOKEN not in f"{raised.value}{raised.value.__cause__}"
    assert (site.count(), site.pauses) == (1, [])


def test_a_token_that_is_not_known(site: Site) -> None:
    with pytest.raises(AccessError, match="does not accept GITHUB_TOKEN"):
        site.client(token=f"not-{TOKEN}").commit("main", site.tip(), [FILE], MESSAGE)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}\r\n"])
def test_a_token_is_the_same_with_blanks_around_it(site: Site, token: str) -> None:
    assert site.client(token=token).pull_request(BRANCH, "main") is None


@pytest.mark.parametrize("token", [f"{TOKEN}\u2019", f"{TOKEN[:4]}\n{TOKEN}", f"my {TOKEN}", f"{TOKEN}\x7f", " "])
def test_what_no_header_can_carry_is_no_token(site: Site, token: str) -> None:
    with pytest.raises(AccessError) as raised:
        site.client(token=token)
    assert raised.value.message.startswith("GITHUB_TOKEN is not a token: it holds a blank or a character")


def test_a_repository_that_the_token_may_not_see(site: Site) -> None:
    with pytest.raises(NotFoundError, match="octo/other"):
        site.client(repository="octo/other").commit("main", site.tip(), [FILE], MESSAGE)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"api": "http://github.example/api/v3"}, "http://github.example/api/v3 is not https"),
        ({"repository": "orbit"}, "'orbit' is no repository of GitHub"),
        ({"repository": "octo/orbit/../../user"}, "is no repository of GitHub"),
    ],
)
def test_a_token_goes_nowhere_else(site: Site, other: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        site.client(**other)
    assert message in raised.value.message


def test_nobody_at_the_address() -> None:
    pauses: list[float] = []
    client = GitHub("http://127.0.0.1:9", REPOSITORY, TOKEN, sleep=pauses.append)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9 does not answer"):
        client.commit("main", "0" * 40, [FILE], MESSAGE)


def test_any_case_of_the_name_is_the_name(site: Site) -> None:
    assert site.client(repository="Octo/Orbit").pull_request(BRANCH, "main") is None


# Pull requests


def test_the_pull_request_of_another_branch_is_not_ours_whatever_is_listed(site: Site) -> None:
    site.stranger()
    site.server.before["pulls/list"] = lambda: site.server.rename("octo/new")  # and the query is lost on the way
    assert site.client().pull_request(BRANCH, "main") is None


def test_a_proposal_is_one_commit_with_the_modes_of_its_files(site: Site) -> None:
    pull = site.propose("image: a\n", "release: web", "a table")
    assert pull.head == site.tip(BRANCH)
    assert git(site.origin, "rev-parse", f"{BRANCH}^") == site.tip()
    assert git(site.origin, "ls-tree", BRANCH, "deploy/web.yaml").startswith("100755")
    assert git(site.origin, "show", f"{BRANCH}:README") == "first"
    (shown,) = site.server.pulls
    assert (shown.title, shown.body, shown.base, shown.state) == ("release: web", "a table", "main", "open")
    assert pull.url.endswith(f"/pull/{shown.number}")


def test_an_open_one_is_updated_in_place(site: Site) -> None:
    first = site.propose("a", "one", "x")
    second = site.propose("b", "two", "y")
    assert second.number == first.number
    (shown,) = site.server.pulls
    assert (shown.title, shown.body, shown.state) == ("two", "y", "open")
    assert git(site.origin, "show", f"{BRANCH}:deploy/web.yaml") == "b"
    assert site.client().pull_request(BRANCH, "main") == second


def test_a_body_of_its_own_is_an_update_as_well_whoever_broke_its_lines(site: Site) -> None:
    site.propose("a", "one", "x\ny")
    site.propose("a", "one", "z")
    assert [pull.body for pull in site.server.pulls] == ["z"]
    site.server.pulls[0].body = "x\r\ny"  # as the editor on GitHub leaves it
    site.propose("a", "one", "x\ny")
    assert [pull.body for pull in site.server.pulls] == ["x\r\ny"]


def test_what_somebody_pushed_to_a_proposal_is_not_merged_unseen(site: Site) -> None:
    site.server.checks_pending = False
    pull = site.propose("a")

    def meanwhile() -> None:
        tree = git(site.origin, "rev-parse", f"{BRANCH}^{{tree}}")
        git(site.origin, "branch", "-f", BRANCH, git(site.origin, "commit-tree", tree, "-p", BRANCH, "-m", "x"))

    site.server.before["pulls/merge"] = meanwhile
    with pytest.raises(ConflictError):
        site.client().merge_when_ready(pull, MESSAGE)
    assert site.count() == 1


def test_one_that_was_merged_is_followed_by_a_new_one(site: Site) -> None:
    site.server.checks_pending = False
    assert site.client().merge_when_ready(site.propose("a"), MESSAGE)
    assert site.client().pull_request(BRANCH, "main") is None
    assert site.propose("b").number == 2
    assert [pull.state for pull in site.server.pulls] == ["closed", "open"]


def test_auto_merge_waits_for_checks_where_there_are_any(site: Site) -> None:
    site.server.checks_pending = True
    assert not site.client().merge_when_ready(site.propose(), MESSAGE)
    (shown,) = site.server.pulls
    assert (shown.state, shown.auto_merge) == ("open", "squash")
    assert site.count() == 1


def test_auto_merge_merges_at_once_where_nothing_is_waited_for(site: Site) -> None:
    site.server.checks_pending = False
    site.server.allow_squash_merge = False
    assert site.client().merge_when_ready(site.propose("a"), MESSAGE)
    assert git(site.origin, "show", "main:deploy/web.yaml") == "a"


@pytest.mark.parametrize("fault", [faults.CUT_AFTER_SUCCESS, faults.BAD_GATEWAY_AFTER_SUCCESS])
def test_a_merge_whose_answer_was_lost_is_done(site: Site, fault: Fault) -> None:
    site.server.checks_pending = False
    site.server.fail("pulls/merge", fault)
    assert site.client().merge_when_ready(site.propose(), MESSAGE) == site.tip()
    assert site.count() == 2


def test_auto_merge_that_the_repository_does_not_allow(site: Site) -> None:
    site.server.allow_auto_merge = False
    with pytest.raises(ConfigurationError, match="octo/orbit does not allow auto-merge"):
        site.client().merge_when_ready(site.propose(), MESSAGE)


def test_auto_merge_does_not_merge_past_checks_that_are_not_required(site: Site) -> None:
    site.server.fail(
        "enablePullRequestAutoMerge", Fault(422, "Pull request Pull request is in unstable status", "UNPROCESSABLE")
    )
    with pytest.raises(ConfigurationError, match="requires no check"):
        site.client().merge_when_ready(site.propose(), MESSAGE)
    assert site.count() == 1


def test_a_closed_one_says_why_and_leaves_no_branch(site: Site) -> None:
    site.client().close(site.propose(), BRANCH, "nothing left")
    (shown,) = site.server.pulls
    assert (shown.state, shown.comments) == ("closed", ["nothing left"])
    assert BRANCH not in git(site.origin, "branch", "--list")


def test_a_branch_that_somebody_pushed_to_is_not_deleted(site: Site) -> None:
    pull = site.propose()
    git(
        site.origin,
        "branch",
        "-f",
        BRANCH,
        git(site.origin, "commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "x"),
    )
    site.client().close(pull, BRANCH, "nothing left")
    assert BRANCH in git(site.origin, "branch", "--list")


def test_actions_that_may_not_open_pull_requests(site: Site) -> None:
    site.server.fail("pulls/create", faults.NOT_PERMITTED_PULLS)
    with pytest.raises(AccessError) as raised:
        site.propose()
    assert "may not open pull requests in octo/orbit" in raised.value.message
    assert "Workflow permissions" in raised.value.hint


@pytest.mark.parametrize(("operation", "branch"), [("git/create-commit", BRANCH), ("pulls/merge", "main")])
def test_a_rule_names_the_branch_that_it_protects(site: Site, operation: str, branch: str) -> None:
    site.server.checks_pending = False
    site.server.fail(operation, faults.PROTECTED)
    with pytest.raises(AccessError) as raised:
        site.client().merge_when_ready(site.propose(), MESSAGE)
    assert f"octo/orbit protects {branch}: Repository rule" in raised.value.message
    assert f"({MANUAL}/publishing.md#branch-protection)" in raised.value.hint
    assert ("GitHub App" in raised.value.hint, "--pr" in raised.value.hint) == (True, False)


def test_a_limit_does_not_deny_what_was_done_before_it(site: Site) -> None:
    pull = site.propose()
    for fault in (faults.PRIMARY_LIMIT, faults.secondary_limit(3600)):
        site.server.fail("enablePullRequestAutoMerge", fault)
        with pytest.raises(UnavailableError) as raised:
            site.client().merge_when_ready(pull, MESSAGE)
        assert "nothing was published" not in raised.value.message + raised.value.hint


@pytest.mark.parametrize("operation", ["git/create-blob", "git/create-tree", "git/create-commit", "git/create-ref"])
def test_a_proposal_survives_a_bad_gateway_at_every_step(site: Site, operation: str) -> None:
    site.server.fail(operation, faults.BAD_GATEWAY)
    assert site.propose().head == site.tip(BRANCH)


@pytest.mark.parametrize("operation", ["git/create-ref", "pulls/create"])
def test_a_proposal_whose_answer_was_lost_is_not_made_twice(site: Site, operation: str) -> None:
    site.server.fail(operation, faults.CUT_AFTER_SUCCESS)
    assert site.propose().head == site.tip(BRANCH)
    assert len(site.server.pulls) == 1


def test_any_other_refusal_is_told_in_githubs_words(site: Site) -> None:
    site.server.fail("pulls/create", Fault(422, "Validation Failed\x1b[31m"))
    with pytest.raises(ConflictError, match="refuses: Validation Failed"):
        site.propose()


def test_a_token_that_is_quoted_is_blotted_out(site: Site) -> None:
    site.server.fail("pulls/create", Fault(422, f"No {TOKEN}"))
    with pytest.raises(ConflictError, match=r"refuses: No \*\*\*$"):
        site.propose()


@pytest.mark.parametrize(("status", "body"), [(200, b"{}"), (200, b"[]"), (200, b"hello"), (302, b"")])
def test_a_server_that_is_not_githubs_is_said_so(status: int, body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Other)) as server:
        client = GitHub(f"http://127.0.0.1:{server.server_address[1]}", "octo/orbit", "t", sleep=lambda _: None)
        with pytest.raises(UnavailableError):
            client.pull_request("a", "main")
