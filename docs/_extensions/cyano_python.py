"""The directive `public-names`: every public name of a module, by autodoc."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

__all__ = ["MODULES", "elsewhere", "public_names", "setup", "without_a_page"]

MODULES = (
    "cyano.hf",  # before the names that `cyano` has of it
    "cyano",
    "cyano.geometry",
    "cyano.collection",
    "cyano.localisation",
    "cyano.video",
    "cyano.tracking",
    "cyano.live",
    "cyano.viz",
    "cyano.pairs",
    "cyano.retrieval",
    "cyano.formats",
    "cyano.store",
    "cyano.engine",
    "cyano.checkpoints",
    "cyano.export",
    "cyano.evaluation",
    "cyano.localisation_evaluation",
    "cyano.errors",
    "cyano.types",
    "cyano.adapters.original",
    "cyano.adapters.opencv",
    "cyano.adapters.lightglue",
    "cyano.adapters.kornia",
    "cyano.adapters.rtabmap",
)
"""Modules whose `__all__` is public; a name is described where it stands first in this order."""


READABLE = ("cyano.models.superglue", "cyano.models.superpoint")
"""Networks whose methods are for those who read them (docs/architecture.md)."""

LONGEST_VALUE = 200
"""Characters of a constant that are shown; longer ones are described by their comment alone."""


class PublicNamesDirective(SphinxDirective):
    """`{public-names} cyano.geometry` is the reference of that module; names in its body come first."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Let autodoc describe each name, and point to those that have their place on another page."""
        module = self.arguments[0]
        names = list(dict.fromkeys([*" ".join(self.content).split(), *public_names(module)]))
        blocks = [_block(module, name) for name in names if not elsewhere(module, name)]
        moved = [f"{{py:obj}}`{where}.{name}`" for name in public_names(module) if (where := elsewhere(module, name))]
        text = "```{eval-rst}\n" + "\n".join(blocks) + "\n```"
        if moved:
            text += f"\n\nAlso here: {', '.join(moved)}."
        return self.parse_text_to_nodes(text)


def public_names(module: str) -> list[str]:
    """The names of `__all__` that do not begin with an underscore, in its order."""
    return [name for name in import_module(module).__all__ if not name.startswith("_")]


def elsewhere(module: str, name: str) -> str | None:
    """The earlier module that describes the same object, or None."""
    value = getattr(import_module(module), name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return None
    for earlier in MODULES[: MODULES.index(module)]:
        if name in public_names(earlier) and getattr(import_module(earlier), name) is value:
            return earlier
    return None


def without_a_page(value: type) -> list[type]:
    """The bases whose members are described with the class: those of Cyano that are not public themselves."""
    public = {id(getattr(import_module(module), name)) for module in MODULES for name in public_names(module)}
    return [
        base
        for base in value.__mro__[1:]
        if base.__module__.startswith("cyano.") and base.__module__ not in READABLE and id(base) not in public
    ]


def _inherited(value: type) -> str:
    shown = without_a_page(value)
    others = dict.fromkeys(base.__name__ for base in value.__mro__[1:] if base not in shown)
    return f"\n   :inherited-members: {', '.join(others)}" if shown else ""


def _block(module: str, name: str) -> str:
    value = getattr(import_module(module), name)
    if inspect.isclass(value):
        members = "" if issubclass(value, BaseException) else f"\n   :members:{_inherited(value)}"
        return f".. autoclass:: {module}.{name}{members}\n"
    if inspect.isfunction(value):
        return f".. autofunction:: {module}.{name}\n"
    told = " ".join(_comment(module, name)) or "One of the values below."
    shown = str(value).replace("typing.", "")
    value_line = f"\n   ``{shown}``\n" if len(shown) < LONGEST_VALUE else ""
    return f".. py:data:: {module}.{name}\n\n   {told}\n{value_line}"


def _comment(module: str, name: str) -> list[str]:
    """The string below a constant, in whichever module of the package it stands."""
    for home in sorted(each for each in sys.modules if each == module or each.startswith(f"{module}.")):
        with suppress(PycodeError):
            found = ModuleAnalyzer.for_module(home)
            found.analyze()
            if ("", name) in found.attr_docs:
                return found.attr_docs["", name]
    return []


def _skipped(sphinx: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    """Fields of a NamedTuple are listed with the class."""
    return True if (inspect.getdoc(value) or "").startswith("Alias for field number") else None


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    sphinx.add_directive("public-names", PublicNamesDirective)
    sphinx.connect("autodoc-skip-member", _skipped)
    return {"parallel_read_safe": True}
