"""Transformer layers and stacks with PyTorch as the judge; positions against their papers' formulas."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.autograd.tensor import wrap
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.testing.double import no_sync, put, register

register()

RNG = np.random.default_rng(4)
SMALL = {"dim_feedforward": 12, "dropout": 0.0}


def causal(n):
    return np.triu(np.ones((n, n), bool), 1)


def added(*shape):
    return RNG.normal(size=shape).astype("float32")


PADDED = np.array([[False] * 4 + [True], [False] * 5])
SRC, TGT = (5, 2, 8), (4, 2, 8)
ENCODER = {
    "default": ({}, SRC, {}),
    "norm first": ({"norm_first": True, "activation": "gelu"}, SRC, {"src_mask": causal(5)}),
    "batch first": ({"batch_first": True, "activation": "gelu"}, (2, 5, 8), {"src_key_padding_mask": PADDED}),
    "no bias": ({"bias": False, "layer_norm_eps": 1e-3}, SRC, {"src_mask": added(5, 5), "is_causal": False}),
    "unbatched": ({"norm_first": True, "batch_first": True}, (5, 8), {}),
    "hint": ({}, SRC, {"src_mask": causal(5), "is_causal": True}),
}
DECODER = {
    "default": ({}, TGT, SRC, {}),
    "norm first": ({"norm_first": True, "activation": "gelu"}, TGT, SRC, {"tgt_mask": causal(4), "tgt_is_causal": True}),
    "batch first": ({"batch_first": True}, (2, 4, 8), (2, 5, 8), {"memory_key_padding_mask": PADDED, "memory_mask": added(4, 5) > 0.5}),
    "no bias": ({"bias": False}, TGT, SRC, {"memory_mask": added(4, 5), "tgt_key_padding_mask": PADDED[:, 1:]}),
    "unbatched": ({"norm_first": True}, (4, 8), (5, 8), {}),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", ENCODER)
def test_encoder_layer(agrees, name):
    kwargs, shape, call = ENCODER[name]
    agrees("TransformerEncoderLayer", (8, 2), SMALL | kwargs, shape, call=call, signature=False)


@pytest.mark.torch
@pytest.mark.parametrize("name", DECODER)
def test_decoder_layer(agrees, name):
    kwargs, tgt, src, call = DECODER[name]
    agrees("TransformerDecoderLayer", (8, 2), SMALL | kwargs, tgt, src, call=call, signature=False)


@pytest.mark.torch
@pytest.mark.parametrize("name", [*ENCODER])
@pytest.mark.parametrize("norm", [False, True])
def test_encoder(name, norm):
    kwargs, shape, call = ENCODER[name]
    call = {k.replace("src_mask", "mask"): v for k, v in call.items()}
    stacks("TransformerEncoder", kwargs, [shape], call, norm, {"enable_nested_tensor": False})


@pytest.mark.torch
@pytest.mark.parametrize("name", [*DECODER])
@pytest.mark.parametrize("norm", [False, True])
def test_decoder(name, norm):
    kwargs, tgt, src, call = DECODER[name]
    stacks("TransformerDecoder", kwargs, [tgt, src], call, norm, {})


def stacks(name, kwargs, shapes, call, norm, settings):
    """Two layers of either library with the same values, and their gradients."""
    torch = pytest.importorskip("torch")

    def make(nn):
        layer = getattr(nn, name + "Layer")(8, 2, **SMALL, **kwargs)
        return getattr(nn, name)(layer, 2, nn.LayerNorm(8) if norm else None, **settings)

    mine, theirs = make(nn), make(torch.nn)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for p in theirs.parameters():
        torch.nn.init.normal_(p, std=0.3)
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    arrays = [added(*shape) for shape in shapes]
    xs, us = [mg.tensor(a, requires_grad=True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    y = mine(*xs, **call)
    z = theirs(*us, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in call.items()})
    same(y.detach(), z.detach())
    w = added(*y.shape)
    (y * w).sum().backward()
    (z * torch.tensor(w)).sum().backward()
    for p, q in [*zip(xs, us, strict=True), *zip(mine.parameters(), theirs.parameters(), strict=True)]:
        same(p.grad, q.grad)


def same(mine, theirs):
    a, b = mine.numpy(), theirs.numpy()
    assert a.shape == b.shape
    assert abs(a - b).max() <= 1e-5 * max(abs(b).max(), 1e-3)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(
    ("kwargs", "src", "tgt", "call"),
    [
        ({}, SRC, TGT, {}),
        ({"norm_first": True, "activation": "gelu"}, SRC, TGT, {"tgt_mask": causal(4), "src_key_padding_mask": PADDED}),
        ({"batch_first": True}, (2, 5, 8), (2, 4, 8), {"memory_key_padding_mask": PADDED, "src_mask": added(5, 5)}),
        ({"bias": False, "num_encoder_layers": 2}, (5, 8), (4, 8), {"memory_mask": added(4, 5)}),
    ],
)
def test_transformer(agrees, kwargs, src, tgt, call):
    settings = {"num_encoder_layers": 1, "num_decoder_layers": 2, "d_model": 8, "nhead": 2} | SMALL | kwargs
    agrees("Transformer", (), settings, src, tgt, call=call, signature=False)


NAMES = ["TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder", "Transformer"]


@pytest.mark.torch
@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_pytorchs(name):
    """But for the activation, whose default is either library's relu."""
    torch = pytest.importorskip("torch")
    for method in ("__init__", "forward"):
        ours, theirs = (inspect.signature(getattr(getattr(m, name), method)).parameters for m in (nn, torch.nn))
        assert list(ours) == list(theirs)
        for n, p in ours.items():
            assert p.default == theirs[n].default or (n, p.default) == ("activation", F.relu)


