"""The benchmarks run, with whatever peers are installed, and say what they measured. Figures are not judged here."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from minigrad.nn.counting import multiply_adds

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks"
MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def ran(script, folder, *arguments):
    env = {**os.environ, "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(FOLDER.parent)}
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    out = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout


@pytest.fixture
def bench(monkeypatch):
    """Imports a module of the benchmarks, as their scripts do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and FOLDER in pathlib.Path(sys.modules[name].__file__).parents:
            del sys.modules[name]


def test_train_runs(tmp_path):
    picture = ["--picture", "train.svg"] if MATPLOTLIB else []
    out = ran("train.py", tmp_path, "tiny_mlp", "--rounds", 2, "--seconds", 0, "--json", "rows.json", "--markdown", *picture)
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert (row["workload"], row["kind"]) == ("tiny_mlp", "default")
    assert all(ms > 0 for ms in row["ms"].values())
    assert {"minigrad", "products"} <= set(row["ms"])
    assert 0 < row["peak"]["minigrad"] < 2**16
    assert "| MLP 2-16-16-2, batch 32, SGD | default |" in out
    assert not picture or (tmp_path / "train.svg").read_text().startswith("<?xml")
    assert "tiny_mlp" in ran("train.py", tmp_path, "--show", "rows.json")


def test_train_without_peers_and_with_all_kinds(tmp_path):
    out = ran("train.py", tmp_path, "chain", "--both", "--peers", "--no-memory", "--rounds", 2, "--seconds", 0, "--json", "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == ["default", "captured", "NumPy"]
    assert all(set(row["ms"]) == {"minigrad"} and not row["ratio"] for row in rows)
    assert out.count("chain ") == 3


def test_growth_runs(tmp_path):
    picture = ["--picture", "growth.svg"] if MATPLOTLIB else []
    least = ["--ops", 1000, "--parameters", 30000, "--samples", 4, "--rounds", 1, "--seconds", 0]
    out = ran("growth.py", tmp_path, *least, "--json", "curves.json", *picture)
    ops, parameters, samples = (list(curves["minigrad"]) for curves in json.loads((tmp_path / "curves.json").read_text()))
    assert (ops, parameters, samples) == (["100", "300", "1000"], ["10000", "30000"], ["1", "2", "4"])
    assert out.count("over linear") == 3
    assert all(f"| time per {unit} |" in out for unit in ("op", "parameter", "sample"))
    assert not picture or (tmp_path / "growth.svg").exists()


def test_growth_judges(bench):
    growth = bench("growth")
    sizes = (1, 2, 4, 8, 16, 32)
    assert growth.worst({n: 3.0 * n for n in sizes})[0] == 1
    assert growth.worst({n: 2 + 3.0 * n for n in sizes})[0] < 1
    assert growth.over_linear({n: 1.0 * n * n for n in sizes}) == {n: n for n in sizes[1:]}
    assert growth.worst({1: 4.0, 2: 4.0, 4: 10.0, 8: 16.0}) == (1.25, 4)
    assert growth.worst({1: 4.0}) == (1, 1)


def test_timing(bench):
    timing, calls = bench("timing"), []
    times = timing.alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, 3)
    assert "".join(calls[-12:]) == "aabb" * 3
    assert {k: len(t) for k, t in times.items()} == {"a": 3, "b": 3}
    assert timing.quartiles([2, 4, 6, 8, 10], [2] * 5) == (2, 4)
    assert timing.quartiles([3], [2]) == (1.5, 1.5)


def test_products_are_those_of_the_nets(bench):
    workloads, products = bench("workloads").workloads("ours"), bench("workloads.products").PRODUCTS
    attention = 2 * 4 * 48 * 64 * 64 * 32  # is in no layer
    for name, table in products.items():
        training, seen = workloads[name](), []
        for layer in training.model.modules():
            layer.register_forward_hook(lambda m, args, y, seen=seen: seen.append(multiply_adds(m, args, {}, y)))
        training.step()
        assert sum(p.multiply_adds("y") for p in table) == sum(seen) + attention * (name == "char_gpt"), name


@pytest.mark.torch
def test_all_train_the_same_nets_as_torch(bench):
    agree, names = bench("agreement").agree, bench("workloads").NAMES
    for name in names:
        assert agree(name, "torch") is not None


@pytest.mark.torch
def test_memory_runs(tmp_path):
    out = ran("memory.py", tmp_path)
    assert out.count("MiB") == 4


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mlp", "bn_mlp", "convnet", "resnet8", "char_lstm", "char_gpt", "dcgan"])
def test_gradients_are_as_close_to_the_exact_ones_as_pytorchs(name, bench):
    mine, theirs = bench("accuracy").errors(name)
    assert mine <= 1.1 * theirs
