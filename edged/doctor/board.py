"""Heat and power of the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.board import read_board
from edged.doctor.check import Check

if TYPE_CHECKING:
    from edged.board import Board
    from edged.doctor.machine import Machine

HOT_C: Final = 80.0  # from here on a Raspberry Pi slows itself down
COOLER: Final = "give it a heatsink, a fan, or a place with more air; heat.slow_from sets when edged labels less"
SUPPLY: Final = (
    "use the official power supply (5 V and 3 A for a Pi 4, 5 A for a Pi 5) and a short, thick cable; put the Edge TPU"
    " and other\nUSB devices on a hub with a supply of its own"
)


def look_at_board(machine: Machine) -> list[Check]:
    """Temperature and power supply."""
    board = read_board(machine.root)
    return [_heat(board), _power(board)]


def _heat(board: Board) -> Check:
    name = "temperature"
    if board.temperature_c is None and board.throttled is None:
        return Check(name, "absent", "this machine does not tell")
    text = "not told" if board.temperature_c is None else f"{board.temperature_c:.0f} °C"
    hot = board.temperature_c is not None and board.temperature_c >= HOT_C
    if board.throttled and (hot or not board.under_voltage):
        return Check(name, "problem", f"{text}, and the board slows itself down", COOLER)
    if hot:
        return Check(name, "warning", text, COOLER)
    if board.throttled_ever and not board.throttled and not board.under_voltage_ever:
        return Check(name, "warning", f"{text}; since its start the board has slowed itself down", COOLER)
    return Check(name, "ok", text)


def _power(board: Board) -> Check:
    name = "power supply"
    if board.under_voltage is None:
        return Check(name, "absent", "this machine does not tell")
    if board.under_voltage:
        return Check(name, "problem", "too little voltage at this moment, which makes USB devices fail", SUPPLY)
    if board.under_voltage_ever:
        return Check(name, "warning", "since the board's start there has been too little voltage at times", SUPPLY)
    return Check(name, "ok", "enough voltage")
