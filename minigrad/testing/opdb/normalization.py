"""Rows of ops/normalization."""

import numpy as np

from ...autograd.tensor import raw
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from ...nn import functional as F
from ..spec import OpSpec, S

X = np.linspace(-2, 3, 24).reshape(2, 3, 4)


def _scaled(x, weight, bias, shape):
    y = x if weight is None else x * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _standard(x, axis, eps):
    return (x - np.mean(x, axis, keepdims=True)) / np.sqrt(np.var(x, axis, keepdims=True) + eps)


def _layer(x, shape, weight=None, bias=None, eps=1e-5):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return _scaled(_standard(x, tuple(range(-len(shape), 0)), eps), weight, bias, shape)


def _rms(x, shape, weight=None, eps=None):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    eps = np.finfo(x.dtype).eps if eps is None else eps
    return _scaled(x / np.sqrt((x**2).mean(tuple(range(-len(shape), 0)), keepdims=True) + eps), weight, None, shape)


def _per_channel(x):
    return (1, -1, *[1] * (x.ndim - 2))


def _group(x, groups, weight=None, bias=None, eps=1e-5):
    parts = [_standard(part, tuple(range(1, x.ndim)), eps) for part in np.split(x, groups, axis=1)]
    return _scaled(np.concatenate(parts, axis=1), weight, bias, _per_channel(x))


def _known(x):
    """Running statistics that need not be sent: 0, 1/2, 1, ... and 1, 3/2, 2, ..."""
    a = raw(x)
    steps = namespace(type(a)).arange(a.shape[1]).astype(a.dtype)
    return steps / 2, steps / 2 + 1


def _batch_op(x, weight=None, bias=None, training=False, eps=1e-5):
    mean, var = (None, None) if training else _known(x)
    return F.batch_norm(x, mean, var, weight, bias, training, eps=eps)


def _fixed(x, weight, bias, eps):
    mean, var = [v.reshape(_per_channel(x)) for v in _known(x)]
    return _scaled((x - mean) / np.sqrt(var + eps), weight, bias, _per_channel(x))


def _batch(x, weight=None, bias=None, training=False, eps=1e-5):
    if not training:
        return _fixed(x, weight, bias, eps)
    return _scaled(_standard(x, (0, *range(2, x.ndim)), eps), weight, bias, _per_channel(x))


def _instance_op(x, weight=None, bias=None, use_input_stats=True, eps=1e-5):
    mean, var = (None, None) if use_input_stats else _known(x)
    return F.instance_norm(x, mean, var, weight, bias, use_input_stats, eps=eps)


def _instance(x, weight=None, bias=None, use_input_stats=True, eps=1e-5):
    if not use_input_stats:
        return _fixed(x, weight, bias, eps)
    return _scaled(_standard(x, tuple(range(2, x.ndim)), eps), weight, bias, _per_channel(x))


