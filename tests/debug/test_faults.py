"""Planted faults: each tool names the culprit, with its file and line."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn
from minigrad.errors import DTypeError, GraphError
from minigrad.nn import functional as F


def deep(activation, layers=12, width=8):
    mg.manual_seed(0)
    return nn.Sequential(*[m for _ in range(layers) for m in (nn.Linear(width, width), activation())], nn.Linear(width, 2))


def batch(n=16, width=8):
    mg.manual_seed(1)
    return mg.random.normal(size=(n, width), dtype="float32"), mg.arange(n) % 2


# -- gradients --------------------------------------------------------------------------------------------------------
def test_a_gradient_that_vanishes(line):
    net, (x, y) = deep(nn.Sigmoid), batch()
    with mg.viz.trace():
        loss = F.cross_entropy(net(x), y)  # culprit
    found = debug.explain_grad(loss, net[0].weight, net)
    assert (found.kind, found.culprit.op, found.culprit.place.line) == ("vanishes", "sigmoid", line("culprit"))
    assert found.culprit.factor <= 0.25
    text = str(found)
    assert text.startswith(f"0.weight (8, 8): gradient of norm {found.norm:.4g} by way of ")
    assert "It vanishes, most of all in sigmoid (" in text
    assert f"{line('culprit')} in 0 (Linear)" in text
    last = debug.explain_grad(loss, net[-1].weight, net)
    assert (last.kind, last.culprit) == ("healthy", None)
    assert all(p.grad is None for p in net.parameters())
    loss.backward()
    assert np.isclose(found.norm, np.linalg.norm(net[0].weight.grad.numpy()))
    again = debug.explain_grad(lambda: F.cross_entropy(net(x), y), net[0].weight, net)
    assert (again.norm, again.culprit.place.module) == (found.norm, found.culprit.place.module)
    with pytest.raises(GraphError, match="explain_grad: the loss has no graph"):
        debug.explain_grad(mg.ones(()), net[0].weight)
    with pytest.raises(GraphError, match="explain_grad: backward has freed this graph"):
        debug.explain_grad(loss, net[0].weight)


def test_diagnose_on_a_gradient_that_vanishes():
    found = debug.diagnose(deep(nn.Sigmoid), F.cross_entropy, batch())
    assert "the gradient vanishes on its way" in found.faults[0]
    assert "at 0 (" in found.faults[0]
    assert "Verdict: " in str(found)


def test_a_gradient_that_explodes():
    net, (x, y) = deep(nn.Identity), batch()
    with mg.no_grad():
        for m in net:
            if isinstance(m, nn.Linear):
                m.weight *= 12
    found = debug.explain_grad(F.cross_entropy(net(x), y), net[0].weight, net)
    assert (found.kind, found.culprit.op) == ("explodes", "linear")
    assert any("explodes" in fault or "sure of wrong" in fault for fault in debug.diagnose(net, F.cross_entropy, (x, y)).faults)


def test_the_links_are_the_chain_rule():
    w, v = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([3.0, 4.0], requires_grad=True)
    loss = ((w * v).exp() * v).sum()
    found = debug.explain_grad(loss, w, {"w": w, "v": v})
    assert [(k.op, k.to, k.rule) for k in found.links] == [
        ("sum", "multiply", "spread(g, shape)"),
        ("multiply", "exp", "g * b"),
        ("exp", "multiply", "g * y"),
        ("multiply", "w", "g * b"),
    ]
    assert [b.name or b.op for b in found.record.boxes] == ["w", "multiply", "exp", "multiply", "sum"]
    assert [(e.src, e.dst) for e in found.record.edges] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert found.record.boxes[-1].stats["grad_norm"] == 1.0
    assert found.record.boxes[0].stats["grad_value"] == "[{:.4g}, {:.4g}]".format(*mg.grad(loss, w, retain_graph=True)[0].tolist())
    assert "multiply" in mg.viz.Graph(found.record).to_text()
    with pytest.raises(GraphError, match="does not depend on this tensor; why_no_grad"):
        debug.explain_grad(loss, mg.ones(2, requires_grad=True))


def test_a_dead_relu(line):
    net, (x, y) = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), batch()
    with mg.no_grad():
        net[0].bias.fill_(-50.0)
    found = debug.lint(net, lambda: F.cross_entropy(net(x), y))  # culprit
    (dead,) = [f for f in found.findings if f.kind == "dead relu"]
    assert dead.where == f"{line('culprit')} in 1 (ReLU)"
    assert "100% of 8 units are dead" in str(dead)
    assert "constant output" in {f.kind for f in found.findings}
    report = debug.diagnose(net, F.cross_entropy, (x, y))
    assert any("no gradient comes to 0" in fault for fault in report.faults)
    assert any("cannot learn even this one batch" in fault for fault in report.faults) or not report.ok


def test_nan_is_the_first_thing_to_mend(line):
    class Logs(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, x):
            return self.layer(mg.log(x))  # culprit

    x, y = batch()
    found = debug.diagnose(Logs(), F.cross_entropy, (abs(x) * (x > 0), y))
    assert len(found.faults) == 1
    assert f"log ({line('culprit')} in Logs) made -inf of x = 0 at " in found.faults[0]


# -- in place ---------------------------------------------------------------------------------------------------------
def test_a_stale_array_names_both_lines_under_a_trace(line):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with mg.viz.trace():
        y = x.exp()  # saved
        y += 1  # written
    with pytest.raises(GraphError) as caught:
        y.sum().backward()
    text = str(caught.value)
    assert f"exp ({line('saved')}) saved an array of shape (2,)" in text
    assert f"({line('written')}) has overwritten since" in text


# -- memory -----------------------------------------------------------------------------------------------------------
def test_a_memory_hog_is_named(line):
    x = mg.ones((100, 50))
    w = mg.ones((50, 50), requires_grad=True)

    def loss():
        y = x @ w
        y = mg.concat([mg.sin(y * k) for k in range(20)])  # hog
        return mg.tanh(y).mean()

    found = debug.memory_report(loss)
    first = found.rows[0]
    assert (first.op, first.place.line, first.nodes) == ("sin", line("hog"), 20)
    assert first.bytes == 20 * 100 * 50 * 4
    assert str(found).splitlines()[5].split()[:5] == ["sin", "20", "390.6", "KiB", "49%"]
    assert found.held == 2 * first.bytes + 100 * 50 * 4  # and what went into the products


def peak(f):
    import gc
    import tracemalloc

    f()
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        loss = f()
        held = tracemalloc.get_traced_memory()[0] - start
        loss.backward()
        return held, tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()


def dense():
    net = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    x, y = mg.ones((512, 64)), np.zeros(512, "int64")
    return net, lambda: F.cross_entropy(net(x), y)


def elementwise():
    x = mg.ones(200_000, requires_grad=True)
    return x, lambda: mg.sin(mg.exp(x * 0.1) + x).square().sum()


def attention():
    net = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 256, 0.0, batch_first=True), 2)
    x = mg.ones((8, 64, 64))
    return net, lambda: net(x).square().mean()


@pytest.mark.parametrize("make", [dense, elementwise, attention])
def test_bytes_and_peak_are_those_that_are_allocated(make):
    _, loss = make()  # the parameters live as long as what is returned
    found = debug.memory_report(loss)
    held, most = peak(loss)
    assert abs(found.held - held) < 0.02 * held
    assert abs(found.peak - most) < 0.05 * most


def test_what_checkpointing_would_save():
    net = nn.Sequential(*[nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Sigmoid()) for _ in range(3)])
    x = mg.ones((64, 32))
    found = {b.module: b for b in debug.memory_report(lambda: net(x).sum()).blocks}
    assert found["1"].saves == 64 * 32 * 4  # what Tanh gave; what Sigmoid gave is needed by the next block
    assert found["1"].ops == 4
    assert found["1"].seconds > 0
    plain = debug.memory_report(net(x).sum()).held
    less = debug.memory_report(net[2](mg.autograd.checkpoint(net[1], net[0](x))).sum()).held
    assert plain - less == found["1"].saves


# -- the training step ------------------------------------------------------------------------------------------------
def setting(**options):
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    return net, mg.optim.SGD(net.parameters(), **{"lr": 0.01, **options}), *batch()


def only(found, kind):
    assert [f.kind for f in found.findings] == [kind], str(found)
    return found.findings[0]


def test_forgotten_zero_grad(line):
    net, opt, x, y = setting()

    def step():
        F.cross_entropy(net(x), y).backward()  # culprit
        opt.step()

    found = only(debug.lint(net, step, opt), "no zero_grad")
    assert found.where == line("culprit")
    assert "backward() without zero_grad(): the gradients of the step before are added" in str(found)
    assert all(p.grad is None for p in net.parameters())


def test_gradients_may_be_added_up_on_purpose():
    net, opt, x, y = setting()

    def step():
        for _ in range(2):
            (F.cross_entropy(net(x), y) / 2).backward()
        opt.step()
        opt.zero_grad()

    assert debug.lint(net, step, opt).ok


def test_forgotten_backward_and_step(line):
    net, opt, x, y = setting()

    def unlearned():
        opt.zero_grad()
        F.cross_entropy(net(x), y)
        opt.step()  # culprit

    assert only(debug.lint(net, unlearned, opt), "no backward").where == line("culprit")

    def standing():
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()

    only(debug.lint(net, standing, opt), "no step")


def test_eval_mode_while_training_and_train_mode_while_evaluating(line):
    net, opt, x, y = setting()
    net.eval()
    found = debug.lint(net, lambda: F.cross_entropy(net(x), y), opt)
    assert {(f.kind, f.where) for f in found.findings} == {("eval mode", "1"), ("eval mode", "3")}
    assert not net.training
    net.train()
    found = debug.lint(net, lambda: net(x), training=False)  # culprit
    assert {(f.kind, f.where) for f in found.findings} == {("train mode", "1"), ("train mode", "3"), ("recording", line("culprit"))}
    net.eval()
    with mg.no_grad():
        assert debug.lint(net, lambda: net(x), training=False).ok


def test_parameters_and_the_optimizer():
    net, _, x, y = setting()
    some = mg.optim.SGD([*net[0].parameters(), *net[1].parameters()], lr=0.01)
    found = debug.lint(net, lambda: F.cross_entropy(net(x), y), some)
    assert "the optimizer does not have 4.weight, 4.bias: it is not trained" in str(only(found, "not optimized"))
    opt = mg.optim.SGD(net.parameters(), lr=0.01)
    net[0].freeze("bias")
    assert "the optimizer has 0.bias, which is frozen" in str(only(debug.lint(net, lambda: F.cross_entropy(net(x), y), opt), "frozen"))
    net[0].unfreeze()
    found = only(debug.lint(net, lambda: net[:1](x).sum() + net[4].weight.sum() + net[4].bias.sum() + net[1].weight.sum(), None), "unused")
    assert "no gradient comes to 1.bias" in str(found)


def test_a_learning_rate_far_too_high(line):
    net, opt, x, y = setting(lr=500.0)

    def step():
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()  # culprit

    found = [f for f in debug.lint(net, step, opt).findings if f.kind == "lr"]
    assert found[0].where == line("culprit")
    assert "times as large as its values" in str(found[0])


def test_clipping_after_the_step(line):
    net, opt, x, y = setting()

    def step():
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
        nn.utils.clip_grad_norm_(net.parameters(), 1e-3)  # culprit

    assert only(debug.lint(net, step, opt), "clip after step").where == line("culprit")


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("softmax before cross_entropy", lambda y, t: F.cross_entropy(F.softmax(y, 1), t)),
        ("sigmoid before logits", lambda y, t: F.binary_cross_entropy_with_logits(mg.special.expit(y[:, 0]), t.astype("float32"))),
        ("softmax over the batch", lambda y, t: F.nll_loss(mg.log(F.softmax(y, 0)), t)),
        ("broadcast target", lambda y, t: ((y[:, :1] - t.astype("float32")) ** 2).mean()),
        ("one class", lambda y, t: F.cross_entropy(y, t * 0)),
        ("error", lambda y, t: F.cross_entropy(y, t + 5)),
        ("error", lambda y, t: F.cross_entropy(y, t.astype("float32"))),
    ],
)
def test_losses_that_do_not_fit(kind, loss):
    net, opt, x, y = setting()
    found = only(debug.lint(net, lambda: loss(net(x), y), opt), kind)
    assert found.where.startswith(f"{__file__}:")


def test_inputs_that_are_not_normalised_or_bad():
    net, _, x, y = setting()
    assert "not normalised (mean " in str(only(debug.lint(net, lambda: F.cross_entropy(net(x * 60 + 128), y)), "input scale"))
    bad = x.numpy().copy()
    bad[3, 2] = np.nan
    found = debug.lint(net, lambda: F.cross_entropy(net(mg.tensor(bad)), y))
    assert "the input has nan at [3, 2]" in str(found)


def test_a_batch_that_is_mixed():
    class Mixes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, x):
            return self.layer(x.T.reshape(x.shape))

    found = debug.diagnose(Mixes(), F.cross_entropy, batch())
    assert any("the output for samples 2 and on changes with sample 0" in fault for fault in found.faults)


def test_a_loss_without_a_graph():
    net, opt, x, y = setting()
    assert "no gradient" in {f.kind for f in debug.lint(net, lambda: F.cross_entropy(net(x).detach(), y), opt).findings}


def test_the_text_of_a_lint():
    net, _, x, y = setting()
    net[3].eval()
    text = str(debug.lint(net, lambda: F.cross_entropy(F.softmax(net(x), 1), y)))
    assert text.splitlines()[0] == "lint: 2 found"
    assert text.splitlines()[1] == (
        "  3: Dropout is in eval mode while training: dropout does nothing there, and statistics do not follow the data; "
        "call model.train() before"
    )


def test_a_batch_must_have_a_target():
    with pytest.raises(DTypeError, match="diagnose: a batch must be"):
        debug.diagnose(nn.Linear(8, 2), F.cross_entropy, batch()[0])
    found = debug.diagnose(nn.Linear(8, 1), F.mse_loss, (batch()[0], mg.ones(16)))
    assert found.faults == ["mse_loss: input (16, 1) and target (16,) must have the same shape; nothing is broadcast"]


def test_targets_that_cannot_be_learnt():
    net = nn.Sequential(nn.Linear(8, 2))
    x, y = batch()
    found = debug.diagnose(net, lambda out, t: F.cross_entropy(out.detach() * 1 + net[0].bias * 0, t), (x, y))
    assert any("cannot learn even this one batch" in fault for fault in found.faults)


def test_the_part_of_a_graph_with_several_outputs():
    w = mg.ones((4, 2), requires_grad=True)
    v = mg.ones((2, 2), requires_grad=True)
    a, b = mg.split(w * 2, 2)
    found = debug.explain_grad((a * v).sum() + b.exp().sum(), v, {"v": v, "w": w})
    assert [box.name or box.op for box in found.record.boxes] == ["v", "multiply", "sum", "add"]
    found = debug.explain_grad((a * v).sum() + b.exp().sum(), w, {"v": v, "w": w})
    assert [box.op for box in found.record.boxes] == ["leaf", "multiply", "split", "multiply", "sum", "exp", "sum", "add"]
    assert [link.op for link in found.links][-2:] == ["split", "multiply"]
