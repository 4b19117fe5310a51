"""What has to be true before a release; prints the version.

usage: python scripts/release_check.py [--bounds FILE]

--bounds writes the lowest version of each dependency as pip's constraints.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+)"$', re.MULTILINE)


def version() -> str:
    """The one in the package, which all others follow."""
    found = VERSION.search((ROOT / "src/cyano/__init__.py").read_text())
    if found is None:
        sys.exit("src/cyano/__init__.py has no __version__ of three numbers")
    return found[1]


def lowest() -> list[str]:
    """The lowest version of each dependency of the core."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.sub(r">=", "==", each) for each in project["dependencies"]]


def main() -> None:
    """Check, and print the version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bounds", type=Path)
    arguments = parser.parse_args()
    if f"\n## {version()}" not in (ROOT / "CHANGELOG.md").read_text():
        sys.exit(f"CHANGELOG.md has no section {version()}")
    if f"\nversion: {version()}\n" not in (ROOT / "CITATION.cff").read_text():
        sys.exit(f"CITATION.cff has another version than {version()}")
    if arguments.bounds is not None:
        arguments.bounds.write_text("\n".join(lowest()) + "\n")
    print(version())


if __name__ == "__main__":
    main()