def test_square_subsequent_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    assert mask.dtype == np.float32
    assert nn.Transformer.generate_square_subsequent_mask(2, dtype="float64").dtype == np.float64
    x = mg.tensor(added(4, 3, 8))
    layer = nn.TransformerEncoderLayer(8, 2, **SMALL)
    same(layer(x, mask).detach(), layer(x, is_causal=True).detach())


def test_layers_of_a_stack_are_copies():
    mg.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    a, b = nn.TransformerEncoder(layer, 2).layers
    assert a.linear1.weight is not b.linear1.weight
    assert (a.linear1.weight.numpy() == b.linear1.weight.numpy()).all()
    a, b = nn.Transformer(8, 2, 2, 2, 16).encoder.layers
    assert (a.linear1.weight.numpy() != b.linear1.weight.numpy()).any()


LAYERS = {
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, **SMALL), SRC, {"is_causal": True}),
    "weights": (lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True), SRC, {"attn_mask": causal(5)}),
    "padding": (lambda: nn.MultiheadAttention(8, 2), SRC, {"key_padding_mask": PADDED, "need_weights": False}),
    "sinusoidal": (lambda: nn.SinusoidalPositionalEncoding(8), SRC, {}),
    "rotary": (lambda: nn.RotaryEmbedding(8), SRC, {}),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_on_the_double_of_a_gpu(name, dtype):
    """The same values and gradients, in the dtype of the layer, and nothing is waited for."""
    make, shape, call = LAYERS[name]
    mg.manual_seed(0)
    here, there = make(), make()
    there.load_state_dict(here.state_dict())
    a, sums, outs = added(*shape).astype(dtype), [], []
    for layer, place in ((here.to(dtype), lambda v: v), (there.to(dtype).to(device="double"), put)):
        x = wrap(place(a.copy()), None).requires_grad_()
        args = (x, x, x) if isinstance(layer, nn.MultiheadAttention) else (x, x) if name == "rotary" else (x,)
        keywords = {k: place(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}
        with no_sync():
            y = layer(*args, **keywords)
            y = y[0] if isinstance(y, tuple) else y
            (y * y).sum().backward()
        outs.append(y.detach().numpy())
        sums.append([x.grad.numpy(), *[p.grad.numpy() for p in layer.parameters() if p.grad is not None]])
    assert outs[0].dtype == outs[1].dtype == dtype
    for mine, other in zip([outs[0], *sums[0]], [outs[1], *sums[1]], strict=True):
        scale = max(abs(mine.astype("float64")).max(), 1)
        assert (
            abs(mine.astype("float64") - other).max() <= (1e-2 if dtype == "float16" else 1e-5) * scale
        )  # of half precision, ten roundings


def test_a_mask_from_alibi_on_the_double():
    layer = nn.ALiBi(6).to(device="double")
    with no_sync():
        mask = layer(3, 5)
    np.testing.assert_array_equal(mask.numpy(), nn.ALiBi(6)(3, 5).numpy())


def test_dropout_only_in_training():
    mg.manual_seed(0)
    layer, x = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.5), mg.tensor(added(4, 3, 8))
    assert (layer(x, x).detach().numpy() != layer(x, x).detach().numpy()).any()
    layer.eval()
    assert (layer(x, x).detach().numpy() == layer(x, x).detach().numpy()).all()


def test_refuses():
    with pytest.raises(ValueError, match="swish"):
        nn.TransformerEncoderLayer(8, 2, activation="swish")
    with pytest.raises(ValueError, match="num_layers"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 4), 0)
    model = nn.Transformer(8, 2, 1, 1, 4)
    with pytest.raises(ShapeError, match="features"):
        model(mg.zeros((5, 2, 7)), mg.zeros((5, 2, 8)))
    with pytest.raises(ShapeError, match="batch"):
        model(mg.zeros((5, 2, 8)), mg.zeros((5, 3, 8)))


