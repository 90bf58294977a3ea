"""The workloads in JAX: pure functions of a dict of parameters; the whole step, update included, is one compiled function."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from . import Training, batch
from .updates import adam, sgd


def training(name, loss, optimizer, weights, extra=None):
    """``loss(p, extra, x, y)`` gives the value and what is carried to the next step besides the parameters; mostly running statistics."""
    start, update = optimizer
    data = [jnp.asarray(a) for a in batch(name)]
    p = {k: jnp.asarray(a) for k, a in weights.items() if "running" not in k and "batches" not in k}
    extra = extra or {k: jnp.asarray(a) for k, a in weights.items() if "running" in k}

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(p, extra, state, *data):
        (value, extra), g = jax.value_and_grad(loss, has_aux=True)(p, extra, *data)
        p, state = update(p, g, state)
        return value, p, extra, state

    held = [p, extra, start(p)]

    def step():
        value, *held[:] = jax.block_until_ready(train(*held, *data))
        return value

    return Training(step)


def plain(net):
    """The mean cross entropy of a net that carries nothing on."""
    return lambda p, extra, x, y: (cross_entropy(net(p, x), y), extra)


def cross_entropy(logits, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1).mean()


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def conv(x, w, stride=1, padding=0):
    return lax.conv_general_dilated(x, w, (stride, stride), [(padding, padding)] * 2)


def batch_norm(p, extra, name, x):
    axes = (0, *range(2, x.ndim))
    mean, var, n = x.mean(axes), x.var(axes), x.size / x.shape[1]
    new = {"mean": mean, "var": var * n / (n - 1)}
    extra = extra | {(k := f"{name}.running_{s}"): 0.9 * extra[k] + 0.1 * lax.stop_gradient(a) for s, a in new.items()}
    shape = (-1, *[1] * (x.ndim - 2))
    scale = p[f"{name}.weight"] / jnp.sqrt(var + 1e-5)
    return (x - mean.reshape(shape)) * scale.reshape(shape) + p[f"{name}.bias"].reshape(shape), extra


def layer_norm(p, name, x):
    x = x - x.mean(-1, keepdims=True)
    return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def chain(weights):
    x, y = (jnp.asarray(a) for a in batch("chain"))

    def loss(x, y):
        z = x
        for _ in range(20):
            z = z * y + x
        return z.sum()

    slopes = jax.jit(jax.value_and_grad(loss, (0, 1)))
    return Training(lambda: jax.block_until_ready(slopes(x, y))[0])


def tiny_mlp(weights):
    def net(p, x):
        return linear(p, "4", jnp.tanh(linear(p, "2", jnp.tanh(linear(p, "0", x)))))

    return training("tiny_mlp", plain(net), sgd(1e-3), weights)


def mlp(weights):
    def net(p, x):
        return linear(p, "4", jax.nn.relu(linear(p, "2", jax.nn.relu(linear(p, "0", x)))))

    return training("mlp", plain(net), adam(1e-3), weights)


def dropout_mlp(weights):
    def loss(p, extra, x, y):
        key, *keys = jax.random.split(extra["key"], 4)
        for i, k in zip("036", keys, strict=True):
            x = jax.nn.relu(linear(p, i, x))
            x = jnp.where(jax.random.bernoulli(k, 0.5, x.shape), x * 2, 0)
        return cross_entropy(linear(p, "9", x), y), {"key": key}

    return training("dropout_mlp", loss, sgd(1e-2, 0.9), weights, {"key": jax.random.key(0)})


def bn_mlp(weights):
    def loss(p, extra, x, y):
        for i in (0, 3, 6):
            x, extra = batch_norm(p, extra, f"{i + 1}", linear(p, f"{i}", x))
            x = jax.nn.relu(x)
        return cross_entropy(linear(p, "9", x), y), extra

    return training("bn_mlp", loss, adam(1e-3), weights)


def convnet(weights):
    def net(p, x):
        x = jax.nn.relu(conv(x, p["0.weight"]) + p["0.bias"][:, None, None])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return linear(p, "6", jax.nn.relu(linear(p, "4", x.reshape(len(x), -1))))

    return training("convnet", plain(net), adam(1e-3), weights)


def resnet8(weights):
    def loss(p, extra, x, y):
        x, extra = batch_norm(p, extra, "1", conv(x, p["0.weight"], 1, 1))
        x = jax.nn.relu(x)
        for i, stride in (("3", 1), ("4", 2), ("5", 2)):
            h, extra = batch_norm(p, extra, f"{i}.norm1", conv(x, p[f"{i}.conv1.weight"], stride, 1))
            h, extra = batch_norm(p, extra, f"{i}.norm2", conv(jax.nn.relu(h), p[f"{i}.conv2.weight"], 1, 1))
            x = jax.nn.relu(h + (x if stride == 1 else conv(x, p[f"{i}.shortcut.weight"], stride)))
        return cross_entropy(linear(p, "8", x.mean((2, 3))), y), extra

    return training("resnet8", loss, sgd(1e-2, 0.9), weights)


def char_lstm(weights):
    def net(p, x):
        x = p["embedding.weight"][x] @ p["lstm.weight_ih_l0"].T + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]

        def cell(state, a):
            h, c = state
            i, f, g, o = jnp.split(a + h @ p["lstm.weight_hh_l0"].T, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((len(x), 128))
        return linear(p, "head", lax.scan(cell, (zero, zero), x.swapaxes(0, 1))[1].swapaxes(0, 1))

    return training("char_lstm", plain(net), adam(1e-3), weights)


def char_gpt(weights):
    def net(p, x):
        x = p["characters.weight"][x] + p["positions.weight"]
        for i in range(4):
            name = f"blocks.{i}."
            q, k, v = jnp.split(linear(p, name + "qkv", layer_norm(p, name + "norm1", x)), 3, -1)
            a = jax.nn.dot_product_attention(*(t.reshape(*x.shape[:2], 4, 32) for t in (q, k, v)), is_causal=True)
            x = x + linear(p, name + "join", a.reshape(x.shape))
            h = jax.nn.gelu(linear(p, name + "wide", layer_norm(p, name + "norm2", x)), approximate=False)
            x = x + linear(p, name + "back", h)
        return layer_norm(p, "norm", x) @ p["head.weight"].T

    return training("char_gpt", plain(net), adam(1e-3, decay=1e-2), weights)
