"""What many tests need: sample media, published data where it is on this machine, a broker, a daemon at work."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from support.daemon import Daemon, wait_for_labels
from support.mosquitto import Mosquitto, Subscriber

from edged.demo.media import Media, ensure_media
from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a test takes says more about what else runs on the machine than about edged: speed has its benchmarks.
# New examples in each run, as many as is usual; EDGED_EXAMPLES=1000 looks more closely.
hypothesis.settings.register_profile(
    "edged",
    deadline=None,
    max_examples=int(os.environ.get("EDGED_EXAMPLES", "100")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("edged")

# A shell's background jobs ignore SIGINT, and nohup SIGHUP; everything that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Tests of stated bounds (back within a second, stopped within five) need a processor that no other test keeps busy:
# `scripts/test` runs ALONE one after the other, BOUNDED two at a time, and all others side by side.
ALONE = (
    "tests/cli/test_bench",
    "tests/faults/",
    "tests/test_daemon_faults",
)
BOUNDED = (
    "tests/camera/test_picamera",
    "tests/engine/",
    "tests/test_daemon",
    "tests/test_pipeline_motion",
    "tests/test_reload",
    "tests/test_supervision",
    "tests/test_updating",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        name = item.path.relative_to(config.rootpath).as_posix()
        if name.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
        elif name.startswith(BOUNDED):
            item.add_marker(pytest.mark.bounded)


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What programs remember of models that have proved themselves: here, and not in the home of whoever tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def media() -> Media:
    """The sample photos and videos; `scripts/test` has fetched them before the tests start."""
    try:
        return ensure_media(print)
    except EdgedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder of published test data, which is not part of the project."""
    folder = os.environ.get("EDGED_TESTDATA")
    if not folder:
        pytest.skip("EDGED_TESTDATA is not set: name the folder of published test data with it")
    if not Path(folder).is_dir():
        pytest.fail(f"EDGED_TESTDATA: {folder} is not a folder")
    return Path(folder)


@pytest.fixture
def photos(media: Media, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(media.photos / name, folder)
    return folder


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    with Subscriber(broker.port) as listening:
        yield listening


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber) -> Iterator[Daemon]:
    """Labelling a folder at 20 frames per second."""
    with Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}") as running:
        wait_for_labels(subscriber, 10)
        yield running
