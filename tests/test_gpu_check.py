"""tools/gpu_check.py without a GPU: it says that there is none; and on the double of one it runs as it would."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from minigrad import is_available

ROOT = pathlib.Path(__file__).parents[1]


def ran(*arguments, status):
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(ROOT / "tools" / "gpu_check.py"), *map(str, arguments)]
    out = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert out.returncode == status, out.stdout + out.stderr
    return out.stdout + out.stderr


@pytest.fixture
def tool(monkeypatch):
    """The program as a module, and benchmarks that can be imported, on the CPU."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("BENCHMARK_DEVICE", raising=False)
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("gpu_check", ROOT / "tools" / "gpu_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(ROOT / "benchmarks"), str(ROOT / "tools"))):
            del sys.modules[name]


@pytest.fixture
def steps(tool):
    """The part that times steps, as a module."""
    return importlib.import_module("gpu_steps")


@pytest.mark.skipif(is_available("cuda"), reason="there is a GPU")
def test_without_a_gpu():
    out = ran(status=2)
    assert out.startswith("gpu_check: there is no GPU to check: ")
    assert len(out.splitlines()) == 1
    assert "unknown ['no_such_net']; there are chain, tiny_mlp" in ran("--device", "double", "no_such_net", status=2)
    assert "invalid choice" in ran("--device", "gpu", status=2)


def test_steps_on_the_double(tmp_path):
    written = ["--json", tmp_path / "gpu.json", "--report", tmp_path / "gpu.md"]
    out = ran("--device", "double", "--only", "steps", "tiny_mlp", "chain", "--rounds", 2, "--seconds", 0, *written, status=0)
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["workload"] for row in found["steps"]["rows"]] == ["tiny_mlp", "chain"]
    assert found["ok"] is True
    assert "| tiny_mlp | " in out
    assert (tmp_path / "gpu.md").read_text() == out


def test_tests_on_the_double():
    """All of tests/gpu but the sweep of ops, which has a test of its own for the double."""
    env = {**os.environ, "MINIGRAD_GPU": "double", "MINIGRAD_GPU_SHARD": "0/1"}
    files = [str(path) for path in sorted((ROOT / "tests" / "gpu").glob("test_*.py")) if path.name != "test_ops.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *files]
    out = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert out.returncode == 0, out.stdout[-3000:]
    assert " passed" in out.stdout


def test_counting_and_the_report(tool):
    assert tool.counted("...\n1 failed, 12 passed, 3 skipped in 2.0s\n", "passed") == 12
    assert tool.counted("...\n12 passed in 2.0s\n", "failed") == 0
    rows = [
        {"workload": "mlp", "ms": {"minigrad": 1.0, "minigrad captured": 0.5, "torch": 2.0}, "best": {"torch": 4.0}},
        {"workload": "chain", "ms": {"minigrad": 1.0}},
    ]
    steps = {"rows": rows, "errors": {"dcgan": "ValueError: no"}, "ways": {"gpt, torch graph": "KeyError: x"}, "left": ["resnet8"]}
    tests = {"passed": 3, "failed": 1, "seconds": 2.0, "tails": ["the error"], "skipped": {"cuDNN is not there": 7}}
    kernels = {
        "limits": {"copy": 3e12, "float32": 5e13},
        "rows": [{"kernel": "softmax", "ms": 0.1, "times": 1.25}],
        "errors": {"gelu": "ValueError: no"},
    }
    text = tool.report({"configuration": ["minigrad 0"], "tests": tests, "steps": steps, "kernels": kernels, "ok": False})
    for line in (
        "Tests: 3 passed, 1 failed",
        "- 7 left out: cuDNN is not there",
        "| mlp | 1.000 | 0.500 | 2.000 | - | - | 4.00 | - | - |",
        "| chain | 1.000 | - | - | - | - | - | - | - |",
        "dcgan failed",
        "gpt, torch graph failed",
        "copy 3.00 TB/s, products float32 50.0 TFLOP/s",
        "| softmax | 0.100 | 1.25 |",
        "gelu failed",
    ):
        assert line in text
    assert "left out, as time was up: resnet8" in text
    assert text.endswith("Something failed.")


def test_a_failed_test_is_told(tool, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    found = tool.tests(tool.options(["--device", "double", "--processes", "1"]))
    assert (found["failed"], found["skipped"]) == (1, {})
    assert "no-such-option" in found["tails"][0]


def test_steps_elsewhere_than_asked_for_are_not_timed(steps, monkeypatch):
    workloads = importlib.import_module("workloads")
    importlib.import_module("workloads.ours")

    monkeypatch.setattr(workloads, "DEVICE", "double")
    with pytest.raises(ValueError, match="parameters are on cpu, and not on double"):
        steps.agreed("tiny_mlp", {"minigrad": lambda: None})


@pytest.mark.torch
@pytest.mark.parametrize("name", ["tiny_mlp", "dropout_mlp"])
def test_steps_beside_pytorch(tool, steps, monkeypatch, name):
    monkeypatch.setattr(steps, "compiled", lambda training: training.step)
    args, errors = tool.options([name, "--rounds", "2", "--seconds", "0"]), {}
    row = steps.measured(name, args, {"minigrad": lambda: None, "torch": lambda: None}, errors)
    assert set(row["ms"]) == {"minigrad", "minigrad captured", "torch", "torch compiled"}
    assert set(row["best"]) == {"torch", "torch compiled"}
    assert row["ratio"][1] <= row["ratio"][0] <= row["ratio"][2]
    assert list(errors) == [f"{name}, torch graph"]  # which needs a GPU


@pytest.mark.torch
def test_nets_that_differ_are_not_timed(steps, monkeypatch):
    monkeypatch.setitem(steps.TOLERANCE, "tiny_mlp", -1.0)
    with pytest.raises(ValueError, match=r"minigrad's losses .* differ"):
        steps.agreed("tiny_mlp", {"minigrad": lambda: None, "torch": lambda: None})


@pytest.mark.torch
@pytest.mark.parametrize(("name", "smaller"), [("resnet18", (4, 3, 16, 16)), ("gpt", (2, 16))])
def test_large_nets_agree(steps, monkeypatch, name, smaller):
    """With little data, as this is the CPU; in bfloat16 as on a GPU."""
    workloads = importlib.import_module("workloads")
    importlib.import_module("workloads.ours")

    parts = dict.fromkeys(("ours", "torch"))
    for part in parts:
        module = importlib.import_module(f"workloads.{part}")
        real = module.batch
        monkeypatch.setattr(module, "batch", lambda name, real=real: [a[tuple(map(slice, smaller[: a.ndim]))] for a in real(name)])
        if name == "gpt":
            monkeypatch.setattr(module, "CharGPT", lambda width, layers, heads, *rest, net=module.CharGPT: net(64, 2, 4, *rest))
    assert name in workloads.LARGE
    steps.agreed(name, {"minigrad": lambda: None, "torch": lambda: None})
