"""A monorepo at GitHub, and the tool run in its clone with a token."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.monorepo import FOLDER, Monorepo, Ran, git
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_state import Pull

ONLY_API = "orbit-release/only/api"
MINE = ("My feature", "my words", "open", None)


@dataclass
class Hub:
    """A monorepo at GitHub, and the tool run in its clone with a token."""

    repo: Monorepo
    server: GitHubServer

    def run(self, *arguments: str, **extra: str) -> Ran:
        known = {"GITHUB_API_URL": self.server.url, "GITHUB_REPOSITORY": "octo/orbit", "GITHUB_TOKEN": TOKEN}
        return self.repo.run(*arguments, directory=None, **{**known, **extra})

    def in_actions(self, *arguments: str, **extra: str) -> Ran:
        head = extra.pop("GITHUB_SHA", None) or git(self.repo.origin, "rev-parse", "main")
        server = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": head}
        return self.run(*arguments, **server, GITHUB_ACTIONS="true", **extra)

    def author(self) -> str:
        return git(self.repo.origin, "log", "-1", "--format=%an", "main")

    def stranger(self) -> None:
        """Have somebody open a pull request of their own."""
        tree = git(self.repo.origin, "rev-parse", "main^{tree}")
        git(self.repo.origin, "branch", "feature", git(self.repo.origin, "commit-tree", tree, "-p", "main", "-m", "x"))
        head, base = git(self.repo.origin, "rev-parse", "feature", "main").split()
        self.server.pulls.append(Pull(1, *MINE[:2], "feature", "main", head, base))

    def proposed(self, name: str, branch: str = ONLY_API) -> str:
        """Return the image that a pull request's branch has for a service."""
        text = git(self.repo.origin, "show", f"{branch}:{FOLDER}/{name}.yaml")
        return next(line for line in text.splitlines() if "image: " in line).split()[1].rpartition(":")[2]
