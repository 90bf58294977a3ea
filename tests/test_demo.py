"""The command line: the demo learns, writes its files, and ends well without optional packages."""

import csv
import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import minigrad as mg
from minigrad import __main__ as cli
from minigrad import demo
from minigrad.viz import curve


def test_demo_learns_and_writes(tmp_path, capsys):
    out = tmp_path / "made" / "here"
    assert cli.main(["demo", "--epochs", "2", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "test accuracy" in text
    assert str(out) in text
    with open(out / "metrics.csv") as f:
        rows = list(csv.DictReader(f))
    assert [r["epoch"] for r in rows] == ["1", "2"]
    assert float(rows[-1]["test_accuracy"]) > 0.85
    assert {"weights.safetensors", "graph.dot", "graph.html", "graph.svg", "report.txt"} <= {p.name for p in out.iterdir()}
    assert "digraph" in (out / "graph.dot").read_text()
    assert "conv1.weight" in (out / "graph.dot").read_text()
    xml.parse(out / "graph.svg")
    model = demo.Net()
    model.load_state_dict(mg.load(out / "weights.safetensors"))
    assert f"{demo.evaluate(model, mg.data.Digits(train=False))[1]:.4f}" in text


def test_demo_is_reproducible_and_may_be_run_twice(tmp_path):
    runs = []
    for seed in (1, 1, 2):
        demo.run("digits", 1, tmp_path, seed)
        runs.append(mg.load(tmp_path / "weights.safetensors")["conv1.weight"].numpy())
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_demo_without_optional_packages(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in ("matplotlib", "graphviz", "tqdm") else found(name, *a)
    )
    monkeypatch.setenv("PATH", "")
    assert demo.run("digits", 0, tmp_path) < 0.5
    demo.run("digits", 1, tmp_path)
    assert (tmp_path / "graph.svg").exists()
    xml.parse(tmp_path / "curve.svg")
    assert not (tmp_path / "curve.png").exists()


def test_curve_survives_any_numbers():
    for values in ([], [1.0], [0.0, 0.0], [float("nan"), 1.0, float("inf")], [-1.0, 5.0]):
        xml.fromstring(curve.svg({"a <b>": values, "c": [1.0, 2.0]}, "x & y", "z"))


def test_errors_of_the_command_line(tmp_path, capsys, monkeypatch):
    for argv in ([], ["fly"], ["demo", "--epochs", "-1"], ["demo", "--epochs", "x"], ["demo", "--dataset", "cifar"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(argv)
        assert caught.value.code == 2
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    monkeypatch.setattr("minigrad.data.mnist.MIRRORS", [])
    assert cli.main(["demo", "--dataset", "mnist", "--out", str(tmp_path / "o")]) == 1
    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--epochs", "0", "--out", str(tmp_path / "file")]) == 1


def test_info(capsys):
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert mg.__version__ in text
    assert np.__version__ in text
    assert "cupy" in text


def test_the_module_can_be_run(tmp_path):
    root = os.path.dirname(os.path.dirname(mg.__file__))
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": root}
    out = subprocess.run([sys.executable, "-W", "error", "-m", "minigrad", "info"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout.startswith("minigrad")
    assert list(tmp_path.iterdir()) == []
