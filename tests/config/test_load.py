"""Files: which one, and what may be wrong with one before a word of it is read."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edged.config import Config, find_config, load_config, parse_config
from edged.errors import ConfigError

CAMERA = "cameras: {porch: {source: photos}}\n"


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value)


def test_missing_file_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml").startswith(f"{tmp_path}/none.yaml: there is no such file")


def test_folder_in_place_of_a_file_is_said(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_said(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(CAMERA)
    path.chmod(0)
    assert "may not be read by this user" in refusal(path)


def test_permission_denied_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # for root, who may read everything
    assert "may not be read by this user" in refusal(tmp_path / "e.yaml")


def test_file_below_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be read: Not a directory" in refusal(tmp_path / "file" / "e.yaml")


def test_bytes_that_are_not_utf8_are_said_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(b"device: a\n# Stra\xdfe\n")
    assert refusal(path).startswith(f"{path}:2: is not UTF-8")


def test_binary_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(b"\x7fELF\0\0\1")
    assert "is not text" in refusal(path)


def test_file_larger_than_a_megabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(b"#" * 1_000_001)
    assert "larger than 1 MB" in refusal(path)
    assert "larger than 1 MB" in refusal(Path("/dev/zero"))


def test_largest_files_are_read_in_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    for text in (
        "[" * 999_999,
        "a: " + "b" * 999_000,
        "- a\n" * 249_999,
        "{a: " * 249_999,
        "'" * 999_999,
        "a b\n" * 249_999,
    ):
        path.write_text(text)
        start = time.monotonic()
        refusal(path)
        assert time.monotonic() - start < 20


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(b"\xef\xbb\xbfdevice: a\r\n" + CAMERA.encode())
    assert load_config(path).device == "a"


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    (tmp_path / "ca.pem").touch()
    path = tmp_path / "e.yaml"
    path.write_text(
        CAMERA + "mqtt: {username: u, password_file: secret, tls: {ca: ca.pem}}\nmodel: {path: m}\nstate: ~/state\n"
    )
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    for name in (path, Path("e.yaml")):
        config = load_config(name)
        assert config.cameras["porch"].source == str(tmp_path / "photos")
        assert config.model.path == tmp_path / "m"
        assert config.state == Path("/home/someone/state")
        assert config.mqtt.tls is not None
        assert config.mqtt.tls.ca == tmp_path / "ca.pem"
        assert config.mqtt.password_file == tmp_path / "secret"
        assert config.mqtt.password is not None
        assert config.mqtt.password.get_secret_value() == "hunter2"


@pytest.mark.parametrize(("data", "password"), [(b"a b\n", "a b"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a ")])
def test_only_the_last_line_break_is_not_the_passwords(tmp_path: Path, data: bytes, password: str) -> None:
    (tmp_path / "secret").write_bytes(data)
    config = parse_config(CAMERA + "mqtt: {username: u, password_file: secret}\n", name="e", folder=tmp_path)
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == password


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff", b"a\0b", b"a" * 70_000])
def test_files_that_hold_no_password_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "secret").write_bytes(data)
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: the file"):
        parse_config(CAMERA + "mqtt: {username: u, password_file: secret}\n", name="e", folder=tmp_path)


def test_option_goes_before_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGED_CONFIG", "/from/environment.yaml")
    assert find_config(Path("x.yaml")) == Path("x.yaml")
    assert find_config(None) == Path("/from/environment.yaml")
    monkeypatch.setenv("EDGED_CONFIG", "")
    assert find_config(None) == Path("/etc/edged/edged.yaml")


def test_user_without_a_home_is_an_error_and_no_crash() -> None:
    with pytest.raises(ConfigError, match="state: "):
        parse_config(CAMERA + "state: ~nobody-at-all/x\n", name="e", folder=Path("/"))


def test_shipped_configurations_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parents[2] / "config"
    monkeypatch.setenv("EDGED_DEMO_MEDIA", "/media")
    assert list(load_config(folder / "edged.yaml").cameras) == ["photos"]
    demo = load_config(folder / "demo.yaml")
    assert demo.mqtt.embedded
    assert demo.mqtt.port == 0
    assert demo.cameras["bikes"].source == "/media/bikes.mp4"


def test_shipped_configuration_and_documentation_name_every_key() -> None:
    root = Path(__file__).parents[2]
    commented = (root / "config/edged.yaml").read_text()
    documented = (root / "docs/configuration.md").read_text()
    for key in all_keys():
        assert f"{key.rpartition('.')[2]}:" in commented, key
        assert f"| `{key}` |" in documented, key


def all_keys() -> list[str]:
    """Every key that is no section, with `*` for names."""
    from edged.config.messages import known_keys  # noqa: PLC0415  an inner part, for this test alone

    def walk(path: tuple[str, ...]) -> list[str]:
        keys = known_keys(path) or (["*"] if path[-1] in {"cameras", "presence"} else [])
        return [found for key in keys for found in walk((*path, key))] or [".".join(path)]

    return walk(())


def test_importing_the_configuration_is_light() -> None:
    code = "import sys, edged.config; print(sorted({'cv2', 'numpy', 'paho', 'av', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configuration_is_frozen() -> None:
    config: Config = parse_config(CAMERA, name="e", folder=Path("/"))
    with pytest.raises(ValueError, match="frozen"):
        config.device = "x"
