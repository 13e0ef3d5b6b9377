"""What boards tell of heat and power, from trees such as their kernels show."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from edged.board import Board, read_board
from edged.firmware import answer, ask_firmware, request

if TYPE_CHECKING:
    from pathlib import Path

PI_4 = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI_5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def zone(root: Path, number: int, kind: str, thousandths: str) -> None:
    put(root, f"sys/class/thermal/thermal_zone{number}/type", kind)
    put(root, f"sys/class/thermal/thermal_zone{number}/temp", thousandths)


def cooling(root: Path, number: int, kind: str, state: str) -> None:
    put(root, f"sys/class/thermal/cooling_device{number}/type", kind)
    put(root, f"sys/class/thermal/cooling_device{number}/cur_state", state)


def alarm(root: Path, state: str) -> None:
    put(root, "sys/class/hwmon/hwmon0/name", "cpu_thermal")
    put(root, "sys/class/hwmon/hwmon1/name", "rpi_volt")
    put(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", state)


def test_machine_that_tells_nothing_is_all_none(tmp_path: Path) -> None:
    assert read_board(tmp_path) == Board()


def test_this_machine_can_be_read() -> None:
    read_board()


def test_pi_with_enough_of_everything(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", "48312")
    alarm(tmp_path, "0")
    put(tmp_path, PI_4, "0")
    assert read_board(tmp_path) == Board(48.312, throttled=False, under_voltage=False)


@pytest.mark.parametrize("path", [PI_4, PI_5])
@pytest.mark.parametrize(
    ("flags", "throttled", "under_voltage"),
    [
        ("1", False, True),
        ("2", True, False),
        ("4", True, False),
        ("50005", True, True),
        ("0x50005", True, True),
        ("80008", False, False),
        ("f000f", True, True),
    ],
)
def test_firmware_flags_of_the_present(
    tmp_path: Path, path: str, flags: str, *, throttled: bool, under_voltage: bool
) -> None:
    put(tmp_path, path, flags)
    board = read_board(tmp_path)
    assert (board.throttled, board.under_voltage) == (throttled, under_voltage)


def test_flags_of_the_past_are_true_or_unknown_where_the_kernel_clears_them(tmp_path: Path) -> None:
    put(tmp_path, PI_4, "10000")
    board = read_board(tmp_path)
    assert (board.throttled, board.under_voltage) == (False, False)
    assert (board.throttled_ever, board.under_voltage_ever) == (None, True)


@pytest.mark.parametrize("text", ["", "rubbish", "-1", "fffffff"])
def test_flags_that_are_none_are_not_believed(tmp_path: Path, text: str) -> None:
    put(tmp_path, PI_4, text)
    assert read_board(tmp_path) == Board()


@pytest.mark.parametrize(("text", "expected"), [("0", False), ("1", True), ("", None)])
def test_voltage_alarm_alone(tmp_path: Path, text: str, *, expected: bool | None) -> None:
    alarm(tmp_path, text)
    assert read_board(tmp_path).under_voltage is expected
    assert read_board(tmp_path).throttled is None


def test_alarm_counts_beside_flags_that_do_not_have_it(tmp_path: Path) -> None:
    alarm(tmp_path, "1")
    put(tmp_path, PI_4, "0")
    assert read_board(tmp_path).under_voltage is True


def test_cooling_of_the_processor_at_work_is_throttling(tmp_path: Path) -> None:
    cooling(tmp_path, 0, "pwm-fan", "3")
    assert read_board(tmp_path).throttled is None
    cooling(tmp_path, 1, "cpufreq-cpu0", "0")
    cooling(tmp_path, 2, "intel_powerclamp", "-1")
    assert read_board(tmp_path).throttled is False
    cooling(tmp_path, 3, "cpufreq-cpu4", "2")
    assert read_board(tmp_path).throttled is True


def test_kernel_is_not_asked_for_throttling_where_a_firmware_does_it(tmp_path: Path) -> None:
    alarm(tmp_path, "0")
    cooling(tmp_path, 0, "cpufreq-cpu0", "0")
    assert read_board(tmp_path).throttled is None


def test_temperature_is_that_of_the_hottest_processor_zone(tmp_path: Path) -> None:
    zone(tmp_path, 0, "gpu-thermal", "90000")
    zone(tmp_path, 1, "littlecore-thermal", "51000")
    zone(tmp_path, 2, "bigcore0-thermal", "62500")
    zone(tmp_path, 3, "soc-thermal", "-274000")
    zone(tmp_path, 4, "cpu-thermal", "rubbish")
    assert read_board(tmp_path).temperature_c == 62.5


def test_first_zone_is_taken_where_none_is_named_after_the_processor(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "27800")
    zone(tmp_path, 1, "iwlwifi_1", "60000")
    assert read_board(tmp_path).temperature_c == 27.8


def test_firmware_is_asked_and_understood() -> None:
    message = request("get_throttled")
    assert len(message) == struct.unpack_from("=I", message)[0]
    assert b"get_throttled\0" in message
    assert answer(message) is None  # as long as the firmware has not answered
    struct.pack_into("=I", message, 4, 0x80000000)
    message[24 : 24 + 18] = b"throttled=0x50005\0"
    assert answer(message) == "throttled=0x50005"
    struct.pack_into("=I", message, 20, 1)  # "error=1", for a command that it does not know
    assert answer(message) is None


def test_file_in_the_place_of_the_firmwares_device_is_no_answer(tmp_path: Path) -> None:
    put(tmp_path, "dev/vcio", "throttled=0x50005")
    assert ask_firmware("get_throttled", tmp_path) is None
