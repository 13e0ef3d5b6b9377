"""Settings that were changed while edged ran."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from edged.config import CameraConfig
from edged.errors import CannotWriteError
from edged.mqtt.command_messages import Applied
from edged.settings import FILE, Settings, read_settings, write_settings

if TYPE_CHECKING:
    from pathlib import Path


def camera(**settings: object) -> CameraConfig:
    return CameraConfig.model_validate({"source": "/photos", **settings})


def test_a_change_outlives_a_restart(tmp_path: Path) -> None:
    settings = Settings()
    settings.set("porch", "threshold", 0.3, camera())
    settings.set("porch", "enabled", value=False, config=camera())
    settings.set("yard", "fps", 2.0, camera())
    write_settings(tmp_path, settings.to_json())
    again = read_settings(tmp_path)
    cameras = {"porch": camera(), "yard": camera()}
    assert not again.reconcile(cameras)
    assert again.applied("porch", camera()) == Applied(0.3, 5.0, enabled=False)
    assert set(again.over(cameras)) == {"yard"}
    assert again.over(cameras)["yard"].fps == 2.0


def test_it_gives_way_when_the_file_says_something_else_and_does_not_come_back() -> None:
    settings = Settings()
    settings.set("porch", "fps", 2.0, camera())
    settings.set("porch", "threshold", 0.3, camera())
    assert settings.reconcile({"porch": camera(fps=10)})
    assert settings.applied("porch", camera(fps=10)) == Applied(0.3, 10.0), "the file has not touched the threshold"
    assert not settings.reconcile({"porch": camera()})
    assert settings.applied("porch", camera()).fps == 5.0
    assert settings.reconcile({"yard": camera()}), "a camera that is gone takes its settings along"


def test_null_and_the_files_own_value_are_no_change() -> None:
    settings = Settings()
    settings.set("porch", "fps", 2.0, camera())
    settings.set("porch", "fps", None, camera())
    settings.set("porch", "enabled", value=True, config=camera())
    assert settings.applied("porch", camera()) == Applied(None, 5.0)
    assert settings.to_json() == b"{}"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"porch": {"fps": {"value": "x", "file": 1}}}', b"\xff" * 50])
def test_a_damaged_file_means_the_configuration(tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        settings = read_settings(tmp_path)
    assert "damaged" in caplog.text
    assert settings.applied("porch", camera()) == Applied(None, 5.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *[("fps", value) for value in ("0", "-5", "1e-320", "1e308", "NaN", "true")],
        *[("threshold", value) for value in ("7", "-Infinity", "false")],
        ("enabled", "3.5"),
    ],
)
def test_values_that_no_command_could_have_set_are_left_out_and_the_others_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, setting: str, value: str
) -> None:
    file = {"threshold": "null", "fps": "5.0", "enabled": "true"}
    good = '"porch": {"fps": {"value": 2.0, "file": 5.0}}'
    (tmp_path / FILE).write_text(f'{{"yard": {{"{setting}": {{"value": {value}, "file": {file[setting]}}}}}, {good}}}')
    settings = read_settings(tmp_path)
    assert "no setting may have" in caplog.text or "damaged" in caplog.text
    assert settings.applied("yard", camera()) == Applied(None, 5.0)
    assert settings.applied("porch", camera()).fps == (5.0 if "damaged" in caplog.text else 2.0)
    assert list(settings.over({"yard": camera(), "porch": camera()})) == ["yard", "porch"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(CannotWriteError):
        write_settings(tmp_path / "state", b"{}")
