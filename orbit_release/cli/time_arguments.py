"""Points in time, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from orbit_release.errors import UsageError

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(?P<count>[0-9]{1,6}) ?(?P<unit>[mhdw])(?:in(?:ute)?s?|ours?|ays?|eeks?)?(?: ago)?")

_SECONDS = {"s": 1, "": 1, **_UNITS}
_LENGTH = re.compile(r"(?P<count>[0-9]{1,6}) ?(?P<unit>[smhd]?)")


def parse_length(text: str) -> int:
    """Return a length of time in seconds: `90s`, `10m`, `2h`; a number alone is seconds."""
    if length := _LENGTH.fullmatch(text.strip()):
        return int(length["count"]) * _SECONDS[length["unit"]]
    raise UsageError(f"{text!r} is no length of time", "write 90s, 10m or 2h.")


def parse_moment(text: str, now: float) -> int:
    """Return a time in seconds since 1970: `90m`, `2 hours ago`, `2026-11-24`, `2026-11-24T03:00+01:00` (else UTC)."""
    if ago := _AGO.fullmatch(text.strip()):
        return int(now) - int(ago["count"]) * _UNITS[ago["unit"]]
    try:
        moment = datetime.fromisoformat(text.strip())
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        hint = "write `90m`, `2h`, `3 days ago`, 2026-11-24, or 2026-11-24T03:00 (UTC, or with +01:00)."
        raise UsageError(f"{text!r} is not a time", hint) from error
