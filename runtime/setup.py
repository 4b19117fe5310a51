"""Build cyano-runtime: its own modules, and those of Cyano that need no torch, copied from the checkout around it.

In the checkout both packages lie side by side, and `cyano_runtime` imports from `cyano`. In the wheel there is no
`cyano`: its modules that are named below become `cyano_runtime._cyano`, and what imports them is rewritten
(docs/decisions/0026-runtime.md).
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CYANO = Path(__file__).resolve().parent.parent / "src" / "cyano"
TAKEN = "cyano_runtime._cyano"

MODULES = (
    *("atomic", "concise", "correspondences", "devices", "errors", "exif", "onnx_engines", "reading", "types"),
    *("processing.alignment_rules", "processing.decode", "processing.frames", "processing.images", "processing.pixels"),
    *("processing.resampling", "processing.resize", "processing.sixteen_bits"),
    *("viz.colours", "viz.encoding", "viz.fast", "viz.layout", "viz.painting", "viz.polygons", "viz.sizes"),
    "viz.spread",
)
"""Cyano's modules that the runtime is made of, with all that these import."""

PACKAGES = ("", "processing", "viz")


class BuildWithCyano(build_py):
    """The package with a copy of `MODULES` in it."""

    def run(self) -> None:
        """Copy the runtime's own modules, then Cyano's, and have all of them import the copies."""
        if not CYANO.is_dir():
            raise SystemExit("cyano-runtime is built in a checkout of Cyano, whose modules are copied from src/cyano")
        super().run()
        package = Path(self.build_lib) / "cyano_runtime"
        for module in MODULES:
            name = module.replace(".", "/") + ".py"
            target = package / "_cyano" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((CYANO / name).read_text(encoding="utf-8"), encoding="utf-8")
        for name in PACKAGES:
            (package / "_cyano" / name / "__init__.py").write_text(
                '"""A copy of modules of Cyano."""\n', encoding="utf-8"
            )
        for path in sorted(package.rglob("*.py")):
            path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


def rewritten(source: str) -> str:
    """The source with imports of `cyano` changed to those of the copy."""
    return re.sub(r"^(\s*from )cyano(?=[. ])", rf"\1{TAKEN}", source, flags=re.MULTILINE)


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildWithCyano})
