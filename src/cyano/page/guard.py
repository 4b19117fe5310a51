"""The outermost layer: who may ask, how many at once, and the headers of every answer.

A page of somebody else's in the same browser can send requests to this machine. It cannot forge Host, Origin or
Sec-Fetch-Site, by which it is told apart; and as there are no CORS headers, it cannot read an answer either.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cyano.page.problems import Problem
from cyano.page.settings import Settings

__all__ = ["HEADERS", "Guard"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), usb=()",
}
"""Of every answer."""

_READING = ("GET", "HEAD")


class Guard:
    """Lets requests through to an app, or answers them itself."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            answer = self._checked(scope)
        except Problem as problem:
            answer = problem.response
            answer.headers["connection"] = "close"  # what is left of a body is not read
        if answer is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        self._active += 1
        try:
            await (answer or self._app)(scope, receive, _with_headers(send))
        finally:
            self._active -= 1

    def _checked(self, scope: Scope) -> Response | None:
        """None for a request to pass on, or its answer.

        Raises:
            Problem: it is refused.
        """
        headers = Headers(scope=scope)
        _check_host(headers, self._settings)
        _check_origin(headers, scope)
        answer = None if self._settings.token is None else _entrance(headers, scope, self._settings)
        if self._active >= self._settings.limits.requests:
            raise Problem("busy", f"{self._active} requests are being answered", headers={"retry-after": "1"})
        return answer


def _check_host(headers: Headers, settings: Settings) -> None:
    given = headers.getlist("host")
    try:
        name = urlsplit(f"//{given[0]}").hostname if len(given) == 1 else None
    except ValueError:
        name = None
    if name is None or not settings.answers_to(name):
        raise Problem("forbidden", "the Host header does not name this server")


def _check_origin(headers: Headers, scope: Scope) -> None:
    """A foreign page may link to the page itself, and nothing else."""
    site = headers.get("sec-fetch-site", "none")
    own = {f"{scheme}://{headers['host'].lower()}" for scheme in ("http", "https")}
    origins = headers.getlist("origin")
    if origins and (len(origins) > 1 or origins[0].lower() not in own):
        raise Problem("forbidden", "the request comes from a page of another origin")
    link = scope.get("path") == "/" and scope.get("method") in _READING and headers.get("sec-fetch-dest") == "document"
    if site not in ("same-origin", "none") and not link:
        raise Problem("forbidden", "the request comes from a page of another site")


def _entrance(headers: Headers, scope: Scope, settings: Settings) -> Response | None:
    """None for a request with the token; the way in for one that brings it in the address."""
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    cookie = f"cyano_{settings.port}"
    if scope.get("path") == "/" and scope.get("method") == "GET" and "token" in dict(query):
        if not _same(dict(query)["token"], settings.token):
            raise Problem("token", "the token in the address is not that of this server")
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        answer = RedirectResponse("/" + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(cookie, settings.token or "", path="/", httponly=True, samesite="strict")
        return answer
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else _cookie(headers, cookie)
    if not _same(given, settings.token):
        raise Problem("token", "the request has no token of this server", headers={"www-authenticate": "Bearer"})
    return None


def _cookie(headers: Headers, name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _same(given: str, token: str | None) -> bool:
    """Whether it is the token, in a time that does not tell how much of it was right."""
    return token is not None and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
