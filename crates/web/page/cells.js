// What each cell computes, for people.

const rows = (...equations) => `<table><tbody>${equations.map(([equation, meaning]) => `<tr><td>${equation}</td><td>${meaning}</td></tr>`).join("")}</tbody></table>`;
const gate = (name, letter) => `${name} = σ(x<sub>t</sub> W<sub>${letter}</sub> + h<sub>t−1</sub> U<sub>${letter}</sub> + b<sub>${letter}</sub>)`;

export const CELLS = {
  rnn: {
    kernel: "simple_rnn",
    text: "The simple RNN has one state, h. At each timestep it mixes the word’s vector x with the state before, and squashes the result. What it read long ago is squashed again and again.",
    equations: rows(["h<sub>t</sub> = tanh(x<sub>t</sub> W + h<sub>t−1</sub> U + b)", "the new state"]),
    gates: rows(["no gates", "a simple RNN has none: each word changes the whole state"]),
    reach: rows(["dh<sub>t−1</sub> = (dh<sub>t</sub> · (1 − h<sub>t</sub>²)) U<sup>⊤</sup>", "the slope of tanh is at most 1, so that the gradient usually shrinks at each step: it vanishes"]),
  },
  lstm: {
    kernel: "lstm",
    text: "The LSTM has a second state, the cell state c. Gates decide what of it is kept, what is added and what is shown: it is changed by adding and by keeping, not by squashing.",
    equations: rows(
      [gate("i", "i"), "input gate: how much of the new goes in"],
      [gate("f", "f"), "forget gate: how much of the old stays"],
      ["g = tanh(x<sub>t</sub> W<sub>g</sub> + h<sub>t−1</sub> U<sub>g</sub> + b<sub>g</sub>)", "candidate: what is new"],
      [gate("o", "o"), "output gate: how much is shown"],
      ["c<sub>t</sub> = f · c<sub>t−1</sub> + i · g", "cell state: the memory"],
      ["h<sub>t</sub> = o · tanh(c<sub>t</sub>)", "hidden state: what others see"],
    ),
    gates: rows([gate("f", "f"), "near 1: the memory stays as it is"], [gate("i", "i"), "near 1: this word is let in"], [gate("o", "o"), "near 1: the memory is shown"]),
    reach: rows(["dc<sub>t−1</sub> = dc<sub>t</sub> · f<sub>t</sub> + …", "where the forget gate is near 1, the gradient passes almost unchanged"]),
  },
  gru: {
    kernel: "gru",
    text: "The GRU has one state and two gates. The update gate mixes the old state with a new one; the reset gate says how much of the old one goes into the new.",
    equations: rows(
      [gate("r", "r"), "reset gate"],
      [gate("z", "z"), "update gate: near 1 keeps the old state"],
      ["n = tanh(x<sub>t</sub> W<sub>n</sub> + b<sub>n</sub> + r · (h<sub>t−1</sub> U<sub>n</sub> + b′<sub>n</sub>))", "candidate: what is new"],
      ["h<sub>t</sub> = (1 − z) · n + z · h<sub>t−1</sub>", "the new state"],
    ),
    gates: rows([gate("z", "z"), "near 1: the state stays as it is"], [gate("r", "r"), "near 0: the old state has no say in the new one"]),
    reach: rows(["dh<sub>t−1</sub> = dh<sub>t</sub> · z<sub>t</sub> + …", "where the update gate is near 1, the gradient passes almost unchanged"]),
  },
  mingru: {
    kernel: "min_gru",
    text: "The minGRU is a GRU whose gate and candidate look at the word alone, not at the state: what is left is a weighted mean over time, and nothing squashes.",
    equations: rows(
      ["z = σ(x<sub>t</sub> W<sub>z</sub> + b<sub>z</sub>)", "update gate: near 1 takes the new"],
      ["h̃ = g(x<sub>t</sub> W<sub>h</sub> + b<sub>h</sub>)", "candidate; g(x) = x + ½ where x ≥ 0, else σ(x)"],
      ["h<sub>t</sub> = (1 − z) · h<sub>t−1</sub> + z · h̃", "the new state"],
    ),
    gates: rows(["z = σ(x<sub>t</sub> W<sub>z</sub> + b<sub>z</sub>)", "near 0: the state stays as it is"]),
    reach: rows(["dh<sub>t−1</sub> = dh<sub>t</sub> · (1 − z<sub>t</sub>)", "where the update gate is near 0, the gradient passes almost unchanged"]),
  },
};

const ADAM = ["w ← w − η · m̂ / (√v̂ + ε)", "Adam: m̂ and v̂ are running means of the gradient and of its square"];
const CLASSES = rows(["L = − ln p(the right answer)", "cross-entropy: 0 if the network was sure of it, large if it was sure of another"], ADAM);

// By what the network is trained to answer.
export const LOSS = {
  binary: CLASSES,
  classes: CLASSES,
  "multi-label": rows(["L = − Σ ln p(label is there, or is not)", "binary cross-entropy: each label is asked for by itself"], ADAM),
  values: rows(["L = (answer − target)²", "mean squared error"], ADAM),
};
