"""How long tracks are, and how exact: Cyano's tracker beside SIFT keypoints followed by Lucas and Kanade's method.

usage: scripts/bench tracks SET [--weights W] [--max-keypoints N] [--every N] [--save NAME]

SET is a folder with frames.txt (name, K, T_world_to_camera) of frames in a row, such as tum_fr2desk. Points seen in
three frames or more are triangulated, and the distances from their observations to their projections are measured:
once with the set's own poses, and once with poses that were refined on the tracks of all methods together, since the
set's own may be looser than tracks are. Numbers are of all tracks of two frames or more, and of those that begin in the
first frame, which do not depend on when new points are looked for.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

import measuring
from cyano import Matcher, MatcherOptions
from cyano.geometry import Camera
from cyano.tracking import Tracker, TrackOptions
from cyano.tracking.recorder import FrameRecorder, Outputs
from cyano.tracking.tracks import TrackRecorder
from cyano.video import Frame, open_source

SEED = 0
LEAST = 3
"""Frames that a point has to be seen in to be triangulated and judged."""

HUBER_PX, ROUNDS = 1.0, 60
ALIKE_PX = 2.0

Array = NDArray[np.float64]


class Observed(NamedTuple):
    """Observations: point, frame, and place (x, y)."""

    points: NDArray[np.int64]
    frames: NDArray[np.int64]
    places: Array


class Views(NamedTuple):
    """The cameras: intrinsics (F, 3, 3) and T_world_to_camera (F, 4, 4)."""

    K: Array
    T: Array


def by_cyano(frames: list[Frame], matcher: Matcher, options: TrackOptions) -> tuple[Observed, float]:
    """Tracks of `Tracker`, and CPU seconds a frame."""
    tracker, recorder = Tracker(matcher, options), TrackRecorder()
    begun = time.process_time()
    for frame in frames:
        recorder.add(tracker.push(frame))
    seconds = (time.process_time() - begun) / len(frames)
    tracks = recorder.tracks()
    return Observed(tracks.track_ids, tracks.frames, tracks.keypoints.astype(np.float64)), seconds


def by_klt(frames: list[Frame], count: int, *, refill: bool) -> tuple[Observed, float]:
    """SIFT keypoints, followed from frame to frame, there and back to within a pixel; lost ones are replaced."""
    detector = cv2.SIFT.create(nfeatures=count)
    window = {"winSize": (21, 21), "maxLevel": 4}
    last, places, ids, known = None, np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 0
    rows: list[tuple[NDArray[np.int64], int, NDArray[np.float32]]] = []
    begun = time.process_time()
    for frame in frames:
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        if last is not None and len(places):
            now, good, _ = cv2.calcOpticalFlowPyrLK(last, grey, places[:, None], None, **window)
            back, again, _ = cv2.calcOpticalFlowPyrLK(grey, last, now, None, **window)
            near = np.linalg.norm(back[:, 0] - places, axis=1) < 1
            inside = ((now[:, 0] >= 0) & (now[:, 0] < (grey.shape[1], grey.shape[0]))).all(axis=1)
            kept = near & inside & (good.ravel() == 1) & (again.ravel() == 1)
            places, ids = now[kept, 0], ids[kept]
        if last is None or (refill and len(ids) < count // 2):
            found = sorted(detector.detect(grey, None), key=lambda each: -each.response)
            free = np.ones(grey.shape, np.uint8)
            for x, y in places:
                cv2.circle(free, (int(x), int(y)), 4, 0, -1)
            fresh = [each.pt for each in found if free[int(each.pt[1]), int(each.pt[0])]][: count - len(ids)]
            places = np.concatenate([places, np.array(fresh, np.float32).reshape(-1, 2)])
            ids = np.concatenate([ids, known + np.arange(len(fresh))])
            known += len(fresh)
        rows.append((ids, frame.index, places))
        last = grey
    seconds = (time.process_time() - begun) / len(frames)
    frame_numbers = np.concatenate([np.full(len(each), number) for each, number, _ in rows])
    observed = Observed(
        np.concatenate([each for each, _, _ in rows]),
        frame_numbers,
        np.concatenate([p for *_, p in rows]).astype(float),
    )
    return of_length(observed, 2), seconds


def overhead(folder: Path, matcher: Matcher) -> dict[str, float]:
    """CPU seconds a frame of what `cyano video` does besides extracting and matching."""
    seconds = {"read": 0.0, "extract_and_match": 0.0, "draw_and_write": 0.0}
    with open_source(folder) as source, TemporaryDirectory() as place:
        tracker, frames = Tracker(matcher), iter(source)
        with FrameRecorder(Outputs(Path(place)), source, {}) as recorder:
            while True:
                times = [time.process_time()]
                if (frame := next(frames, None)) is None:
                    break
                times.append(time.process_time())
                seen = tracker.push(frame)
                times.append(time.process_time())
                recorder.add(seen, 0.0)
                times.append(time.process_time())
                for name, spent in zip(seconds, np.diff(times), strict=True):
                    seconds[name] += spent
            count = recorder.finish()["frames"]
    return {name: round(float(spent / count), 4) for name, spent in seconds.items()}


def of_length(observed: Observed, least: int) -> Observed:
    """Those of points that are seen in so many frames, which are numbered anew."""
    _, points, counts = np.unique(observed.points, return_inverse=True, return_counts=True)
    kept = counts[points] >= least
    again = np.unique(points[kept], return_inverse=True)[1]
    return Observed(again, observed.frames[kept], observed.places[kept])


def triangulated(observed: Observed, views: Views) -> Array:
    """(P, 3) points: linear, then the least sum of robust distances."""
    P = views.K @ views.T[:, :3]
    x, y = observed.places.T
    rows = np.stack([x, y], 1)[..., None] * P[observed.frames, 2:3] - P[observed.frames, :2]  # (O, 2, 4)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    normal = np.zeros((observed.points.max() + 1, 4, 4))
    np.add.at(normal, observed.points, np.einsum("oij,oik->ojk", rows, rows))
    X = np.linalg.eigh(normal)[1][:, :, 0]
    return improved_points(X[:, :3] / X[:, 3:], observed, views, 20)


def residuals(X: Array, observed: Observed, views: Views) -> tuple[Array, Array, Array]:
    """(O, 2) errors, (O, 2, 3) their derivatives by the point in the camera's frame, (O, 3) points in that frame."""
    T, K = views.T[observed.frames], views.K[observed.frames]
    local = np.einsum("oij,oj->oi", T[:, :3, :3], X[observed.points]) + T[:, :3, 3]
    z = np.where(np.abs(local[:, 2]) < 1e-9, 1e-9, local[:, 2])
    u, v, zero = local[:, 0] / z, local[:, 1] / z, np.zeros_like(z)
    fx, fy = K[:, 0, 0], K[:, 1, 1]
    errors = np.stack([fx * u + K[:, 0, 2], fy * v + K[:, 1, 2]], 1) - observed.places
    J = np.stack([np.stack([fx / z, zero, -fx * u / z], 1), np.stack([zero, fy / z, -fy * v / z], 1)], 1)
    return errors, J, local


