"""The lesson's network in JAX, compiled as a whole: with and without a mask, its scan unrolled and not."""

import os

from workloads import EPSILON, LEARNING_RATE, Variant, serve, threads

os.environ["JAX_PLATFORMS"] = "cpu"
# Of XLA's thread pool.
os.environ["NPROC"] = str(threads())

import jax
import jax.numpy as jnp

BETA_1, BETA_2 = 0.9, 0.999
UNROLLS = [1, 8]


def lstm(weights, projection, hidden, cell):
    gates = projection + hidden @ weights["recurrent.weight_hh_l0"].T
    input, forget, candidate, output = jnp.split(gates, 4, axis=1)
    cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(input) * jnp.tanh(candidate)
    return jax.nn.sigmoid(output) * jnp.tanh(cell), cell


def gru(weights, projection, hidden):
    product = hidden @ weights["recurrent.weight_hh_l0"].T + weights["recurrent.bias_hh_l0"]
    pairs = zip(jnp.split(projection, 3, axis=1), jnp.split(product, 3, axis=1))
    (reset, reset_h), (update, update_h), (candidate, candidate_h) = pairs
    reset, update = jax.nn.sigmoid(reset + reset_h), jax.nn.sigmoid(update + update_h)
    return ((1 - update) * jnp.tanh(candidate + reset * candidate_h) + update * hidden,)


def rnn(weights, projection, hidden):
    return (jnp.tanh(projection + hidden @ weights["recurrent.weight_hh_l0"].T),)


CELLS = {"lstm": (lstm, 2), "gru": (gru, 1), "rnn": (rnn, 1)}


def network(cell, unroll):
    timestep, states = CELLS[cell]

    def logits(weights, ids, lengths):
        """`lengths`: None reads the padding too."""
        vectors = weights["embedding.weight"][ids.T]
        projections = vectors @ weights["recurrent.weight_ih_l0"].T
        projections += weights["recurrent.bias_ih_l0"]
        time, batch = ids.shape[::-1]

        def walk(state, now):
            t, projection = now
            next_state = timestep(weights, projection, *state)
            if lengths is not None:
                live = (t < lengths)[:, None]
                next_state = tuple(jnp.where(live, new, old) for new, old in zip(next_state, state))
            return next_state, None

        zeros = jnp.zeros([batch, weights["recurrent.weight_hh_l0"].shape[1]])
        steps = jnp.arange(time), projections
        (last, *_), _ = jax.lax.scan(walk, (zeros,) * states, steps, unroll=unroll)
        dense = jax.nn.relu(last @ weights["dense.weight"].T + weights["dense.bias"])
        return (dense @ weights["output.weight"].T + weights["output.bias"])[:, 0]

    return logits


def adam(weights, gradients, moments, number):
    """A step of Adam: the weights and the moments after it."""

    def first_moment(m, gradient):
        return BETA_1 * m + (1 - BETA_1) * gradient

    def second_moment(v, gradient):
        return BETA_2 * v + (1 - BETA_2) * gradient**2

    def updated(weight, m, v):
        mean, square = m / (1 - BETA_1**number), v / (1 - BETA_2**number)
        return weight - LEARNING_RATE * mean / (jnp.sqrt(square) + EPSILON)

    first = jax.tree.map(first_moment, moments[0], gradients)
    second = jax.tree.map(second_moment, moments[1], gradients)
    return jax.tree.map(updated, weights, first, second), (first, second)


class Training:
    """Weights and Adam's state, one step after the other."""

    def __init__(self, logits, weights):
        self.weights = weights
        self.moments = tuple(jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
        self.number = 0

        def loss(weights, ids, lengths, labels):
            found = logits(weights, ids, lengths)
            return jnp.mean(jax.nn.softplus(found) - labels * found)

        def step(weights, moments, number, *batch):
            value, gradients = jax.value_and_grad(loss)(weights, *batch)
            return value, *adam(weights, gradients, moments, number)

        self.compiled = jax.jit(step, donate_argnums=(0, 1))

    def step(self, *batch):
        self.number += 1
        value, self.weights, self.moments = jax.block_until_ready(
            self.compiled(self.weights, self.moments, float(self.number), *batch)
        )
        return float(value)


def variants(workload):
    ids = jnp.array(workload.ids())
    labels = jnp.array(workload.labels())
    found = {}
    for mask in [False, True]:
        for unroll in UNROLLS:
            lengths = jnp.array(workload.lengths()) if mask else None
            forward = network(workload.cell, unroll)
            weights = {name: jnp.array(value) for name, value in workload.weights().items()}
            training, compiled = Training(forward, weights), jax.jit(forward)

            def logits(training=training, compiled=compiled, lengths=lengths):
                return jax.device_get(compiled(training.weights, ids, lengths))

            def train(training=training, lengths=lengths):
                return training.step(ids, lengths, labels)

            name = ("mask" if mask else "no mask") + (f", unroll {unroll}" if unroll > 1 else "")
            found[name] = Variant(train if workload.train else logits, logits, mask)
    return found


if __name__ == "__main__":
    serve("JAX", jax.__version__, variants)
