"""Compile the native kernels, where there is a compiler for them; without them Cyano computes with torch alone.

The kernels of native/ are compiled once for each set of instructions, into one library with a plain C interface that
fits every Python. `CYANO_NATIVE=0` leaves it out, and so do other processors and systems; a build that fails is told
and is no failed installation.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

SOURCES = Path("native")
LIBRARY = "cyano.native.kernels"
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
TARGETS = {"avx2": AVX2, "avx512": AVX512, "avx512bf16": [*AVX512, "-mavx512bf16"]}
FLAGS = [
    *("-std=c++17", "-O3", "-fopenmp", "-fPIC", "-fvisibility=hidden", "-g0", "-Wall", "-Wextra"),
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",  # of the intrinsics of gcc 12 themselves
    # Plain C outside: no C++ library is linked. No errno and no traps of floats, which would keep loops from vectors.
    *("-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-math-errno", "-fno-trapping-math"),
]


class BuildKernels(build_ext):
    """Each kernel for each target, and which targets a processor has, in one library."""

    def get_ext_filename(self, fullname: str) -> str:
        """The same for every Python, for it is none of its modules."""
        return f"{fullname.replace('.', os.sep)}.so"

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Those that the sources say."""
        return []

    def build_extension(self, ext: Extension) -> None:
        """Compile and link."""
        objects = []
        for target, flags in {"": [], **TARGETS}.items():
            sources = [each for each in ext.sources if (Path(each).stem == "processor") == (not target)]
            folder = os.path.join(self.build_temp, target or "any")
            macros = [("CYANO_TARGET", target)] if target else []
            objects += self.compiler.compile(
                sources, output_dir=folder, macros=macros, extra_postargs=[*FLAGS, *flags], depends=ext.depends
            )
        path = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.compiler.link_shared_object(objects, path, extra_postargs=["-fopenmp", "-lm"], build_temp=self.build_temp)


class PlatformWheel(bdist_wheel):
    """A wheel for every Python 3 on one platform, since its library knows nothing of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """py3-none and the platform."""
        tag = super().get_tag()
        return tag if self.root_is_pure else ("py3", "none", tag[2])


def kernels() -> list[Extension]:
    """The library, where this machine can have it."""
    wanted = os.environ.get("CYANO_NATIVE", "1") != "0"
    if not (wanted and sys.platform == "linux" and platform.machine() == "x86_64"):
        return []
    sources = sorted(path.as_posix() for path in SOURCES.glob("*.cpp"))
    headers = sorted(path.as_posix() for path in SOURCES.glob("*.h"))
    return [Extension(LIBRARY, sources, depends=headers, language="c++", optional=True)]


def description() -> str:
    """The README; its relative links lead to the repository, where pyproject.toml has its address."""
    text = Path("README.md").read_text(encoding="utf-8")
    address = tomllib.loads(Path("pyproject.toml").read_text())["project"].get("urls", {}).get("Repository")
    if address is None:
        return text
    text = re.sub(r"(!\[[^\]]*\]\()(?![a-z]+:|#)", rf"\1{address}/raw/HEAD/", text)
    return re.sub(r"(\]\()(?![a-z]+:|#)", rf"\1{address}/blob/HEAD/", text)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    ext_modules=kernels(),
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": PlatformWheel},
)
