"""Tables and landscapes as pictures: the right colours and numbers, the path where it went, the model as it was."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError
from minigrad.viz.heat import RAMP, Heat, colour
from minigrad.viz.landscape import landscape


def cells(heat):
    """(x, y, colour) of each cell."""
    return re.findall(r'<rect x="([\d.]+)" y="([\d.]+)".*?fill="(#\w+)"', heat.svg)


def test_colours_go_from_least_to_greatest():
    heat = Heat([[0, 1], [3, np.nan]], numbers=True, title="a < b", x="x", y="y")
    ET.fromstring(heat.svg)
    found = [c for _, _, c in cells(heat)]
    assert len(found) == 3  # none for NaN
    assert found[0] == "#{:02x}{:02x}{:02x}".format(*RAMP[0])
    assert found[2] == "#{:02x}{:02x}{:02x}".format(*RAMP[-1])
    shades = [int(colour(s)[1:3], 16) for s in np.linspace(0, 1, 9)]
    assert shades == sorted(shades, reverse=True)
    assert ">3<" in heat.svg
    assert "a &lt; b" in heat.svg


def test_names_and_thinning():
    heat = Heat(np.eye(3), rows=list("abc"), columns=list("xyz"))
    assert all(f">{name}<" in heat.svg for name in "abcxyz")
    many = Heat(np.zeros((200, 3)), rows=[f"row {i}" for i in range(200)])
    assert 20 < many.svg.count(">row ") < 200
    assert Heat([[np.nan]]).svg.count("<rect x") == 0


@pytest.mark.parametrize(
    ("values", "names", "words"),
    [([1, 2], {}, "table"), ([[1, 2]], {"rows": ["a", "b"]}, "2 names for 1 rows"), (np.zeros((0, 2)), {}, "table")],
)
def test_what_is_no_table(values, names, words):
    with pytest.raises(ShapeError, match=words):
        Heat(values, **names)


def test_saved_as_svg(tmp_path):
    path = Heat([[1, 2]]).save(tmp_path / "new" / "heat.png")
    assert path.name == "heat.svg"
    assert path.read_text() == Heat([[1, 2]])._repr_svg_()


def bowl():
    """A model whose loss is the squared distance of its weights from 0."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data[...] = [[1.0, 0.0], [0.0, 2.0]]
    return model, lambda: (model.weight**2).sum()


def test_landscape_is_the_loss_and_the_model_is_left_alone():
    model, loss = bowl()
    before = model.weight.numpy().copy()
    heat = landscape(loss, model, steps=5, span=0.5)
    np.testing.assert_array_equal(model.weight.numpy(), before)
    assert heat.values[2, 2] == pytest.approx(np.log10(5))
    assert model.weight.grad is None

    def failing():
        raise KeyError("loss")

    with pytest.raises(KeyError):
        landscape(failing, model, steps=3)
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_directions_do_not_depend_on_the_scale_of_a_layer():
    mg.manual_seed(0)
    x = mg.random.normal(size=(8, 3))
    small = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    large = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    large[0].weight.data[...] = small[0].weight.data * 10
    large[2].weight.data[...] = small[2].weight.data / 10
    one, two = (landscape(lambda m=m: (m(x) ** 2).mean(), m, steps=4).values for m in (small, large))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_the_path_is_drawn_where_it_went():
    model, loss = bowl()
    corners = [[[4.0, 0.0], [0.0, 0.0]], [[4.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 2.0]]]
    heat = landscape(loss, model, steps=9, path=[{"weight": np.array(c, "float32")} for c in corners])
    line = re.search(r'<polyline points="([^"]+)"', heat.svg).group(1).split()
    assert len(line) == 3
    at = np.array([[float(v) for v in p.split(",")] for p in line])
    xs, ys = (np.array(sorted({float(c[i]) for c in cells(heat)})) for i in (0, 1))
    nearest = [(np.abs(ys - y).argmin(), np.abs(xs - x).argmin()) for x, y in at - [(xs[1] - xs[0]) / 2, (ys[1] - ys[0]) / 2]]
    for (i, j), c in zip(nearest, corners, strict=True):  # the loss of the nearest cell is about that of the point
        assert heat.values[i, j] == pytest.approx(np.log10(np.square(c).sum()), abs=0.25)
    with pytest.raises(ShapeError, match="on a line"):
        landscape(loss, model, path=[{"weight": np.eye(2)}, {"weight": np.eye(2)}])
