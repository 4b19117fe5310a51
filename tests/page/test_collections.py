"""Collections over HTTP, against pycolmap's own reading of the model and the renderer's poses."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cyano.geometry import invert_rigid
from support.serving import problem
from support.walk import render_walk, write_view

if TYPE_CHECKING:
    from page.conftest import Program


@pytest.fixture(scope="module")
def told(program: Program) -> dict[str, Any]:
    document: dict[str, Any] = program.client.get("/collections/0").json()
    return document


@pytest.fixture(scope="module")
def model(program: Program) -> Any:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    return pycolmap.Reconstruction(str(program.folder / "model" / "sparse" / "0"))


def points_of(content: bytes, count: int) -> tuple[NDArray[Any], ...]:
    """Positions, errors, tracks and colours, for less than a piece of points."""
    parts, start = [], 0
    for kind, width in (("<f4", 3), ("<f4", 1), ("<u2", 1), ("u1", 3)):
        size = count * width * np.dtype(kind).itemsize
        parts.append(np.frombuffer(content[start : start + size], kind).reshape(count, width))
        start += size
    assert start == len(content)
    return tuple(parts)


def test_which_there_are(program: Program, told: dict[str, Any]) -> None:
    assert program.client.get("/collections").json() == {"collections": [{"n": 0, "name": "model"}]}
    assert [image["name"] for image in told["images"]] == [f"view{number}.png" for number in range(4)]
    assert told["registered"] == sum(image["registered"] for image in told["images"])
    assert all((image["reason"] is None) == image["registered"] for image in told["images"])
    assert "registered" in told["verdict"]
    for path in ("/collections/1", "/collections/1/points.bin"):
        problem(program.client.get(path), 404, "not-found")


def test_points(program: Program, told: dict[str, Any], model: Any) -> None:
    content = program.client.get("/collections/0/points.bin").content
    count = told["points"]["count"]
    xyz, errors, tracks, colours = points_of(content, count)
    model.update_point_3d_errors()
    true = [model.points3D[number] for number in sorted(model.points3D)]
    assert count == len(true)
    assert np.array_equal(xyz, np.array([point.xyz for point in true], np.float32))
    assert np.array_equal(errors[:, 0], np.array([point.error for point in true], np.float32))
    assert np.array_equal(tracks[:, 0], [point.track.length() for point in true])
    assert np.array_equal(colours, [point.color for point in true])
    part = program.client.get("/collections/0/points.bin", headers={"range": "bytes=12-23"})
    assert (part.status_code, part.content) == (206, content[12:24])
    assert part.headers["content-range"] == f"bytes 12-23/{len(content)}"
    for unusable in ("bytes=99999999-", "bytes=5-4", "bytes=0-1,3-4", "pages=1-2"):
        assert program.client.get("/collections/0/points.bin", headers={"range": unusable}).status_code == 200


def test_downloads(program: Program, told: dict[str, Any]) -> None:
    ply = program.client.get("/collections/0/points.ply").content
    assert ply.startswith(b"ply\nformat binary_little_endian")
    assert f"element vertex {told['points']['count']}\n".encode() in ply
    content = program.client.get("/collections/0/model.zip").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            assert archive.read(name) == (program.folder / "model" / "sparse" / "0" / name).read_bytes()
        assert {"cameras.bin", "images.bin", "points3D.bin"} <= set(archive.namelist())


def test_a_point_is_where_its_images_see_it(program: Program, model: Any) -> None:
    cameras = {each["i"]: each for each in program.client.get("/collections/0/cameras.json").json()["cameras"]}
    assert len(cameras) == len(model.images)
    track = program.client.get("/collections/0/tracks?point=5").json()
    assert len(track["images"]) == model.points3D[sorted(model.points3D)[5]].track.length()
    for seen in track["images"]:
        pose, camera = np.array(cameras[seen["i"]]["T_world_to_camera"]), cameras[seen["i"]]["camera"]
        x, y, z = pose[:3, :3] @ track["xyz"] + pose[:3, 3]
        fx, fy, cx, cy = camera["params"]
        projected = np.array([fx * x / z + cx - 0.5, fy * y / z + cy - 0.5])  # COLMAP's first pixel is at 0.5
        assert projected == pytest.approx([seen["x"], seen["y"]], abs=4)  # what the mapper takes for an inlier
        half = cameras[seen["i"]]["half_view"]
        assert half == pytest.approx([camera["width"] / 2 / fx, camera["height"] / 2 / fx])
        content = program.client.get(f"/collections/0/images/{seen['i']}/keypoints.bin").content
        count = len(content) // 12
        places, points = (
            np.frombuffer(content, "<f4", 2 * count).reshape(-1, 2),
            np.frombuffer(content, "<i4", -1, 8 * count),
        )
        assert places[seen["keypoint"]].tolist() == [seen["x"], seen["y"]]
        assert points[seen["keypoint"]] == 5
    problem(program.client.get("/collections/0/tracks?point=99999999"), 422, "options")


def test_pairs(program: Program) -> None:
    told = program.client.get("/collections/0/pairs.json").json()
    assert [row[:2] for row in told["pairs"]] == [[i, j] for i in range(4) for j in range(i + 1, 4)]
    for i, j, matches, inliers in told["pairs"]:
        pair = program.client.get(f"/collections/0/pairs/{i}/{j}").json()
        assert len(pair["scores"]) == len(pair["keypoints0"]) == matches
        assert sum(pair["models"][0]["inliers"]) == inliers if pair["models"] else inliers == -1
        assert [image["name"] for image in pair["images"]] == [f"view{i}.png", f"view{j}.png"]
    turned = program.client.get("/collections/0/pairs/1/0").json()
    assert sorted(turned["keypoints0"]) == sorted(program.client.get("/collections/0/pairs/0/1").json()["keypoints1"])
    problem(program.client.get("/collections/0/pairs/0/9"), 404, "not-found")
    problem(program.client.get("/collections/0/pairs/0/0"), 404, "not-found")


def test_stored_matches_are_those_of_the_store_and_have_geometry(program: Program) -> None:
    """Against the store itself; and what follows from matches follows from these as well."""
    from cyano.store import MatchStore
    from cyano.store.opening import open_stores

    (store,) = (each for each in open_stores(program.folder / "model" / "store") if isinstance(each, MatchStore))
    (stored,) = store.read([("view0.png", "view1.png")])
    told = program.client.get("/collections/0/pairs/0/1").json()
    order = np.argsort(stored.indices[:, 0])
    assert told["indices"] == stored.indices[order].tolist()
    assert told["scores"] == stored.scores[order].tolist()
    place = f"/matches/{told['id']}"
    found = program.client.post(f"{place}/geometry", json={"kind": "fundamental"}).json()
    assert found["status"] == "ok"
    assert len(found["inliers"]) == len(told["scores"])
    assert found["doubtful_inliers"] == []
    assert len(program.client.get(f"{place}/keypoints").json()["keypoints0"]) == told["images"][0]["keypoints"]
    drawn = program.client.get(f"{place}/picture.png")
    assert Image.open(io.BytesIO(drawn.content)).format == "PNG"
    problem(program.client.get(f"{place}/alternatives?keypoint=0"), 422, "options")


def test_previews(program: Program) -> None:
    answer = program.client.get("/collections/0/images/2/preview?side=120")
    assert Image.open(io.BytesIO(answer.content)).size == (120, 90)
    problem(program.client.get("/collections/0/images/9/preview"), 404, "not-found")
    problem(program.client.get("/collections/0/images/-1/preview"), 422, "options")


def test_a_photograph_is_localised(program: Program, told: dict[str, Any]) -> None:
    (view,) = render_walk(4, at=[1.5])
    write_view(view, program.folder / "new.png")
    image = program.client.put("/images", content=(program.folder / "new.png").read_bytes()).json()["id"]
    wanted = {"image": image, "camera": "PINHOLE:400,400,240,180"}
    found = program.client.post("/collections/0/localise", json=wanted).json()
    assert found["status"] == "ok", found["message"]
    cameras = {each["i"]: each for each in program.client.get("/collections/0/cameras.json").json()["cameras"]}
    one, two = (invert_rigid(np.array(cameras[i]["T_world_to_camera"]))[:3, 3] for i in (1, 2))
    step = np.linalg.norm(one - two)
    # Taken half way between the two, on an arc: 8 degrees of it are 0.25 % off the chord.
    assert np.linalg.norm(np.array(found["centre"]) - (one + two) / 2) < 0.1 * step
    seen = found["correspondences"]
    assert found["inliers"] <= sum(seen["inliers"])
    assert max(seen["points"]) < told["points"]["count"]
    assert {each["i"] for each in found["candidates"]} == set(seen["images"]) <= set(range(4))


def test_where_nothing_is_found_that_is_told(program: Program) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((200, 300, 3), 120, np.uint8)).save(buffer, "PNG")
    image = program.client.put("/images", content=buffer.getvalue()).json()["id"]
    found = program.client.post("/collections/0/localise", json={"image": image}).json()
    assert found["status"] != "ok"
    assert found["T_world_to_camera"] is None
    problem(program.client.post("/collections/0/localise", json={"image": image, "camera": "NONE:1"}), 422, "options")
    problem(program.client.post("/collections/0/localise", json={"image": "f" * 64}), 404, "not-found")
