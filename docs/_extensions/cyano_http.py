"""The directive `http-api`: every call of the HTTP service, from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["markdown", "openapi", "setup"]


class HttpDirective(SphinxDirective):
    """All calls, in the order in which the service has them."""

    def run(self) -> list[nodes.Node]:
        """Parse the calls' Markdown where the directive stands."""
        return self.parse_text_to_nodes(markdown(openapi()), allow_section_headings=True)


def openapi() -> dict[str, Any]:
    """The document that a running service has at `/api/v1/openapi.json`."""
    from cyano.page.app import application
    from cyano.page.service import Service
    from cyano.page.settings import Settings
    from cyano.page.worker import Worker

    settings = Settings()
    guarded: Any = application(Service(settings, Worker(settings)))
    return dict(guarded._app.openapi())


def markdown(document: dict[str, Any]) -> str:
    """A section for each call: what it does, its parameters and its answers."""
    calls = [(path, method, call) for path, methods in document["paths"].items() for method, call in methods.items()]
    return "\n\n".join("\n\n".join(_call(*each)) for each in calls if each[0].startswith("/api/"))


def _call(path: str, method: str, call: dict[str, Any]) -> Iterator[str]:
    yield f"## {method.upper()} {path.removeprefix('/api/v1')}"
    yield call["summary"] + "."
    if call.get("description"):
        yield call["description"]
    parameters = call.get("parameters", [])
    if parameters:
        rows = [_parameter(each) for each in parameters]
        yield "\n".join(["| parameter | in | type | default |", "|---|---|---|---|", *rows])
    body = call.get("requestBody", {}).get("content", {})
    if body:
        yield "Body: " + ", ".join(f"`{kind}`" for kind in body) + "."


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    kind = schema.get("type") or " or ".join(each.get("type", "") for each in schema.get("anyOf", []))
    default = "required" if parameter.get("required") else f"`{schema.get('default')}`"
    return f"| `{parameter['name']}` | {parameter['in']} | {kind.replace(' or null', '')} | {default} |"


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    sphinx.add_directive("http-api", HttpDirective)
    return {"parallel_read_safe": True}
