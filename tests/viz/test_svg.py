"""Our own SVG: readable by any program, the same bytes each time, arrows the right way."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

import minigrad as mg
from minigrad.viz import record
from minigrad.viz.placement import place
from minigrad.viz.svg import curve, to_svg

from .test_layout import chain, gpt, loop

NS = "{http://www.w3.org/2000/svg}"


def square():
    x = mg.tensor(2.0, requires_grad=True)
    return record(x * x, {'"<x>"': x})


def test_the_same_graph_gives_the_same_bytes_and_names_are_escaped():
    text = to_svg(square(), place(square()))
    assert text == to_svg(square(), place(square()))
    assert '"<x>"' in [t.text for t in ET.fromstring(text).iter(f"{NS}text")]


def test_every_box_is_drawn_with_its_texts_and_chips():
    out, _ = gpt(2)
    layout = place(out)
    root = ET.fromstring(to_svg(out, layout, set(range(len(layout.groups)))))
    said = [t.text for t in root.iter(f"{NS}text")]
    drawn = [b.id for b in out.boxes if b.id not in {c for row in layout.chips.values() for c in row}]
    assert len(root.findall(f"{NS}g")) == len(drawn)
    assert said.count("∂weight") == sum(b.kind == "grad" and b.name.endswith(".weight") for b in out.boxes)
    assert "fc" not in said
    assert "mlp" in [t.text for t in root.iter(f"{NS}tspan")]


def test_a_closed_fold_says_how_many_it_stands_for():
    out, _ = loop(50)
    layout = place(out)
    closed, opened = to_svg(out, layout), to_svg(out, layout, {0, 1, 2, *[g.id for g in layout.groups if g.kind == "fold"]})
    assert ">×49<" in closed
    assert ">×49<" not in opened


def test_arrows_turn_round_for_the_way_back():
    out = square()
    forward, backward = to_svg(out, place(out)), to_svg(out, place(out), mode="backward")
    assert forward.count("marker-end") == backward.count("marker-start") == 1
    assert "marker-start" not in forward


def test_a_strip_is_padded_to_a_shape_that_can_be_looked_at():
    out, _ = chain(9)
    width, height = map(int, re.search(r'width="(\d+)" height="(\d+)"', to_svg(out, place(out))).groups())
    assert 1 / 4 <= width / height <= 4


def test_slanted_pieces_are_swung_and_upright_ones_are_not():
    assert curve([(0.0, 0.0), (0.0, 10.0), (20.0, 30.0)]) == "M0.0 0.0L0.0 10.0C0.0 20.0 20.0 20.0 20.0 30.0"


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed (librsvg2-bin)")
def test_another_program_can_draw_it(tmp_path):
    out, _ = gpt(3)
    path = tmp_path / "gpt.svg"
    path.write_text(to_svg(out, place(out)))
    done = subprocess.run(["rsvg-convert", path], capture_output=True, check=True)
    assert done.stdout[:4] == b"\x89PNG"
