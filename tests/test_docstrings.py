"""Every public name says what it is: an example that runs, and whose method it is. (``test_doctests`` runs the examples.)"""

import ast
import functools
import inspect
import pathlib
import re

import pytest

import minigrad as mg

PARTS = """
    minigrad minigrad.linalg minigrad.fft minigrad.special minigrad.random minigrad.autograd minigrad.backend
    minigrad.nn minigrad.nn.functional minigrad.nn.init minigrad.nn.utils minigrad.nn.utils.rnn minigrad.nn.utils.parametrize
    minigrad.nn.utils.parametrizations minigrad.nn.utils.prune minigrad.optim minigrad.optim.lr_scheduler minigrad.data
    minigrad.data.transforms minigrad.io minigrad.metrics minigrad.regularizers minigrad.train minigrad.testing minigrad.viz
    """
METHODS = [p for p in PARTS.split() if p.startswith(("minigrad.nn", "minigrad.optim", "minigrad.regularizers"))]
"""The parts that carry out what somebody published."""

PLUMBING = """
    Buffer Identity Initializer Lambda Module ModuleDict ModuleList Optimizer PackedSequence Parameter ParameterDict ParameterList
    ParametrizationList Regularizer Sequential UninitializedBuffer UninitializedParameter checked fans functional_call summary
    cached is_parametrized register_parametrization remove_parametrizations type_before_parametrizations
    custom_from_mask global_unstructured is_pruned random_unstructured remove get_total_norm
    invert_permutation pack_padded_sequence pack_sequence pad_packed_sequence pad_sequence unpack_sequence unpad_sequence
    parameters_to_vector vector_to_parameters ChainedScheduler LambdaLR MultiplicativeLR SequentialLR
    """
"""What holds, moves or wraps, and is nobody's method."""

LAYOUT = """
    CircularPad1d ConstantPad1d ReflectionPad1d ReplicationPad1d ZeroPad1d pad Flatten Unflatten Fold Unfold
    UpsamplingBilinear2d UpsamplingNearest2d one_hot
    """
"""What only moves numbers about."""

TEXTBOOK = """
    Constant Normal Ones TruncNormal Uniform Zeros ConstantLR ExponentialLR LinearLR MultiStepLR StepLR
    CosineSimilarity PairwiseDistance normalize pdist MSELoss MultiLabelSoftMarginLoss Sigmoid LogSigmoid Tanhshrink Threshold
    """
"""Common mathematics, older than any paper on it."""
EXEMPT = (PLUMBING + LAYOUT + TEXTBOOK).split()


def part(name):
    """``mg.nn.utils.rnn`` by its name: parts are reached as users reach them."""
    return functools.reduce(getattr, name.split(".")[1:], mg)


def public(parts):
    """Name and object of all classes and functions in ``__all__``, aliases once, exceptions left out."""
    found = {}
    for p in parts:
        for name in part(p).__all__:
            thing = getattr(part(p), name)
            error = inspect.isclass(thing) and issubclass(thing, BaseException)
            if callable(thing) and not error:
                found.setdefault(id(thing), (f"{p}.{name}", thing))
    return list(found.values())


def family(name):
    """What Conv1d, LazyConv2d and conv3d have in common: one of a family gives the source for all."""
    return re.sub(r"lazy|\dd|_|loss$", "", name.rpartition(".")[2].lower())


def test_every_public_name_has_an_example():
    bare = [name for name, thing in public(PARTS.split()) if ">>>" not in (thing.__doc__ or "")]
    assert not bare


def test_every_method_names_its_source():
    things = public(METHODS)
    sourced = {family(name) for name, thing in things if "Source:" in (thing.__doc__ or "")}
    free = {family(name) for name in EXEMPT}
    assert not [name for name, _ in things if family(name) not in sourced | free]


def test_every_layer_says_its_shapes():
    things = public(["minigrad.nn", "minigrad.nn.functional"])
    said = {family(name) for name, thing in things if "Shapes:" in (thing.__doc__ or "")}
    assert not [name for name, _ in things if family(name) not in said | {family(n) for n in PLUMBING.split()}]


def test_no_exemption_is_out_of_date():
    things = public(METHODS)
    known = {family(name) for name, _ in things}
    assert not [name for name in EXEMPT if family(name) not in known]
    sourced = {family(name) for name, thing in things if "Source:" in (thing.__doc__ or "")}
    assert not [name for name in EXEMPT if family(name) in sourced]


@pytest.mark.parametrize("name", PARTS.split())
def test_every_public_method_has_a_docstring(name):
    """One of its own, or that of the method of a base class which it overrides."""
    bare = []
    for path, kind in public([name]):
        if not inspect.isclass(kind):
            continue
        for attribute, member in vars(kind).items():
            method = isinstance(member, (property, classmethod, staticmethod)) or (callable(member) and not inspect.isclass(member))
            if method and not attribute.startswith("_") and not inspect.getdoc(getattr(kind, attribute)):
                bare.append(f"{path}.{attribute}")
    assert not bare


def test_every_file_says_what_it_is_for():
    files = pathlib.Path(mg.__file__).parent.rglob("*.py")
    assert not [path for path in files if not ast.get_docstring(ast.parse(path.read_text()))]
