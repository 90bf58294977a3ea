"""The workloads in tinygrad: the step is captured by TinyJit in its first two runs. On a CPU tinygrad needs clang."""

from tinygrad import Context, Tensor, TinyJit, nn

from . import Training, batch


def training(name, layers, optimizer, weights):
    x, y = data(name)
    nn.state.load_state_dict(layers, {k: Tensor(a) for k, a in weights.items()}, verbose=False, realize=True)
    optimizer = optimizer(nn.state.get_parameters(layers))

    @TinyJit
    def train():
        optimizer.zero_grad()
        value = x.sequential(layers).cross_entropy(y).backward()
        return value.realize(*optimizer.schedule_step())

    @Context(TRAINING=1)
    def step():
        return waited(train())

    return Training(step)


def waited(value):
    """Kernels are queued; a number that is read has been computed, and so has what was queued before it."""
    value.item()
    return value


def data(name):
    return [Tensor(a).realize() for a in batch(name)]


def adam(parameters):
    return nn.optim.Adam(parameters, lr=1e-3)


def chain(weights):
    x, y = data("chain")

    @TinyJit
    def train():
        z = x
        for _ in range(20):
            z = z * y + x
        value = z.sum()
        return Tensor.realize(value, *value.gradient(x, y))

    return Training(lambda: waited(train()))


def tiny_mlp(weights):
    layers = [nn.Linear(2, 16), Tensor.tanh, nn.Linear(16, 16), Tensor.tanh, nn.Linear(16, 2)]
    return training("tiny_mlp", layers, lambda p: nn.optim.SGD(p, lr=1e-3), weights)


def mlp(weights):
    layers = [nn.Linear(784, 256), Tensor.relu, nn.Linear(256, 128), Tensor.relu, nn.Linear(128, 10)]
    return training("mlp", layers, adam, weights)


def bn_mlp(weights):
    layers = []
    for wide in (784, 512, 512):
        layers += [nn.Linear(wide, 512), nn.BatchNorm(512), Tensor.relu]
    return training("bn_mlp", [*layers, nn.Linear(512, 10)], adam, weights)


def convnet(weights):
    layers = [nn.Conv2d(1, 30, 5), Tensor.relu, Tensor.max_pool2d, lambda x: x.flatten(1), nn.Linear(30 * 144, 100), Tensor.relu]
    return training("convnet", [*layers, nn.Linear(100, 10)], adam, weights)
