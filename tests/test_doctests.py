"""The examples in docstrings and in the README run and give what they say."""

import doctest
import importlib
import pathlib
import pkgutil
import re

import numpy as np
import pytest

import minigrad as mg

MODULES = sorted(m.name for m in pkgutil.walk_packages(mg.__path__, "minigrad.") if not m.name.endswith("__main__"))
README = pathlib.Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    if name == "minigrad.train.estimator":
        pytest.importorskip("sklearn")
    module = importlib.import_module(name)
    with np.printoptions(legacy=False):
        result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_op_docstrings():
    """Ops made by the forms are closures, which doctest does not find by itself."""
    from minigrad.autograd.op import registry

    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    parser = doctest.DocTestParser()
    for name, f in registry.items():
        runner.run(parser.get_doctest(f.__doc__ or "", {}, name, None, 0))
    assert runner.failures == 0


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
