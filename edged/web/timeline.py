"""When labels were present: a row each, drawn; the last ten minutes, hour or day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from edged.web.condition import duration, times
from edged.web.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from edged.web.history import Key, Span

UNITS: Final = 1000
"""How wide a row is drawn, in its own units."""
MOST_ROWS: Final = 40
WINDOWS: Final = {"10 min": 10, "Hour": 60, "Day": 24 * 60}
"""In minutes."""


def timeline_panel(spans: Mapping[Key, Sequence[Span]], since: datetime, now: datetime, *, watches: bool) -> Markup:
    """A section. `watches`: whether any camera watches labels at all."""
    shown = round((now - since).total_seconds() / 60)
    tabs = [
        tag(
            "a",
            {
                "href": f"?minutes={minutes}#timeline",
                "data-minutes": minutes,
                "aria-current": "true" if minutes == shown else None,
            },
            name,
        )
        for name, minutes in WINDOWS.items()
    ]
    empty: tuple[object, ...] = ("Nothing was present in this time.",)
    if not watches:
        empty = (
            "No camera watches a label. ",
            tag("code", None, "presence"),
            " in the configuration says which ones become on and off.",
        )
    rows = [_row(key, each, since, now) for key, each in list(spans.items())[:MOST_ROWS]]
    steps = 4
    ticks = [_tick(now - (now - since) * (steps - step) / steps, now) for step in range(steps + 1)]
    return tag(
        "section",
        {"id": "timeline", "class": "panel", "aria-labelledby": "timeline-title"},
        tag(
            "div",
            {"class": "title"},
            tag("h2", {"id": "timeline-title"}, "Presence"),
            tag("nav", {"class": "tabs", "aria-label": "Window of time"}, *tabs),
        ),
        tag("p", {"class": "empty", "hidden": bool(rows)}, *empty),
        tag(
            "div",
            {"class": "rows", "tabindex": "0", "role": "group", "aria-labelledby": "timeline-title"},
            tag("table", {"class": "timeline", "hidden": not rows}, _head(), tag("tbody", None, *rows)),
        ),
        tag("div", {"class": "ticks", "aria-hidden": "true", "hidden": not rows}, *ticks),
    )


def _head() -> Markup:
    names = ("Label", "When")
    return tag("thead", {"class": "unseen"}, tag("tr", None, *(tag("th", {"scope": "col"}, name) for name in names)))


def _row(key: Key, spans: Sequence[Span], since: datetime, now: datetime) -> Markup:
    camera, label = key
    whole = (now - since).total_seconds()
    bars, total = [], timedelta()
    for span in spans:
        start, end = max(span.start, since), min(span.end or now, now)
        if end < start:
            continue
        total += end - start
        left = (start - since).total_seconds() / whole * UNITS
        width = max((end - start).total_seconds() / whole * UNITS, 2)
        bars.append(tag("rect", {"x": f"{left:.1f}", "y": 0, "width": f"{width:.1f}", "height": 10}))
    present = spans[-1].end is None
    said = f"{'present now, ' if present else ''}{times(len(spans))}, {duration(total.total_seconds())} in all"
    return tag(
        "tr",
        {"class": "present" if present else None},
        tag("th", {"scope": "row"}, label, " ", tag("small", None, camera)),
        tag(
            "td",
            None,
            tag(
                "svg",
                {"viewBox": f"0 0 {UNITS} 10", "preserveAspectRatio": "none", "role": "img", "aria-label": said},
                tag("title", None, said),
                *bars,
            ),
        ),
    )


def _tick(time: datetime, now: datetime) -> Markup:
    text = "now" if time == now else f"{time.astimezone():%H:%M}"
    return tag("span", None, text)
