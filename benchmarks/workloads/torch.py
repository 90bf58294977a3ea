"""The workloads in PyTorch, eager."""

import torch
from torch import nn, optim
from torch.nn import functional as F

from . import CHARACTERS, CONTEXT, DEVICE, LENGTH, WORDS, Training, batch


def training(model, loss, optimizer, weights):
    model.to(DEVICE)
    if weights:
        model.load_state_dict({k: torch.from_numpy(a) for k, a in weights.items()})

    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return Training(step, model, [optimizer])


def data(name):
    return [torch.from_numpy(a).to(DEVICE) for a in batch(name)]


def chain(weights=None):
    x, y = (t.requires_grad_() for t in data("chain"))

    def step():
        x.grad = y.grad = None
        z = x
        for _ in range(20):
            z = z * y + x
        value = z.sum()
        value.backward()
        return value

    return Training(step, {"x": x, "y": y})


def tiny_mlp(weights=None):
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2))
    x, y = data("tiny_mlp")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=1e-3), weights)


def mlp(weights=None):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = data("mlp")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.Adam(model.parameters(), lr=1e-3), weights)


def dropout_mlp(weights=None):
    layers = []
    for wide in (784, 2048, 2048):
        layers += [nn.Linear(wide, 2048), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers, nn.Linear(2048, 10))
    x, y = data("dropout_mlp")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=1e-2, momentum=0.9), weights)


def bn_mlp(weights=None):
    layers = []
    for wide in (784, 512, 512):
        layers += [nn.Linear(wide, 512), nn.BatchNorm1d(512), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(512, 10))
    x, y = data("bn_mlp")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.Adam(model.parameters(), lr=1e-3), weights)


def convnet(weights=None):
    model = nn.Sequential(
        nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30 * 144, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    x, y = data("convnet")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.Adam(model.parameters(), lr=1e-3), weights)


class Residual(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = nn.Identity() if before == width and stride == 1 else nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x):
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(h)) + self.shortcut(x))


def resnet8(weights=None):
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    x, y = data("resnet8")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=1e-2, momentum=0.9), weights)


class CharLSTM(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(CHARACTERS, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, CHARACTERS)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


def char_lstm(weights=None):
    model = CharLSTM(128)
    x, y = data("char_lstm")
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    return training(model, lambda: F.cross_entropy(model(x).reshape(-1, CHARACTERS), y.reshape(-1)), optimizer, weights)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.join = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.wide, self.back = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, length, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, dim=-1)
        q, k, v = (p.view(n, length, self.heads, width // self.heads).transpose(1, 2) for p in parts)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.join(a.transpose(1, 2).reshape(x.shape))
        return x + self.back(F.gelu(self.wide(self.norm2(x))))


class CharGPT(nn.Module):
    def __init__(self, width, layers, heads, characters=CHARACTERS, context=CONTEXT):
        super().__init__()
        self.characters, self.positions = nn.Embedding(characters, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.characters(x) + self.positions(torch.arange(x.shape[1], device=DEVICE)))))


def char_gpt(weights=None):
    model = CharGPT(128, 4, 4)
    x, y = data("char_gpt")
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    return training(model, lambda: F.cross_entropy(model(x).reshape(-1, CHARACTERS), y.reshape(-1)), optimizer, weights)


def gpt(weights=None):
    model = CharGPT(768, 12, 12, WORDS, LENGTH)
    x, y = data("gpt")

    def loss():
        with torch.autocast(torch.device(DEVICE).type, torch.bfloat16):
            return F.cross_entropy(model(x).reshape(-1, WORDS), y.reshape(-1))

    return training(model, loss, optim.AdamW(model.parameters(), lr=1e-4), weights)


def resnet18(weights=None):
    stages = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        *[Residual(*stage) for stage in stages],
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip
    x, y = data("resnet18")
    return training(model, lambda: F.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=1e-2, momentum=0.9), weights)


def dcgan(weights=None):
    generator = nn.Sequential(
        nn.ConvTranspose2d(64, 64, 7), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    critic = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(64 * 49, 1),
    )  # fmt: skip
    model = nn.ModuleDict({"generator": generator, "critic": critic}).to(DEVICE)
    if weights:
        model.load_state_dict({k: torch.from_numpy(a) for k, a in weights.items()})
    opt_g, opt_c = (optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (generator, critic))
    bce = F.binary_cross_entropy_with_logits
    real, z = data("dcgan")
    yes, no = torch.ones(64, 1, device=DEVICE), torch.zeros(64, 1, device=DEVICE)

    def step():
        fake = generator(z)
        opt_c.zero_grad()
        (bce(critic(real), yes) + bce(critic(fake.detach()), no)).backward()
        opt_c.step()
        opt_g.zero_grad()
        value = bce(critic(fake), yes)
        value.backward()
        opt_g.step()
        return value

    return Training(step, model, [opt_g, opt_c])
