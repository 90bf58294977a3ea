"""MultiheadAttention: PyTorch as the judge, its masks, and what it refuses."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError

RNG = np.random.default_rng(3)


def blocked(*shape):
    """Booleans, True where not to look; never all of a row."""
    m = RNG.random(shape) < 0.4
    m[..., 0] = False
    return m


def added(*shape):
    return RNG.normal(size=shape).astype("float32")


SELF, CROSS = ((5, 2, 8),) * 3, ((5, 2, 8), (6, 2, 8), (6, 2, 8))
CASES = {
    "weights": ((8, 2), {}, CROSS, {}),
    "no weights": ((8, 2), {}, CROSS, {"need_weights": False}),
    "each head": ((8, 4), {"batch_first": True}, ((2, 5, 8), (2, 6, 8), (2, 6, 8)), {"average_attn_weights": False}),
    "no bias": ((8, 2), {"bias": False}, CROSS, {"need_weights": False}),
    "kdim": ((8, 2), {"kdim": 3, "vdim": 5}, ((5, 2, 8), (6, 2, 3), (6, 2, 5)), {}),
    "vdim": ((8, 2), {"vdim": 5, "bias": False, "batch_first": True}, ((2, 5, 8), (2, 6, 8), (2, 6, 5)), {"need_weights": False}),
    "bias_kv": ((8, 2), {"add_bias_kv": True}, CROSS, {"attn_mask": blocked(5, 6)}),
    "zero": ((8, 2), {"add_zero_attn": True}, CROSS, {"key_padding_mask": blocked(2, 6), "need_weights": False}),
    "both": ((8, 2), {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True}, ((2, 5, 8),) * 3, {"attn_mask": added(5, 5)}),
    "padding": ((8, 2), {}, CROSS, {"key_padding_mask": blocked(2, 6)}),
    "mask": ((8, 2), {"batch_first": True}, ((2, 5, 8), (2, 6, 8), (2, 6, 8)), {"attn_mask": blocked(5, 6), "need_weights": False}),
    "mask by head": ((8, 2), {}, CROSS, {"attn_mask": blocked(4, 5, 6), "key_padding_mask": blocked(2, 6), "need_weights": False}),
    "added": ((8, 2), {}, CROSS, {"attn_mask": added(5, 6), "key_padding_mask": added(2, 6)}),
    "added, no weights": ((8, 2), {}, CROSS, {"attn_mask": added(4, 5, 6), "need_weights": False}),
    "unbatched": ((8, 2), {}, ((5, 8), (6, 8), (6, 8)), {"attn_mask": blocked(5, 6), "key_padding_mask": blocked(6)}),
    "unbatched, no weights": ((8, 4), {"batch_first": True}, ((5, 8), (6, 8), (6, 8)), {"need_weights": False}),
    "unbatched, by head": ((8, 4), {}, ((5, 8), (6, 8), (6, 8)), {"attn_mask": blocked(4, 5, 6)}),
    "causal": ((8, 2), {}, SELF, {"attn_mask": np.triu(np.ones((5, 5), bool), 1), "is_causal": True, "need_weights": False}),
}


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_pytorch(agrees, name):
    args, kwargs, inputs, call = CASES[name]
    agrees("MultiheadAttention", args, kwargs, *inputs, call=call)


@pytest.mark.torch
@pytest.mark.parametrize(("batch_first", "need_weights"), [(False, True), (False, False), (True, True), (True, False)])
@pytest.mark.parametrize("shared", ["all", "key and value"])
def test_the_same_object_twice_or_thrice(batch_first, need_weights, shared):
    """Self-attention and cross-attention, whose projections are packed into fewer products."""
    torch = pytest.importorskip("torch")
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=batch_first)
    mine = nn.MultiheadAttention(8, 2, batch_first=batch_first)
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    a, b = added(4, 5, 8), added(4, 5, 8)
    x, u = mg.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y, w = (x, u) if shared == "all" else (mg.tensor(b, requires_grad=True), torch.tensor(b, requires_grad=True))
    out, weights = mine(x, y, y, need_weights=need_weights)
    want, wanted = theirs(u, w, w, need_weights=need_weights)
    np.testing.assert_allclose(out.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert (weights is None) == (wanted is None)
    (out * out).sum().backward()
    (want * want).sum().backward()
    for p, q in [(x, u), (y, w), *zip(mine.parameters(), theirs.parameters(), strict=True)]:
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.torch
def test_forward_takes_what_pytorch_takes():
    torch = pytest.importorskip("torch")
    ours, theirs = (inspect.signature(c.forward).parameters for c in (nn.MultiheadAttention, torch.nn.MultiheadAttention))
    assert [(n, p.default) for n, p in ours.items()] == [(n, p.default) for n, p in theirs.items()]


def layer(**kwargs):
    mg.manual_seed(0)
    return nn.MultiheadAttention(8, 2, batch_first=True, **kwargs)


@pytest.mark.parametrize("extra", [{}, {"add_bias_kv": True, "add_zero_attn": True}])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("padding", [None, blocked(2, 5)])
def test_causal_without_a_mask(extra, need_weights, padding):
    m, x = layer(**extra), mg.tensor(added(2, 5, 8))
    mask = np.triu(np.ones((5, 5), bool), 1)
    y, _ = m(x, x, x, padding, need_weights, is_causal=True)
    z, _ = m(x, x, x, padding, need_weights, mask)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_mask_of_numbers_learns():
    m, x = layer(), mg.tensor(added(2, 5, 8))
    for need_weights in (True, False):
        mask = mg.tensor(added(5, 5), requires_grad=True)
        m(x, x, x, attn_mask=mask, key_padding_mask=blocked(2, 5), need_weights=need_weights)[0].sum().backward()
        assert abs(mask.grad.numpy()).max() > 0


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_that_may_look_at_nothing(need_weights):
    m, x = layer(), mg.tensor(added(2, 5, 8), requires_grad=True)
    nn.init.normal_(m.out_proj.bias)
    padding = np.array([[True] * 5, [False] * 5])
    y, weights = m(x, x, x, padding, need_weights)
    np.testing.assert_allclose(y.detach().numpy()[0], np.tile(m.out_proj.bias.detach().numpy(), (5, 1)), rtol=1e-6)
    assert weights is None or (weights.detach().numpy()[0] == 0).all()
    y.sum().backward()
    assert (x.grad.numpy()[0] == 0).all()
    assert np.isfinite(x.grad.numpy()).all()


def test_dropout_of_weights():
    m, x = layer(dropout=0.5), mg.tensor(added(2, 5, 8))
    _, weights = m(x, x, x, average_attn_weights=False)
    m.eval()
    _, kept = m(x, x, x, average_attn_weights=False)
    ratio = weights.detach().numpy() / kept.detach().numpy()
    assert np.allclose(np.where(ratio > 1, ratio, 2 - ratio), 2, atol=1e-5)
    assert 0.3 < (ratio == 0).mean() < 0.7
    y, z = (m(x, x, x, need_weights=n)[0] for n in (True, False))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_initial_values():
    m = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    assert abs(abs(m.in_proj_weight.numpy()).max() / np.sqrt(6 / 256) - 1) < 0.01
    assert not m.in_proj_bias.numpy().any()
    assert not m.out_proj.bias.numpy().any()
    assert m.bias_k.numpy().any()


def test_refuses():
    x = mg.zeros((2, 5, 8))
    m = layer()
    for args, kwargs in (((8, 3), {}), ((0, 1), {}), ((8, 2), {"dropout": 1.5})):
        with pytest.raises(ValueError, match="MultiheadAttention"):
            nn.MultiheadAttention(*args, **kwargs)
    with pytest.raises(ShapeError, match="features"):
        m(mg.zeros((2, 5, 7)), x, x)
    with pytest.raises(ShapeError, match="axes"):
        m(x, x[0], x[0])
    with pytest.raises(ShapeError, match="batch"):
        m(x, mg.zeros((3, 5, 8)), mg.zeros((3, 5, 8)))
    with pytest.raises(ShapeError, match="as many"):
        m(x, x, mg.zeros((2, 4, 8)))
    with pytest.raises(ShapeError, match="key_padding_mask"):
        m(x, x, x, np.zeros((5, 2), bool))
    with pytest.raises(ShapeError, match="attn_mask"):
        m(x, x, x, attn_mask=np.zeros((2, 5, 5), bool))
    with pytest.raises(DTypeError, match="attn_mask"):
        m(x, x, x, attn_mask=np.zeros((5, 5), int))
