"""The screen: everything fits whatever its size, and what is wrong is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.watch.device_lines import Screen, count_lines, device_lines
from edged.watch.devices import Camera, Device, Entry, View
from edged.watch.listener import Link
from edged.watch.reports import CameraState, Happened, Health, Labels, Model, Seen, System, Update
from edged.watch.screen import draw
from edged.watch.words import ailing, troubles

LINK = Link("broker:1883", "5", connects=1)
SCREEN = Screen(80, 24, now=100.0, clock="12:00:00")
SEEN = tuple(Seen(text, confidence) for text, confidence in (("Cat", 0.93), ("猫と犬", 0.5), ("[red]x[/red]", 0.1)))
CAMERA = Camera(Labels(1, 7, SEEN), heard=99.0, rate=5.0, present=frozenset({"cat"}))
WELL = Health(1, {"porch": CameraState("running")}, system=System(temperature_c=48.0))
DEVICE = Device(
    "porch-pi", online=True, health=WELL, model=Model(1, "base", "1.1.0", "good"), cameras={"porch": CAMERA}
)


def text(view: View, link: Link = LINK, screen: Screen = SCREEN) -> str:
    return "\n".join(line.plain.rstrip() for line in draw(view, link, screen))


def fleet(count: int) -> View:
    return View(tuple(replace(DEVICE, name=f"pi-{number:04}") for number in range(count)))


def test_device_with_its_labels_presence_and_health() -> None:
    shown = text(View((DEVICE,)))
    assert "1 device, 1 camera, 5.0 results/s" in shown
    assert "● porch-pi  base 1.1.0 · no inference yet · 48 °C" in shown
    assert "porch  5.0/s   cat" in shown
    assert "Cat                      ██████████████████████░░ 0.93" in shown
    assert "[red]x[/red]" in shown


def test_labels_that_are_not_of_now_are_not_shown() -> None:
    assert "0.93" not in text(View((DEVICE,)), screen=replace(SCREEN, now=200.0))


def test_events_stand_below_with_the_newest_last() -> None:
    when = datetime(2026, 11, 23, 12, tzinfo=UTC)
    events = [
        Entry("porch-pi", "porch", Happened(1, "appeared", when, 1, "Cat", 0.9)),
        Entry("porch-pi", "porch", Happened(1, "disappeared", when, 2, "Cat")),
        Entry("porch-pi", "porch", Happened(1, "lost", when, 3, count=12)),
    ]
    lines = text(View((DEVICE,), tuple(events))).splitlines()
    assert [line.split("porch ")[-1] for line in lines[-3:]] == ["+ Cat 0.90", "- Cat", "12 events lost"]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link("broker:1883"), "connecting …"),
        (Link("broker:1883", None, "Connection refused", 103.0), "no connection: Connection refused; again in 3 s"),
        (Link("broker:1883", None, "gone", 101.0, 1), "what is below was so then"),
        (Link("broker:1883", "5", "the broker lets this user hear nothing"), "hear nothing"),
    ],
)
def test_broker_that_is_away_is_said(link: Link, words: str) -> None:
    assert words in text(View(), link)


def test_broker_without_devices_is_said() -> None:
    assert "no device has said anything yet" in text(View())


def test_troubles_are_named_with_the_device() -> None:
    ill = replace(WELL, cameras={"porch": CameraState("retrying", "no such device")}, system=System(under_voltage=True))
    shown = text(View((replace(DEVICE, health=ill), Device("shed", online=False))))
    assert "! too little voltage" in shown
    assert "porch  retrying: no such device" in shown
    assert "● shed  offline" in shown


def test_update_is_seen_on_its_way() -> None:
    device = replace(DEVICE, update=Update("1.1.0", "1.2.0", in_progress=True, update_percentage=40))
    assert "base 1.1.0, updating to 1.2.0 40 %" in text(View((device,)))


def test_details_give_way_to_devices() -> None:
    assert text(fleet(2)).count("█ 0.50") == 0
    assert [text(fleet(count)).count("Cat") for count in (2, 7, 8)] == [2, 7, 8]
    assert "Cat 0.93, 猫と犬 0.50" in text(fleet(8))


def test_where_not_all_fit_the_ailing_come_first_and_the_rest_is_counted() -> None:
    view = fleet(1000)
    view = replace(view, devices=(*view.devices, Device("zz-broken", online=False)))
    lines = text(view).splitlines()
    assert lines[1] == "● zz-broken  offline"
    assert lines[-1].startswith("… 1979 more lines")
    down = text(view, screen=replace(SCREEN, first=10)).splitlines()
    assert down[1] == lines[11]
    assert text(view, screen=replace(SCREEN, first=10**6)).splitlines()[-1].startswith("  porch")


def test_terminal_without_unicode_gets_none() -> None:
    shown = text(View((DEVICE,)), screen=replace(SCREEN, encoding="ascii"))
    assert shown.isascii()
    assert "#" in shown


@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.integers(0, 30),
    st.integers(0, 100),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_every_line_fits_every_terminal(width: int, height: int, count: int, first: int, encoding: str) -> None:
    screen = Screen(width, height, 100.0, encoding, "12:00:00", first)
    when = datetime(2026, 11, 23, 12, tzinfo=UTC)
    view = replace(fleet(count), events=(Entry("a", "b", Happened(1, "appeared", when, 1, "Cat", 0.9)),) * 9)
    lines = draw(view, LINK, screen)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)


@pytest.mark.parametrize("online", [True, False, None])
@pytest.mark.parametrize("most", [0, 1, 5])
def test_lines_are_counted_without_being_drawn(online: bool | None, most: int) -> None:  # noqa: FBT001  a device's own
    ill = replace(WELL, cameras={"porch": CameraState("retrying", "gone"), "b": CameraState("off")})
    device = replace(DEVICE, online=online, health=replace(ill, system=System(under_voltage=True, throttled=True)))
    assert count_lines(device, SCREEN, most) == len(device_lines(device, SCREEN, most))


def test_ailing_is_what_somebody_has_to_look_after() -> None:
    assert not ailing(DEVICE)
    assert not troubles(DEVICE)
    assert ailing(replace(DEVICE, online=False))
    assert ailing(replace(DEVICE, health=replace(WELL, cameras={"a": CameraState("abandoned")})))
