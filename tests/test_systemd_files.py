"""The unit, the udev rules and what makes user and folders agree with each other and with the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from edged.cli.main import build_parser
from edged.config.load import DEFAULT
from edged.config.schema import Config
from edged.engine.edgetpu import USB_IDS
from edged.errors import ConfigError, UsageError
from edged.signals import STOP_SECONDS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "systemd"
MOST_EXPOSURE = 2.0  # of 10, by systemd-analyze
RULES = (FOLDER / "60-edged.rules").read_text("utf-8")


def lines(name: str) -> list[str]:
    """What a file says, without comments."""
    text = (FOLDER / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """Each setting's values, in order."""
    settings = defaultdict(list)
    for line in lines("edged.service"):
        if not line.startswith("["):
            name, _, value = line.partition("=")
            settings[name].append(value)
    return dict(settings)


@pytest.fixture(scope="module")
def default() -> Config:
    """The configuration where nothing is said."""
    return Config.model_validate({"device": "test", "cameras": {"a": {"source": "/a"}}}, context={"folder": ROOT})


def test_the_unit_starts_a_program_that_pyproject_installs_with_words_that_it_takes(unit: dict[str, list[str]]) -> None:
    (command,) = unit["ExecStart"]
    program, *words = command.split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert Path(program).name in project["scripts"]
    assert callable(build_parser().parse_args(words).run)


def test_a_wrong_call_and_a_wrong_configuration_are_the_only_ends_for_good(unit: dict[str, list[str]]) -> None:
    (codes,) = unit["RestartPreventExitStatus"]
    assert {int(code) for code in codes.split()} == {UsageError.exit_code, ConfigError.exit_code}
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == (["always"], ["0"])


def test_the_limits_leave_the_daemon_the_time_that_it_takes_for_itself(
    unit: dict[str, list[str]], default: Config
) -> None:
    seconds = {name: int(unit[name][0]) for name in ("TimeoutStopSec", "TimeoutStartSec", "WatchdogSec")}
    assert seconds["TimeoutStopSec"] > STOP_SECONDS
    assert seconds["TimeoutStartSec"] > 2 * default.inference.load_deadline
    assert seconds["WatchdogSec"] > 2 * default.inference.deadline


def test_an_out_of_memory_worker_does_not_take_the_unit_along(unit: dict[str, list[str]]) -> None:
    assert unit["OOMPolicy"] == ["continue"]


def test_unit_sysusers_and_tmpfiles_name_one_user_and_the_folders_of_the_code(
    unit: dict[str, list[str]], default: Config
) -> None:
    (user,) = unit["User"]
    assert Path("/var/lib") / unit["StateDirectory"][0] == default.state
    assert [line.split()[1] for line in lines("edged.sysusers") if line.startswith("u ")] == [user]
    folders = {line.split()[1]: line.split()[2:5] for line in lines("edged.tmpfiles")}
    assert folders[str(default.state)] == [unit["StateDirectoryMode"][0], user, user]
    assert folders[str(DEFAULT.parent)] == ["0750", "root", user]
    example = yaml.safe_load((ROOT / "config" / "edged.yaml").read_text("utf-8"))
    assert {camera["source"] for camera in example["cameras"].values()} <= set(folders)


def test_the_rules_know_both_of_the_accelerator_s_usb_identities() -> None:
    found = re.findall(r'^SUBSYSTEM=="usb".*ATTR\{idVendor\}=="(\w+)", ATTR\{idProduct\}=="(\w+)"', RULES, re.MULTILINE)
    assert set(found) == USB_IDS
    assert len(found) == len(USB_IDS)


def test_the_user_is_in_every_group_that_the_rules_give_devices_to(unit: dict[str, list[str]]) -> None:
    members = [line.split()[1:] for line in lines("edged.sysusers") if line.startswith("m ")]
    groups = {group for user, group in members if user == unit["User"][0]}
    assert set(re.findall(r'GROUP="(\w+)"', RULES)) <= groups
    assert "SupplementaryGroups" not in unit  # a group that is missing would keep the service from starting


def test_systemd_finds_no_mistake_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    copy = tmp_path / "edged.service"
    text = (FOLDER / "edged.service").read_text("utf-8")
    copy.write_text(text.replace("/opt/edged/bin/edged", sys.executable), "utf-8")  # it has to be there
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", copy],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    newer = re.compile(r".*Unknown key( name)? 'Restart(Steps|MaxDelaySec)' in section .*, ignoring\.")  # 254
    said = done.stderr.splitlines()
    unknown = [line for line in said if newer.fullmatch(line)]
    assert [line for line in said if line not in unknown] == []
    assert done.returncode == (1 if unknown else 0)


def test_the_unit_exposes_little() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    if b"--offline" not in subprocess.run([program, "--help"], capture_output=True, check=True, timeout=20).stdout:
        pytest.skip("this systemd-analyze cannot look at a file (systemd 250 and later can)")
    words = [program, "security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSURE * 10:.0f}"]
    done = subprocess.run(
        [*words, FOLDER / "edged.service"], capture_output=True, text=True, check=False, timeout=60, env={"LC_ALL": "C"}
    )
    said = re.search(r"Overall exposure level for edged.service: ([\d.]+)", done.stdout)
    assert said is not None, done.stderr
    assert float(said[1]) <= MOST_EXPOSURE
    assert done.returncode == 0


def test_udev_finds_no_mistake_in_the_rules() -> None:
    program = shutil.which("udevadm")
    if program is None or subprocess.run([program, "verify", "--help"], capture_output=True, check=False).returncode:
        pytest.skip("no udevadm here that can verify (systemd 254 and later)")
    done = subprocess.run(
        [program, "verify", "--resolve-names=never", FOLDER / "60-edged.rules"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
