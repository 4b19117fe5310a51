"""A source, tracked in a thread of its own: what was seen last, and what the viewers want."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import Any

from cyano.checkpoints.loading import Networks
from cyano.errors import CyanoError, InputError
from cyano.live.message import jpeg
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.reading import reason_of
from cyano.tracking import FrameResult, Tracker, TrackOptions
from cyano.video import Frame, Source

__all__ = ["LiveOptions", "LiveSession", "Shown"]

_MATCHING, _TRACKING = MatcherOptions(), TrackOptions("first")
_THRESHOLDS = ("keypoint_threshold", "match_threshold")


@dataclass(frozen=True, eq=False)
class LiveOptions:
    """How to match.

    Attributes:
        networks: loaded weights.
        matching: options of the matcher to begin with.
        tracking: what frames are matched with.
        device: where to run.
        anchor: an image that all frames are matched with; see `Tracker`.
        show_keypoints: whether pages show unmatched keypoints to begin with.

    Example:
        >>> options = LiveOptions(networks, cyano.MatcherOptions(max_keypoints=512), show_keypoints=True)
    """

    networks: Networks
    matching: MatcherOptions = _MATCHING
    tracking: TrackOptions = _TRACKING
    device: str = "cpu"
    anchor: Frame | None = None
    show_keypoints: bool = False


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see.

    Attributes:
        number: grows with each change.
        seen: the frame; None before the first.
        picture: its JPEG.
        anchor_number: that of the anchor's picture, which changes with it.
        anchor: the anchor's JPEG.
        state: "running", "paused", "ended" or "failed", thresholds, and a message for people.
        keypoints: whether unmatched keypoints are wanted.
    """

    number: int
    seen: FrameResult | None
    picture: bytes
    anchor_number: int
    anchor: bytes
    state: Mapping[str, Any]
    keypoints: bool


class LiveSession:
    """Tracks a source until it ends, and takes commands meanwhile.

    It never waits for those who look: they get the latest frame when they are ready for one.

    Example:
        >>> from threading import Event
        >>> from cyano.video import open_source
        >>> changed = Event()
        >>> session = LiveSession(open_source("walk.mp4"), LiveOptions(networks))
        >>> end = session.listen(changed.set)
        >>> session.command("match_threshold", 0.3)
        >>> session.start()
        >>> waited = changed.wait()
        >>> session.close()
        >>> session.latest().state["match_threshold"]
        0.3
    """

    def __init__(self, source: Source, options: LiveOptions) -> None:
        """Build the matcher; `start` begins.

        Raises:
            WeightsError: the networks have no matcher.
        """
        self._source, self._options = source, options
        self._matching = options.matching
        self._tracker = self._fresh_tracker()
        self._lock = Condition()
        self._wanted: dict[str, Any] = {}
        self._restart = self._paused = self._closed = False
        self._keypoints, self._status, self._message = options.show_keypoints, "running", ""
        self._seen: FrameResult | None = None
        self._pictures: tuple[bytes, int, bytes] = (b"", 0, b"")
        self._number = 0
        self._listeners: list[Callable[[], None]] = []
        self._thread = Thread(target=self._run, name="cyano-live", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End once the frame at hand is done."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._source.stop()
        if self._thread.is_alive():
            self._thread.join()
        elif self._thread.ident is None:
            self._source.close()  # which the thread does once it has begun
        self._changed()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have something called, in whatever thread, at each change; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return end

    def latest(self) -> Shown:
        """What there is to see now."""
        with self._lock:
            state = {
                "state": "paused" if self._paused and self._status == "running" else self._status,
                "message": self._message,
                "source": self._source.name,
                "damaged": self._source.damaged,
                "show_keypoints": self._keypoints,
                **self._thresholds(),
            }
            return Shown(self._number, self._seen, *self._pictures, state, self._keypoints)

    def command(self, name: str, value: object = None) -> None:
        """Take a command.

        Args:
            name: "anchor", the frame at hand becomes the anchor; "pause" and "keypoints" with True or False;
                "keypoint_threshold" and "match_threshold" with a number in [0, 1].
            value: see there.

        Raises:
            InputError: there is no such command, or the value does not fit.
        """
        if name in _THRESHOLDS:
            number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
            if not 0 <= number <= 1:
                raise InputError(f"{name} is a number from 0 to 1, not {value!r}")
            with self._lock:
                self._wanted[name] = float(number)
        elif name in ("pause", "keypoints"):
            if not isinstance(value, bool):
                raise InputError(f"{name} is true or false, not {value!r}")
            with self._lock:
                self._paused = value if name == "pause" else self._paused
                self._keypoints = value if name == "keypoints" else self._keypoints
                self._lock.notify_all()
        elif name == "anchor":
            with self._lock:
                self._restart = True
        else:
            raise InputError(
                f"there is no command {name!r}; known are anchor, pause, keypoints, {', '.join(_THRESHOLDS)}"
            )
        self._changed()

    def _thresholds(self) -> dict[str, Any]:
        """Those that are wanted, if they are not in force yet."""
        return {**self._in_force, **self._wanted}

    def _fresh_tracker(self) -> Tracker:
        options = self._options
        matcher = Matcher(options.networks, self._matching, device=options.device)
        values = (matcher.detection.keypoint_threshold, matcher.assignment.matching_threshold)
        self._in_force = dict(zip(_THRESHOLDS, values, strict=True))
        return Tracker(matcher, options.tracking, options.anchor)

    def _run(self) -> None:
        """What the thread does."""
        try:
            for frame in self._source:
                if self._stopped():
                    return
                self._obey()
                self._show(self._tracker.push(frame))
            self._end("ended", self._source.problem or "the source has ended")
        except CyanoError as error:
            self._end("failed", str(error))
        except Exception as error:
            self._end("failed", reason_of(error))
            raise  # the log has where it happened
        finally:
            self._source.close()

    def _stopped(self) -> bool:
        """Wait while paused; whether it is over."""
        with self._lock:
            self._lock.wait_for(lambda: not self._paused or self._closed)
            return self._closed

    def _obey(self) -> None:
        """Do what was asked for since the frame before."""
        with self._lock:
            wanted, self._wanted = self._wanted, {}
            restart, self._restart = self._restart, False
        if restart:
            self._tracker.restart()
        if wanted:
            self._matching = replace(self._matching, **wanted)
            self._tracker = self._fresh_tracker()
            if self._seen is not None and (restart or self._options.anchor is None):
                self._tracker.push(self._seen.frame if restart else self._seen.anchor)
                self._tracker.restart()

    def _show(self, seen: FrameResult) -> None:
        before, (_, number, anchor) = self._seen, self._pictures
        if before is None or before.anchor is not seen.anchor:
            number, anchor = number + 1, jpeg(seen.anchor.rgb)
        picture = jpeg(seen.frame.rgb)
        with self._lock:
            self._seen, self._pictures = seen, (picture, number, anchor)
        self._changed()

    def _end(self, status: str, message: str) -> None:
        with self._lock:
            self._status, self._message = status, message
        self._changed()

    def _changed(self) -> None:
        with self._lock:
            self._number += 1
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
