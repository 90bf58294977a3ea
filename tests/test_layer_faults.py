"""Every layer and every loss of nn with nothing, with wrong shapes, labels and settings: it works, or says what came and what it expects.

The tables hold all classes; a class that is added is missed here until it has an entry.
"""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, IndexRangeError, MinigradError, ShapeError

IDS = "ids"
"""Before a shape: integers."""


def made(name, *args, **kwargs):
    return lambda: getattr(nn, name)(*args, **kwargs)


def encoder_layer():
    return nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)


def decoder_layer():
    return nn.TransformerDecoderLayer(4, 2, 8, batch_first=True)


# name: (a layer, the shapes of one sample of each input)
# fmt: off
ANY_SHAPE = [
    "CELU", "ELU", "GELU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish",
    "PReLU", "ReLU", "ReLU6", "RReLU", "Sigmoid", "SiLU", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Dropout",
    "AlphaDropout", "GaussianDropout", "Identity",
]
# fmt: on
LAYERS = {name: (made(name), (4,)) for name in [*ANY_SHAPE, "CReLU", "GLU", "GEGLU", "ReGLU", "SwiGLU"]}
LAYERS |= {name: (made(name, 1), (4,)) for name in ("Softmax", "LogSoftmax", "Softmin")}
LAYERS |= {name: (made(name, 4), (4,)) for name in ("LayerNorm", "RMSNorm")}
LAYERS |= {name: (made(name, 2), (4, 6, 6)) for name in ("PixelShuffle", "PixelUnshuffle", "ChannelShuffle", "Unfold", "StochasticPool2d")}
LAYERS |= {f"Upsampling{kind}2d": (made(f"Upsampling{kind}2d", scale_factor=2), (4, 6, 6)) for kind in ("Bilinear", "Nearest")}
LAYERS |= {name: (made(name, 4, 3, batch_first=True), (5, 4)) for name in ("RNN", "LSTM", "GRU")}
LAYERS |= {name: (made(name, 4, 3), (4,)) for name in ("RNNCell", "LSTMCell", "GRUCell")}
for n in (1, 2, 3):
    shape = (4, *[6] * n)
    LAYERS |= {f"{kind}{n}d": (made(f"{kind}{n}d", 4), shape) for kind in ("BatchNorm", "InstanceNorm")}
    LAYERS |= {f"{kind}{n}d": (made(f"{kind}{n}d", 4, 2, 3), shape) for kind in ("Conv", "ConvTranspose")}
    LAYERS |= {f"Lazy{kind}{n}d": (made(f"Lazy{kind}{n}d", 2, 3), shape) for kind in ("Conv", "ConvTranspose")}
    LAYERS |= {f"{kind}Pad{n}d": (made(f"{kind}Pad{n}d", 1), shape) for kind in ("Circular", "Reflection", "Replication", "Zero")}
    LAYERS |= {f"{kind}Pool{n}d": (made(f"{kind}Pool{n}d", 2), shape) for kind in ("AdaptiveAvg", "AdaptiveMax", "Avg", "Max")}
    LAYERS |= {f"Global{kind}Pool{n}d": (made(f"Global{kind}Pool{n}d"), shape) for kind in ("Avg", "Max")}
    LAYERS |= {
        f"LazyBatchNorm{n}d": (made(f"LazyBatchNorm{n}d"), shape),
        f"ConstantPad{n}d": (made(f"ConstantPad{n}d", 1, 0.5), shape),
        f"LPPool{n}d": (made(f"LPPool{n}d", 2.0, 2), shape),
        f"MaxUnpool{n}d": (made(f"MaxUnpool{n}d", 2), shape, (IDS, *shape)),
        f"Dropout{n}d": (made(f"Dropout{n}d"), shape),
        f"FractionalMaxPool{n}d": (made(f"FractionalMaxPool{n}d", 2, output_size=3), shape),
    }
