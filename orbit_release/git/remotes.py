"""The remotes of a clone, as its configuration names them."""

from __future__ import annotations

from functools import cached_property

from orbit_release.git.process import Process


class Remotes:
    """Reads the configuration once, when somebody asks."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @cached_property
    def _settings(self) -> dict[str, str]:
        keys = r"^(remote\..*\.(url|promisor)|branch\..*\.remote)$"
        listing = self._process.run("config", "-z", "--get-regexp", keys).stdout
        lines = filter(None, listing.decode("utf-8", "surrogateescape").split("\0"))
        return dict(line.partition("\n")[::2] for line in lines)

    def of(self, branch: str) -> str | None:
        """Return the remote that a branch tracks, else `origin`, else the first; None if there is none."""
        settings = self._settings
        addresses = (key for key in settings if key.startswith("remote.") and key.endswith(".url"))
        names = [key.removeprefix("remote.").removesuffix(".url") for key in addresses]
        tracked = settings.get(f"branch.{branch}.remote")
        if tracked in names:
            return tracked
        return "origin" if "origin" in names else next(iter(names), None)

    def address(self, remote: str) -> str:
        """Return the address as it is configured; it may hold credentials."""
        return self._settings[f"remote.{remote}.url"]

    def is_partial(self, remote: str) -> bool:
        """Whether the clone was made without all objects, and gets the others from this remote one by one."""
        return f"remote.{remote}.promisor" in self._settings


def tracking(remote: str, branch: str) -> str:
    """Return the reference that tells where a remote's branch was last seen."""
    return f"refs/remotes/{remote}/{branch}"
