"""What GitHub's errors mean: whether another attempt helps, whether the work may be done, and what to tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from orbit_release import errors
from orbit_release.text import without

_LONGEST_WAIT = 60  # seconds: a limit that asks for more ends the command
_SERVER_FAULT, _REQUEST_TIMEOUT = 500, 408
# GraphQL's own internal error comes with the status of a success.
_INTERNAL = "Something went wrong while executing your query"
# What GitHub says, whatever the status it says it with: the kind of error, what happened, and what to do next.
_REFUSALS: tuple[tuple[str, type[errors.OrbitReleaseError], str, str], ...] = (
    (
        r"was archived",
        errors.AccessError,
        "{repository} is archived: nothing can be published there",
        "unarchive it in its settings first.",
    ),
    (
        r"protected branch|rule violation|through a pull request|status checks? .*expected|bypass",
        errors.AccessError,
        "{repository} protects {branch}: {said}",
        "use the token of a GitHub App that may bypass the rule ({manual}/publishing.md#branch-protection){way_out}.",
    ),
    (
        r"not permitted to create or approve pull requests",
        errors.AccessError,
        "GitHub Actions may not open pull requests in {repository}",
        "allow it under Settings, Actions, General, Workflow permissions, or use the token of a GitHub App.",
    ),
    (
        r"auto.?merge is not allowed",
        errors.ConfigurationError,
        "{repository} does not allow auto-merge",
        'turn on "Allow auto-merge" in its settings, or leave out --auto-merge.',
    ),
    (
        r"in unstable status",
        errors.ConfigurationError,
        "{repository} requires no check, and GitHub waits for no other: the pull request is open, without auto-merge",
        "require a check in the branch's rules, or merge it by hand.",
    ),
    (
        r"not accessible by|must have admin|insufficient.?scopes|required scopes|SAML|write access|FORBIDDEN",
        errors.AccessError,
        "GITHUB_TOKEN may not do this in {repository}: {said}",
        "it needs `contents: write`, for pull requests also `pull-requests: write`: see `permissions:` of the job.",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What GitHub was asked for; `way_out` is a hint at another way, `undone` says that surely nothing came of it."""

    host: str
    repository: str
    branch: str
    way_out: str = ""
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is an error, its headers in lower case; without a `status` none came, and `name` says why."""

    status: int | None
    data: object
    headers: Mapping[str, str]
    name: str
    secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, error: Exception, secret: str = "") -> Fault:
        """Read what PyGithub or its transport raised; the secret is blotted out of what was said."""
        status, data, headers = (getattr(error, name, None) for name in ("status", "data", "headers"))
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        return cls(status, data, lower, type(error).__name__, secret)

    @property
    def kind(self) -> str:
        """The type of a GraphQL error, or ""."""
        match self.data:
            case {"errors": [{"type": str(kind)}, *_]}:
                return kind
        return ""

    @property
    def said(self) -> str:
        """What GitHub says, in one line."""
        match self.data:
            case {"errors": [{"message": str(said)}, *_]} | {"message": str(said)}:
                pass
            case _:
                said = f"status {self.status}" if self.status else self.name
        return " ".join(without([self.secret], said).split())

    @property
    def may_have_arrived(self) -> bool:
        """Whether the work may be done all the same."""
        return self.status in (None, _REQUEST_TIMEOUT) or self.status >= _SERVER_FAULT or _INTERNAL in self.said

    def pause(self, attempt: int) -> float | None:
        """Return the seconds to wait before another attempt; None where another one would not help."""
        wait = self.headers.get("retry-after", "")
        if wait.isdigit():
            return float(wait) if int(wait) <= _LONGEST_WAIT else None
        return float(2**attempt) if self.may_have_arrived else None


def explained(fault: Fault, asked: Asked) -> errors.OrbitReleaseError:
    """Return what to tell about an error that stands."""
    if told := _refusal(fault, asked) or _limit(fault, asked):
        return told
    if fault.status == 401:  # noqa: PLR2004  (https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api)
        return errors.AccessError("GitHub does not accept GITHUB_TOKEN", "it is wrong or expired: make a new one.")
    if fault.status == 404:  # noqa: PLR2004
        hint = "check GITHUB_REPOSITORY, and that the token may see it."
        return errors.NotFoundError(f"{asked.host} shows no {asked.repository} to this token", hint)
    if not fault.may_have_arrived:
        hint = "look at the repository on GitHub, and run it again."
        return errors.ConflictError(f"{asked.host} refuses: {fault.said}", hint)
    hint = "run it again later: nothing is published twice. https://www.githubstatus.com tells of outages."
    return errors.UnavailableError(f"{asked.host} does not answer: {fault.said}", hint)


def _refusal(fault: Fault, asked: Asked) -> errors.OrbitReleaseError | None:
    values = asdict(asked) | {"said": fault.said, "manual": errors.MANUAL}
    for pattern, kind, message, hint in _REFUSALS:
        if re.search(pattern, f"{fault.said} {fault.kind}", re.IGNORECASE):
            return kind(message.format(**values), hint.format(**values))
    return None


def _limit(fault: Fault, asked: Asked) -> errors.UnavailableError | None:
    """Return what to tell about a rate limit.

    A used up limit shows in the headers of every answer, so that it alone does not make an error one of a limit.
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    said, undone = fault.said.lower(), ": nothing was published" if asked.undone else ""
    used_up = fault.status in (403, 429) and fault.headers.get("x-ratelimit-remaining") == "0"
    if used_up or fault.kind == "RATE_LIMITED" or "rate limit exceeded" in said:
        until = _time(fault.headers.get("x-ratelimit-reset", ""))
        hint = f"run it again {until}, or use the token of a GitHub App, which has a limit of its own."
        return errors.UnavailableError(f"GITHUB_TOKEN has used up GitHub's rate limit{undone}", hint)
    if fault.status == 429 or "secondary rate limit" in said:  # noqa: PLR2004  (too many requests)
        seconds = fault.headers.get("retry-after", str(_LONGEST_WAIT))
        hint = f"run it again in {seconds} seconds, and with fewer jobs at once{undone}."
        return errors.UnavailableError("GitHub's secondary rate limit holds this token back", hint)
    return None


def _time(seconds: str) -> str:
    """Return when that is, in seconds since the epoch; the day goes without saying."""
    if not seconds.isdigit():
        return "in an hour"
    minutes, second = divmod(int(seconds) % 86400, 60)
    return f"after {minutes // 60:02}:{minutes % 60:02}:{second:02} UTC"