del LAYERS["FractionalMaxPool1d"]
LAYERS |= {
    "Threshold": (made("Threshold", 0.1, 0.0), (4,)),
    "GaussianNoise": (made("GaussianNoise", 0.1), (4,)),
    "Maxout": (made("Maxout", 2), (4,)),
    "Softmax2d": (made("Softmax2d"), (3, 4, 4)),
    "FeatureAlphaDropout": (made("FeatureAlphaDropout"), (4, 6)),
    "DropPath": (made("DropPath", 0.5), (4,)),
    "DropConnect": (made("DropConnect", 4, 2), (4,)),
    "Linear": (made("Linear", 4, 2), (4,)),
    "LazyLinear": (made("LazyLinear", 2), (4,)),
    "Bilinear": (made("Bilinear", 4, 3, 2), (4,), (3,)),
    "DepthwiseConv2d": (made("DepthwiseConv2d", 4, 3), (4, 6, 6)),
    "CosineSimilarity": (made("CosineSimilarity"), (4,), (4,)),
    "PairwiseDistance": (made("PairwiseDistance"), (4,), (4,)),
    "Embedding": (made("Embedding", 5, 3), (IDS, 4)),
    "EmbeddingBag": (made("EmbeddingBag", 5, 3), (IDS, 4)),
    "GroupNorm": (made("GroupNorm", 2, 4), (4, 6)),
    "LocalResponseNorm": (made("LocalResponseNorm", 2), (4, 6)),
    "Fold": (made("Fold", (3, 3), 2), (16, 4)),
    "Upsample": (made("Upsample", scale_factor=2), (4, 6, 6)),
    "Flatten": (made("Flatten"), (4, 6)),
    "Unflatten": (made("Unflatten", 1, (2, 2)), (4,)),
    "Lambda": (made("Lambda", lambda x: x * 2), (4,)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 2), nn.ReLU()), (4,)),
    "MultiheadAttention": (made("MultiheadAttention", 4, 2, batch_first=True), (3, 4), (3, 4), (3, 4)),
    "Zoneout": (lambda: nn.Zoneout(nn.LSTMCell(4, 3)), (4,)),
    "Transformer": (made("Transformer", 4, 2, 1, 1, 8, batch_first=True), (3, 4), (2, 4)),
    "TransformerEncoderLayer": (encoder_layer, (3, 4)),
    "TransformerDecoderLayer": (decoder_layer, (3, 4), (2, 4)),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(encoder_layer(), 2), (3, 4)),
    "TransformerDecoder": (lambda: nn.TransformerDecoder(decoder_layer(), 2), (3, 4), (2, 4)),
    "SinusoidalPositionalEncoding": (made("SinusoidalPositionalEncoding", 4, batch_first=True), (3, 4)),
    "RotaryEmbedding": (made("RotaryEmbedding", 4), (3, 4), (3, 4)),
}
NO_INPUT = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "ALiBi"}


def batch(shape, n):
    if shape[0] == IDS:
        return mg.zeros((n, *shape[1:]), dtype="int64")
    return mg.tensor(np.random.default_rng(0).uniform(0.1, 1, (n, *shape)).astype("float32"), requires_grad=True)


def outputs(y):
    return [t for part in y for t in outputs(part)] if isinstance(y, (tuple, list)) else [y]


def layers_and_losses():
    names = {name for name in nn.__all__ if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)}
    return names - set(nn.loss.__all__), set(nn.loss.__all__) & names


def test_no_class_is_missing():
    layers, losses = layers_and_losses()
    assert set(LAYERS) == layers - NO_INPUT
    assert set(LOSSES) == losses


