"""Weights that keep a form: a direction and a length apart, a largest singular value of 1, orthonormal columns."""

from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd.tensor import wrap
from ...backend import device_of, generator, to_device
from ...backend.arrays import namespace
from ...errors import AxisError, GraphError, ShapeError
from ...ops import linalg
from ...ops.axes import matrix_transpose, moveaxis
from ...ops.creation import zeros_like
from ...ops.diagonals import tril, triu
from ...ops.joining import concat
from ...ops.normalization import normalize
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from ..parameter import Buffer, size
from .parametrize import register_parametrization

MAPS = ("matrix_exp", "cayley", "householder")


def _weight(who: str, module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise AttributeError(f"{who}: {type(module).__name__} has no parameter or buffer {name!r}")
    return weight


# -- weight normalisation ---------------------------------------------------------------------------------------------
class _WeightNorm(Module):
    def __init__(self, dim: int | None):
        super().__init__()
        self.dim = dim

    def _length(self, v: Any) -> Any:
        if self.dim is None:
            return linalg.vector_norm(v)
        return linalg.vector_norm(v, axis=tuple([i for i in range(v.ndim) if i != self.dim]), keepdims=True)

    def forward(self, g: Any, v: Any) -> Any:
        return v * (g / self._length(v))

    def right_inverse(self, weight: Any) -> tuple:
        """The lengths, and the weight itself as direction."""
        return self._length(weight), weight

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be w = g v / ||v||, so that length and direction are learned apart; returns the module.

    Keys: ``parametrizations.weight.original0`` is g, ``original1`` is v.

    Args:
        module: the layer.
        name: which of its tensors.
        dim: the axis along which each entry has a length of its own; None (and, as in PyTorch, -1): one length for the whole weight.

    Raises:
        AttributeError: there is no such tensor.
        ShapeError: it has no such axis.

    Source:
        Salimans and Kingma, "Weight normalization", 2016, eq. 2. A direction of zeros gives NaN, as in PyTorch.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> [(key, value.shape) for key, value in layer.state_dict().items()][1:]
        [('parametrizations.weight.original0', (2, 1)), ('parametrizations.weight.original1', (2, 3))]
    """
    weight = _weight("weight_norm", module, name)
    dim = None if dim is None or dim == -1 else _axis("weight_norm", dim, weight.ndim)
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def _axis(who: str, dim: int, ndim: int) -> int:
    if not -ndim <= dim < ndim:
        raise AxisError(f"{who}: dim {dim} is out of range for a weight of {ndim} axes")
    return dim % ndim


# -- spectral normalisation -------------------------------------------------------------------------------------------
class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Any, n_power_iterations: int, dim: int, eps: float):
        super().__init__()
        self.dim, self.eps = _axis("spectral_norm", dim, weight.ndim), eps
        self.n_power_iterations = size("spectral_norm", "n_power_iterations", n_power_iterations, 1)
        if weight.ndim == 1:
            return
        matrix, rng = self._matrix(weight), generator().rng
        for key, n in zip(("_u", "_v"), matrix.shape, strict=True):
            self.register_buffer(key, Buffer(rng.normal(size=n), dtype=weight.dtype, device=weight.device))
        self._v = normalize(self._v, axis=0, eps=eps)
        self._follow(matrix, 15)

    def _matrix(self, weight: Any) -> Any:
        return moveaxis(weight, self.dim, 0).reshape((weight.shape[self.dim], -1))

    def _follow(self, matrix: Any, steps: int) -> None:
        """Turn u and v towards the first singular vectors, by the power method; new arrays, as graphs hold the old ones."""
        with no_grad():
            for _ in range(steps):
                self._u = normalize(matrix @ self._v, axis=0, eps=self.eps)
                self._v = normalize(matrix.mT @ self._u, axis=0, eps=self.eps)

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return normalize(weight, axis=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._follow(matrix, self.n_power_iterations)
        return weight / (self._u @ (matrix @ self._v))

    def right_inverse(self, value: Any) -> Any:
        """The value itself."""
        return value

    def extra_repr(self) -> str:
        return f"dim={self.dim}, n_power_iterations={self.n_power_iterations}"


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> Module:
    """Divide a weight by its largest singular value, so that the layer stretches nothing; returns the module.

    The value is estimated by the power method: 15 steps now, and in training ``n_power_iterations`` more whenever the weight is used.
    The vectors are buffers, ``parametrizations.weight.0._u`` and ``_v``.

    Args:
        module: the layer.
        name: which of its tensors; one of more than two axes is taken as a matrix.
        n_power_iterations: steps for each use in training.
        eps: keeps the vectors finite.
        dim: the axis of the outputs; default: 0, for transposed convolutions 1.

    Raises:
        AttributeError: there is no such tensor.
        ShapeError: it has no such axis, or n_power_iterations is below 1.

    Gradient: through the weight in sigma = u^T W v too; u and v count as constants.
    Source:
        Miyato et al., "Spectral normalization for generative adversarial networks", 2018, algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4), n_power_iterations=100)
        >>> bool(abs(mg.linalg.norm(layer.weight, 2).item() - 1) < 1e-3)
        True
    """
    weight = _weight("spectral_norm", module, name)
    if dim is None:
        dim = int(isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)))
    return register_parametrization(module, name, _SpectralNorm(weight.detach(), n_power_iterations, dim, eps))


# -- orthogonality ----------------------------------------------------------------------------------------------------
class _Orthogonal(Module):
    """Maps a matrix to one with orthonormal columns (or rows, if it is wide); computes with the tall one of both."""

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool):
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Any) -> Any:
        wide = x.shape[-2] < x.shape[-1]
        x = matrix_transpose(x) if wide else x
        q = _reflected(x) if self.orthogonal_map == "householder" else _rotated(x, self.orthogonal_map)
        if self.use_trivialization:
            q = self.base @ q
        return matrix_transpose(q) if wide else q

    def right_inverse(self, value: Any) -> Any:
        """The originals of an orthogonal ``value``; of any other, those of a near one (its Q factor)."""
        if value.shape != self.shape:
            raise ShapeError(f"orthogonal: expected shape {self.shape}, got {value.shape}")
        with no_grad():
            wide = value.shape[-2] < value.shape[-1]
            q = matrix_transpose(value) if wide else value
            if not self.use_trivialization:
                return self._factored(q, wide)
            n, k = q.shape[-2:]
            rest = generator().rng.normal(size=(*q.shape[:-2], n, n - k))
            filled = wrap(to_device(rest.astype(q.dtype), device_of(q.data)), None)
            self.base = _q_factor(concat([q, filled], axis=-1) if n > k else q)
            return zeros_like(value) - _eye(value, *value.shape[-2:])  # which all three maps send to the identity

    def _factored(self, q: Any, wide: bool) -> Any:
        """The reflections of a QR decomposition below the diagonal, and on it the signs that make it unique."""
        if self.orthogonal_map != "householder":
            raise GraphError(f"orthogonal: without use_trivialization, {self.orthogonal_map} weights cannot be assigned to")
        xp = namespace(type(q.data))
        h, tau = xp.linalg.qr(q.data, mode="raw")  # h comes transposed
        h, k = xp.swapaxes(h, -2, -1).copy(), q.shape[-1]
        i = xp.arange(k)
        signs = xp.sign(h[..., i, i])
        h[..., i, i] = xp.where(tau == 0, -signs, signs)  # no reflection: the map below reflects, and so turns the sign
        h = wrap(h.astype(q.dtype, copy=False), None)
        return matrix_transpose(h) if wide else h

    def extra_repr(self) -> str:
        return f"orthogonal_map={self.orthogonal_map!r}, use_trivialization={self.use_trivialization}"


def _eye(x: Any, n: int, k: int | None = None) -> Tensor:
    """The identity where ``x`` is, and of its dtype."""
    return wrap(namespace(type(x.data)).eye(n, k, dtype=x.dtype), None)


def _rotated(x: Any, how: str) -> Any:
    """The first columns of the rotation that the skew-symmetric part of a tall matrix stands for."""
    n, k = x.shape[-2:]
    x = tril(x)
    if n > k:
        xp = namespace(type(x.data))
        x = concat([x, wrap(xp.zeros((*x.shape[:-2], n, n - k), x.dtype), None)], axis=-1)
    a = x - matrix_transpose(x)
    if how == "matrix_exp":
        q = linalg.matrix_exp(a)
    else:
        one = _eye(x, n)
        q = linalg.solve(one - 0.5 * a, one + 0.5 * a)
    return q[..., :k] if n > k else q


def _reflected(x: Any) -> Any:
    """The first k columns of the product of k Householder reflections I - 2 v v^T / v^T v, times the signs on the diagonal of x.

    The v are the columns of x below the diagonal, with a one on it. The product is I - V S^-1 V^T with S = triu(V^T V, 1) +
    diag(V^T V) / 2 (Puglisi, "Modification of the Householder method based on the compact WY representation", 1992).
    """
    n, k = x.shape[-2:]
    one, small = _eye(x, n, k), _eye(x, k)
    v = tril(x, -1) + one
    gram = matrix_transpose(v) @ v
    s = triu(gram, 1) + 0.5 * (gram * small)
    q = one - v @ linalg.solve_triangular(s, matrix_transpose(v[..., :k, :]), upper=True)
    signs = linalg.diagonal(x.detach())
    return q * (signs / abs(signs)).reshape((*signs.shape[:-1], 1, k))


def _q_factor(a: Any) -> Any:
    """Q of A = Q R with a positive diagonal of R: of an orthogonal matrix, itself."""
    q, r = linalg.qr(a)
    signs = linalg.diagonal(r)
    return q * (signs / abs(signs)).reshape((*signs.shape[:-1], 1, signs.shape[-1]))


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> Module:
    """Let a weight have orthonormal columns, or rows if it is wide, while it is trained; returns the module.

    Args:
        module: the layer.
        name: which of its tensors: a matrix, or a stack of matrices.
        orthogonal_map: what makes it of free numbers: "matrix_exp", exp(A) of the skew-symmetric A; "cayley",
            (I - A / 2)^-1 (I + A / 2); or "householder", a product of reflections. Default: matrix_exp for square ones, else householder.
        use_trivialization: multiply by the weight that is there now, so that training starts near it, and the weight can be assigned to.

    Raises:
        AttributeError: there is no such tensor.
        ShapeError: it has fewer than two axes.
        ValueError: an unknown map.

    Source:
        Lezcano-Casado and Martinez-Rubio, "Cheap orthogonal constraints in neural networks", 2019 (matrix_exp; trivializations:
        Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds", 2019); Helfrich et al., "Orthogonal recurrent
        neural networks with scaled Cayley transform", 2018; Mhammedi et al., "Efficient orthogonal parametrisation of recurrent
        neural networks using Householder reflections", 2017.

    Example:
        >>> from minigrad import nn
        >>> w = nn.utils.parametrizations.orthogonal(nn.Linear(4, 2)).weight.detach().numpy()
        >>> bool(abs(w @ w.T - [[1, 0], [0, 1]]).max() < 1e-5)
        True
    """
    weight = _weight("orthogonal", module, name)
    if weight.ndim < 2:
        raise ShapeError(f"orthogonal: expected a matrix or a stack of them, got shape {weight.shape}")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(f"orthogonal: orthogonal_map must be one of {MAPS}, got {orthogonal_map!r}")
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
