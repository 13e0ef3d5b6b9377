"""`edged label --csv` and `--output`: rows for other programs, and work that goes on where it was left."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import pytest
import yaml
from support.label_command import GREEN, RED, call, colours, objects

from edged.cli.label_output import COLUMNS
from edged.cli.label_results import open_results
from edged.errors import UnwritableError, UsageError

A, B = "sha256:a", "sha256:b"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return colours(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c, d\n.png"):
        (folder / name).write_bytes(RED)
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def json_row(file: str, digest: str = A) -> str:
    return f'{{"schema": 1, "file": "{file}", "labels": [], "model": {{"digest": "{digest}"}}}}\n'


def csv_row(file: str, digest: str = A, at: str = "", error: str = "") -> str:
    return f"{file},{at},Cat,0.9,1,cpu,{error},{digest}\n"


HEADER = ",".join(COLUMNS) + "\n"


def test_csv_has_a_row_a_label_and_one_for_what_has_none(model: Path, photos: Path) -> None:
    done = call("--model", model, "--csv", "--threshold", "0.3", photos)
    assert done.returncode == 65
    header, *rows = csv.reader(done.stdout.decode().splitlines(keepends=True))
    assert tuple(header) == COLUMNS
    assert [row[:7] for row in rows] == [
        [f"{photos}/a.png", "", "red", "1.0000", "0", "cpu", ""],
        [f"{photos}/a.png", "", "green", "0.4000", "1", "cpu", ""],
        [f"{photos}/b.png", "", "red", "1.0000", "0", "cpu", ""],
        [f"{photos}/b.png", "", "green", "0.4000", "1", "cpu", ""],
        [f"{photos}/broken.jpg", "", "", "", "", "", rows[4][6]],
        [f"{photos}/c, d\n.png", "", "red", "1.0000", "0", "cpu", ""],
        [f"{photos}/c, d\n.png", "", "green", "0.4000", "1", "cpu", ""],
    ]
    assert "not an image" in rows[4][6]
    assert all(row[7].startswith("sha256:") for row in rows)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_work_that_was_broken_off_goes_on_where_it_was_left(
    model: Path, photos: Path, tmp_path: Path, kind: str
) -> None:
    results = tmp_path / "results"
    words = ("--model", model, f"--{kind}", "--output", results, "--skip-labelled", photos)
    first = call(*words)
    assert (first.returncode, first.stdout) == (65, b"")
    whole = results.read_bytes()
    results.write_bytes(whole[: whole.index(b"c, d") + 3])
    (photos / "broken.jpg").write_bytes(GREEN)
    second = call(*words)
    assert second.returncode == 0
    assert b"skipped, labelled before" in second.stderr
    text = results.read_bytes()
    files = (
        [found["file"] for found in objects(text)]
        if kind == "json"
        else [row[0] for row in csv.reader(text.decode().splitlines(keepends=True))][1:]
    )
    assert sorted(set(files)) == sorted(map(str, photos.iterdir()))
    assert files.count(f"{photos}/a.png") == (1 if kind == "json" else 3)
    third = call(*words)
    assert third.returncode == 0
    assert b"edged: 0 labelled" in third.stderr
    assert b"; 4 skipped, labelled before" in third.stderr
    assert results.read_bytes() == text
    assert {path.name for path in tmp_path.iterdir()} == {"model", "photos", "results"}


@pytest.mark.parametrize(
    ("kind", "before", "kept", "done"),
    [
        ("json", "", "", set()),
        ("json", json_row("a") + json_row("b"), json_row("a") + json_row("b"), {"a", "b"}),
        ("json", json_row("a") + json_row("b")[:-1], json_row("a"), {"a"}),
        ("json", json_row("a") + json_row("b")[:9], json_row("a"), {"a"}),
        ("json", json_row("a", B) + json_row("b"), json_row("a", B) + json_row("b"), {"b"}),
        ("json", '{"file": "a", "error": "damaged"}\n' + json_row("b"), json_row("b"), {"b"}),
        ("csv", HEADER, HEADER, set()),
        ("csv", HEADER + csv_row("a") * 2 + csv_row("b"), HEADER + csv_row("a") * 2 + csv_row("b"), {"a", "b"}),
        ("csv", HEADER + csv_row("a") + csv_row("b") + csv_row("b")[:-1], HEADER + csv_row("a"), {"a"}),
        ("csv", HEADER + csv_row("a") + csv_row("b") + csv_row("b")[:3], HEADER + csv_row("a"), {"a"}),
        ("csv", HEADER + csv_row("a") + csv_row("b") + '"b\n', HEADER + csv_row("a"), {"a"}),
        ("csv", HEADER + csv_row('"a, ""x"""') + csv_row("b", error="bad"), HEADER + csv_row('"a, ""x"""'), {'a, "x"'}),
        ("csv", HEADER + csv_row("a.mp4", at="0.0") + csv_row("b"), HEADER + csv_row("a.mp4", at="0.0") + csv_row("b"),
         {"a.mp4", "b"}),
        ("csv", HEADER + csv_row("b") + csv_row("a.mp4", at="0.0"), HEADER + csv_row("b"), {"b"}),  # to its end?
    ],
)  # fmt: skip
def test_whole_results_are_kept_and_the_rest_is_done_again(
    tmp_path: Path, kind: str, before: str, kept: str, done: set[str]
) -> None:
    path = tmp_path / "results"
    path.write_text(before)
    results = open_results(path, kind, A, resume=True)
    results.close()
    assert path.read_text() == (kept or (HEADER if kind == "csv" else ""))
    assert results.done == done


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("foreign", ["my diary\n", '{"a": 1}\n', "[]\n", "a,b\n1,2\n", "\xff\n", "{" * 9999 + "\n"])
def test_file_that_holds_something_else_is_left_as_it_is(tmp_path: Path, kind: str, foreign: str) -> None:
    path = tmp_path / "results"
    path.write_bytes(foreign.encode("latin-1"))
    with pytest.raises(UsageError, match="left as it is"):
        open_results(path, kind, A, resume=True)
    with pytest.raises(UsageError, match="is there already"):
        open_results(path, kind, A, resume=False)
    assert path.read_bytes() == foreign.encode("latin-1")
    assert os.listdir(tmp_path) == ["results"]  # noqa: PTH208  names


