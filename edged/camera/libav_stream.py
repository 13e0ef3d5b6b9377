"""A stream through FFmpeg (PyAV): RTSP, and HTTP where it gives video."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import av

from edged.camera.bounded_socket import find_host
from edged.camera.jpeg import JpegPicture
from edged.camera.play_clock import PlayClock
from edged.camera.source import Pace, Shot
from edged.camera.video_frame import picture_of, video_in, words_of
from edged.errors import BadImageError, SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

    from edged.camera.picture import Picture
    from edged.camera.stream_address import StreamAddress

log = logging.getLogger(__name__)

av.logging.set_level(None)  # FFmpeg would write to stderr, addresses with their passwords too

USUAL_RATE: Final = 25
BEHIND_SECONDS: Final = 2.0  # without once having had to wait for a packet: then older ones are queued up

_A_WAIT_SECONDS: Final = 0.001

_RTSP: Final = {
    "rtsp_transport": "tcp",
    # What the server says of its streams is enough to begin with. Looking into them costs 0.6 to 2.7 s, and `nobuffer`
    # would throw away what was looked at, the first key frame included (FFmpeg 8.1).
    "probesize": "32",
    "format_whitelist": "rtsp",
    "protocol_whitelist": "tcp,tls",
}
_HTTP: Final = {
    "analyzeduration": "500000",
    "probesize": "500000",
    "live_start_index": "-1",  # of HLS: its usual start is three segments, 6 to 30 s, before the newest
    # Neither a redirection nor a playlist leads to this machine's files, nor to demuxers that open what they like.
    "format_whitelist": "mov,matroska,mpegts,mpeg,hls,flv,avi,ogg,h264,hevc,asf,aac,mp3,webvtt",
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "http_proxy": "",  # cameras are in one's own network; http_client.py knows no proxy either
}
# By name: PyAV's versions know more or less of them.
_STATUS: Final = {
    "HTTPBadRequestError": 400,
    "HTTPUnauthorizedError": 401,
    "HTTPForbiddenError": 403,
    "HTTPNotFoundError": 404,
    "HTTPTooManyRequestsError": 429,
}
_PLAIN: Final = {
    "HTTPOtherClientError": "the server refuses the stream (4xx); perhaps it has too many viewers, or none over TCP",
    "HTTPServerError": "the server fails (5xx); is its camera on?",
    "InvalidDataError": "what it sends is no video that FFmpeg knows",
    "ArgumentError": "it leads to where a camera's stream may not lead, or is no address that FFmpeg knows",
    "PermissionError": "it leads to where a camera's stream may not lead",
}


class LibavStream:
    """The newest frames of a stream. All packets are decoded, since each needs those before, but no JPEG is.

    Who reads more slowly than frames come, or has paused, gets the next frame that does not lie in a queue: what does
    is thrown away up to a key frame.

    Args:
        address: of rtsp, rtsps, http or https.
        stall: seconds without a packet after which a read ends, whatever its own timeout.
        until: `time.monotonic()` when opening must have ended.
        recorded: it is a file, which would come as fast as the network is; HLS is paced anyway.

    Raises:
        SourceError: it cannot be opened, or there is no video in it.
    """

    pace = Pace.LIVE

    def __init__(self, address: StreamAddress, stall: float, until: float, *, recorded: bool = False) -> None:
        self._address = address
        self._stall = stall
        self._container = _open(address, stall, until)
        stream = video_in(self._container)
        if stream is None:
            self._container.close()
            raise SourceError(f"{address}: there is no video in it")
        self._stream = stream
        self._is_jpeg = stream.codec_context.name == "mjpeg"
        paced = recorded or self._container.format.name == "hls"
        self._clock = PlayClock(float(1 / (stream.average_rate or USUAL_RATE))) if paced else None
        self._waited_at = time.monotonic()
        self._skipping = False
        self._packets = self._container.demux()  # of all streams, or sound alone would keep us from looking at the time

    def read(self, timeout: float) -> Shot:
        """See `Source.read`. What cannot be decoded is left out."""
        until = time.monotonic() + timeout
        damaged = 0
        while True:
            packet = self._next(until, timeout, damaged)
            if packet.stream is not self._stream or self._is_old(packet):
                continue
            try:
                picture, at = self._decoded(packet)
            except (av.FFmpegError, BadImageError) as error:
                damaged += 1
                log.debug("%s: a frame left out (%s)", self._address, words_of(error))
                continue
            if picture is not None:
                if self._clock is not None:
                    time.sleep(max(0.0, min(self._clock.seconds_until(at), until - time.monotonic())))
                return Shot(picture)

    def close(self) -> None:
        """Say goodbye to the server, and give everything back."""
        self._container.close()

    def _next(self, until: float, timeout: float, damaged: int) -> Packet[Stream]:
        silent = False
        began = time.monotonic()
        try:
            packet = next(self._packets, None)
        except (av.FFmpegError, OSError) as error:
            silent = isinstance(error, av.error.ExitError)  # `stall` has passed
            if not silent and time.monotonic() < until:
                raise _failed(self._address, error) from None
            packet = None
        if time.monotonic() >= began + _A_WAIT_SECONDS:
            self._waited_at = time.monotonic()
        # Asked first: a packet may come because of the timeout. FFmpeg's parser holds one back until the next begins,
        # and gives it when it is interrupted: a frozen server would seem alive, and be noticed a timeout later.
        if silent or time.monotonic() >= until:
            if damaged:
                raise SourceError(f"{self._address}: garbage: {damaged} damaged frames in {timeout:g} s, and no other")
            raise SourceError(f"{self._address}: no picture for {min(timeout, self._stall):g} s")
        if packet is None:
            raise SourceError(f"{self._address}: the server has ended the stream")
        return packet

    def _is_old(self, packet: Packet[Stream]) -> bool:
        """Whether newer ones are queued up behind it, or it needs one that was thrown away for that."""
        if self._clock is not None:
            return False
        if time.monotonic() > self._waited_at + BEHIND_SECONDS:
            self._skipping = True
        elif packet.is_keyframe:
            self._skipping = False
        return self._skipping

    def _decoded(self, packet: Packet[Stream]) -> tuple[Picture | None, float | None]:
        """The packet's newest frame and its time in seconds; neither while the decoder waits for more."""
        at = None if packet.pts is None or packet.time_base is None else float(packet.pts * packet.time_base)
        if self._is_jpeg:
            if not packet.size:  # the end
                return None, None
            picture = JpegPicture(bytes(packet), str(self._address))
            _ = picture.size
            return picture, at
        frames = self._stream.decode(packet)
        if not frames:
            return None, None
        if frames[-1].is_corrupt:
            raise BadImageError("its decoder says that it is damaged")
        return picture_of(frames[-1]), frames[-1].time


def _open(address: StreamAddress, stall: float, until: float) -> InputContainer:
    options = _RTSP if address.scheme.startswith("rtsp") else _HTTP
    try:
        find_host(address.host, address.port, until)  # FFmpeg's own way knows no bound, and has no words for it
    except OSError as error:
        raise address.failed(error) from None
    # PyAV takes the first of its two timeouts twice: for opening, and for looking at what is in it.
    seconds = max(0.1, (until - time.monotonic()) / 2)
    latest = time.monotonic() + seconds
    try:
        return av.open(
            address.full,
            options={**options, "timeout": str(round((stall + 1) * 1e6))},  # of the socket, in microseconds
            timeout=(seconds, stall),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        # an RTSP server that is silent is "invalid data" to FFmpeg
        raise _failed(address, TimeoutError() if time.monotonic() >= latest else error) from None


def _failed(address: StreamAddress, error: Exception) -> SourceError:
    name = type(error).__name__
    if name in _STATUS:
        return address.refused(_STATUS[name])
    if name in _PLAIN:
        return SourceError(f"{address}: {_PLAIN[name]}")
    if isinstance(error, av.error.ExitError):
        return address.failed(TimeoutError())
    return address.failed(error)
