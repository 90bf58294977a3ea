"""Rows of the distances and similarities of vectors."""

import math
from itertools import combinations

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S
from .losses import cosine, distance


def _cosine_similarity(a, b, dim=1, eps=1e-8):
    a, b = (np.moveaxis(x, dim, -1) for x in np.broadcast_arrays(a, b))
    return np.reshape([cosine(a[i], b[i]) for i in np.ndindex(a.shape[:-1])], a.shape[:-1])


def _pairwise(a, b, p=2.0, eps=1e-6, keepdim=False):
    a, b = np.broadcast_arrays(a, b)
    y = np.reshape([distance(a[i], b[i], p, eps) for i in np.ndindex(a.shape[:-1])], a.shape[:-1])
    return y[..., None] if keepdim else y


X, V = np.ones((4, 3)), np.ones(3)

SPECS = [
    OpSpec(
        "nn.functional.cosine_similarity",
        _cosine_similarity,
        [S((4, 3), (4, 3)), S((2, 3, 4), (3, 1), dim=1), S((2, 3), (2, 3), dim=0), S((3,), (3,), dim=-1)],
        kinks="Norms below eps are eps.",
        errors=[((V, V), {}, ShapeError, "axis"), ((V, V), {"eps": 0}, ValueError, ("cosine_similarity", "eps"))],
    ),
    OpSpec(
        "nn.functional.pairwise_distance",
        _pairwise,
        [S((4, 3), (4, 3)), S((4, 3), (3,), p=1.0), S((4, 3), (4, 3), p=3.0, keepdim=True), S((3,), (3,), p=math.inf, eps=0.0)],
        errors=[((X, X[:, :1]), {}, ShapeError, ("pairwise_distance", "(4, 3)", "(4, 1)"))],
    ),
    OpSpec(
        "nn.functional.pdist",
        lambda x, p=2.0: np.array([distance(a, b, p, 0) for a, b in combinations(x, 2)]),
        [S((4, 3)), S((4, 3), p=1.0), S((3, 2), p=math.inf), S((2, 1), p=2.5)],
        errors=[((V,), {}, ShapeError, ("pdist", "(3,)")), ((X,), {"p": -1}, ValueError, ("pdist", "p must not be negative"))],
    ),
]