def _local(x, size, alpha=1e-4, beta=0.75, k=1.0):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        y[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return y


def _unit(x, p=2.0, axis=1, eps=1e-12):
    return x / np.maximum((abs(x) ** p).sum(axis, keepdims=True) ** (1 / p), eps)


SPECS = [
    OpSpec(
        "nn.functional.layer_norm",
        _layer,
        [
            S((3, 4), 4),
            S((2, 3, 4), [4], (4,), (4,)),
            S((2, 3, 4), [3, 4], (3, 4), (3, 4), eps=0.1),
            S((2, 1, 3), [1, 3], (1, 3)),
            S((2, 3), 3, None, (3,)),
            S((5,), 5, (5,), (5,)),
        ],
        op=F.layer_norm,
        half=1e-2,
        errors=[
            ((X, 3), {}, ShapeError, ("layer_norm", "(2, 3, 4)", "(3,)")),
            ((X, ()), {}, ShapeError, ("layer_norm", "positive integers")),
            ((X, 4, np.ones(3)), {}, ShapeError, ("layer_norm", "weight", "(3,)", "(4,)")),
            ((X, 4, None, np.ones(1)), {}, ShapeError, ("layer_norm", "bias", "(1,)")),
            ((X, 4), {"eps": -1.0}, ValueError, ("layer_norm", "eps", "-1.0")),
            ((X.astype(int), 4), {}, DTypeError, ("layer_norm", "int64", "astype")),
        ],
    ),
    OpSpec(
        "nn.functional.rms_norm",
        _rms,
        [S((3, 4), 4), S((2, 3, 4), [3, 4], (3, 4)), S((2, 3), 3, (3,), eps=0.1), S((2, 3, 1), [3, 1], (3, 1), 0.1)],
        op=F.rms_norm,
        half=1e-2,
        errors=[
            ((X, 3), {}, ShapeError, ("rms_norm", "(2, 3, 4)", "(3,)")),
            ((X, 4, np.ones(3)), {}, ShapeError, ("rms_norm", "weight", "(3,)", "(4,)")),
        ],
    ),
    OpSpec(
        "nn.functional.group_norm",
        _group,
        [
            S((3, 4), 2),
            S((2, 4, 3), 2, (4,), (4,)),
            S((2, 6, 2, 2), 3, (6,), None, 0.1),
            S((2, 3, 4), 3, None, (3,)),
            S((2, 3, 4), 1, (3,), (3,)),
        ],
        op=F.group_norm,
        half=1e-2,
        errors=[
            ((X, 2), {}, ShapeError, ("group_norm", "num_groups=2", "3")),
            ((X, 0), {}, ShapeError, ("group_norm", "num_groups=0")),
            ((np.ones(3), 1), {}, ShapeError, ("group_norm", "(N, C, ...)", "(3,)")),
            ((X, 3, np.ones(4)), {}, ShapeError, ("group_norm", "weight", "(4,)", "(3,)")),
        ],
    ),
    OpSpec(
        "nn.functional.batch_norm",
        _batch,
        [
            S((4, 3), training=True),
            S((4, 3), (3,), (3,), training=True),
            S((2, 3, 4), (3,), None, True, 0.1),
            S((2, 3, 2, 3), None, (3,), True),
            S((1, 2, 1, 2, 3), (2,), (2,), True),
            S((4, 3), (3,), (3,)),
            S((2, 3, 4)),
            S((2, 3, 2, 2), (3,), None, eps=0.1),
            S((1, 3), None, (3,)),
        ],
        op=_batch_op,
        half=1e-2,
        empty="raises",
        errors=[
            ((X[:1, :, 0], None, None, True), {}, ShapeError, ("batch_norm", "more than one value per channel", "(1, 3)", "eval()")),
            ((np.ones(3),), {"training": True}, ShapeError, ("batch_norm", "(N, C, ...)", "(3,)")),
            ((X, np.ones(2)), {"training": True}, ShapeError, ("batch_norm", "weight", "(2,)", "(3,)")),
            ((X,), {"training": True, "eps": 0.0}, ValueError, ("batch_norm", "eps")),
        ],
        note="Running statistics are constants: they carry no gradient.",
    ),
    OpSpec(
        "nn.functional.instance_norm",
        _instance,
        [
            S((2, 3, 4)),
            S((2, 3, 4), (3,), (3,)),
            S((2, 2, 3, 2), (2,), None, eps=0.1),
            S((1, 2, 2, 1, 3), None, (2,)),
            S((2, 3, 4), (3,), (3,), False),
        ],
        op=_instance_op,
        half=1e-2,
        errors=[
            ((X[:, :, :1],), {}, ShapeError, ("instance_norm", "position", "(2, 3, 1)")),
            ((X[0],), {}, ShapeError, ("instance_norm", "(N, C, L, ...)", "(3, 4)")),
        ],
    ),
    OpSpec(
        "nn.functional.local_response_norm",
        _local,
        [S((2, 5, 3), 3, alpha=0.5), S((2, 4, 2, 2), 2, 0.3, 0.5, 2.0), S((1, 3, 2), 8, 0.5), S((2, 3, 2), 1, alpha=1.0)],
        op=F.local_response_norm,
        half=1e-2,
        errors=[
            ((X, 0), {}, ValueError, ("local_response_norm", "size", "0")),
            ((X[0], 2), {}, ShapeError, ("local_response_norm", "(N, C, L, ...)", "(3, 4)")),
        ],
    ),
    OpSpec(
        "nn.functional.normalize",
        _unit,
        [S((2, 3)), S((2, 3, 2), 1.0, -1), S((2, 3), 3.0, 0), S((4,), axis=0)],
        op=F.normalize,
        half=1e-2,
        kinks="Vectors shorter than eps are divided by eps; at 0 the norm has gradient 0.",
        errors=[
            ((X,), {"dim": 1}, TypeError, ("normalize", "use axis=")),
            ((X,), {"eps": -1.0}, ValueError, ("normalize", "eps")),
            ((X.astype(int),), {}, DTypeError, ("normalize", "int64")),
        ],
    ),
]
