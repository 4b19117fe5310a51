"""What has to be true before a release; prints the version.

usage: python scripts/release_check.py [--bounds FILE] [--wheels FILE...]

--bounds writes the lowest series of each dependency as pip's constraints; --wheels has to hold what is in src.
"""

import argparse
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+)"$', re.MULTILINE)


def version(package: str = "src/cyano") -> str:
    """The one in the package; Cyano's is the one that all others follow."""
    found = VERSION.search((ROOT / package / "__init__.py").read_text())
    if found is None:
        sys.exit(f"{package}/__init__.py has no __version__ of three numbers")
    return found[1]


def lowest() -> list[str]:
    """The lowest series of each dependency of the core: 4.10.* where 4.10 is asked for, which need not exist itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.sub(r">=(.*)", r"==\1.*", each) for each in project["dependencies"]]


def check_wheel(wheel: Path) -> None:
    """A wheel of Cyano has the files under src that git knows, and the native kernels besides."""
    listed = subprocess.run(["git", "ls-files", "."], cwd=ROOT / "src", check=True, capture_output=True, text=True)
    known = set(listed.stdout.splitlines())
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    different = known ^ (packed - {"cyano/native/kernels.so"})
    if different:
        sys.exit(f"{wheel.name}: in src or in the wheel, but not in both: {', '.join(sorted(different))}")


def main() -> None:
    """Check, and print the version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bounds", type=Path)
    parser.add_argument("--wheels", type=Path, nargs="+", default=[])
    arguments = parser.parse_args()
    if f"\n## {version()}" not in (ROOT / "CHANGELOG.md").read_text():
        sys.exit(f"CHANGELOG.md has no section {version()}")
    if f"\nversion: {version()}\n" not in (ROOT / "CITATION.cff").read_text():
        sys.exit(f"CITATION.cff has another version than {version()}")
    if version("runtime/src/cyano_runtime") != version():
        sys.exit(f"cyano-runtime has another version than {version()}")
    for wheel in arguments.wheels:
        check_wheel(wheel)
    if arguments.bounds is not None:
        arguments.bounds.write_text("\n".join(lowest()) + "\n")
    print(version())


if __name__ == "__main__":
    main()
