"""A small GPT reads a text character by character and learns to go on: Radford et al. 2018, with the norms first as in GPT-2.

    python char_gpt.py --text input.txt      # any text; tiny Shakespeare is found in $MINIGRAD_DATA/tinyshakespeare/input.txt

Without a text it makes one of its own, of words that nobody can guess, but each six times: "gef gef gef gef gef gef. ". Whoever does not
look back pays 18 log 8 of 25 characters, 1.5 nats each; the bound is half of that. Tiny Shakespeare: 1.72 nats in validation, 2500 steps.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import data_folder
from minigrad.nn import functional as F

TEXT = {"steps": 2500, "width": 128, "layers": 4, "lr": 2e-3, "bound": 1.9}
MADE_UP = {"steps": 160, "width": 64, "layers": 2, "lr": 8e-3, "bound": 0.75}


def made_up(words=8000, seed=0):
    drawn = np.random.default_rng(seed).choice(list("abcdefgh"), (words, 3))
    return "".join(" ".join(["".join(word)] * 6) + ". " for word in drawn)


class Block(nn.Module):
    """Attention to what came before, then a net of two layers for each position; both are added to what they read."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.join = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

    def forward(self, x):
        n, length, width = x.shape
        parts = mg.split(self.qkv(self.norm1(x)), 3, axis=-1)
        q, k, v = (p.reshape((n, length, self.heads, width // self.heads)).transpose(0, 2, 1, 3) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.join(y.transpose(0, 2, 1, 3).reshape(x.shape))
        return x + self.net(self.norm2(x))


class CharGPT(nn.Module):
    """Characters to logits of the next one; the table of characters is also the last layer."""

    def __init__(self, characters, context, width, heads, layers):
        super().__init__()
        self.context, self.characters, self.positions = context, nn.Embedding(characters, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.ndim == 2:  # what is added to the stream starts smaller, the more blocks there are
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if name.endswith(("join.weight", "net.2.weight")) else 0.02)

    def forward(self, x):
        h = self.characters(x) + self.positions(np.arange(x.shape[1]))
        return F.linear(self.norm(self.blocks(h)), self.characters.weight)


def loss_of(model, codes, starts):
    """Nats per character of the windows that start there."""
    windows = codes[starts[:, None] + np.arange(model.context + 1)]
    logits = model(windows[:, :-1])
    return F.cross_entropy(logits.reshape((-1, logits.shape[-1])), mg.tensor(windows[:, 1:].reshape(-1)))


def validate(model, codes, every=1):
    """The mean loss over a text that was not trained on, cut into windows; ``every=8`` reads an eighth of them."""
    starts = np.arange(0, len(codes) - model.context, model.context)[::every]
    with mg.no_grad():
        return sum(loss_of(model, codes, part).item() * len(part) for part in np.array_split(starts, 8)) / len(starts)


def sample(model, codes, n, temperature=0.8):
    """``codes`` and ``n`` more, each drawn from what the model expects."""
    with mg.no_grad():
        for _ in range(n):
            logits = model(codes[None, -model.context :])[0, -1]
            codes = np.append(codes, mg.random.categorical(logits / temperature).item())
    return codes


known = data_folder() / "tinyshakespeare" / "input.txt"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--text", type=Path, default=known if known.is_file() else None, help="a file; default: tiny Shakespeare, or made up")
for name, value in TEXT.items():
    parser.add_argument(f"--{name}", type=type(value), help=f"default {value}, of a made-up text {MADE_UP[name]}")
args = parser.parse_args()
usual = TEXT if args.text else MADE_UP
steps, width, layers, lr, bound = (usual[k] if getattr(args, k) is None else getattr(args, k) for k in usual)

mg.manual_seed(0)
rng = np.random.default_rng(0)
text = args.text.read_text(encoding="utf-8") if args.text else made_up()
alphabet, codes = np.unique(np.array(list(text)), return_inverse=True)
train, valid = np.split(codes, [len(codes) * 9 // 10])
model = CharGPT(len(alphabet), 64, width, 4, layers)
decay = [{"params": [p for p in model.parameters() if (p.ndim == 2) == wide], "weight_decay": 0.1 * wide} for wide in (True, False)]
opt = optim.AdamW(decay, lr=lr, betas=(0.9, 0.99))
warm = max(1, min(100, steps // 10))
rate = optim.lr_scheduler.LambdaLR(opt, lambda t: min((t + 1) / warm, 0.55 + 0.45 * math.cos(math.pi * t / steps)))
print(f"{len(text)} characters, {len(alphabet)} different; {sum(p.size for p in model.parameters())} parameters")
for step in range(1, steps + 1):
    opt.zero_grad()
    (loss := loss_of(model, train, rng.integers(len(train) - 64, size=16))).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    rate.step()
    if step % max(1, steps // 6) == 0:
        print(f"step {step:5}   training {loss.item():.3f}   validation {validate(model, valid, 8):.3f} nats per character", flush=True)
print("\n" + "".join(alphabet[sample(model, valid[:32], 300)]) + "\n")
reached = validate(model, valid)
print(f"validation {reached:.3f} nats per character (even chances: {math.log(len(alphabet)):.2f}); bound {bound}:", end=" ")
sys.exit("missed") if reached > bound else print("reached")
