"""The functions behind the layers, without state. Most are ops under the names that PyTorch has for them."""

from ...ops.activation import crelu, geglu, gelu, glu, logsigmoid, maxout, mish, reglu, silu, softplus, softsign, swiglu, tanhshrink
from ...ops.attention import scaled_dot_product_attention
from ...ops.bags import embedding_bag
from ...ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from ...ops.ctc import ctc_loss
from ...ops.exponential import sigmoid
from ...ops.fused import dropout, embedding, linear
from ...ops.grid import affine_grid, grid_sample
from ...ops.losses import cross_entropy
from ...ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, normalize, rms_norm
from ...ops.pooling.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from ...ops.pooling.average import avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d, lp_pool2d, lp_pool3d
from ...ops.pooling.fractional import fractional_max_pool2d, fractional_max_pool3d
from ...ops.pooling.max import max_pool1d, max_pool2d, max_pool3d
from ...ops.pooling.stochastic import stochastic_pool2d
from ...ops.pooling.unpool import max_unpool1d, max_unpool2d, max_unpool3d
from ...ops.rectifiers import (
    celu,
    elu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    selu,
    softshrink,
    threshold,
)
from ...ops.resample import channel_shuffle, fold, interpolate, pixel_shuffle, pixel_unshuffle, unfold
from ...ops.softmax import log_softmax, softmax, softmin
from ...ops.trigonometric import tanh
from .distances import cosine_similarity, pairwise_distance, pdist
from .layout import flatten, one_hot, pad
from .likelihoods import gaussian_nll_loss, kl_div, poisson_nll_loss
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    l1_loss,
    log_cosh_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from .margins import multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, soft_margin_loss
from .noise import (
    alpha_dropout,
    drop_path,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gaussian_dropout,
    gaussian_noise,
    rrelu,
)
from .products import bilinear
from .ranking import (
    contrastive_loss,
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .sampling import gumbel_softmax
from .segmentation import dice_loss, focal_loss

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
    "contrastive_loss",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "crelu",
    "cross_entropy",
    "ctc_loss",
    "dice_loss",
    "drop_path",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "flatten",
    "focal_loss",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "gaussian_dropout",
    "gaussian_nll_loss",
    "gaussian_noise",
    "geglu",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_cosh_loss",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "maxout",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "reglu",
    "relu",
    "relu6",
    "rms_norm",
    "rrelu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "stochastic_pool2d",
    "swiglu",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
]
