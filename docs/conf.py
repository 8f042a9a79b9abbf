"""Build the documentation site: Sphinx reads docs/*.md, the gallery and the docstrings.

`docs/index.md` stays the one list of pages, in reading order: the menus are made from its headings
and links when it is read.
"""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from docutils import nodes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "scripts")]
mpl.use("Agg")
warnings.filterwarnings("ignore", category=DeprecationWarning)

from documentation.catalogue import write_catalogue  # noqa: E402
from neurorl._version import __version__  # noqa: E402

project = "neurorl"
author = "the neurorl developers"
copyright = "the neurorl developers, BSD-3-Clause"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
exclude_patterns = [
    "_build",
    "sg_execution_times.rst",
    "gallery/*.ipynb",
    "gallery/sg_execution_times.rst",
]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "neurorl"
html_static_path = ["site/static"]
html_css_files = ["neurorl.css"]
html_show_sourcelink = False
html_sidebars = {"**": ["globaltoc.html"]}
html_theme_options = {
    "logo": {"text": f"neurorl {version}"},
    "navbar_center": [],
    "collapse_navigation": False,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "secondary_sidebar_items": ["page-toc"],
}


def scrape_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save figures that a block of an example has made without pyplot, as `neurorl.plot` does.

    Returns the text that shows them.
    """
    scraped = block_vars.setdefault("scraped", [])
    paths = []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Figure) and value.canvas.manager is None and value not in scraped:
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=100)
            scraped.append(value)
    return figure_rst(paths, gallery_conf["src_dir"])


sphinx_gallery_conf = {
    "examples_dirs": str(DOCS.parent / "examples" / "gallery"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "capture_repr": (),
    "image_scrapers": ("matplotlib", scrape_figures),
    "reset_modules": ("matplotlib",),
}

LINK = re.compile(r"\]\((?:\.\./)?([\w/-]+)(?:\.md|\))")
OUTSIDE = {
    "../examples/gallery": "gallery/index",
    "../models)": "catalogue/neurons/index.md)",
    "../neurorl/rules)": "catalogue/rules/index.md)",
    "../REPRODUCING.md": "reproducing.md",
    "../CHANGELOG.md": "changelog.md",
}
"""Name the pages whose sources lie outside of docs/, by how pages link to them."""
PARAMETER = re.compile(r"(\*{0,2}[A-Za-z]\w*(?:, \*{0,2}[A-Za-z]\w*)*): (.*)")
CODE = re.compile(r"(``[^`]*``|`[^`]*`)")


def menu_of(page: str) -> str:
    """Return the page with a hidden menu under each of its headings, from the links there.

    A page that several headings link to is in the menu of the last one.
    """
    parts = re.split(r"(?m)^(?=## )", page)
    seen: set[str] = set()
    for number, part in reversed([*enumerate(parts)]):
        names = [name for name in dict.fromkeys(LINK.findall(part)) if name not in seen]
        seen.update(names)
        if names:
            heading = part.splitlines()[0]
            caption = heading.lstrip("# ") if number else "Start"
            lines = "\n".join(names)
            menu = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n\n"
            parts[number] = f"{part}\n{menu}"
    return "".join(parts)


def read_page(_app: Any, name: str, source: list[str]) -> None:
    """Point links to what the site has, and give the index its menus."""
    if f"../{name.upper()}.md" in OUTSIDE:
        page = (DOCS.parent / f"{name.upper()}.md").read_text()
        source[0] = page.replace("](docs/", "](").replace("](README.md)", "](index.md)")
    for outside, own in OUTSIDE.items():
        source[0] = source[0].replace(f"]({outside}", f"]({own}")
    if name == root_doc:
        source[0] = menu_of(source[0])


def escaped(line: str) -> str:
    """Return a line of a docstring in which only emphasis and code are markup."""
    pieces = CODE.split(line)
    pieces[::2] = [re.sub(r"(\||_(?=\W|$))", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def paragraphs(lines: list[str]) -> list[str]:
    """Return a docstring of this project as reStructuredText: a list item for each parameter.

    A parameter is ``name: what it is``, and goes on in lines that are indented. What is indented
    from its first line on is kept as it is.
    """
    result: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        rows = block.split("\n")
        if rows[0].startswith((" ", "- ", "..", ":", "==")) or rows[0].endswith("::"):
            result += [*map(escaped, rows), ""] if rows[0].startswith("- ") else [*rows, ""]
            continue
        was_parameter = False
        for row in rows:
            found = PARAMETER.fullmatch(row)
            if found and not found[1].startswith(("Raises", "Source", "Returns")):
                result += ["", f"- **{found[1]}**: {escaped(found[2])}"]
                was_parameter = True
            elif row.startswith(" "):
                result.append(("  " if was_parameter else "") + escaped(row.strip()))
            else:
                result += ([""] if was_parameter else []) + [escaped(row)]
                was_parameter = False
        result.append("")
    return result


def read_docstring(
    _app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Turn a docstring into reStructuredText in place."""
    lines[:] = paragraphs(lines)


def show_drawings(_app: Any, tree: nodes.document, _name: str) -> None:
    """Put drawings into the page itself, so that they take its colours, light or dark."""
    for image in list(tree.findall(nodes.image)):
        if image["uri"].endswith(".svg") and 'class="drawing"' in (
            text := (DOCS / image["uri"]).read_text()
        ):
            html = f'<div class="drawing-box">{text}</div>'
            image.replace_self(nodes.raw("", html, format="html"))


def leave_out_ways_back(
    _app: Any, name: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Take links back from pages of sources: those of names that have two places lead nowhere."""
    if name.startswith("_modules/"):
        context["body"] = re.sub(r'<a class="viewcode-back".*?</a>', "", context["body"])


def remove_files(_app: Any, _exception: Exception | None) -> None:
    """Remove what the examples have saved beside themselves, as they run in their folder."""
    for folder in (DOCS.parent / "examples" / "gallery", DOCS / "notebooks"):
        for path in [*folder.glob("*.npz"), *folder.glob("*.nir")]:
            path.unlink()


def setup(app: Any) -> None:
    """Connect what happens while pages and docstrings are read."""
    app.connect("builder-inited", lambda _: write_catalogue(DOCS / "catalogue"))
    app.connect("source-read", read_page)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("doctree-resolved", show_drawings)
    app.connect("html-page-context", leave_out_ways_back)
    app.connect("build-finished", remove_files)
