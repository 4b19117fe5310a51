"""The program as people run it: `cyano serve`, with its networks, against `cyano match`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from cyano.geometry import warp_points
from support.commands import SHIFT, flat_image, output, run, shifted_photographs
from support.serving import problem

if TYPE_CHECKING:
    from page.conftest import Program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("skimage", reason="scikit-image brings the photographs")
    folder = tmp_path_factory.mktemp("photographs")
    shifted_photographs(folder)
    flat_image(folder / "flat.png")
    with Image.open(folder / "a.png") as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # shown turned by 90 degrees
        exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
        image.save(folder / "turned.jpg", exif=exif)
    return folder


@pytest.fixture(scope="module")
def client(program: Program) -> httpx.Client:
    return program.client


@pytest.fixture(scope="module")
def ids(client: httpx.Client, folder: Path) -> dict[str, str]:
    told = {path.name: client.put("/images", content=path.read_bytes()).json() for path in folder.iterdir()}
    turned = told["turned.jpg"]
    assert (turned["width"], turned["height"], turned["orientation"]) == (180, 240, 6)
    return {name: each["id"] for name, each in told.items()}


def matched(client: httpx.Client, ids: dict[str, str], **more: Any) -> dict[str, Any]:
    body = {"image0": ids["a.png"], "image1": ids["b.png"], "name0": "a.png", "name1": "b.png", **more}
    document: dict[str, Any] = client.post("/matches", json=body).json()
    return document


MORE = ("id", "image0", "image1", "indices", "doubtful")


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, ()),
        ({"match_threshold": 0.35}, ("--match-threshold", "0.35")),  # from what the first has found
        (
            {"resize": 200, "max_keypoints": 300, "align": False},
            ("--resize", "200", "--max-keypoints", "300", "--no-align"),
        ),
        ({"rotations": "auto", "match_threshold": 0.5}, ("--rotations", "auto", "--match-threshold", "0.5")),
        (
            {"views": "auto", "match_threshold": 0.99},
            ("--views", "auto", "--match-threshold", "0.99"),
        ),  # few, so searched
    ],
)
def test_the_same_as_the_command(
    client: httpx.Client, ids: dict[str, str], folder: Path, options: dict[str, Any], flags: tuple[str, ...]
) -> None:
    found = matched(client, ids, options=options)
    told = output(run("match", "a.png", "b.png", "--json", "--device", "cpu", *flags, cwd=folder))
    assert set(found) == {*told, *MORE}
    assert set(found["seconds"]) == set(told["seconds"])
    for name in set(told) - {"seconds"}:
        assert found[name] == told[name], name


def test_masks_are_those_of_the_command(client: httpx.Client, ids: dict[str, str], folder: Path) -> None:
    mask = np.full((180, 240), 255, np.uint8)
    mask[:, :120] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    digest = client.put("/images", content=(folder / "mask.png").read_bytes()).json()["id"]
    told = output(run("match", "a.png", "b.png", "--mask0", "mask.png", "--json", "--device", "cpu", cwd=folder))
    for rotations in (None, "auto"):  # enough matches, so that there is nothing to turn
        found = matched(client, ids, mask0=digest, options={"rotations": rotations})
        assert found["keypoints0"] == told["keypoints0"]
        assert found["keypoints1"] == told["keypoints1"]
    assert min(x for x, _ in found["keypoints0"]) > 119


def test_a_form_gives_the_same(client: httpx.Client, ids: dict[str, str], folder: Path) -> None:
    files = {f"image{side}": (name, (folder / name).read_bytes()) for side, name in enumerate(("a.png", "b.png"))}
    assert client.post("/match", files=files).json() == matched(client, ids)  # kept, with its times


def test_the_archive_is_that_of_the_command(client: httpx.Client, ids: dict[str, str], folder: Path) -> None:
    body = {"image0": ids["a.png"], "image1": ids["b.png"]}
    answer = client.post("/matches", json=body, headers={"accept": "application/octet-stream"})
    output(run("match", "a.png", "b.png", "--json", "--npz", "x.npz", "--device", "cpu", cwd=folder))
    with np.load(io.BytesIO(answer.content)) as mine, np.load(folder / "x.npz") as theirs:
        assert mine.files == theirs.files
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine.files)


def test_a_homography_is_that_of_the_command(client: httpx.Client, ids: dict[str, str], folder: Path) -> None:
    match = matched(client, ids)
    found = client.post(f"/matches/{match['id']}/geometry", json={"kind": "homography"}).json()
    (told,) = output(run("match", "a.png", "b.png", "--json", "--homography", "--device", "cpu", cwd=folder))["models"]
    inliers = np.array(found["inliers"], bool)
    assert sum(told["inliers"]) == inliers.sum() + sum(found["doubtful_inliers"])
    assert {**told, "inliers": []} == {
        **{name: found[name] for name in told},
        "inliers": [],
    }
    moved = warp_points(found["matrix"], match["keypoints0"])
    errors = np.linalg.norm(moved - np.array(match["keypoints1"]), axis=1)
    assert found["errors_px"] == pytest.approx(errors, abs=1e-9)  # the same formula in double precision
    assert np.array_equal(errors <= found["threshold_px"], inliers)
    shift = np.array(found["matrix"])[:2, 2]
    assert shift == pytest.approx([-SHIFT[0], -SHIFT[1]], abs=0.5)  # the crops are whole pixels apart


def test_fewer_matches_for_a_model(client: httpx.Client, ids: dict[str, str]) -> None:
    match = matched(client, ids)
    found = client.post(f"/matches/{match['id']}/geometry", json={"kind": "fundamental", "min_score": 0.9}).json()
    sure = np.array(match["scores"]) >= 0.9
    assert 0 < sum(found["inliers"]) <= sure.sum()
    assert not np.array(found["inliers"])[~sure].any()


def test_a_pose_needs_a_camera(client: httpx.Client, ids: dict[str, str]) -> None:
    match = matched(client, ids)
    place, camera = f"/matches/{match['id']}/geometry", {"fx": 300, "fy": 300, "cx": 120, "cy": 90}
    told = problem(client.post(place, json={"kind": "pose"}), 422, "options")
    assert "EXIF" in str(told["detail"])
    found = client.post(place, json={"kind": "pose", "camera0": camera, "camera1": camera}).json()
    assert found["status"] in ("ok", "degenerate", "no model")  # one plane, and no turn: whatever it is, it is told


def test_alternatives_are_probabilities(client: httpx.Client, ids: dict[str, str]) -> None:
    match = matched(client, ids)
    for side in (0, 1):
        best = int(np.argmax(match["scores"]))
        keypoint, partner = match["indices"][best][side], match["indices"][best][1 - side]
        told = client.get(f"/matches/{match['id']}/alternatives", params={"keypoint": keypoint, "image": side}).json()
        chances = [each["probability"] for each in told["partners"]]
        assert len(chances) == 3
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) + told["none"] <= 1.01  # rows of the transport sum to 1 but for its last iterations
        assert told["partners"][0]["keypoint"] == partner
        assert chances[0] == pytest.approx(match["scores"][best], abs=1e-5)  # float32 of the same transport
    problem(client.get(f"/matches/{match['id']}/alternatives?keypoint=99999"), 422, "options")


def test_keypoints_and_numbers_of_matches_agree(client: httpx.Client, ids: dict[str, str]) -> None:
    match = matched(client, ids)
    told = client.get(f"/matches/{match['id']}/keypoints").json()
    rows = np.array(match["indices"])
    assert np.array_equal(np.array(told["keypoints0"])[rows[:, 0]], match["keypoints0"])
    assert np.array_equal(np.array(told["keypoints1"])[rows[:, 1]], match["keypoints1"])


def test_pictures(client: httpx.Client, ids: dict[str, str]) -> None:
    match = matched(client, ids)
    registered = client.get(f"/matches/{match['id']}/registered.png")
    pixels = np.asarray(Image.open(io.BytesIO(registered.content)))
    assert pixels.shape == (180, 240, 4)
    assert not pixels[:, : SHIFT[0] - 2, 3].any()  # image 1 does not reach there
    assert pixels[20:, 20:, 3].all()
    drawn = client.get(f"/matches/{match['id']}/picture.png?kind=homography")
    assert Image.open(io.BytesIO(drawn.content)).format == "PNG"
    preview = client.get(f"/images/{ids['turned.jpg']}/preview?side=120")
    assert Image.open(io.BytesIO(preview.content)).size == (90, 120)
    again = client.get(
        f"/images/{ids['turned.jpg']}/preview?side=120", headers={"if-none-match": preview.headers["etag"]}
    )
    assert again.status_code == 304


def test_an_image_without_keypoints_is_a_result(client: httpx.Client, ids: dict[str, str]) -> None:
    found = matched(client, ids, image1=ids["flat.png"])
    assert found["keypoints0"] == []
    told = client.post(f"/matches/{found['id']}/geometry", json={"kind": "homography"}).json()
    assert told["status"] == "too few matches"
    problem(client.get(f"/matches/{found['id']}/registered.png"), 422, "options")


def test_a_mask_has_the_size_of_its_image(client: httpx.Client, ids: dict[str, str]) -> None:
    body = {"image0": ids["a.png"], "image1": ids["b.png"], "mask0": ids["flat.png"]}
    problem(client.post("/matches", json=body), 415, "not-an-image")


def test_a_description_for_programs(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert {"/api/v1/images", "/api/v1/matches", "/api/v1/match", "/api/v1/health"} <= set(document["paths"])
    assert client.get("/docs").status_code == 404
    kinds = client.get("/problems").json()
    assert all(client.get(f"/problems/{name}").json() == kind for name, kind in kinds.items())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_server_holds_no_torch(program: Program, ids: dict[str, str]) -> None:
    pid = program.process.pid
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "cv2" not in maps
    status = Path(f"/proc/{pid}/status").read_text()
    assert int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) < 150_000  # type: ignore[index]  # 60 MB; torch has 300


def test_more_pixels_than_are_read(client: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("1", (8000, 8000)).save(buffer, "PNG")  # 64 megapixels in 8 kB
    problem(client.put("/images", content=buffer.getvalue()), 413, "too-large")


def test_an_empty_file(client: httpx.Client) -> None:
    told = problem(client.put("/images", content=b""), 415, "not-an-image")
    assert "empty" in str(told["detail"])


def test_nothing_about_this_machine_is_told(client: httpx.Client, folder: Path) -> None:
    answer = client.put("/images", content=(folder / "a.png").read_bytes()[:3000])
    assert "/" not in str(problem(answer, 415, "not-an-image")["detail"])
