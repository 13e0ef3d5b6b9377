"""When a label counts as present: examples, and what holds for any confidences at any times."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edged.config.cameras import PresenceConfig
from edged.presence import CameraPresence, Change, Watched

TEXTS = {"cat": "Cat", "dog": "Dog", "bird": "Bird"}
STALL = 10.0


def rules(**settings: float) -> PresenceConfig:
    return PresenceConfig.model_validate({"hold_on": 0.5, "hold_off": 2.0, **settings})


def watching(**named: PresenceConfig) -> CameraPresence:
    return CameraPresence(Watched(TEXTS, named, None, STALL), (), 0.0)


def said(changes: list[Change]) -> list[tuple[str, bool]]:
    return [(change.text, change.present) for change in changes]


def test_a_label_is_present_once_it_was_seen_for_hold_on_and_absent_after_hold_off() -> None:
    camera = watching(cat=rules())
    assert camera.result({"cat": 0.9}, 1.0) == []
    assert camera.result({"cat": 0.9}, 1.4) == []
    assert camera.result({"cat": 0.9}, 1.5) == [Change("cat", "Cat", present=True, confidence=0.9)]
    assert camera.result({}, 2.0) == []
    assert camera.result({}, 3.9) == []
    assert camera.result({}, 4.0) == [Change("cat", "Cat", present=False, confidence=0.0)]


def test_between_off_and_on_everything_stays_as_it_is() -> None:
    camera = watching(cat=rules())
    for second in range(10):
        assert camera.result({"cat": 0.5}, float(second)) == []
    camera.result({"cat": 0.7}, 10.0)
    assert said(camera.result({"cat": 0.5}, 11.0)) == [("Cat", True)]
    for second in range(12, 30):
        assert camera.result({"cat": 0.4}, float(second)) == []


def test_smoothing_is_the_mean_of_the_last_results() -> None:
    camera = watching(cat=rules(smooth=3, hold_on=0))
    assert camera.result({}, 0.0) == []
    assert camera.result({"cat": 0.9}, 0.1) == []
    assert said(camera.result({"cat": 0.9}, 0.2)) == [("Cat", True)]


def test_a_gap_is_no_absence_until_the_stall_and_then_hold_off_begins() -> None:
    camera = watching(cat=rules(hold_on=0))
    camera.result({"cat": 0.9}, 0.0)
    assert camera.tick(STALL) == []
    assert camera.tick(STALL + 1.9) == []
    assert said(camera.tick(STALL + 2.0)) == [("Cat", False)]


def test_a_gap_with_the_label_gone_before_it_is_no_absence_either() -> None:
    camera = watching(cat=rules(hold_on=0))
    camera.result({"cat": 0.9}, 0.0)
    camera.result({}, 1.0)
    assert camera.tick(9.0) == []
    assert camera.result({"cat": 0.9}, 9.5) == []


def test_one_result_alone_is_no_hold_on_however_long_it_is_ago() -> None:
    camera = watching(cat=rules())
    camera.result({"cat": 0.9}, 0.0)
    assert camera.tick(5.0) == []
    assert said(camera.stands(5.0)) == [("Cat", True)]  # a frame that nothing moved in says the same


def test_what_was_present_before_is_said_only_when_it_is_gone() -> None:
    watched = Watched(TEXTS, {}, rules(), STALL)
    camera = CameraPresence(watched, ["cat", "dog", "no such label"], 100.0)
    assert camera.present == {"cat", "dog"}
    changes = [change for second in range(5) for change in camera.result({"cat": 0.9}, 100.0 + second)]
    assert said(changes) == [("Dog", False)]


def test_what_is_not_watched_any_more_is_not_present_and_the_rest_stays() -> None:
    camera = CameraPresence(Watched(TEXTS, {}, rules(), STALL), ["cat", "dog"], 0.0)
    camera.watch(Watched({"cat": "Cat"}, {}, rules(), STALL), other_model=True)
    assert camera.present == {"cat"}
    assert camera.result({"cat": 0.9, "dog": 0.9}, 1.0) == []


def test_time_that_goes_back_is_no_time() -> None:
    camera = watching(cat=rules())
    camera.result({"cat": 0.9}, 100.0)
    assert camera.result({"cat": 0.9}, 1.0) == []
    assert camera.result({"cat": 0.9}, 100.4) == []
    assert said(camera.result({"cat": 0.9}, 100.5)) == [("Cat", True)]


CONFIDENCES = st.sampled_from([0.0, 0.1, 0.39, 0.4, 0.5, 0.6, 0.61, 1.0])
STEPS = st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 3.0, 12.0])  # binary fractions: sums of them are exact


class AnyCamera(RuleBasedStateMachine):
    """Checked against what the brief says, kept as plain lists of everything that has happened."""

    @initialize(
        smooth=st.integers(1, 3),
        hold_on=st.sampled_from([0.0, 0.5, 1.0]),
        hold_off=st.sampled_from([0.0, 0.5, 2.0]),
        wild=st.booleans(),
    )
    def begin(self, smooth: int, hold_on: float, hold_off: float, wild: bool) -> None:  # noqa: FBT001
        self.rule = rules(smooth=smooth, hold_on=hold_on, hold_off=hold_off)
        named = {} if wild else {"cat": self.rule}
        self.camera = CameraPresence(Watched(TEXTS, named, self.rule if wild else None, STALL), (), 0.0)
        self.now = 0.0
        self.changed_at = -1e9
        self.present = False
        self.history: list[tuple[float, float]] = []  # results since the last stall
        self.seen_at: list[float] = []  # results, or frames like the last one, at or above `off`
        self.last_frame = 0.0

    def note(self, changes: list[Change]) -> None:
        for change in changes:
            assert change.slug == "cat"
            assert change.present != self.present, "nothing is said twice"
            hold = self.rule.hold_off if self.present else self.rule.hold_on
            assert self.now - self.changed_at >= hold, "a flicker shorter than its hold"
            if change.present:
                assert change.confidence >= self.rule.off
                assert self.mean() >= self.rule.off, "on below off"
                assert any(value >= self.rule.on for _, value in self.history), "on without ever being seen"
            self.present, self.changed_at = change.present, self.now

    def mean(self) -> Fraction:
        recent = [Fraction(value) for _, value in self.history[-self.rule.smooth :]]
        return sum(recent, Fraction()) / len(recent) + Fraction(1, 10**12)  # the machine's mean is a float

    def advance(self, step: float) -> None:
        self.now += step
        if self.now - self.last_frame >= STALL:
            self.history.clear()

    @rule(step=STEPS, confidence=CONFIDENCES)
    def result(self, step: float, confidence: float) -> None:
        self.advance(step)
        self.history.append((self.now, confidence))
        self.last_frame = self.now
        changes = self.camera.result({"cat": confidence} if confidence else {}, self.now)
        for change in changes[:-1]:  # a stall that came to its end first
            assert not change.present
        self.note(changes)

    @rule(step=STEPS)
    def stands(self, step: float) -> None:
        self.advance(step)
        self.last_frame = self.now
        self.note(self.camera.stands(self.now))

    @rule(step=STEPS)
    def tick(self, step: float) -> None:
        self.advance(step)
        changes = self.camera.tick(self.now)
        assert not any(change.present for change in changes), "it appears only where it is seen"
        if self.now - self.last_frame < STALL:
            assert not changes, "a gap is no absence"
        self.note(changes)
        if self.now - self.last_frame >= STALL + self.rule.hold_off:
            assert not self.present, "a stall is one"

    @invariant()
    def says_what_it_said(self) -> None:
        if hasattr(self, "camera"):
            assert ("cat" in self.camera.present) == self.present


TestAnyCamera = AnyCamera.TestCase
TestAnyCamera.settings = settings(max_examples=60, stateful_step_count=25)


@given(st.lists(st.tuples(STEPS.filter(lambda step: step < STALL), CONFIDENCES), max_size=40), st.integers(1, 3))
def test_without_holds_and_smoothing_it_is_plain_hysteresis(frames: list[tuple[float, float]], many: int) -> None:
    camera = CameraPresence(Watched(TEXTS, {}, rules(hold_on=0, hold_off=0), STALL), (), 0.0)
    now, on = 0.0, False
    for step, confidence in frames:
        now += step
        on = confidence >= 0.6 or (on and confidence >= 0.4)
        camera.result(dict.fromkeys(list(TEXTS)[:many], confidence), now)
        assert camera.present == (frozenset(list(TEXTS)[:many]) if on else frozenset())
