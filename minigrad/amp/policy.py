"""Which op computes in which precision while autocasting.

What is in neither table computes in the dtype of its inputs, and mixed inputs (of ``concat``, ``stack``, ``where``, ``addcmul``, a sum)
are promoted as ever: float16 beside float32 makes float32. Losses and distances of ``nn.functional``, ``linalg`` and ``fft`` take their
inputs in float32, also where they are made of other ops; that is said in ``ops.losses.measured``. float64, complex numbers and integers
are never cast.
"""

from ..autograd.op import Op, known

LOWER = (
    *("matmul", "linear", "einsum"),
    *("convolution", "convolution_input_gradient", "convolution_weight_gradient"),
    *("rnn", "gru", "lstm", "scaled_dot_product_attention", "prelu"),
)
"""Ops whose inputs are cast to the lower precision: products, which are fast there and add up in float32."""

FLOAT32 = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "power", "square", "reciprocal", "rsqrt"),
    *("acos", "asin", "cosh", "sinh", "tan", "erfinv", "softplus", "log_cosh", "xlogy"),
    *("sum", "prod", "cumsum", "cumprod", "logsumexp", "logcumsumexp", "vector_norm", "quantile"),
    *("softmax", "log_softmax", "cross_entropy", "ctc_loss"),
    *("squared_error", "absolute_error", "huber_error", "binary_error", "logistic_error"),
    *("layer_norm", "rms_norm", "group_norm", "local_response_norm"),
)
"""Ops whose inputs are cast to float32: what has a wide range or adds up much."""


def ops(names: tuple[str, ...]) -> list[Op]:
    """The ops with these names."""
    return [op for name in names for op in known[name]]


__all__ = ["FLOAT32", "LOWER", "ops"]
