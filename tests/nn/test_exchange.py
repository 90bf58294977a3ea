"""Weights move between PyTorch and minigrad by name, and the logits stay what they were. One source text makes both models."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import CheckpointError

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

RNG = np.random.default_rng(0)


# -- the models: lib is torch or minigrad -----------------------------------------------------------------------------
def mlp(lib):
    nn = lib.nn
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32, bias=False), nn.Tanh(), nn.Linear(32, 10))


def cnn(lib):
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, stride=2, groups=3),
        nn.BatchNorm2d(24),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 10),
    )


def lstm(lib):
    nn = lib.nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(30, 16)
            self.lstm = nn.LSTM(16, 24, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(48, 7)

        def forward(self, ids):
            return self.head(self.lstm(self.embed(ids))[0])

    return Tagger()


def gpt(lib, tied=False, vocabulary=40, context=16, width=48, heads=4, layers=3):
    nn, F = lib.nn, lib.nn.functional

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x):
            b, t, _ = x.shape
            q, k, v = lib.moveaxis(self.qkv(x).reshape((b, t, 3, heads, width // heads)), (2, 3), (0, 2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(lib.moveaxis(y, 1, 2).reshape((b, t, width)))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(width), Attention(), nn.LayerNorm(width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.h = nn.ModuleList([Block() for _ in range(layers)])
            self.ln_f, self.lm_head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
            if tied:
                self.lm_head.weight = self.wte.weight

        def forward(self, ids):
            x = self.wte(ids) + self.wpe(lib.arange(ids.shape[1]))
            for block in self.h:
                x = block(x)
            return self.lm_head(self.ln_f(x))

    return GPT()


def tied_gpt(lib):
    return gpt(lib, tied=True)


def encoder(lib):
    nn = lib.nn
    layer = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, activation="gelu", batch_first=True, norm_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(32), enable_nested_tensor=False), nn.Linear(32, 5))


def resnet18(lib):
    """He et al. 2015, with the names of torchvision's."""
    nn = lib.nn

    class BasicBlock(nn.Module):
        def __init__(self, inside, planes, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inside, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
            self.relu = nn.ReLU(inplace=True)
            self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
            self.downsample = None
            if stride != 1 or inside != planes:
                self.downsample = nn.Sequential(nn.Conv2d(inside, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
            inside = 64
            for i, planes in enumerate((64, 128, 256, 512), 1):
                blocks = BasicBlock(inside, planes, 1 + (i > 1)), BasicBlock(planes, planes, 1)
                setattr(self, f"layer{i}", nn.Sequential(*blocks))
                inside = planes
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(512, 10)

        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(self.avgpool(x).reshape((x.shape[0], 512)))

    return ResNet()


MODELS = {
    "mlp": (mlp, RNG.normal(size=(5, 20)).astype("float32")),
    "cnn": (cnn, RNG.normal(size=(4, 3, 16, 16)).astype("float32")),
    "lstm": (lstm, RNG.integers(0, 30, (3, 11))),
    "gpt": (gpt, RNG.integers(0, 40, (2, 16))),
    "tied gpt": (tied_gpt, RNG.integers(0, 40, (2, 13))),
    "transformer encoder": (encoder, RNG.normal(size=(2, 6, 32)).astype("float32")),
    "resnet18": (resnet18, RNG.normal(size=(2, 3, 64, 64)).astype("float32")),
}


def lived_in(state):
    """Other values than those of the initialization, statistics of norms included."""
    rng = np.random.default_rng(1)
    for name, t in state.items():
        a = np.asarray(t)
        if a.dtype.kind == "i":
            yield name, np.array(17, a.dtype)
        elif name.endswith("running_var"):
            yield name, rng.uniform(0.5, 1.5, a.shape).astype("float32")
        else:
            yield name, (a + rng.normal(size=a.shape) * (0.1 if a.ndim == 1 else 0.02)).astype("float32")


@pytest.fixture(params=MODELS)
def pair(request):
    """The model in both, each with its own weights, in evaluation mode, and an input."""
    make, x = MODELS[request.param]
    torch.manual_seed(0), mg.manual_seed(1)
    theirs, mine = make(torch).eval(), make(mg).eval()
    theirs.load_state_dict({k: torch.tensor(v) for k, v in lived_in(theirs.state_dict())})
    mine.load_state_dict(dict(lived_in(mine.state_dict())))
    return theirs, mine, x


def same_logits(theirs, mine, x):
    with torch.no_grad(), mg.no_grad():
        a, b = theirs(torch.tensor(x)).numpy(), mine(mg.tensor(x)).numpy()
    assert a.shape == b.shape
    assert a.dtype == b.dtype == np.float32
    assert abs(a).max() > 0.1
    assert abs(a - b).max() <= 1e-5 * abs(a).max()


def test_names_and_shapes(pair):
    theirs, mine, _ = pair
    assert {k: tuple(v.shape) for k, v in theirs.state_dict().items()} == {k: v.shape for k, v in mine.state_dict().items()}
    assert list(theirs.state_dict()) == list(mine.state_dict())


def test_from_safetensors(pair, tmp_path):
    theirs, mine, x = pair
    path = tmp_path / "model.safetensors"
    if len({t.data_ptr() for t in theirs.state_dict().values()}) < len(theirs.state_dict()):
        with pytest.raises(RuntimeError, match="share memory"):
            safetensors_torch.save_file(theirs.state_dict(), path)
        safetensors_torch.save_model(theirs, path)  # keeps one name of what is shared
    else:
        safetensors_torch.save_file(theirs.state_dict(), path)
    mine.load_state_dict(mg.load(path))
    same_logits(theirs, mine, x)


@pytest.mark.parametrize("zipped", [True, False])
def test_from_pt(pair, tmp_path, zipped):
    theirs, mine, x = pair
    torch.save(theirs.state_dict(), tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    mine.load_state_dict(mg.load(tmp_path / "model.pt"))
    same_logits(theirs, mine, x)


def test_to_safetensors(pair, tmp_path):
    theirs, mine, x = pair
    mg.save(mine, tmp_path / "model.safetensors")
    theirs.load_state_dict(safetensors_torch.load_file(tmp_path / "model.safetensors"), strict=True)
    same_logits(theirs, mine, x)


def test_a_checkpoint_with_an_optimizer(tmp_path):
    """A whole checkpoint is read; training goes on here as it would have there."""
    theirs, mine = mlp(torch), mlp(mg)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    x, y = RNG.normal(size=(8, 20)).astype("float32"), RNG.integers(0, 10, 8)

    def step(lib, model, optimizer):
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(model(lib.tensor(x)), lib.tensor(y))
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step(torch, theirs, optimizer)
    torch.save({"model": theirs.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "run.pth")
    got = mg.load(tmp_path / "run.pth")
    mine.load_state_dict(got["model"])
    assert got["epoch"] == 3
    assert got["optimizer"]["param_groups"][0]["lr"] == 0.01
    assert [float(s["step"]) for s in got["optimizer"]["state"].values()] == [3.0] * 5
    ours = mg.optim.SGD(mine.parameters(), lr=0.1)
    assert step(mg, mine, ours) == pytest.approx(step(torch, theirs, torch.optim.SGD(theirs.parameters(), lr=0.1)), rel=1e-6)
    same_logits(theirs, mine, x)


def test_another_model_is_refused_and_changes_nothing(tmp_path):
    torch.save(cnn(torch).state_dict(), tmp_path / "cnn.pt")
    mine = mlp(mg)
    before = mine.state_dict()
    with pytest.raises(CheckpointError, match=r"4\.weight has shape \(24, 4, 3, 3\), expected \(10, 32\)"):
        mine.load_state_dict(mg.load(tmp_path / "cnn.pt"))
    for name, t in mine.state_dict().items():
        assert np.array_equal(t.numpy(), before[name].numpy())
