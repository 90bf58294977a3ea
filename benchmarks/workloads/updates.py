"""The optimizers for peers that have none of their own: ``(parameters, gradients, state)`` to the next parameters and state, in dicts."""


def sgd(lr, momentum=0.0):
    def start(p):
        return {k: a * 0 for k, a in p.items()} if momentum else {}

    def update(p, g, m):
        m = {k: momentum * m[k] + g[k] for k in p} if momentum else {}
        return {k: p[k] - lr * (m or g)[k] for k in p}, m

    return start, update


def adam(lr, decay=0.0, betas=(0.9, 0.999), eps=1e-8):
    b1, b2 = betas

    def start(p):
        return {k: a * 0 for k, a in p.items()}, {k: a * 0 for k, a in p.items()}, 0.0

    def update(p, g, state):
        m, v, t = state
        t = t + 1
        m = {k: b1 * m[k] + (1 - b1) * g[k] for k in p}
        v = {k: b2 * v[k] + (1 - b2) * g[k] ** 2 for k in p}
        one, two = 1 - b1**t, (1 - b2**t) ** 0.5
        return {k: p[k] * (1 - lr * decay) - lr / one * m[k] / (v[k] ** 0.5 / two + eps) for k in p}, (m, v, t)

    return start, update
