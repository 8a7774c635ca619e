"""What the names mean, in the words of the field, with the other words in use for the same things."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One name."""

    name: str
    meaning: str
    also: str = ""
    """Other words for it in tutorials, papers and libraries."""


GLOSSARY: tuple[Entry, ...] = (
    Entry("x", "the input of this timestep"),
    Entry(
        "h",
        "the hidden state: what the cell passes on to the next timestep and the layer above",
        "output, short-term memory",
    ),
    Entry("c", "the cell state: the memory of an LSTM", "memory cell, internal state, long-term memory"),
    Entry("f", "the forget gate: how much of the old c is kept", "remember gate, keep gate"),
    Entry("i", "the input gate: how much of g is written to c", "write gate, update gate"),
    Entry("g", "the candidate: what could be written to c", "C̃, input node, cell gate, new memory"),
    Entry("o", "the output gate: how much of tanh(c) is shown as h", "read gate"),
    Entry(
        "r",
        "GRU: the reset gate: how much of the old h the candidate sees; RG-LRU: how fast h fades",
        "relevance gate",
    ),
    Entry(
        "z",
        "GRU: the update gate: how much of the old h is kept; sLSTM: the candidate",
        "1 − z in some papers",
    ),
    Entry(
        "n", "GRU: the candidate: what could be written to h; sLSTM: the normalizer beside c", "h̃, new gate"
    ),
    Entry("m", "sLSTM: the stabilizer: the logarithm that c and n are divided by"),
    Entry("log_f", "sLSTM: the logarithm of the forget gate before it is stabilized"),
    Entry("f_share", "minLSTM: f / (f + i): how much of the old h is kept", "f′"),
    Entry("i_share", "minLSTM: i / (f + i): how much of g is written to h", "i′"),
    Entry("a", "RG-LRU: how much of the old h is kept; log_a is its logarithm", "recurrence weight"),
    Entry("s", "RG-LRU: 0 before the first timestep and 1 from there on: the reset"),
    Entry("v", "RG-LRU: the input after its linear layer"),
    Entry("u", "CfC: the layer that sees x and h", "backbone"),
    Entry("g1", "CfC: the candidate that holds where t_interp is 0; g2 where it is 1"),
    Entry("t_interp", "CfC: the gate of time between g1 and g2", "time gate"),
    Entry("y", "the model's output: the head's, or h where there is no head", "logits, prediction"),
    Entry("…_pre", "a value before its squashing function: f = σ(f_pre)", "pre-activation, net input"),
    Entry("d…", "the total derivative ∂L/∂…, through every later timestep too", "gradient, error signal δ"),
    Entry(
        "W R b",
        "the parameters: W acts on x_t, R on h of the timestep before, b is the bias",
        "weight_ih, weight_hh, U",
    ),
    Entry("w_c…", "a peephole: lets a gate see c", "peephole connection"),
    Entry("σ", "the logistic function 1 / (1 + e^−a), into (0, 1)", "sigmoid"),
    Entry("⊙ ·", "unit by unit product; also matrix times vector", "Hadamard product"),
    Entry("t", "the timestep, 0 to T − 1; the initial state is at t = −1", "time, position"),
    Entry("unit", "one component of h and c, with its own gates", "neuron, cell, dimension"),
    Entry("norm", "‖v‖ = √Σv², over the units", "L2 norm, length"),
    Entry("loss", "the number L every derivative is of", "error, cost, objective"),
    Entry(
        "parity",
        "the largest difference between these outputs and those of PyTorch's own module, or of onnxruntime",
    ),
)
"""In the order a reader meets them."""

LAST_HIDDEN = "sum of the last hidden state"
"""What the gradients are of where nobody says otherwise, in words."""