# -- positions --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("d", [6, 7])
def test_sinusoidal(d):
    layer, n = nn.SinusoidalPositionalEncoding(d, max_len=12), 9
    want = [[(np.cos if k % 2 else np.sin)(t / 10000 ** ((k - k % 2) / d)) for k in range(d)] for t in range(n)]
    np.testing.assert_allclose(layer(mg.zeros((n, d))).numpy(), want, rtol=1e-6, atol=1e-6)
    x = mg.tensor(added(n, 3, d), requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose((y - x).detach().numpy()[:, 1], want, atol=1e-6)
    y.sum().backward()
    assert (x.grad.numpy() == 1).all()
    first = nn.SinusoidalPositionalEncoding(d, max_len=12, batch_first=True)
    np.testing.assert_allclose(first(mg.zeros((2, 3, d)), offset=4).numpy()[1], want[4:7], atol=1e-6)
    assert first(mg.zeros((2, 3, d), dtype="float16")).dtype == np.float16
    assert layer.state_dict() == {}
    with pytest.raises(ShapeError, match="max_len"):
        layer(mg.zeros((9, d)), offset=4)
    with pytest.raises(ShapeError, match="features"):
        layer(mg.zeros((9, d + 1)))
    with pytest.raises(ValueError, match="max_len"):
        nn.SinusoidalPositionalEncoding(d, 0)
    mg.manual_seed(0)
    dropped = nn.SinusoidalPositionalEncoding(d, dropout=0.5)(mg.ones((100, d))).numpy() == 0
    assert 0.4 < dropped.mean() < 0.6


def turned(x, t, base=10000.0, interleaved=True):
    """One row at position t, by the matrix of the paper's equation 15."""
    d, out = len(x), np.zeros(len(x))
    for i in range(d // 2):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + d // 2)
        angle = t * base ** (-2 * i / d)
        out[a] = x[a] * np.cos(angle) - x[b] * np.sin(angle)
        out[b] = x[b] * np.cos(angle) + x[a] * np.sin(angle)
    return out


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary(interleaved):
    layer = nn.RotaryEmbedding(6, max_len=40, base=100.0, interleaved=interleaved, dtype="float64")
    q, k = RNG.normal(size=(2, 3, 5, 6)), RNG.normal(size=(2, 3, 7, 6))
    a, b = (mg.tensor(v, requires_grad=True) for v in (q, k))
    y, z = layer(a, b, offset=2)
    for x, out in ((q, y), (k, z)):
        want = [[[turned(row, t + 2, 100.0, interleaved) for t, row in enumerate(head)] for head in batch] for batch in x]
        np.testing.assert_allclose(out.detach().numpy(), want, atol=1e-12)
    mg.testing.gradcheck(lambda v: layer(v, v)[0], a)
    mg.testing.gradgradcheck(lambda v: layer.rotate(v) ** 2, a)
    # only distances are left in the scores
    scores, later = ((layer.rotate(a, t) @ layer.rotate(b[:, :, :5], t).mT).detach().numpy() for t in (0, 20))
    np.testing.assert_allclose(scores, later, atol=1e-10)


def test_rotary_dtypes_and_refusals():
    layer = nn.RotaryEmbedding(4, max_len=10)
    assert layer.state_dict() == {}
    for dtype in ("float16", "float32", "float64"):
        assert layer.rotate(mg.ones((3, 4), dtype=dtype)).dtype == dtype
    with pytest.raises(ValueError, match="even"):
        nn.RotaryEmbedding(5)
    with pytest.raises(ShapeError, match="max_len"):
        layer.rotate(mg.ones((11, 4)))
    with pytest.raises(ShapeError, match="length, 4"):
        layer.rotate(mg.ones((3, 6)))


def test_alibi():
    """The slopes of the paper's section 3, and those of the authors' code for twelve heads."""
    assert nn.ALiBi(8).slopes.tolist() == [2.0**-h for h in range(1, 9)]
    np.testing.assert_allclose(nn.ALiBi(16).slopes.numpy(), [2 ** (-h / 2) for h in range(1, 17)], rtol=1e-6)
    np.testing.assert_allclose(nn.ALiBi(12).slopes.numpy(), [2.0**-h for h in range(1, 9)] + [2 ** (-h - 0.5) for h in range(4)], rtol=1e-6)
    np.testing.assert_allclose(nn.ALiBi(3).slopes.numpy(), [2.0**-4, 2.0**-8, 2.0**-2])
    assert nn.ALiBi(1).slopes.tolist() == [2.0**-8]
    both = nn.ALiBi(2, causal=False)(3).numpy()
    np.testing.assert_array_equal(both[0] * 16, [[0, -1, -2], [-1, 0, -1], [-2, -1, 0]])
    last = nn.ALiBi(2)(1, 4).numpy()
    np.testing.assert_array_equal(last[1] * 256, [[-3, -2, -1, 0]])
    q = mg.tensor(added(2, 4, 5, 6))
    y = F.scaled_dot_product_attention(q, q, q, nn.ALiBi(4)(5))
    assert y.shape == (2, 4, 5, 6)
    np.testing.assert_allclose(y.numpy()[:, :, 0], q.numpy()[:, :, 0], rtol=1e-6)
    with pytest.raises(ValueError, match="num_heads"):
        nn.ALiBi(0)