def test_places_where_nothing_can_be_written_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "results", Path("/proc/results")):
        with pytest.raises(UnwritableError, match="cannot be written"):
            open_results(path, "json", A, resume=False)
    with pytest.raises(UsageError, match="not a regular file"):
        open_results(tmp_path, "json", A, resume=True)


def test_options_that_do_not_go_together_are_refused(model: Path, photos: Path, tmp_path: Path) -> None:
    for words, said in (
        (["--output", tmp_path / "r"], b"--output goes with --json or --csv"),
        (["--skip-labelled"], b"--skip-labelled goes with --xmp or --output"),
        (["--json", "--csv"], b"not allowed with"),
        (["--allow", "red", "--deny", "red"], b"not both"),
    ):
        done = call("--model", model, *words, photos)
        assert (done.returncode, done.stdout) == (64, b"")
        assert said in done.stderr


def test_names_that_are_no_label_are_warned_of_and_lists_choose(model: Path, photos: Path) -> None:
    done = call("--model", model, "--json", "--allow", "green", "--allow", "unicorn\x1b[2J", photos / "a.png")
    assert done.returncode == 0
    assert done.stderr.decode() == "edged: no label of this model: unicorn\ufffd[2J\n"
    (found,) = objects(done.stdout)
    assert [entry["text"] for entry in found["labels"]] == ["green"]
    done = call("--model", model, "--json", "--deny", "green", photos / "a.png")
    assert [entry["text"] for entry in objects(done.stdout)[0]["labels"]] == ["red", "blue"]


def test_words_of_everyday_or_fine_classes_are_chosen(photos: Path, tmp_path: Path) -> None:
    groups = b'{"Warm": [0, 1]}'
    model = colours(tmp_path)
    (model / "groups.json").write_bytes(groups)
    manifest = yaml.safe_load((model / "model.yaml").read_text())
    manifest["members"][0]["groups"] = "groups.json"
    manifest["files"]["groups.json"] = {"sha256": hashlib.sha256(groups).hexdigest(), "size": len(groups)}
    (model / "model.yaml").write_text(yaml.safe_dump(manifest))
    for detail, wanted in (("everyday", {"Warm"}), ("fine", {"red", "green", "blue"}),
                           ("both", {"Warm", "red", "green", "blue"})):  # fmt: skip
        (found,) = objects(call("--model", model, "--json", "--detail", detail, photos / "a.png").stdout)
        assert {entry["text"] for entry in found["labels"]} == wanted
