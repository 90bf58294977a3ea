"""The commands about a user's file: graph, summary, profile; what they write and what they say when something is wrong."""

import json
import sys

import pytest

from minigrad.__main__ import main

FILE = """
import helper_of_mine
import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F

if __name__ == "__main__":
    raise SystemExit("this is not how the file is to be used")

def model():
    return nn.Sequential(nn.Linear(helper_of_mine.WIDE, 4), nn.ReLU(), nn.Linear(4, 2))

ready = model()

def loss():
    return F.cross_entropy(model()(mg.ones((3, 5))), mg.tensor([0, 1, 0]))

optimizer = optim.SGD(ready.parameters(), lr=0.1)

def step():
    optimizer.zero_grad()
    value = F.cross_entropy(ready(mg.ones((3, 5))), mg.tensor([0, 1, 0]))
    value.backward()
    optimizer.step()
    return value

def several():
    x = mg.ones(3, requires_grad=True)
    return {"a": mg.exp(x), "b": [x * 2, 7]}

def nothing():
    return 3

def faulty(missing=None):
    return {}[missing]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "helper_of_mine.py").write_text("WIDE = 5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("helper_of_mine", None)
    sys.modules.pop("mine", None)


def said(capsys, *words, status=0):
    assert main(words) == status
    out = capsys.readouterr()
    return out.err if status else out.out


@pytest.mark.parametrize("name", ["mine.py:loss", "mine:loss"])
def test_graph_of_a_loss(folder, capsys, name):
    out = said(capsys, "graph", name)
    assert "<Graph of 4 ops and 4 leaves, 8 gradients>" in out
    assert str(folder / "graph.html") in out
    page = (folder / "graph.html").read_text(encoding="utf-8")
    assert "mine.py" in page  # lines of the source
    assert "0.weight" in page


def test_graph_of_a_model_and_of_several_tensors(folder, capsys):
    for name in ("mine.py:ready", "mine.py:model"):
        said(capsys, "graph", name, "--shape", "3,5", "--out", "net.json", "--mode", "forward")
        record = json.loads((folder / "net.json").read_text())
        assert [b["op"] for b in record["nodes"] if b["kind"] in ("op", "output")] == ["linear", "relu", "linear"]
        assert all("grad_norm" in b["stats"] for b in record["nodes"])
    said(capsys, "graph", "mine.py:several", "--out", "two.txt")
    assert "exp" in (folder / "two.txt").read_text()


def test_summary(folder, capsys):
    out = said(capsys, "summary", "mine.py:model", "--shape", "3,5")
    assert "parameters 34" in out
    assert "Linear" not in said(capsys, "summary", "mine.py:model", "--shape", "3,5", "--depth", "0")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("graph", "mine.py"), "expected FILE.py:name, got 'mine.py'"),
        (("graph", "none.py:loss"), "there is no file none.py"),
        (("graph", "no.such.module:loss"), "there is no module 'no.such.module'"),
        (("graph", "mine.py:lost"), "mine.py has no 'lost'; it has model, ready, loss, step, several, nothing, faulty"),
        (("graph", "mine.py:nothing"), "int came back, with no Tensor in it that requires grad; return the loss"),
        (("graph", "mine.py:model"), "a Module needs the shapes of its inputs: --shape 8,3,32,32"),
        (("graph", "mine.py:model", "--shape", "3x5"), "expected numbers between commas, as 8,3,32,32; got 3x5"),
        (("graph", "mine.py:loss", "--out", "g.bmp"), "its ending must be one of"),
        (("graph", "mine.py:optimizer"), "expected a function without arguments, or a Module, got SGD"),
        (("summary", "mine.py:loss", "--shape", "1"), "expected a Module, or a function that returns one, got Tensor"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder, capsys, words, says):
    text = said(capsys, *words, status=1)
    assert text.startswith(f"minigrad {words[0]}: ")
    assert says in text
    assert len(text.splitlines()) == 1
    assert sorted(p.name for p in folder.iterdir()) == ["helper_of_mine.py", "mine.py"]


@pytest.mark.parametrize(
    "words", [("graph", "mine.py:faulty"), ("profile", "mine.py:faulty"), ("summary", "mine.py:faulty", "--shape", "1")]
)
def test_a_fault_in_the_users_function_is_shown_as_python_does_and_nothing_else(folder, capsys, words):
    told = said(capsys, *words, status=1).splitlines()
    assert told[:2] == [f"minigrad {words[0]}: mine.py:faulty raises", "Traceback (most recent call last):"]
    assert told[2].endswith(f'mine.py", line {FILE.splitlines().index("    return {}[missing]") + 1}, in faulty')
    assert told[-1] == "KeyError: None"


def test_a_script_that_reads_its_arguments_and_trains_as_it_is_loaded(folder, capsys):
    (folder / "script.py").write_text(f"import argparse\nargparse.ArgumentParser().parse_args()\n{FILE}\nstep()\n")
    before = [*sys.argv]
    assert "gradients" in said(capsys, "graph", "script.py:step", "--out", "step.txt")  # although step() goes backward itself
    assert sys.argv == before


def test_profile(folder, capsys):
    out = said(capsys, "profile", "mine.py:step", "--steps", "3", "--out", "trace.json")
    assert out.startswith("3 steps of mine.py:step\nprofile: ")
    assert "cross_entropy" in out
    assert "SGD.step" in out
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    assert sum(e["name"] == "SGD.step" for e in events) == 3
    assert "expected a function that does a step, got int" in said(capsys, "profile", "helper_of_mine:WIDE", status=1)
