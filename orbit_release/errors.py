"""Every error this tool raises on purpose, grouped by what its reader does next; one exit code each."""

from __future__ import annotations

MANUAL = "https://github.com/drewpayment/orbit/blob/main/docs"


class OrbitReleaseError(Exception):
    """What happened (may span lines), and a hint: what to do about it, one line, possibly empty."""

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OrbitReleaseError):
    """The command line names something that does not exist or does not fit together."""

    exit_code = 2


class ConfigurationError(OrbitReleaseError):
    """orbit-release.yaml is missing or wrong, or git lacks a setting."""

    exit_code = 3


class InvalidError(OrbitReleaseError):
    """A reference that breaks the grammar, or a manifest that cannot be edited safely."""

    exit_code = 4


class NotFoundError(OrbitReleaseError):
    """A commit, tag, image or reference in a manifest that is not there."""

    exit_code = 5


class ConflictError(OrbitReleaseError):
    """Somebody else's state is in the way, or the change would go backwards."""

    exit_code = 6


class BuildError(OrbitReleaseError):
    """An image could not be built or pushed."""

    exit_code = 7


class AccessError(OrbitReleaseError):
    """Credentials are missing, wrong or not sufficient."""

    exit_code = 8


class UnavailableError(OrbitReleaseError):
    """An outside system does not answer, or answers with a failure of its own."""

    exit_code = 9


class HeldError(OrbitReleaseError):
    exit_code = 12


class UnusableError(UnavailableError):
    """An outside system answers, and to try again would not help."""


class UnhealthyError(OrbitReleaseError):
    """What was released does not run."""

    exit_code = 10


class TimedOutError(OrbitReleaseError):
    """What was waited for did not come in time."""

    exit_code = 11
