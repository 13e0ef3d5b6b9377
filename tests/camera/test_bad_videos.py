"""Video files that are broken, cut short, no videos at all, or want to be something else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from support.videos import GREYS, greys_of, write_video

from edged.camera.geometry import Size
from edged.camera.open_source import open_source
from edged.camera.source import SourceOptions
from edged.camera.video import VideoSource
from edged.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from edged.demo.media import Media


def test_garbage_in_the_middle_costs_frames_and_not_the_rest(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", codec="mjpeg", pixels="yuvj420p", greys=GREYS * 4)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 900] = np.random.default_rng(3).integers(0, 256, 900, np.uint8).tobytes()
    path.write_bytes(data)
    shown = greys_of(VideoSource(path, loop=False, realtime=False))
    assert len(shown) >= 20
    assert shown[:6] == shown[-6:] == GREYS


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_video_shows_what_is_there(tmp_path: Path, part: float) -> None:
    path = write_video(tmp_path / "a.mkv", codec="mjpeg", pixels="yuvj420p", greys=GREYS * 4)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    shown = greys_of(VideoSource(path, loop=False, realtime=False))
    assert 24 * part - 3 <= len(shown) < 24
    assert shown[:6] == GREYS


def test_mp4_without_its_index_is_refused_by_name(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(SourceError, match=r"a\.mp4: (not a video that can be read|there is no video in it)"):
        VideoSource(path)


@pytest.mark.parametrize("data", [b"", b"\0" * 4000, b"hello\n" * 30, b"\x1aE\xdf\xa3" + b"\xff" * 500])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.mkv: "):
        VideoSource(path).read(1.0)


def test_video_without_a_frame_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", codec="mjpeg", pixels="yuvj420p")
    data = path.read_bytes()
    start = data.index(b"\xff\xd8\xff")
    path.write_bytes(data[:start] + bytes(len(data) - start))
    with pytest.raises(SourceError, match=r"no frame in it can be decoded|not a video"):
        VideoSource(path, realtime=False).read(1.0)


def test_sound_alone_is_no_video_even_with_a_cover(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceError, match=r"song\.wav: there is no video in it"):
        VideoSource(path)


def test_file_name_is_never_taken_for_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4").rename(tmp_path / "tcp:127.0.0.1:1?x.mp4")
    source = open_source("tcp:127.0.0.1:1?x.mp4", SourceOptions(realtime=False))
    assert source.read(1.0).picture.size == Size(64, 48)
    source.close()


def test_playlist_cannot_send_us_to_the_network(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    began = time.monotonic()
    with pytest.raises(SourceError):
        VideoSource(path).read(1.0)
    assert time.monotonic() - began < 2


def test_published_videos_play(media: Media) -> None:
    for path in media.videos:
        source = VideoSource(path, realtime=False)
        assert source.read(1.0).picture.render(Size(224, 224)).std() > 10
        source.close()