# -- nothing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_of_nothing_gives_nothing_or_a_clear_error(name, training):
    """An output for each of 0 samples, gradients of the right shapes, 0 for parameters; norms of batches say that they need more."""
    make, *shapes = LAYERS[name]
    layer = make().train(training)
    if name.startswith("Lazy"):
        layer(*[batch(shape, 2) for shape in shapes])
    inputs = [batch(shape, 0) for shape in shapes]
    if "BatchNorm" in name and training:
        with pytest.raises(ShapeError, match="more than one value per channel, got 0"):
            layer(*inputs)
        return
    ys = [y for y in outputs(layer(*inputs)) if isinstance(y, mg.Tensor)]
    assert ys
    assert all(0 in y.shape[:2] for y in ys)
    recorded = [y.sum() for y in ys if y.requires_grad]
    if recorded:
        sum(recorded[1:], recorded[0]).backward()
    assert all(x.grad is None or x.grad.shape == x.shape for x in inputs)
    assert not any(p.grad is not None and np.any(p.grad.numpy()) for p in layer.parameters())


# -- arrays of all kinds ----------------------------------------------------------------------------------------------
def unaligned(a):
    memory = np.zeros(a.nbytes + 1, "uint8")[1:].view(a.dtype).reshape(a.shape)
    memory[...] = a
    return memory


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


TAKEN = {
    "in Fortran's order": np.asfortranarray,
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": unaligned,
    "read-only": read_only,
    "a list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("name", sorted(set(LAYERS) - {"Lambda", "Identity"}))
def test_arrays_of_any_layout_and_lists_give_what_a_plain_array_gives(name):
    make, *shapes = LAYERS[name]
    arrays = [batch(shape, 2).detach().numpy() for shape in shapes]

    def result(*inputs):
        mg.manual_seed(0)
        return [np.asarray(t.detach() if isinstance(t, mg.Tensor) else t) for t in outputs(make()(*inputs)) if t is not None]

    plain = result(*arrays)
    for kind, taken in TAKEN.items():
        for a, b in zip(result(*[taken(a) for a in arrays]), plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=kind)


# -- wrong shapes -----------------------------------------------------------------------------------------------------
def wrong_shapes(shape):
    """No axis, one, one more than there should be, other lengths of the first axis after the batch and of the last, no length at all."""
    kind, core = ((IDS,), shape[1:]) if shape[0] == IDS else ((), shape)
    longer, wider = (2, core[0] + 1, *core[1:]), (2, *core[:-1], core[-1] + 1)
    return [(*kind, *wrong) for wrong in ((), (3,), (2, 2, *core), longer, wider, (2, core[0], *[0] * (len(core) - 1)))]


def drawn(shape):
    if shape[:1] == (IDS,):
        return mg.zeros(shape[1:], dtype="int64")
    return mg.tensor(np.random.default_rng(0).uniform(0.1, 1, shape).astype("float32"))


def refusal(layer, inputs):
    """The error, which must be one of ours, or None."""
    try:
        layer(*inputs)
    except MinigradError as error:
        return error
    return None


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_shapes_are_explained(name):
    """Whatever is not taken is refused in one line with the shape that came, and the layer is named in it or in the note."""
    make, *shapes = LAYERS[name]
    refused = 0
    for k, shape in enumerate(shapes):
        for wrong in wrong_shapes(shape):
            layer = make()
            inputs = [drawn((IDS, 2, *s[1:]) if s[0] == IDS else (2, *s)) for s in shapes]
            inputs[k] = drawn(wrong)
            error = refusal(layer, inputs)
            if error is None:
                continue
            refused += 1
            message, came = str(error), tuple(inputs[k].shape)
            assert any(text in message for text in (str(came), str(came[2:]), str(list(came)), "axis")), message
            assert type(layer).__name__ in message + "".join(getattr(error, "__notes__", ()))
            assert "\n" not in message
            assert "expected 0 to -1" not in message
    assert refused or name in {*ANY_SHAPE, "Threshold", "GaussianNoise", "Lambda", "Embedding"}


@pytest.mark.parametrize("name", [f"{kind}{n}d" for kind in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)])
def test_a_refused_input_changes_no_statistics(name):
    _, shape = LAYERS[name]
    layer = getattr(nn, name)(4, track_running_stats=True)
    layer(batch(shape, 2))
    refused = 0
    for wrong in wrong_shapes(shape):
        before = {k: v.tolist() for k, v in layer.state_dict().items()}
        if refusal(layer, [drawn(wrong)]) is not None:
            refused += 1
            assert {k: v.tolist() for k, v in layer.state_dict().items()} == before
    assert refused >= 4


