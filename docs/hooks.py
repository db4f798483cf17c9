"""The site begins with the README; files beside docs/ are named only; nothing is loaded."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

_TO_FILES = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")
"""Links from a page to sources, which a site has not."""

_SHIM = "https://unpkg.com/iframe-worker/shim"
"""What the search of a page that was opened as a file needs."""


def on_files(files: Files, config: Any) -> Files:
    """The README becomes index.md, seen from docs/."""
    root = Path(config["config_file_path"]).parent
    readme = (root / "README.md").read_text()
    readme = readme.replace("](docs/", "](").replace("](CONTRIBUTING.md)", "](../CONTRIBUTING.md)")
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Their text stays."""
    return _TO_FILES.sub(r"\1", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The theme's one script from elsewhere comes from here."""
    return output.replace(_SHIM, get_relative_url("javascripts/iframe-worker.js", page.url))


def on_post_template(output_content: str, **_: Any) -> str:
    """In pages that are no page of the docs, too: they lie at the top."""
    return output_content.replace(_SHIM, "javascripts/iframe-worker.js")