def solved(J: Array, errors: Array, groups: NDArray[np.int64], count: int) -> Array:
    """The damped Gauss-Newton step of each group, with Huber's weights."""
    weights = np.minimum(1, HUBER_PX / np.maximum(np.linalg.norm(errors, axis=1), 1e-9))
    A, b = np.zeros((count, J.shape[2], J.shape[2])), np.zeros((count, J.shape[2]))
    np.add.at(A, groups, np.einsum("o,oij,oik->ojk", weights, J, J))
    np.add.at(b, groups, np.einsum("o,oij,oi->oj", weights, J, errors))
    diagonal = np.einsum("pii->pi", A)
    diagonal += 1e-4 * diagonal + 1e-9
    return -np.linalg.solve(A, b[..., None])[..., 0]


def improved_points(X: Array, observed: Observed, views: Views, rounds: int) -> Array:
    """Points nearer to the least sum of robust distances."""
    for _ in range(rounds):
        errors, J, _ = residuals(X, observed, views)
        step = solved(J @ views.T[observed.frames, :3, :3], errors, observed.points, len(X))
        X = X + np.clip(step, -0.5, 0.5)
    return X


def refined(observed: Observed, views: Views) -> Views:
    """Poses on which the tracks agree: points and poses improved in turn, beginning with those of the set."""
    X, T = triangulated(observed, views), views.T.copy()
    for _ in range(ROUNDS):
        current = Views(views.K, T)
        errors, J, local = residuals(X, observed, current)
        turned = np.cross(np.eye(3)[None], local[:, None])  # d(w x p)/dw, rows by axis
        by_pose = np.concatenate([J, J @ turned.transpose(0, 2, 1)], axis=2)
        for number, step in enumerate(solved(by_pose, errors, observed.frames, len(T))):
            change = np.eye(4)
            change[:3, :3], change[:3, 3] = cv2.Rodrigues(step[3:])[0], step[:3]
            T[number] = change @ T[number]
        X = improved_points(X, observed, Views(views.K, T), 1)
    return Views(views.K, T)


