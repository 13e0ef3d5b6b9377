"""When a watched label counts as present. Pure: confidences and monotonic time in, changes out.

Three steps, one after the other: the confidence is the mean over the last results (`smooth`); it is *seen* from `on`
up, and until it falls below `off` (hysteresis); and it is present once it has been seen for `hold_on`, until it has
not been seen for `hold_off`. So it is never present for less than `hold_off`, never absent for less than `hold_on`, and
never becomes present while its confidence is below `off`.

It becomes present only at a result: one result alone is no `hold_on` (unless that is 0). A gap between results says
nothing; after `stall` without any, nothing of that camera is seen any more, and `hold_off` begins.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edged.config.cameras import PresenceConfig


@dataclass(frozen=True, slots=True)
class Change:
    """A label has become present, or is not any more. `confidence` is the smoothed one at that moment."""

    slug: str
    text: str
    present: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What one camera watches, in one model's words.

    Attributes:
        texts: of every label that may be watched, by slug.
        named: those that the configuration names, by slug.
        others: for all the rest; None: they are not watched.
        stall: seconds without results after which nothing is seen.
    """

    texts: Mapping[str, str]
    named: Mapping[str, PresenceConfig]
    others: PresenceConfig | None
    stall: float

    def rule(self, slug: str) -> PresenceConfig | None:
        """How this label is watched; None: it is not."""
        if slug not in self.texts:
            return None
        return self.named.get(slug, self.others)


class LabelPresence:
    """One label of one camera.

    Attributes:
        present: whether it counts as present.
    """

    def __init__(self, rule: PresenceConfig, now: float, *, present: bool = False, unseen: int = 0) -> None:
        """`unseen`: how many results there were without it."""
        self.present = present
        self._rule = rule
        self._seen = present
        self._since = now  # that `_seen` is what it is
        self._recent = deque([0.0] * min(unseen, rule.smooth - 1), rule.smooth)

    @property
    def confidence(self) -> float:
        """The mean over the last results; 0 where there are none."""
        return fsum(self._recent) / len(self._recent) if self._recent else 0.0

    @property
    def idle(self) -> bool:
        """Whether one that was made anew would do the same."""
        return not (self.present or self._seen or any(self._recent))

    def follow(self, rule: PresenceConfig) -> None:
        """Another rule from now on; what it is now stays until results say otherwise."""
        self._rule = rule
        self._recent = deque(self._recent, rule.smooth)

    def forget(self) -> None:
        """Results of before do not count any more: another model made them."""
        self._recent.clear()

    def result(self, confidence: float, now: float) -> bool:
        """A result says this. Whether `present` has changed."""
        self._recent.append(confidence)
        return self.stands(now)

    def stands(self, now: float) -> bool:
        """What the last results said is so at this time too. Whether `present` has changed."""
        if not self._recent:
            return False
        least = self._rule.off if self._seen else self._rule.on
        self._see(self.confidence >= least, now)
        hold = self._rule.hold_on if self._seen else self._rule.hold_off
        if self.present == self._seen or now - self._since < hold:
            return False
        self.present = self._seen
        return True

    def stalled(self, since: float, now: float) -> bool:
        """It is not known any more, since then. Whether `present` has changed."""
        self._recent.clear()
        self._see(seen=False, now=since)
        if not self.present or now - self._since < self._rule.hold_off:
            return False
        self.present = False
        return True

    def _see(self, seen: bool, now: float) -> None:  # noqa: FBT001  named where it is a literal
        if seen != self._seen:
            self._seen, self._since = seen, now


class CameraPresence:
    """All watched labels of one camera.

    Args:
        watched: what is watched.
        present: slugs of labels that were present before this began; those that are not watched are left out.
        now: monotonic time, in seconds, as for every method. It never goes back; an earlier one counts as the last.
    """

    def __init__(self, watched: Watched, present: Collection[str], now: float) -> None:
        self._watched = watched
        self._now = self._last = now
        self._results = 0  # since the last stall
        self._labels = {slug: LabelPresence(rule, now) for slug, rule in watched.named.items() if slug in watched.texts}
        for slug in present:
            rule = watched.rule(slug)
            if rule is not None:
                self._labels[slug] = LabelPresence(rule, now, present=True)

    @property
    def present(self) -> frozenset[str]:
        """The slugs of what is present."""
        return frozenset(slug for slug, label in self._labels.items() if label.present)

    def watch(self, watched: Watched, *, other_model: bool) -> None:
        """Watch this from now on; what is not watched any more is not present any more."""
        self._watched = watched
        labels = {slug: (label, watched.rule(slug)) for slug, label in self._labels.items()}
        self._labels = {}
        for slug, (label, rule) in labels.items():
            if rule is not None:
                label.follow(rule)
                if other_model:
                    label.forget()
                self._labels[slug] = label
        if other_model:
            self._results = 0
        for slug, rule in watched.named.items():
            if slug in watched.texts and slug not in self._labels:
                self._labels[slug] = LabelPresence(rule, self._now)

    def result(self, confidences: Mapping[str, float], now: float) -> list[Change]:
        """The confidences of one frame, by slug; a label that is not among them has 0."""
        now, changes = self._advance(now)
        self._last = now
        for slug, confidence in confidences.items():
            rule = self._watched.rule(slug)
            if rule is not None and slug not in self._labels and confidence > 0:
                self._labels[slug] = LabelPresence(rule, now, unseen=self._results)
        self._results += 1
        changed = [slug for slug, label in self._labels.items() if label.result(confidences.get(slug, 0.0), now)]
        changes += [self._change(slug) for slug in changed]
        idle = [slug for slug, label in self._labels.items() if label.idle and slug not in self._watched.named]
        for slug in idle:
            del self._labels[slug]
        return changes

    def stands(self, now: float) -> list[Change]:
        """A frame that is like the last labelled one: that one's labels stand."""
        now, changes = self._advance(now)
        self._last = now
        return changes + [self._change(slug) for slug, label in self._labels.items() if label.stands(now)]

    def tick(self, now: float) -> list[Change]:
        """Time goes by without a frame."""
        return self._advance(now)[1]

    def _advance(self, now: float) -> tuple[float, list[Change]]:
        """The time, which never goes back, and what a stall until then has changed."""
        now = self._now = max(now, self._now)
        since = self._last + self._watched.stall
        if now < since:
            return now, []
        self._results = 0
        return now, [self._change(slug) for slug, label in self._labels.items() if label.stalled(since, now)]

    def _change(self, slug: str) -> Change:
        label = self._labels[slug]
        return Change(slug, self._watched.texts[slug], label.present, label.confidence)
