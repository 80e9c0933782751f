"""Time of a measurement, as files spell it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_DAY = r"(\d{4})[-:/](\d\d)[-:/](\d\d)"
_TIME = r"(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?"
_ZONE = r"(Z|UTC|[+-]\d\d:?\d\d)?"
_SPELLED = re.compile(rf"{_DAY}(?:(?:T|\s+){_TIME}\s*{_ZONE})?", re.IGNORECASE)


def iso_time(said: object) -> str | None:
    """Day, or day and time, in the form of ISO 8601; None for what is neither.

    Args:
        said: text, bytes, or whatever else stands in a file.

    Returns:
        In UTC and with a ``Z`` where `said` has a zone; without one where it has none, since then
        no one knows which it is. Fractions of a second stay as they are.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    found = _SPELLED.fullmatch(text.strip().strip("{}\"'").strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
        if zone and zone.upper() not in ("Z", "UTC"):
            away = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            ahead = timezone(-away if zone[0] == "-" else away)
            moment = moment.replace(tzinfo=ahead).astimezone(timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError):  # the 31st of February
        return None
    if hour is None:
        return moment.date().isoformat()
    return f"{moment.isoformat()}{fraction or ''}{'Z' if zone else ''}"