def judged(observed: Observed, views: dict[str, Views], seconds: float, frames: int) -> dict[str, Any]:
    """Lengths, and errors of triangulated tracks by each kind of poses."""
    lengths = np.bincount(observed.points)
    first = np.zeros(len(lengths), bool)
    first[observed.points[observed.frames == 0]] = True
    long = of_length(observed, LEAST)
    result: dict[str, Any] = {
        "tracks": len(lengths),
        "median_length": float(np.median(lengths)),
        "mean_length": round(float(lengths.mean()), 2),
        "observations_a_frame": round(len(observed.points) / frames, 1),
        "from_the_first_frame": int(first.sum()),
        "their_median_length": float(np.median(lengths[first])) if first.any() else None,
        "still_seen_in_the_last_frame": int(
            np.isin(np.flatnonzero(first), observed.points[observed.frames == frames - 1]).sum()
        ),
        "cpu_seconds_a_frame": round(seconds, 3),
    }
    for name, each in views.items():
        errors = np.linalg.norm(residuals(triangulated(long, each), long, each)[0], axis=1)
        result[f"reprojection_px_{name}"] = round(float(np.median(errors)), 3)
        result[f"within_{ALIKE_PX:g}px_{name}"] = round(float((errors <= ALIKE_PX).mean()), 3)
    return result


def read_set(folder: Path, every: int = 1) -> tuple[list[Frame], Views]:
    """The frames in the order of frames.txt, and their cameras."""
    lines = [line.split() for line in (folder / "frames.txt").read_text().splitlines() if not line.startswith("#")]
    lines = lines[::every]
    numbers = np.array([line[1:26] for line in lines], float)
    names = [f"{folder / line[0]}\n".encode() for line in lines]
    K = np.array([Camera.from_matrix(row[:9].reshape(3, 3)).matrix for row in numbers])
    return list(open_source("-", lines=names)), Views(K, numbers[:, 9:].reshape(-1, 4, 4))


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--max-keypoints", type=int, default=1024)
    parser.add_argument("--every", type=int, default=1, help="take every N-th frame")
    parser.add_argument("--save")
    options = parser.parse_args()
    frames, views = read_set(options.set, options.every)
    matcher = Matcher.from_pretrained(
        options.weights, options=MatcherOptions(max_keypoints=options.max_keypoints), device="cpu"
    )
    methods: dict[str, tuple[Observed, float]] = {
        "cyano, keyframe": by_cyano(frames, matcher, TrackOptions()),
        "cyano, matches alone": by_cyano(frames, matcher, TrackOptions(follow=False)),
        "cyano, first": by_cyano(frames, matcher, TrackOptions("first")),
        "cyano, previous": by_cyano(frames, matcher, TrackOptions("previous")),
        "SIFT + KLT, refilled": by_klt(frames, options.max_keypoints, refill=True),
        "SIFT + KLT, first": by_klt(frames, options.max_keypoints, refill=False),
    }
    joint, offset = [], 0
    for observed, _ in methods.values():
        long = of_length(observed, LEAST)
        joint.append(long._replace(points=long.points + offset))
        offset += int(long.points.max()) + 1
    together = Observed(*(np.concatenate(each) for each in zip(*joint, strict=True)))
    kinds = {"given_poses": views, "refined_poses": refined(together, views)}
    results = {name: judged(observed, kinds, seconds, len(frames)) for name, (observed, seconds) in methods.items()}
    spent = overhead(options.set / "images", matcher)
    print("cyano video, CPU seconds a frame", spent)
    for name, row in results.items():
        print(name)
        for fact, value in row.items():
            print(f"  {fact:32} {value}")
    if options.save:
        table = {
            "set": options.set.name,
            "weights": matcher.source,
            "max_keypoints": options.max_keypoints,
            "every": options.every,
        }
        print(
            measuring.save(options.save, SEED, {**table, "methods": results, "cyano_video_cpu_seconds_a_frame": spent})
        )


if __name__ == "__main__":
    main()
