"""The table of a model: shapes, parameters, multiply-adds, bytes; and that looking at a model does not change it."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn.utils.rnn import pack_sequence


def x(*shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(128, 5).freeze("bias"))

    def forward(self, image):
        return self.head(self.body(self.body[2](image)))


def test_rows_and_sums():
    s = nn.summary(Net(), (2, 3, 4, 4))
    assert [r.name for r in s] == ["", "body", "body.0", "body.1", "body.2", "body.3", "head", "head.0", "head.1"]
    assert s["body.0"].output == (2, 8, 4, 4)
    assert s["body.0"].parameters == 8 * 3 * 9 + 8
    assert s["body.0"].multiply_adds == 2 * 8 * 16 * 27
    assert s["body.1"].parameters == 16
    assert s["body.2"].output_bytes == 4 * 2 * 16 * (3 + 8)  # called twice
    assert s["head.0"].output_bytes == 0  # a view
    assert s["head.1"].trainable == s["head.1"].parameters - 5
    assert s["head"].parameters == 645
    assert s.parameters == s[""].parameters == 224 + 16 + 645
    assert s.multiply_adds == s["body"].multiply_adds + s["head"].multiply_adds == 2 * 8 * 16 * 27 + 2 * 5 * 128
    assert s.parameter_bytes == 4 * s.parameters
    assert s.gradient_bytes == 4 * (s.parameters - 5)
    assert s.buffer_bytes == 2 * 8 * 4 + 8
    assert s.input_bytes == 4 * 2 * 3 * 16
    assert s.training_bytes == s.input_bytes + s.output_bytes + s.parameter_bytes + s.buffer_bytes + 3 * s.gradient_bytes
    assert len(s) == 9
    with pytest.raises(KeyError, match=r"body\.1"):
        s["tail"]


def test_depth_folds_what_lies_deeper():
    net = Net()
    whole, folded = nn.summary(net, (2, 3, 4, 4)), net.summary((2, 3, 4, 4), depth=1)
    assert [r.name for r in folded] == ["", "body", "head"]
    assert folded["body"] == whole["body"]
    assert folded.multiply_adds == whole.multiply_adds
    assert [line.split()[0] for line in str(folded).splitlines()[2:5]] == ["Net", "body:", "head:"]
    assert "training with Adam about" in str(folded)


def test_nothing_is_changed():
    net = Net()
    net.body[1].eval()
    net.body[0].weight.grad = mg.ones((8, 3, 3, 3))
    state, modes = net.state_dict(), [m.training for m in net.modules()]
    mg.manual_seed(5)
    wanted = mg.random.normal(size=3).tolist()
    mg.manual_seed(5)

    class Drawing(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net
            self.count = nn.Buffer([0.0])

        def forward(self, image):
            mg.random.normal(size=7)
            self.count = self.count + 1
            self.count.data[...] += 1
            return self.net(image)

    outer = Drawing()
    count = outer.count
    nn.summary(outer, x(2, 3, 4, 4))
    assert outer.count is count
    assert count.item() == 0
    assert mg.random.normal(size=3).tolist() == wanted
    assert [m.training for m in net.modules()] == modes
    assert all(np.array_equal(v.numpy(), state[k].numpy()) for k, v in net.state_dict().items())
    assert (net.body[0].weight.grad.numpy() == 1).all()
    assert net.body[1].weight.grad is None
    assert not any(m._hooks for m in net.modules())
    with pytest.raises(ShapeError):
        nn.summary(net, (2, 4, 4, 4))
    assert [m.training for m in net.modules()] == modes
    assert not any(m._hooks for m in net.modules())


def test_inputs():
    net = nn.Linear(3, 2).double()
    assert nn.summary(net, (4, 3)).input_bytes == 4 * 3 * 8
    assert nn.summary(net, np.zeros((4, 3))).multiply_adds == 24
    assert nn.summary(nn.ReLU(), (4, 3), dtype="float16").input_bytes == 24
    assert nn.summary(nn.Bilinear(3, 4, 5), (2, 3), (2, 4)).rows[0].output == (2, 5)
    assert nn.summary(nn.Embedding(10, 3), mg.tensor([[1, 2]])).rows[0].output == (1, 2, 3)
    lazy = nn.LazyLinear(2)
    assert nn.summary(lazy, (4, 3)).parameters == 8
    with pytest.raises(DTypeError, match="Module"):
        nn.summary(lambda v: v, (1,))
    with pytest.raises(DTypeError, match="input"):
        nn.summary(net)


def test_shared_parameters_count_once():
    a = nn.Linear(3, 3)
    s = nn.summary(nn.Sequential(a, nn.ReLU(), a), (2, 3))
    assert s.parameters == 12
    assert s.multiply_adds == 2 * 2 * 9


COSTS = [
    (nn.Conv2d(4, 6, (3, 2), stride=2, groups=2), [(2, 4, 9, 8)], 2 * 6 * 4 * 4 * 2 * 6),
    (nn.Conv1d(4, 6, 3, padding="same"), [(4, 9)], 6 * 9 * 4 * 3),
    (nn.Conv3d(2, 3, 2), [(1, 2, 3, 3, 3)], 3 * 8 * 2 * 8),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), [(2, 4, 5, 5)], 2 * 4 * 25 * 3 * 9),
    (nn.Linear(5, 3), [(2, 4, 5)], 2 * 4 * 15),
    (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], 2 * 5 * (3 * 4 + 4)),
    (nn.RNN(3, 4), [(5, 2, 3)], 10 * (4 * 3 + 4 * 4)),
    (nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2), [(5, 2, 3)], 10 * 2 * (16 * 3 + 16 * 2 + 8 + 16 * 4 + 16 * 2 + 8)),
    (nn.GRU(3, 4, batch_first=True), [(5, 3)], 5 * (12 * 3 + 12 * 4)),
    (nn.LSTMCell(3, 4), [(2, 3)], 2 * (16 * 3 + 16 * 4)),
    (nn.MultiheadAttention(8, 2), [(5, 2, 8)] * 3, 2 * (4 * 5 * 64 + 2 * 25 * 8)),
    (
        nn.MultiheadAttention(8, 2, kdim=3, vdim=4, batch_first=True, add_zero_attn=True),
        [(2, 5, 8), (2, 7, 3), (2, 7, 4)],
        2 * (2 * 5 * 64 + 7 * 8 * 3 + 7 * 8 * 4 + 2 * 5 * 8 * 8),
    ),
    (nn.ReLU(), [(2, 3)], 0),
]


@pytest.mark.parametrize(("layer", "shapes", "expected"), COSTS, ids=lambda v: type(v).__name__)
def test_multiply_adds(layer, shapes, expected):
    assert nn.summary(layer, *shapes).multiply_adds == expected


def test_multiply_adds_of_packed_sequences():
    packed = pack_sequence([x(5, 3), x(2, 3)])
    assert nn.summary(nn.RNN(3, 4), packed).multiply_adds == 7 * 28


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape"),
    [
        ("Linear", (5, 3), {"bias": False}, (7, 5)),
        ("Conv2d", (4, 6, 3), {"bias": False, "stride": 2}, (2, 4, 9, 8)),
        ("Conv2d", (4, 8, 3), {"bias": False, "groups": 2, "dilation": 2}, (2, 4, 9, 8)),
        ("ConvTranspose2d", (4, 6, 3), {"bias": False, "stride": 2}, (2, 4, 5, 5)),
    ],
)
def test_multiply_adds_are_half_of_pytorchs_flops(name, args, kwargs, shape):
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        getattr(torch.nn, name)(*args, **kwargs)(torch.zeros(shape))
    assert 2 * nn.summary(getattr(nn, name)(*args, **kwargs), shape).multiply_adds == counter.get_total_flops()
