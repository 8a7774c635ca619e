"""Trains the weights of the bundled scenarios again: `python scenarios/train.py [NAME…]`.

The input, the sizes and the file of the weights of every model are read from the scenario itself. Everything
is drawn from seeds and computed by one thread on the CPU, so the same torch on the same kind of processor
gives the same bytes every time. All models of a scenario get the same optimiser, the same batches and the
same number of steps.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from lstmtui.capture import training
from lstmtui.cells.layout import Layout
from lstmtui.cells.parts import part_of
from lstmtui.models.fused_layers import fuse, weights_of
from lstmtui.models.model import ScenarioModel
from lstmtui.scenario import ModelSpec, load_scenario
from lstmtui.scenario.tasks import make_task

HERE = Path(__file__).parent
HELD_OUT = 24
"""The last months of the airline series, which training never sees."""
FRESH = 2_000_000
"""The seed of the sequences for the final figures; training and the scenarios use smaller ones."""

BIASES = ("bias_ih_l0", "bias_hh_l0")

Table = dict[str, Any]
"""A table of a scenario file."""


@dataclass(frozen=True, kw_only=True)
class Batch(training.Batch):
    """Sequences with their answers; the loss is of y (T, B, 1)."""

    target: Tensor
    """(T, B, 1)"""


@dataclass(frozen=True)
class Recipe:
    """How the models of one scenario are trained, and what is measured in the end."""

    steps: int
    draw: Callable[[Table, int, int], Batch]
    """([input] of the scenario, batch size, seed) -> sequences nobody has seen."""
    figures: Callable[[Network, Batch], str]
    """What the network achieves on sequences it has never seen."""
    chrono: bool = False
    """Whether the gates start with the biases of `chrono_init`."""


class Network(nn.Module):
    """A scenario's model, with PyTorch's fused layers wherever PyTorch has the cell.

    Args:
        spec: the model.
        vocabulary: the number of characters; 0 where the input is numbers.
        chrono: for how many timesteps its gates may keep what they hold, see `chrono_init`; 0: as drawn.
    """

    def __init__(self, spec: ModelSpec, vocabulary: int, chrono: int) -> None:
        super().__init__()
        model = ScenarioModel(spec.layout, vocabulary, spec.embedding, spec.head)
        if chrono:
            chrono_init(model.recurrent, spec.layout, chrono)
        self.model = fuse(model)

    def forward(self, x: Tensor) -> Tensor:
        """y (T, B, 1)"""
        y: Tensor = self.model(x)[0]
        return y

    def weights(self) -> dict[str, Tensor]:
        """Every parameter by the name that scenario files know it by."""
        return weights_of(self.model)


def chrono_init(layer: nn.Module, layout: Layout, steps: int) -> None:
    """Let memories last from 1 to `steps` timesteps at the start (Tallec & Ollivier 2018).

    A gate that keeps where it is open (f, or the z of a GRU) gets the bias log u, u ~ U(1, steps − 1), one
    that writes, or keeps where it is closed, its negative. A cell without such gates stays as it begins.
    """
    cell = layout.cell
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    biases = [parameters[name].view(len(cell.rows), -1) for name in BIASES if name in parameters]
    lasting = torch.empty(layout.hidden_size).uniform_(1, steps - 1).log()
    for position, row in enumerate(cell.rows):
        side = cell.remembers_when(row) or {"write": "closed"}.get(part_of(row, cell), "")
        for number, bias in enumerate(biases if side else ()):
            bias[position] = 0 if number else lasting if side == "open" else -lasting


def draw_airline(given: Table, size: int, seed: int) -> Batch:
    """The months before those held out, as airlines of several sizes would have seen them, with some noise.

    Each copy is multiplied by a factor between 1/2 and 2, and its errors count in proportion; so the
    network has to learn the season and the growth instead of the twelve years by heart.
    """
    generator = torch.Generator().manual_seed(seed)
    factor = torch.exp(torch.empty(size, 1).uniform_(-0.7, 0.7, generator=generator))
    values = standard(passengers()[:-HELD_OUT, None, None] * factor)
    x = values + 0.03 * factor * torch.randn(values.shape, generator=generator)
    target = values[1:]
    loss = functional.mse_loss
    return Batch(x=x[:-1], target=target, loss=lambda y: loss(y / factor, target / factor))


def draw_task(given: Table, size: int, seed: int) -> Batch:
    """The scenario's task, at the scenario's length and with its options."""
    options = {key: value for key, value in given.items() if key not in ("task", "batch", "seed")}
    data = make_task(given["task"], batch=size, seed=seed, **options)
    target, mask = torch.as_tensor(data.target, dtype=torch.float32), torch.as_tensor(data.mask)
    x = torch.as_tensor(data.tokens if data.values is None else data.values.astype(np.float32))
    loss = functional.mse_loss if data.loss == "mse" else functional.binary_cross_entropy_with_logits
    return Batch(x=x, target=target, loss=lambda y: loss(y[mask], target[mask]))


def draw_brackets(given: Table, size: int, seed: int) -> Batch:
    """Random text with brackets; the scenario itself shows a text made by hand."""
    return draw_task({"task": "brackets", "length": 64}, size, seed)


def forecast_error(network: Network, fresh: Batch) -> str:
    """The root mean square error in thousands on the true series, and that of "this month again"."""
    series = passengers()
    y = network(standard(series)[:-1, None, None]).flatten() * series.std(correction=0) + series.mean()
    errors = (torch.stack([y, series[:-1]]) - series[1:]).square()
    figures = torch.cat([errors.mean(1), errors[:, -HELD_OUT:].mean(1)]).sqrt().tolist()
    return "error {:.1f} (this month again: {:.1f}), held out {:.1f} ({:.1f})".format(*figures)


def accuracy(network: Network, fresh: Batch) -> str:
    """The share of new sequences whose last answer lies on the right side, and the loss."""
    y = network(fresh.x)
    right = (y[-1] > 0) == (fresh.target[-1] > 0.5)
    return f"right {right.float().mean():.1%}, loss {fresh.loss(y):.4f}"


def squared_error(network: Network, fresh: Batch) -> str:
    """The loss on new sequences."""
    return f"mean squared error {fresh.loss(network(fresh.x)):.5f}"


RECIPES = {
    "airline": Recipe(1200, draw_airline, forecast_error),
    "brackets": Recipe(1600, draw_brackets, squared_error),
    "latch": Recipe(500, draw_task, accuracy, chrono=True),
    "latch-newer": Recipe(500, draw_task, accuracy, chrono=True),
    "adding": Recipe(1200, draw_task, squared_error, chrono=True),
    "lesson-gap-5": Recipe(500, draw_task, accuracy, chrono=True),
    "lesson-gap-20": Recipe(500, draw_task, accuracy, chrono=True),
}


def train(name: str, model: Table, steps: int | None = None) -> Network:
    """Train a model of the scenario `name`, its [[model]] table; `steps`: other than the recipe's."""
    recipe, given = RECIPES[name], read(name)["input"]
    scenario = load_scenario(HERE / f"{name}.toml", fresh=True)
    spec = next(spec for spec in scenario.models if spec.name == model["name"])
    assert isinstance(spec, ModelSpec)
    first = recipe.draw(given, 1, training.FRESH_SEED).x
    torch.manual_seed(0)
    vocabulary = 0 if scenario.input.tokens is None else scenario.input.size
    network = Network(spec, vocabulary, len(first) if recipe.chrono else 0)

    def draw(step: int) -> Batch:
        return recipe.draw(given, training.BATCH, training.FRESH_SEED + step)

    total = recipe.steps if steps is None else steps
    for step, loss in enumerate(training.train(network.model, draw, total), start=1):
        if step % 200 == 0:
            print(f"  {step} of {total}: loss {loss:.4f}", flush=True)
    return network.eval()


def read(name: str) -> Table:
    """The scenario file as it stands; the weights it names need not be there."""
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def passengers() -> Tensor:
    """The airline series in thousands, (144,)."""
    numbers = np.loadtxt(HERE / "data" / "airline.csv", delimiter=",", skiprows=1, usecols=1)
    return torch.as_tensor(numbers, dtype=torch.float32)


def standard(values: Tensor) -> Tensor:
    """Passengers as `normalize = "standard"` shows them to the network."""
    series = passengers()
    return (values - series.mean()) / series.std(correction=0)


def main() -> None:
    """Train every model of the scenarios named, or of all, and write its weights."""
    parser = argparse.ArgumentParser(description="Train the weights of the bundled scenarios again.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    names = parser.parse_args().names or list(RECIPES)
    if unknown := set(names) - set(RECIPES):
        parser.error(f"nothing to train for {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in names:
        for model in read(name)["model"]:
            print(f"{name}: {model['name']}", flush=True)
            start = time.perf_counter()
            network = train(name, model)
            (HERE / model["weights"]).write_bytes(save(network.weights()))
            with torch.no_grad():
                figures = RECIPES[name].figures(network, RECIPES[name].draw(read(name)["input"], 1000, FRESH))
            print(f"  {figures}; {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
