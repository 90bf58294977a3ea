"""The pictures of the docs are made by their script, and the links of the README lead somewhere."""

import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).parents[1]


def test_pictures_are_made(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "docs" / "pictures.py"), str(tmp_path)], check=True, capture_output=True, cwd=tmp_path)
    made = sorted(p.name for p in tmp_path.glob("*.svg"))
    assert made == sorted(p.name for p in (ROOT / "docs" / "pictures").glob("*.svg"))
    for p in tmp_path.glob("*.svg"):
        ET.fromstring(p.read_text())


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
