"""The table of attacks: each is refused, in the form of all other problems."""

from __future__ import annotations

import httpx
import pytest

from cyano.page.settings import Settings
from support.serving import Served, problem, serving


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"]
)
def test_a_name_that_is_not_ours(fake: Served, host: str) -> None:
    problem(fake.client.get("/health", headers={"host": host}), 403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:80", "LOCALHOST"])
def test_our_names(fake: Served, host: str) -> None:
    assert fake.client.get("/health", headers={"host": host}).json()["status"] == "ok"


def test_two_hosts(fake: Served) -> None:
    answer = fake.raw(
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert answer.split(b" ")[1] in (b"400", b"403")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/match"), ("PUT", "/images"), ("GET", "/health")])
def test_another_origin(fake: Served, method: str, path: str, headers: dict[str, str]) -> None:
    problem(fake.client.request(method, path, headers=headers, content=b"x"), 403, "forbidden")


def test_own_origin(fake: Served) -> None:
    own = {"origin": f"http://127.0.0.1:{fake.port}", "sec-fetch-site": "same-origin"}
    assert fake.client.put("/images", content=b"an image", headers=own).status_code == 200


def test_another_page_may_link_to_ours_alone(fake: Served) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    assert httpx.get(f"http://127.0.0.1:{fake.port}/", headers=link).status_code == 200
    problem(fake.client.get("/health", headers=link), 403, "forbidden")


def test_a_websocket_from_another_origin(fake: Served) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    answer = fake.client.get(
        "/live", headers={**upgrade, "sec-websocket-key": "x" * 24, "origin": "http://evil.example"}
    )
    problem(answer, 403, "forbidden")


@pytest.mark.parametrize("path", ["../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/secret", "a\\..\\b", "%00"])
@pytest.mark.parametrize(
    "place", ["/api/v1/images/{}/preview", "/static/{}", "/api/v1/collections/0/images/{}/preview"]
)
def test_no_path_leads_out(fake: Served, place: str, path: str) -> None:
    answer = fake.raw(f"GET {place.format(path)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"404", b"422")
    assert b"application/problem+json" in answer


def test_every_answer_has_the_headers(fake: Served) -> None:
    for answer in (
        fake.client.get("/health"),
        fake.client.get("/nothing"),
        fake.client.get("/health", headers={"host": "x"}),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


def test_no_preflight_is_granted(fake: Served) -> None:
    asked = {"origin": "http://evil.example", "access-control-request-method": "PUT"}
    problem(fake.client.options("/images", headers=asked), 403, "forbidden")
    problem(fake.client.options("/images"), 405, "method")


def test_an_address_for_others_needs_the_token() -> None:
    token = "t" * 43
    with serving(Settings(host="0.0.0.0", port=8080, token=token)) as served:
        get = served.client.get
        told = problem(get("/health"), 401, "token")
        assert token not in str(told)
        problem(get("/health", headers={"authorization": "Bearer wrong"}), 401, "token")
        problem(get("/health", headers={"authorization": f"Basic {token}"}), 401, "token")
        problem(get("/health?token=" + token), 401, "token")
        assert get("/health", headers={"authorization": f"Bearer {token}"}).status_code == 200
        problem(get("/health", headers={"authorization": f"Bearer {token}", "host": "evil.example"}), 403, "forbidden")
        assert get("/health", headers={"authorization": f"Bearer {token}", "host": "10.0.0.1"}).status_code == 200
        root = f"http://127.0.0.1:{served.port}/"
        problem(httpx.get(root), 401, "token")
        problem(httpx.get(root, params={"token": "wrong"}), 401, "token")
        entered = httpx.get(root, params={"token": token, "tab": "match"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/?tab=match")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert httpx.get(root, cookies=entered.cookies).status_code == 200


def test_which_names_a_server_answers_to() -> None:
    local, wide = Settings(names=("photos.example",)), Settings(host="0.0.0.0")
    assert local.is_local
    assert not wide.is_local
    assert local.answers_to("photos.example")
    assert not local.answers_to("192.168.0.7")  # nobody else can ask a local one
    assert wide.answers_to("192.168.0.7")
    assert wide.answers_to("[fe80::1]")
    assert not wide.answers_to("photos.example")
