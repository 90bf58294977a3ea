"""Four things that go wrong, and what minigrad says: shapes, NaN, a training that one cannot see, and too little memory.

    python debugging.py --out FOLDER      # keeps the log, for: tensorboard --logdir FOLDER

Expected: 1. an error about shapes names the function, both shapes, and the layers it happened in. 2. A NaN in a gradient, here of the
square root at 0 behind a where() that seems to avoid it, is traced to the operation and its line. 3. Losses go to a file that TensorBoard
reads, without TensorFlow. 4. What training will need, parameters and the activations of a batch, is said by ``nn.summary`` before it is
allocated; measured, it is about that.
"""

import argparse
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, errors, metrics, nn, optim
from minigrad.autograd import detect_anomaly
from minigrad.nn.summary import in_bytes
from minigrad.train import TensorBoardLogger, Trainer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the log")
out = parser.parse_args().out

# 1. shapes
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 10))  # the convolution leaves 6x6, not 8x8
try:
    model(mg.zeros((2, 1, 8, 8)))
except errors.ShapeError as error:
    shapes = "\n   ".join([str(error), *error.__notes__])
print("1.", shapes)

# 2. NaN
x = mg.tensor([4.0, 0.0], requires_grad=True)
with detect_anomaly():
    y = mg.where(x > 0, mg.sqrt(x), 0.0)  # 0 at 0; but its slope there is 0 times infinity
    try:
        y.sum().backward()
    except errors.GraphError as error:
        nan = str(error)
print("2.", nan)
safe = mg.where(x > 0, mg.sqrt(mg.where(x > 0, x, 1.0)), 0.0)
print("   with a safe argument:", mg.grad(safe.sum(), x)[0].tolist())

# 3. a log
mg.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))
with tempfile.TemporaryDirectory() as scratch:
    folder = out or Path(scratch)
    opt = optim.Adam(model.named_parameters(), lr=1e-2)
    logger = TensorBoardLogger(folder, every=10)
    trainer = Trainer(model, nn.CrossEntropyLoss(), opt, metrics=metrics.Accuracy(), callbacks=[logger], progress=False)
    trainer.fit(data.Digits(), data.Digits(train=False), epochs=2)
    written = max(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime)
    size = written.stat().st_size
print(f"3. {written.name}: {size} bytes; {trainer.history}")

# 4. memory
layers = nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten()
model = nn.Sequential(*layers, nn.Linear(16, 10))
table = nn.summary(model, (64, 3, 32, 32))
print(f"4. a batch of 64:\n{table}")
predicted = table.training_bytes
opt = optim.Adam(model.parameters())
images, labels = np.zeros((64, 3, 32, 32), np.float32), mg.tensor(np.zeros(64, np.int64))
tracemalloc.start()
for _ in range(2):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(model(mg.tensor(images)), labels)
    held = tracemalloc.get_traced_memory()[0]
    loss.backward()
    opt.step()
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(f"predicted {in_bytes(predicted)}; measured {in_bytes(held)} before backward, and {in_bytes(peak)} at the peak")

assert "144" in shapes
assert "256" in shapes
assert "in Linear(" in shapes
assert "sqrt" in nan
assert "debugging.py" in nan
assert size > 500
assert trainer.history["val_accuracy"][-1] > 0.8
assert predicted / 1.5 < peak < predicted * 1.5
print("shapes and layers named, the NaN traced, the losses logged, the memory foretold: as expected")
