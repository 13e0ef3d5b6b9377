"""`edged install` and `uninstall` into the folder of a system: what is made, what is kept, what is refused.

Nothing here touches this machine's own system; a real systemd is what `scripts/systemd-try` is for.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edged.cli.main import main
from edged.errors import CannotWriteError, PermissionDeniedError, UnavailableError, UsageError
from edged.installation import plan, texts
from edged.installation.program import try_program
from edged.installation.step import Command, Remove, Write, find_program
from edged.installation.system import System

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str]]

ROOT = Path(__file__).parents[2]
SHARED = tuple(f"{plan.SHARE}/{name}" for name in plan.SHARED)
FILES = (plan.UNIT, plan.RULES, plan.SYSUSERS, plan.TMPFILES, *SHARED)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The least of a Debian system: users, groups, and edged's program."""
    root = tmp_path / "image"
    for folder in ("etc", "usr/lib", "var/lib", "opt/edged/bin"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/sh\n", "utf-8")
    (root / "etc/group").write_text("root:x:0:\nvideo:x:44:\npi:x:1000:\n", "utf-8")
    (root / "opt/edged/bin/edged").write_text("#!/bin/sh\n", "utf-8")
    return root


@pytest.fixture
def run(image: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the image. Returns its exit code and all that it said."""
    if os.geteuid() != 0 or find_program("systemd-sysusers") is None or find_program("systemd-tmpfiles") is None:
        pytest.skip("only root installs, with systemd's own systemd-sysusers and systemd-tmpfiles")

    def runs(*words: str) -> tuple[int, str]:
        code = main([words[0], "--root", str(image), *words[1:]])
        said = capsys.readouterr()
        return code, said.out + said.err

    return runs


def snapshot(root: Path) -> dict[str, tuple[str, int, int, int]]:
    """Every file below a folder: what it says, mode, owner, group."""
    files = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        text = path.read_text("utf-8") if stat.S_ISREG(status.st_mode) else ""
        files[str(path)] = (text, status.st_mode, status.st_uid, status.st_gid)
    return files


def numbers(image: Path, user: str = "edged") -> tuple[int, int]:
    found = System.at(image).user(user)
    assert found is not None
    return found


def owner(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_it_makes_unit_rules_user_folders_and_a_configuration(run: Run, image: Path) -> None:
    code, said = run("install")
    assert code == 0, said
    unit = (image / plan.UNIT[1:]).read_text("utf-8")
    assert unit == (ROOT / "systemd" / "edged.service").read_text("utf-8")
    assert (image / plan.CONFIGURATION[1:]).read_text("utf-8") == (ROOT / "config" / "edged.yaml").read_text("utf-8")
    assert str((image / plan.WANTED[1:]).readlink()) == plan.UNIT
    user, group = numbers(image)
    assert owner(image / "etc/edged") == (0, group, 0o750)
    assert owner(image / "etc/edged/edged.yaml") == (0, group, 0o640)
    assert owner(image / "var/lib/edged") == (user, group, 0o750)
    groups = (image / "etc/group").read_text("utf-8")
    for name in ("video", "plugdev", "apex"):
        assert any(line.startswith(f"{name}:") and line.endswith(":edged") for line in groups.splitlines()), groups
    assert "starts when this system boots" in said


def test_it_brings_the_manual_and_the_shells_completion_along(run: Run, image: Path) -> None:
    run("install")
    for name in plan.SHARED:
        assert (image / f"usr/local/share/{name}").read_bytes() == (ROOT / "share" / name).read_bytes()
    assert sorted(plan.SHARED) == sorted(
        str(file.relative_to(ROOT / "share")) for file in (ROOT / "share").rglob("*") if file.is_file()
    )
    (image / SHARED[0][1:]).write_text("older\n", "utf-8")
    _, said = run("install")
    assert said.splitlines()[0] == f"replace  {SHARED[0]}"


def test_a_second_time_it_does_nothing(run: Run, image: Path) -> None:
    run("install")
    before = snapshot(image)
    code, said = run("install")
    assert code == 0
    assert "Nothing to do" in said
    assert snapshot(image) == before


def test_a_configuration_that_is_there_is_never_touched(run: Run, image: Path) -> None:
    (image / "etc/edged").mkdir()
    (image / "etc/edged/edged.yaml").write_text("mine\n", "utf-8")
    run("install")
    assert (image / "etc/edged/edged.yaml").read_text("utf-8") == "mine\n"


def test_a_unit_of_an_earlier_edged_is_replaced(run: Run, image: Path) -> None:
    run("install")
    (image / plan.UNIT[1:]).write_text("older\n", "utf-8")
    code, said = run("install")
    assert (code, f"replace  {plan.UNIT}" in said) == (0, True)
    assert "[Service]" in (image / plan.UNIT[1:]).read_text("utf-8")


@pytest.mark.parametrize("words", [("install",), ("uninstall", "--purge")])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(run: Run, image: Path, words: tuple[str, ...]) -> None:
    if words[0] == "uninstall":
        run("install")
    before = snapshot(image)
    code, said = run(*words, "--dry-run")
    assert code == 0
    assert said.count("would ") >= 5
    assert plan.UNIT in said
    assert snapshot(image) == before


def test_it_runs_as_a_user_that_is_there_already(run: Run, image: Path) -> None:
    code, said = run("install", "--user", "pi")
    assert code == 0, said
    assert "\nUser=pi\n" in (image / plan.UNIT[1:]).read_text("utf-8")
    assert owner(image / "var/lib/edged")[:2] == numbers(image, "pi")
    assert owner(image / "etc/edged/edged.yaml") == (0, numbers(image, "pi")[1], 0o640)
    assert System.at(image).user("edged") is None
    assert any(line.startswith("video:") and ":pi" in line for line in (image / "etc/group").read_text().splitlines())


def test_a_user_that_is_not_there_is_said_with_what_makes_it(run: Run) -> None:
    code, said = run("install", "--user", "nobody-here")
    assert code == UsageError.exit_code
    assert "adduser nobody-here" in said


def test_uninstall_takes_away_what_install_made_and_leaves_configuration_and_state(run: Run, image: Path) -> None:
    run("install")
    (image / "var/lib/edged/events.db").write_text("kept", "utf-8")
    code, said = run("uninstall")
    assert code == 0
    assert "Left as they are: /etc/edged/edged.yaml, /var/lib/edged" in said
    gone = [*FILES, plan.WANTED]
    assert [name for name in gone if os.path.lexists(image / name[1:])] == []
    assert (image / "etc/edged/edged.yaml").exists()
    assert (image / "var/lib/edged/events.db").exists()
    again, said = run("uninstall")
    assert (again, "Nothing to do" in said) == (0, True)


def test_purge_takes_away_configuration_state_and_user(run: Run, image: Path) -> None:
    if find_program("userdel") is None:
        pytest.skip("userdel is not installed (apt install passwd)")
    run("install")
    drop_in = image / f"{plan.UNIT[1:]}.d"
    drop_in.mkdir()
    (drop_in / "mine.conf").write_text("[Service]\n", "utf-8")
    code, said = run("uninstall", "--purge")
    assert code == 0, said
    assert [path for path in image.rglob("*edged*") if not path.is_relative_to(image / "opt")] == []
    assert System.at(image).user("edged") is None
    groups = [line.split(":")[0] for line in (image / "etc/group").read_text("utf-8").splitlines()]
    assert "edged" not in groups
    assert {"root", "video", "plugdev", "apex"} <= set(groups)


def test_purge_takes_away_a_group_whose_user_has_gone(run: Run, image: Path) -> None:
    if find_program("groupdel") is None:
        pytest.skip("groupdel is not installed (apt install passwd)")
    with (image / "etc/group").open("a", encoding="utf-8") as file:
        file.write("edged:x:990:\n")
    code, said = run("uninstall", "--purge")
    assert code == 0, said
    assert not System.at(image).has_group("edged")


def test_a_system_with_the_debian_package_is_left_to_it(run: Run, image: Path) -> None:
    unit = image / "usr/lib/systemd/system/edged.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    for words, cure in ((("install",), "apt install"), (("uninstall", "--purge"), "apt purge edged")):
        code, said = run(*words)
        assert code == UsageError.exit_code
        assert cure in said


def test_a_program_that_the_image_lacks_is_noted(run: Run, image: Path) -> None:
    shutil.rmtree(image / "opt")
    code, said = run("install")
    assert code == 0
    assert "note: /opt/edged/bin/edged is not in the image yet" in said


def test_a_folder_without_a_system_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--root", str(tmp_path), "--dry-run"]) == UsageError.exit_code
    assert "no system is in this folder" in capsys.readouterr().err


def test_who_is_not_root_is_told_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    number = os.geteuid()
    if number == 0:
        os.seteuid(65534)
    try:
        code = main(["install"])
    finally:
        os.seteuid(number)
    assert code == PermissionDeniedError.exit_code
    assert "needs root: sudo " in capsys.readouterr().err


def test_a_link_in_an_image_does_not_lead_out_of_it(image: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (image / "data").mkdir()
    system = System.at(image)
    (image / "etc/udev").symlink_to("/data")
    assert system.path("/etc/udev/rules.d/x") == image / "data/rules.d/x"
    (image / "etc/systemd").symlink_to("../../../../outside")
    assert system.path("/etc/systemd/x") == image / "outside/x"
    assert system.path("/../../x") == image / "x"
    (image / "etc/round").symlink_to("round2")
    (image / "etc/round2").symlink_to("round")
    with pytest.raises(CannotWriteError, match="round in a circle"):
        system.path("/etc/round/x")
    Write(system, "/etc/systemd/system/edged.service", "x").do()
    assert list(outside.iterdir()) == []
    assert (image / "outside/system/edged.service").read_text("utf-8") == "x"


def test_a_removed_link_does_not_take_along_what_it_leads_to(image: Path) -> None:
    (image / "data").mkdir()
    (image / "var/lib/edged").symlink_to(image / "data")
    step = Remove(System.at(image), "/var/lib/edged")
    assert step.to_do() == "remove   /var/lib/edged"
    step.do()
    assert (image / "data").is_dir()
    assert step.to_do() is None


@pytest.mark.parametrize("program", ["edged", "/opt/my edged/bin/edged", "/opt/%n/edged", "/a$b", "/a;b", "/a\nb", ""])
def test_a_program_that_would_mean_something_else_in_a_unit_is_refused(program: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        texts.Service(program=program)


@pytest.mark.parametrize("user", ["Pi", "a b", "a:b", "0", "-a", "a" * 40, "a\nExecStart=x"])
def test_a_user_that_would_mean_something_else_in_a_unit_is_refused(user: str) -> None:
    with pytest.raises(UsageError, match="no name of a user"):
        texts.Service(user=user)


def test_the_texts_name_the_user_the_group_and_the_program_and_nobody_else() -> None:
    service = texts.Service("pi", "users", "/srv/edged/bin/edged")
    unit = texts.unit(service).splitlines()
    assert {"User=pi", "ExecStart=/srv/edged/bin/edged run"} <= set(unit)
    made = [line for line in texts.sysusers(service).splitlines() if not line.startswith("#")]
    assert made == ["m pi video", "m pi plugdev", "m pi apex"]
    folders = [line for line in texts.tmpfiles(service).splitlines() if not line.startswith("#")]
    assert {tuple(line.split()[3:5]) for line in folders} == {("root", "users"), ("pi", "users")}


def test_as_they_are_the_texts_are_those_of_the_folder() -> None:
    service = texts.Service()
    folder = ROOT / "systemd"
    assert texts.sysusers(service) == (folder / "edged.sysusers").read_text("utf-8")
    assert texts.tmpfiles(service) == (folder / "edged.tmpfiles").read_text("utf-8")


def test_a_program_that_the_service_s_user_cannot_start_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becomes the service's user, which root alone can")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    program = hidden / "edged"
    program.write_text("#!/bin/sh\nexit 0\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(PermissionDeniedError, match="may not start it"):
        try_program(str(program), "edged", None)
    with pytest.raises(UsageError, match="no such program"):
        try_program(str(tmp_path / "nothing"), "edged", None)


def test_a_command_that_fails_says_its_words_and_the_cure() -> None:
    with pytest.raises(UnavailableError, match=r"`sh -c echo oh >&2; exit 3` ended with exit code 3: oh\ndo this"):
        Command(("sh", "-c", "echo oh >&2; exit 3"), "why", "do this").do()
    with pytest.raises(UnavailableError, match="is not on this machine; do this"):
        Command(("no-such-program-here",), "why", "do this").do()
    with pytest.raises(UnavailableError, match=r"did not end within 0.2 s\ndo this"):
        Command(("sleep", "9"), "why", "do this", seconds=0.2).do()
