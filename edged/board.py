"""What the board tells of heat and power: read from sysfs, and on a Raspberry Pi from its firmware.

A Raspberry Pi slows itself down without the kernel's knowledge, so only its firmware can tell
(`vcgencmd get_throttled`, https://www.raspberrypi.com/documentation/computers/os.html#get_throttled). On other boards
the kernel does it, by "cooling devices" that cap the processor's speed
(https://docs.kernel.org/driver-api/thermal/sysfs-api.html). A `scaling_max_freq` below the highest proves nothing:
people set it to save power.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edged.firmware import ask_firmware

ROOT: Final = Path("/")

UNDER_VOLTAGE: Final = 1 << 0
CAPPED: Final = 1 << 1
THROTTLED: Final = 1 << 2
# Bit 3, the soft temperature limit, is not counted: a Pi 3B+ has it from 60 °C on and only gives up its last 200 MHz.
EVER: Final = 16  # the same flags so many bits higher: at some time since the board started
_FLAGS: Final = 0xF000F

_CPU_ZONES: Final = ("cpu", "soc", "core", "pkg", "package")  # in the type of a thermal zone that is the processor's
_CPU_COOLING: Final = ("cpufreq", "thermal-cpufreq", "cpuidle", "thermal-idle", "Processor", "intel_powerclamp")
_SENSIBLE_C: Final = (-60.0, 200.0)  # a sensor that is off gives -274 °C


@dataclass(frozen=True, slots=True)
class Board:
    """How the board is now; None for what it does not tell.

    Attributes:
        temperature_c: of the hottest part of the processor, in degrees Celsius.
        throttled: it runs slower than it could, because of heat or of too little voltage.
        under_voltage: the supply gives too little voltage: below 4.63 V on a Raspberry Pi.
        throttled_ever: the same at some time since the board started; never False where only the present is known.
        under_voltage_ever: likewise.
    """

    temperature_c: float | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    throttled_ever: bool | None = None
    under_voltage_ever: bool | None = None


def read_board(root: Path = ROOT) -> Board:
    """What the board tells now. Never raises; some small files, well below a millisecond as a rule.

    `root` is where /sys and /dev begin.
    """
    temperature = _temperature(root)
    alarm = _voltage_alarm(root)
    since_boot = _firmware_flags(root)
    flags = _kernels_flags(root) if since_boot is None else since_boot
    if flags is None:
        throttled = _kernel_throttles(root) if alarm is None else None  # a Pi's kernel does not know
        return Board(temperature, throttled, alarm, under_voltage_ever=alarm or None)
    ever = flags | flags >> EVER
    otherwise = None if since_boot is None else False
    return Board(
        temperature_c=temperature,
        throttled=bool(flags & (CAPPED | THROTTLED)),
        under_voltage=bool(flags & UNDER_VOLTAGE or alarm),
        throttled_ever=bool(ever & (CAPPED | THROTTLED)) or otherwise,
        under_voltage_ever=bool(ever & UNDER_VOLTAGE or alarm) or otherwise,
    )


def _firmware_flags(root: Path) -> int | None:
    text = ask_firmware("get_throttled", root)
    return None if text is None else _flags(text.removeprefix("throttled="))


def _kernels_flags(root: Path) -> int | None:
    """As older kernels repeat them. Their upper half is of the last two seconds: the voltage driver clears it."""
    folder = root / "sys/devices/platform"
    for path in (*_each(folder, "soc*/soc*:firmware"), *_each(folder, "soc*:firmware")):
        if (flags := _flags(_text(path / "get_throttled"))) is not None:
            return flags
    return None


def _flags(text: str) -> int | None:
    try:
        flags = int(text, 16)
    except ValueError:
        return None
    return flags if flags >= 0 and not flags & ~_FLAGS else None


def _voltage_alarm(root: Path) -> bool | None:
    """The kernel's raspberrypi-hwmon driver: whether the voltage was too low at any time in the last two seconds."""
    for folder in _each(root / "sys/class/hwmon", "*"):
        if _text(folder / "name") == "rpi_volt":
            return {"0": False, "1": True}.get(_text(folder / "in0_lcrit_alarm"))
    return None


def _kernel_throttles(root: Path) -> bool | None:
    """Whether one of the kernel's means to cool the processor is at work; None where it has none, or fans alone."""
    states = [
        _number(folder / "cur_state")
        for folder in _each(root / "sys/class/thermal", "cooling_device*")
        if _text(folder / "type").startswith(_CPU_COOLING)
    ]
    known = [state for state in states if state is not None]
    return any(state > 0 for state in known) if known else None  # intel_powerclamp at rest is -1


def _temperature(root: Path) -> float | None:
    """Of the processor's hottest zone; where none is named so, of the first zone."""
    zones = []
    for folder in _each(root / "sys/class/thermal", "thermal_zone*"):
        thousandths = _number(folder / "temp")
        if thousandths is not None and _SENSIBLE_C[0] < thousandths / 1000 < _SENSIBLE_C[1]:
            zones.append((_text(folder / "type").lower(), thousandths / 1000))
    cpu = [value for kind, value in zones if any(word in kind for word in _CPU_ZONES)]
    return max(cpu or [value for _, value in zones[:1]], default=None)


def _each(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
