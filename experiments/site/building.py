"""The site: pages that people wrote and pages made from code, put together by mkdocs.

Nothing of it needs a network, neither to make the site nor to read it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from experiments.errors import RunFailed
from experiments.site.navigation import navigation
from topologies.files import FileError

HERE = Path(__file__).parent
MARK = ".spanlab-site"
"""A file in every site made here: a folder that holds other things is never replaced."""
_PICTURE = re.compile(r"^!\[(?P<text>[^]]*)\]\((?P<path>[^)\s]+\.svg)\)$", re.MULTILINE)
_README = "readme.md"
"""On the site, the page that README.md is, since pages link to it."""
_ALONE = re.compile(r"<style>.*?</style>\s*", re.DOTALL)


def build(sources: Path, generated: Mapping[str, str], site: Path) -> Path:
    """Make a site of a folder of pages and of generated ones, by path; return its first page.

    Raises FileError where ``site`` cannot be replaced, RunFailed where a link leads nowhere.
    """
    _refuse(site)
    with TemporaryDirectory(prefix="spanlab-site-") as temporary:
        stage, made = Path(temporary) / "docs", Path(temporary) / "site"
        shutil.copytree(sources, stage)
        shutil.copytree(HERE / "assets", stage / "assets")
        for path, text in generated.items():
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
            (stage / path).write_text(text)
        readme = sources.parent / "README.md"
        if readme.is_file():
            (stage / _README).write_text(readme.read_text().replace("](docs/", "]("))
        pages = sorted(stage.rglob("*.md"))
        for page in pages:
            up = "../" * len(page.relative_to(stage).parts)
            text = page.read_text().replace(f"]({up}README.md", f"]({up[3:]}{_README}")
            page.write_text(with_pictures(text, page.parent))
        settings = yaml.safe_load((HERE / "mkdocs.yml").read_text())
        settings |= {"docs_dir": str(stage), "site_dir": str(made)}
        settings["nav"] = navigation(str(page.relative_to(stage)) for page in pages)
        config = Path(temporary) / "mkdocs.yml"
        config.write_text(json.dumps(settings))  # JSON is YAML
        _run(config)
        (made / MARK).touch()
        _replace(made, site)
    return site / "index.html"


def with_pictures(text: str, folder: Path) -> str:
    """Return a page with its pictures (SVG) inside, where they take the page's colours."""

    def inside(match: re.Match[str]) -> str:
        picture = _ALONE.sub("", (folder / match["path"]).read_text()).strip()
        return f'<div class="picture" tabindex="0" data-search-exclude>\n{picture}\n</div>'

    return _PICTURE.sub(inside, text)


def _run(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-Im", "mkdocs", "build", "--strict", "--config-file", str(config)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stdout.strip().splitlines()
        told = [line for line in lines if not line.startswith("INFO")]
        raise RunFailed("\n".join(["mkdocs could not make the site:", *told]))


def _refuse(site: Path) -> None:
    if site.exists() and not (site / MARK).exists() and (not site.is_dir() or any(site.iterdir())):
        raise FileError(f"{site}: holds something else; name a new folder, or one made by docs")


def _replace(made: Path, site: Path) -> None:
    try:
        site.parent.mkdir(parents=True, exist_ok=True)
        if site.exists():
            shutil.rmtree(site)
        shutil.copytree(made, site)
    except OSError as error:
        raise FileError(f"{site}: cannot be written: {error.strerror}") from None
