"""An LSTM reads a text character by character and learns to go on: Karpathy, "The unreasonable effectiveness of recurrent nets", 2015.

    python char_lstm.py --text input.txt      # any text; tiny Shakespeare is found in $MINIGRAD_DATA/tinyshakespeare/input.txt

Without a text it makes one of its own, of sentences like "the old cat sleeps under the green table.", and is done in seconds.
Result on tiny Shakespeare: validation loss 1.66 nats per character after 1500 steps, in a few minutes on two CPU cores.
"""

import argparse
import math
import random
import sys
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import data_folder
from minigrad.nn import functional as F

WORDS = """the a this|old young tired happy|cat dog bird child|sleeps plays sings waits|under near behind|the a this|green small round
heavy|table tree door stone"""


def made_up(sentences=3000, seed=0):
    """A text of sentences with one word from each list; nobody can guess the choices, but all the rest."""
    lists, draw = [part.split() for part in WORDS.split("|")], random.Random(seed)
    return " ".join(" ".join(draw.choice(words) for words in lists) + "." for _ in range(sentences))


def streams(codes, rows, length):
    """The text cut into ``rows`` pieces that are read side by side, ``length`` steps at a time: (time, batch) of inputs and of targets."""
    columns = (len(codes) - 1) // rows
    x, y = (codes[k : k + rows * columns].reshape(rows, columns).T for k in (0, 1))
    return [(x[i : i + length], y[i : i + length]) for i in range(0, columns, length)]


class CharLSTM(nn.Module):
    """Characters to logits of the next one."""

    def __init__(self, characters, hidden, layers):
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.lstm = nn.LSTM(32, hidden, layers)
        self.head = nn.Linear(hidden, characters)

    def forward(self, x, state=None):
        h, state = self.lstm(self.embedding(x), state)
        return self.head(h), state


def loss_of(model, x, y, state):
    """Nats per character; and the state at the end, cut off from the graph."""
    logits, state = model(x, state)
    return F.cross_entropy(logits.reshape((y.size, -1)), mg.tensor(y.reshape(-1))), tuple(s.detach() for s in state)


def validate(model, parts):
    """The mean loss over a text that was not trained on."""
    state, total = None, 0.0
    with mg.no_grad():
        for x, y in parts:
            loss, state = loss_of(model, x, y, state)
            total += loss.item() * y.size
    return total / sum(y.size for _, y in parts)


def sample(model, start, n, temperature=0.8):
    """``n`` more characters, each drawn from what the model expects and read in turn."""
    codes, state, x = [], None, start
    with mg.no_grad():
        for _ in range(n):
            logits, state = model(np.array(x)[:, None], state)
            x = [mg.random.categorical(logits[-1, 0] / temperature).item()]
            codes += x
    return codes


known = data_folder() / "tinyshakespeare" / "input.txt"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--text", type=Path, default=known if known.is_file() else None, help="a file; default: tiny Shakespeare, or made up")
parser.add_argument("--steps", type=int, help="how often to update (default 1500; made-up text 300)")
parser.add_argument("--hidden", type=int, help="units of a layer (default 192; made-up text 64)")
parser.add_argument("--layers", type=int, default=1)
parser.add_argument("--bound", type=float, help="the validation loss to be reached, in nats (default 2.0; made-up text 0.4)")
args = parser.parse_args()
defaults = (1500, 192, 2.0) if args.text else (300, 64, 0.4)
steps, hidden, bound = (given or usual for given, usual in zip((args.steps, args.hidden, args.bound), defaults, strict=True))

mg.manual_seed(0)
text = args.text.read_text(encoding="utf-8") if args.text else made_up()
alphabet, codes = np.unique(np.array(list(text)), return_inverse=True)
cut = len(codes) * 9 // 10
train, valid = streams(codes[:cut], 32, 64), streams(codes[cut:], 16, 64)
model = CharLSTM(len(alphabet), hidden, args.layers)
opt = optim.Adam(model.parameters(), lr=4e-3)
rate = optim.lr_scheduler.CosineAnnealingLR(opt, steps)
print(f"{len(text)} characters, {len(alphabet)} different; {sum(p.size for p in model.parameters())} parameters")
state, seen = None, []
for step in range(1, steps + 1):
    x, y = train[(step - 1) % len(train)]
    state = None if step % len(train) == 1 else state
    opt.zero_grad()
    loss, state = loss_of(model, x, y, state)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    rate.step()
    seen.append(loss.item())
    if step % max(1, steps // 6) == 0:
        print(f"step {step:5}   training {np.mean(seen[-20:]):.3f}   validation {validate(model, valid):.3f} nats per character")

print("\n" + "".join(alphabet[sample(model, codes[cut : cut + 64], 300)]) + "\n")
reached = validate(model, valid)
print(f"validation {reached:.3f} nats per character (even chances: {math.log(len(alphabet)):.2f}); bound {bound}:", end=" ")
sys.exit("missed") if reached > bound else print("reached")
