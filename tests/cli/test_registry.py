"""`edged registry`, as an operator calls it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.models import write_package
from support.pictures import encoded
from support.registry import Device

from edged.cli.main import main
from edged.models.package import open_package
from edged.updates.keys import Keys
from edged.updates.publish import Release, publish


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGED_REGISTRY_PASSPHRASE", raising=False)
    return tmp_path


def registry(*words: str) -> int:
    return main(["registry", *words])


def package(version: str) -> str:
    folder = write_package(Path(f"birds-{version}"), name="birds", manifest={"version": version})
    return str(folder)


def test_model_goes_from_canary_to_stable_and_back_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert registry("init", "models") == 0
    assert capsys.readouterr().out.splitlines() == [
        "models: a registry without models yet; serve this folder, whole",
        "models/root.json: what devices pin (registry.root)",
        f"{Path.cwd()}/models-keys: the private keys; keep a copy, and take root-*.pem away from this machine",
    ]
    device = Device(Path("device"), Path("models"))
    assert registry("publish", "models", package("1.0.0")) == 0
    assert registry("publish", "models", package("1.1.0"), "--channel", "canary", "--notes", "magpies") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "channel stable offers birds 1.0.0 to all devices"
    assert said[3] == "channel canary offers birds 1.1.0 to all devices"
    assert registry("promote", "models", "birds", "1.1.0", "--channel", "stable", "--rollout", "12.5") == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["channel stable offers birds 1.1.0 to 12.5 % of the devices, 1.0.0 to the others"]
    device.look()
    assert device.channel().models["birds"].rollout == 12.5
    assert registry("promote", "models", "birds", "1.1.0", "--channel", "stable", "--rollout", "5") == 0
    assert capsys.readouterr().err == "note: devices that have 1.1.0 keep it; to take it from them, revoke it\n"
    assert registry("revoke", "models", "birds", "1.1.0", "--why", "cats") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("revoked birds 1.1.0 (sha256:")
    assert said[1:] == [
        "channel canary offers none until a higher version is published there",
        "channel stable offers 1.0.0 until a higher version is published there",
    ]


def test_requirements_are_said_wherever_an_offer_is(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models")
    asked = ("--requires", "machine=aarch64", "--requires", "edged=>=0.1")
    assert registry("publish", "models", package("1.0.0"), "--rollout", "10", *asked) == 0
    assert registry("promote", "models", "birds", "1.0.0", "--channel", "stable") == 0
    registry("show", "models")
    said = capsys.readouterr().out.splitlines()
    assert "channel stable offers birds 1.0.0 to 10 % of the devices with edged=>=0.1, machine=aarch64" in said
    assert "channel stable offers birds 1.0.0 to all devices with edged=>=0.1, machine=aarch64" in said
    assert "  birds 1.0.0 to all devices with edged=>=0.1, machine=aarch64" in said


def test_package_that_fails_its_golden_photo_is_not_published(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models")
    folder = Path(package("1.0.0"))
    photo = encoded(np.full((8, 8, 3), (255, 0, 0), np.uint8))
    (folder / "red.png").write_bytes(photo)
    tree = yaml.safe_load((folder / "model.yaml").read_text())
    tree["golden"] = [{"photo": "red.png", "labels": [{"text": "blue", "confidence": 0.9}]}]
    tree["files"]["red.png"] = {"sha256": hashlib.sha256(photo).hexdigest(), "size": len(photo)}
    (folder / "model.yaml").write_text(yaml.safe_dump(tree))
    assert registry("publish", "models", str(folder)) == 65
    said = capsys.readouterr().err
    assert "red.png: must give blue 0.90" in said
    assert "/.staging/" not in said
    assert Device(Path("device"), Path("models")).channel().models == {}


def test_show_tells_everything_in_words_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models", "--threshold", "2", "--root-keys", "3", "--expires", "timestamp=12h")
    release = Release(rollout=10, notes="evil \x1b[31m notes")
    publish(Path("models"), Keys([Path("models-keys")]), Path(package("1.0.0")), release, open_package)
    registry("revoke", "models", "birds", "1.0.0", "--why", "cats")
    capsys.readouterr()
    assert registry("show", "models") == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "models: every signature is right" in text
    assert "2 of them must sign" in text
    assert "timestamp  version 3, until" in text
    assert "birds 1.0.0 (revoked) to 10 % of the devices: evil" in text
    assert "model birds 1.0.0  1.3 kB  sha256:" in text
    assert registry("show", "models", "--json") == 0
    tree = json.loads(capsys.readouterr().out)
    assert set(tree) == {"schema", "roles", "models", "channels", "revoked"}
    assert tree["channels"]["stable"]["birds"]["rollout"] == 10
    assert (tree["roles"]["root"]["threshold"], len(tree["roles"]["root"]["keys"])) == (2, 3)
    assert tree["revoked"][0]["why"] == "cats"


def test_show_names_damaged_files_by_version_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models")
    for version in ("1.0.0", "1.1.0"):
        assert registry("publish", "models", package(version)) == 0
    assert registry("show", "models") == 0
    labels = next(Path("models/targets/models/birds/1.1.0").glob("*.labels.txt"))
    labels.write_text("red\n")
    model = next(Path("models/targets/models/birds/1.1.0").glob("*.tflite"))
    model.unlink()
    capsys.readouterr()
    assert registry("show", "models") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "models: every signature is right, not every file"
    assert lines[-3].startswith("model birds 1.1.0 ")
    assert lines[-2:] == [
        f"  DAMAGED {labels}: not what was signed; restore this file from a copy",
        f"  DAMAGED {model}: No such file or directory; restore it from a copy",
    ]
    assert registry("show", "models", "--json") == 1
    assert [len(entry["damage"]) for entry in json.loads(capsys.readouterr().out)["models"]] == [0, 2]
    assert registry("promote", "models", "birds", "1.1.0", "--channel", "canary") == 65
    assert f"{labels}: not what was signed" in capsys.readouterr().err


def test_show_of_an_expired_registry_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models", "--expires", "timestamp=1s")
    time.sleep(1.1)
    capsys.readouterr()
    assert registry("show", "models") == 1
    assert "timestamp  version 1, EXPIRED 20" in capsys.readouterr().out
    assert registry("refresh", "models") == 0
    time.sleep(1.1)
    assert registry("show", "models", "--json") == 1


def test_refresh_says_what_it_renewed_and_nothing_when_nothing_was_due(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models", "--expires", "targets=1s")
    capsys.readouterr()
    time.sleep(1.1)
    Path("models-keys/targets.pem").rename("targets.pem")
    assert registry("refresh", "models") == 65
    said = capsys.readouterr()
    assert "edged: targets expires at" in said.err
    assert "its key is not here" in said.err
    Path("targets.pem").rename("models-keys/targets.pem")
    assert registry("refresh", "models") == 0
    assert capsys.readouterr().out.startswith("renewed targets, until 20")
    registry("init", "other")
    capsys.readouterr()
    assert registry("refresh", "other") == 0
    assert capsys.readouterr() == ("", "")


def test_rotated_key_is_named_and_its_old_file_too(capsys: pytest.CaptureFixture[str]) -> None:
    registry("init", "models")
    capsys.readouterr()
    assert registry("rotate-key", "models", "timestamp") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("new timestamp key: ")
    assert "timestamp.pem.retired-" in said[1]
    assert registry("rotate-key", "models", "root", "--threshold", "1") == 64
    assert "give both" in capsys.readouterr().err
    assert registry("rotate-key", "models", "root", "--threshold", "2", "--root-keys", "2") == 0
    assert registry("rotate-key", "models", "root") == 0


def test_encrypted_keys_need_their_passphrase(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = Path("secret")
    secret.write_text("open sesame\n")
    assert registry("init", "models", "--passphrase-file", "secret") == 77
    assert "chmod 600 secret" in capsys.readouterr().err
    secret.chmod(0o600)
    assert registry("init", "models", "--passphrase-file", "secret") == 0
    assert b"ENCRYPTED PRIVATE KEY" in Path("models-keys/root-1.pem").read_bytes()
    new = package("1.0.0")
    assert registry("publish", "models", new) == 65
    assert "needs its passphrase" in capsys.readouterr().err
    monkeypatch.setenv("EDGED_REGISTRY_PASSPHRASE", "open says me")
    assert registry("publish", "models", new) == 65
    assert "another passphrase, or damaged" in capsys.readouterr().err
    monkeypatch.setenv("EDGED_REGISTRY_PASSPHRASE", "open sesame")
    assert registry("rotate-key", "models", "root") == 0
    assert b"ENCRYPTED PRIVATE KEY" in Path("models-keys/root-1.pem").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("show nowhere", 65, "no registry here; `edged registry init nowhere` makes one"),
        ("publish nowhere {package}", 65, "nowhere-keys: no folder of keys"),
        ("refresh nowhere --keys models-keys", 65, "no such folder"),
        ("publish models nothing", 65, "nothing: no model package"),
        ("publish models {package} --rollout 101", 64, "'101' is not a share in percent (0 to 100)"),
        ("publish models {package} --channel ../up", 64, "is not a channel's name"),
        ("publish models {package} --requires edged=new", 64, "edged is to be such as 'edged=>=0.2,<2'"),
        ("promote models birds 1.0.0", 64, "--channel"),
        ("promote models birds 1.0.0 --channel stable", 64, "no birds 1.0.0 in this registry; there is nothing yet"),
        ("revoke models birds 1.0.0", 64, "--why"),
        ("revoke models birds 1.0.0 --why=", 64, "say why"),
        ("rotate-key models leaf", 64, "invalid choice: 'leaf'"),
        ("init models", 64, "is a registry already"),
        ("init other --keys models-keys", 64, "there are keys already"),
        ("init other --keys other/keys", 64, "would be served to everybody"),
        ("init other --threshold 3 --root-keys 2", 64, "cannot be had"),
        ("init other --expires timestamp=soon", 64, "is not ROLE=TIME, such as timestamp=12h"),
        ("init models-keys/root-1.pem --keys keys", 73, "cannot be written"),
        ("", 64, "COMMAND"),
    ],
)
def test_wrong_words_end_with_their_code_and_say_what_to_do(
    words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry("init", "models")
    capsys.readouterr()
    assert registry(*words.format(package=package("1.0.0")).split()) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["init", "publish", "promote", "revoke", "refresh", "rotate-key", "show"])
def test_every_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert registry(command, "--help") == 0
    said = capsys.readouterr().out
    assert f"  edged registry {command} models" in said.partition("example")[2]
    assert "exit codes:" in said