def test_batch_norm_of_one_sample_changes_no_statistics():
    for layer, x in ((nn.BatchNorm1d(3), (1, 3)), (nn.BatchNorm2d(3), (1, 3, 1, 1)), (nn.BatchNorm3d(3), (1, 3, 1, 1, 1))):
        before = {k: v.tolist() for k, v in layer.state_dict().items()}
        with pytest.raises(ShapeError, match=r"batch_norm: .*more than one value per channel, got 1 .*drop_last=True.*eval\(\)"):
            layer(mg.ones(x))
        assert {k: v.tolist() for k, v in layer.state_dict().items()} == before


# -- settings ---------------------------------------------------------------------------------------------------------
PROBABILITIES = {
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "GaussianDropout"), ()),
    **dict.fromkeys(("RNN", "LSTM", "GRU"), (4, 3, 2)),
    **dict.fromkeys(("MultiheadAttention", "DropConnect", "TransformerEncoderLayer", "TransformerDecoderLayer"), (4, 2)),
    "Transformer": (4, 2),
    "DropPath": (),
    "SinusoidalPositionalEncoding": (4,),
    "Zoneout": (nn.LSTMCell(4, 3),),
}


def test_every_class_with_a_probability_is_known():
    layers, _ = layers_and_losses()
    has = {name for name in layers - NO_INPUT if {"p", "dropout"} & set(inspect.signature(getattr(nn, name)).parameters)}
    assert has - {"PairwiseDistance"} == set(PROBABILITIES)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_are_checked_when_the_layer_is_made(name):
    known = inspect.signature(getattr(nn, name)).parameters
    key = "p" if "p" in known else "dropout"
    who = "Transformer" if name == "Transformer" else name  # whose layers say it
    for p in (-0.1, 1.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"{who}.*{key} must be in \[0, 1.*got {p}"):
            getattr(nn, name)(*PROBABILITIES[name], **{key: p})
    for p in ("0.5", None, [0.5], True):
        with pytest.raises(DTypeError, match=rf"{who}.*{key} must be a number"):
            getattr(nn, name)(*PROBABILITIES[name], **{key: p})


