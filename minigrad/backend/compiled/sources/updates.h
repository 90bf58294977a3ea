/* What optimizers do to one number: where a parameter p moves to, given its gradient g and what is kept of earlier ones, which is updated
   in place. `kind` says, in bits, what belongs to the method; of numbers that do not belong to it the address may be 0. */
enum { DECAY = 1 };

/* -- gradient descent --------------------------------------------------------------------------------------------- */
struct sgd {
    float lr, decay, mu, share, sign;
};
enum { MOMENTUM = 2, NESTEROV = 4 };

FUNCTION float sgd_moved(float p, float g, float *v, struct sgd s, const int kind) {
    float d = s.sign * g;
    if (kind & DECAY) d += s.decay * p;
    if (kind & MOMENTUM) {
        float w = *v = s.mu * *v + s.share * d;
        d = kind & NESTEROV ? d + s.mu * w : w;
    }
    return p - s.lr * d;
}

/* -- Adam and its relatives --------------------------------------------------------------------------------------- */
struct adam {
    float rate, direct, stay, decay, share1, beta2, share2, debias, eps, sign;
};
/* Divide by the largest v; step along the gradient, too; do not divide; v is the largest gradient of late. */
enum { LARGEST = 2, AHEAD = 4, PLAIN = 8, FARTHEST = 16 };

FUNCTION float adam_moved(float p, float g, float *m, float *v, float *w, struct adam s, const int kind) {
    float d = s.sign * g;
    if (kind & DECAY) d += s.decay * p;
    float a = *m + s.share1 * (d - *m), b = s.beta2 * *v + s.share2 * (d * d), u = b;
    if (kind & FARTHEST) {
        const float far = (d < 0 ? -d : d) + s.eps, faded = s.beta2 * *v;
        u = b = faded > far || faded != faded ? faded : far;
    }
    *m = a;
    *v = b;
    if (kind & LARGEST) u = *w = *w > b || *w != *w ? *w : b;
    if (!(kind & (PLAIN | FARTHEST))) u = sqrtf(u) * s.debias + s.eps;
    if (kind & AHEAD) return s.stay * p - (s.rate * a + s.direct * d) / u;
    return s.stay * p - s.rate * (kind & PLAIN ? a : a / u);
}

/* -- rates that adapt to the size of gradients -------------------------------------------------------------------- */
struct rms {
    float lr, decay, alpha, share, eps, mu, sign;
};
enum { CENTERED = 4 };

FUNCTION float rms_moved(float p, float g, float *v, float *m, float *b, struct rms s, const int kind) {
    float d = s.sign * g;
    if (kind & DECAY) d += s.decay * p;
    float u = *v = s.alpha * *v + s.share * (d * d);
    if (kind & CENTERED) {
        float a = *m = *m + s.share * (d - *m);
        u -= a * a;
        u = u < 0 ? 0 : u;
    }
    d /= sqrtf(u) + s.eps;
    if (kind & MOMENTUM) d = *b = s.mu * *b + d;
    return p - s.lr * d;
}
