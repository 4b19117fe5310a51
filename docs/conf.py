"""The site: Sphinx reads the Markdown of this folder, and the reference from the program itself (`scripts/docs`)."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent / "_extensions")]

from cyano import __version__  # noqa: E402 - after the path is set

project = "Cyano"
author = "The Cyano developers"
release = version = __version__
html_title = f"Cyano {release}"
project_copyright = f"{author}; Cyano {release}, code and weights under the Apache License 2.0"
language = "en"
smartquotes = False  # -- is part of an option

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "cyano_commands",
    "cyano_http",
    "cyano_links",
    "cyano_python",
]
exclude_patterns = ["_extensions", "quickstart.ipynb"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 4  # the same anchors as on GitHub
myst_links_external_new_tab = False

default_role = "literal"  # `name` in a docstring is code
nitpick_ignore_regex = [
    # Types of other packages have no page here.
    ("py:.*", r"(?!cyano\b).*"),
    # Names of modules that are no part of the reference, in signatures only.
    ("py:.*", r"cyano\.(?!Matcher$|PairResult$).*"),
]
napoleon_use_ivar = True
napoleon_attr_annotations = False
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_sphinx = False
_COLOURS = {"color-brand-primary": "#0b647d", "color-brand-content": "#0b647d", "color-brand-visited": "#0b647d"}
_DARK_COLOURS = dict.fromkeys(_COLOURS, "#4cc9e6")
html_theme_options = {
    "light_logo": "icon.svg",
    "dark_logo": "icon.svg",
    "light_css_variables": _COLOURS,
    "dark_css_variables": _DARK_COLOURS,
}
pygments_style, pygments_dark_style = "friendly", "github-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