SIZES = {
    "Linear": ((4, 2), ("in_features", "out_features")),
    "LazyLinear": ((2,), ("out_features",)),
    "DropConnect": ((4, 2), ("in_features", "out_features")),
    "Bilinear": ((4, 3, 2), ("in1_features", "in2_features", "out_features")),
    **{f"Conv{n}d": ((4, 2, 3), ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups")) for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": ((4, 2, 3), ("in_channels", "kernel_size", "stride", "dilation", "groups", "padding")) for n in (1, 2, 3)},
    **{f"{kind}Pool{n}d": ((2,), ("kernel_size", "padding")) for kind in ("Avg", "Max") for n in (1, 2, 3)},
    **{f"AdaptiveAvgPool{n}d": ((2,), ("output_size",)) for n in (1, 2, 3)},
    **{f"{kind}Norm{n}d": ((4,), ("num_features",)) for kind in ("Batch", "Instance") for n in (1, 2, 3)},
    **dict.fromkeys(("LayerNorm", "RMSNorm"), ((4,), ("normalized_shape",))),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"), ((4, 3), ("input_size", "hidden_size"))),
    **dict.fromkeys(("Embedding", "EmbeddingBag"), ((5, 3), ("num_embeddings", "embedding_dim"))),
    "GroupNorm": ((2, 4), ("num_groups", "num_channels")),
    "LocalResponseNorm": ((2,), ("size",)),
    "MultiheadAttention": ((4, 2), ("embed_dim", "num_heads", "kdim")),
    "TransformerEncoderLayer": ((4, 2, 8), ("d_model", "nhead", "dim_feedforward")),
    "TransformerEncoder": ((encoder_layer(), 2), ("num_layers",)),
    "SinusoidalPositionalEncoding": ((4,), ("d_model", "max_len")),
    "RotaryEmbedding": ((4,), ("dim", "max_len")),
    "ALiBi": ((2,), ("num_heads",)),
    "PReLU": ((), ("num_parameters",)),
    "Maxout": ((2,), ("k",)),
    "Upsample": ((2,), ("size",)),
    "PixelShuffle": ((2,), ("upscale_factor",)),
    "ChannelShuffle": ((2,), ("groups",)),
    "Unfold": ((2,), ("kernel_size", "stride", "dilation", "padding")),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_integers_in_their_range(name):
    """A float kernel size, a stride of 0, a text, a truth: refused when the layer is made."""
    args, keys = SIZES[name]
    names = list(inspect.signature(getattr(nn, name)).parameters)
    for key in keys:
        for wrong, error in ((2.5, DTypeError), ("3", DTypeError), (True, DTypeError), (float("nan"), DTypeError), (-1, ShapeError)):
            with pytest.raises(error, match=f"{name}: {key} must be"):
                getattr(nn, name)(**{**dict(zip(names, args, strict=False)), key: wrong})
        if key in ("stride", "dilation", "kernel_size", "groups", "num_features", "num_heads", "hidden_size"):
            with pytest.raises(ValueError, match=f"{name}: {key} must be"):
                getattr(nn, name)(**{**dict(zip(names, args, strict=False)), key: 0})


@pytest.mark.parametrize("name", [f"{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)])
def test_groups_and_kernels_that_do_not_fit(name):
    n = int(name[-2])
    with pytest.raises(ValueError, match=f"{name}: groups=3 must divide in_channels=4"):
        getattr(nn, name)(4, 6, 3, groups=3)
    with pytest.raises(DTypeError, match=f"{name}: padding must be integers"):
        getattr(nn, name)(4, 6, 3, padding="all")
    if not name.startswith("ConvT"):
        with pytest.raises(ShapeError, match=r"output would be \(0.*a kernel of \(5.* does not fit into \(2"):
            getattr(nn, name)(4, 6, 5)(mg.ones((1, 4, *[2] * n)))


def test_numpy_numbers_as_settings_do_not_widen():
    """A p out of ``np.linspace`` is a float64 scalar, which would make float32 arrays float64."""
    two = np.float64(0.5)
    x, y = batch((4,), 3), np.ones((3, 4), "float32")
    for layer in (
        *[
            getattr(nn, name)(two)
            for name in ("Dropout", "ELU", "CELU", "LeakyReLU", "Softplus", "Softshrink", "Hardshrink", "GaussianNoise")
        ],
        *[nn.LayerNorm(4, eps=two), nn.BatchNorm1d(4, momentum=two), nn.Hardtanh(-two, two), nn.RReLU(two, two), nn.Threshold(two, two)],
    ):
        assert layer(x).dtype == "float32", layer
        assert layer.eval()(x).dtype == "float32", layer
    for loss in (nn.HuberLoss(delta=two), nn.SmoothL1Loss(beta=two), nn.PoissonNLLLoss(eps=two), nn.SoftMarginLoss(), nn.KLDivLoss()):
        assert loss(x, y).dtype == "float32", loss
    assert nn.CrossEntropyLoss(label_smoothing=two)(x, [0, 1, 2]).dtype == "float32"
    assert nn.FocalLoss(gamma=two)(x, np.array([0, 1, 2])).dtype == "float32"
    assert nn.TripletMarginLoss(two, eps=two)(x, x, y).dtype == "float32"


# -- losses -----------------------------------------------------------------------------------------------------------
X, ROWS, MASKS = (3,), (3, 4), (3, 2, 4)
ONES, PICKS = np.ones(3), np.array([0, 1, 2])
STEPS = np.log(np.full((5, 3, 4), 0.25))
# name: (a loss, what it is given, which argument becomes a column, labels out of range or None)
LOSSES = {
    **{name: (made(name), [np.full(3, 0.5), ONES], 1, None) for name in nn.loss.__all__ if name in (
        "MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "LogCoshLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "PoissonNLLLoss",
        "HingeEmbeddingLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss",
    )},
    "GaussianNLLLoss": (made("GaussianNLLLoss"), [ONES, ONES, ONES], 2, None),
    "MarginRankingLoss": (made("MarginRankingLoss"), [ONES, ONES, ONES], 2, None),
    "CosineEmbeddingLoss": (made("CosineEmbeddingLoss"), [np.ones(ROWS), np.ones(ROWS), ONES], 2, None),
    "ContrastiveLoss": (made("ContrastiveLoss"), [np.ones(ROWS), np.ones(ROWS), ONES], 2, None),
    "TripletMarginLoss": (made("TripletMarginLoss"), [np.ones(ROWS)] * 3, 2, None),
    "TripletMarginWithDistanceLoss": (made("TripletMarginWithDistanceLoss"), [np.ones(ROWS)] * 3, 2, None),
    "CrossEntropyLoss": (made("CrossEntropyLoss"), [np.ones(ROWS), PICKS], 1, (4, -1)),
    "NLLLoss": (made("NLLLoss"), [np.ones(ROWS), PICKS], 1, (4, -1)),
    "MultiMarginLoss": (made("MultiMarginLoss"), [np.ones(ROWS), PICKS], 1, (4, -1)),
    "FocalLoss": (made("FocalLoss"), [np.ones(ROWS), PICKS], 1, (4, -1)),
    "MultiLabelMarginLoss": (made("MultiLabelMarginLoss"), [np.ones((3, 3)), np.array([[0, 1, -1]] * 3)], 1, (3, -2)),
    "DiceLoss": (made("DiceLoss"), [np.full(MASKS, 0.5), np.zeros((3, 4), int)], 1, (2, -1)),
    "AdaptiveLogSoftmaxWithLoss": (
        made("AdaptiveLogSoftmaxWithLoss", 4, 6, [2, 4], div_value=1.5), [np.ones(ROWS, "float32"), PICKS], 1, (6, -1),
    ),
    "CTCLoss": (made("CTCLoss"), [STEPS, np.ones((3, 2), int), np.full(3, 5), np.full(3, 2)], 2, (4, -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_column_against_a_row_is_refused_by_every_loss(name):
    """(N, 1) against (N,) would broadcast to N * N losses, a wrong number that looks like a right one."""
    make, args, at, _ = LOSSES[name]
    for as_tensors in (False, True):
        given = [mg.tensor(a) for a in args] if as_tensors else list(args)
        make()(*given)
        given[at] = given[at].reshape((3, 1)) if given[at].size == 3 else given[at][:, :1]
        with pytest.raises(ShapeError, match=r"\(3, 1\)"):
            make()(*given)


@pytest.mark.parametrize("name", [name for name, case in LOSSES.items() if case[3]])
def test_labels_out_of_range_or_no_integers_are_refused_by_every_loss(name):
    make, args, at, out_of_range = LOSSES[name]
    at = 1
    for label in out_of_range:
        bad = args[at].copy()
        bad[0 if bad.ndim == 1 else (0, 0)] = label
        with pytest.raises(IndexRangeError, match=rf"label {label} at row .*classes"):
            make()(*args[:at], bad, *args[at + 1 :])
    for dtype in ("float32", "bool"):
        with pytest.raises((DTypeError, ShapeError), match=r"integers|must have the (same )?shape"):
            make()(*args[:at], args[at].astype(dtype), *args[at + 1 :])


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_nothing_costs_nothing(name):
    make, args, _, _ = LOSSES[name]
    nothing = [a[:, :0] if a is STEPS else a[:0] for a in args]
    x = mg.tensor(nothing[0], requires_grad=True)
    y = make()(x, *nothing[1:])
    y = y.loss if name.startswith("Adaptive") else y
    y.backward()
    assert y.item() == 0
    assert x.grad is None or x.grad.shape == x.shape
