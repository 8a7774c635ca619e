"""Time by time, exactly: the norms of the products of all Jacobians that lie between two timesteps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from lstmtui.analysis.why.cotangents import StepJacobian, step_jacobians
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array, norm

_MULTIPLIED = 1 << 24
"""Where it takes so many products, matrices are multiplied; where it takes more, their Gram matrices are."""
_LEAST_SHARE = 1e-8
"""Of a product's squares in those of its factors: with less, Gram matrices have too few digits left."""
_AT_ONCE = 512
"""So many products are held at a time."""
_SHORT = 16
"""A window of so many places is not halved."""
_SCALED = 4
"""Once in so many places a product is brought near 1."""


def norms_of_products(numbers: LayerNumbers, places: Sequence[int], by: str) -> Array:
    """‖∂h_t/∂·_s‖ (Frobenius) for all pairs of some places.

    Args:
        numbers: of the layer.
        places: the places, one after the other.
        by: a state as s carried it on, the others held still, or x of s.

    Returns:
        (places t, places s); NaN where s is not before t, by x where it is behind.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    sizes = [numbers.layer.size(state) for state in numbers.cell.states]
    jacobians = list(islice(step_jacobians(numbers, places[-1], with_x=by == "x"), len(places)))[::-1]
    with np.errstate(all="ignore"):
        if by == "x":
            return _Products(jacobians, None, sizes[0]).norms
        at = numbers.cell.states.index(by)
        products = _Products(jacobians, slice(sum(sizes[:at]), sum(sizes[: at + 1])), sizes[0])
    # What a place began from, the one before has carried on.
    norms = np.full((len(places), len(places)), np.nan)
    norms[:, :-1] = products.norms[:, 1:]
    return norms


class _Products:
    """The norms of ∂h_t by a state that s began from, or by its x, for all s and all t from s on.

    A window is halved again and again: what goes across the middle is a product of what lies on either side
    of it, so that n log n products of matrices are made and not n².

    Args:
        jacobians: of each place.
        block: where the state is among all states; None: by x.
        units: of h.
    """

    def __init__(self, jacobians: Sequence[StepJacobian], block: slice | None, units: int) -> None:
        self._jacobians, self._block = jacobians, block
        self._start = np.eye(units, len(jacobians[0].carried))
        self.norms: Array = np.full((len(jacobians), len(jacobians)), np.nan)
        self._fill(0, len(jacobians))
        for place, jacobian in enumerate(jacobians):
            if not jacobian.carried.any():  # All states are set: not even NaN goes through.
                self.norms[place:, :place] = 0

    def _fill(self, start: int, stop: int) -> None:
        """The norms of the pairs within a part of the window."""
        if stop - start <= _SHORT:
            self._fill_short(start, stop)
            return
        middle = (start + stop) // 2
        self._fill(start, middle)
        self._fill(middle, stop)
        since, until = self._since(start, middle), self._until(middle, stop)
        self.norms[middle:stop, start:middle] = norms_of_pairs(*until, *since)

    def _fill_short(self, start: int, stop: int) -> None:
        """The same, place by place."""
        rows = self._start[:0]
        for place in range(stop - 1, start - 1, -1):
            products, rows = self._along(np.concatenate([self._start, rows]), place)
            self.norms[place:stop, place] = norm(products.reshape(stop - place, -1))

    def _until(self, start: int, stop: int) -> tuple[Array, Array]:
        """∂h_t by the states that `start` began from, for each t, and the powers of two they lack."""
        carried = self._jacobians[start].carried
        product, power = np.eye(len(carried)), 0
        products, powers = list[Array](), list[int]()
        for place in range(start, stop):
            product = self._carried(place) @ product
            if (place - start) % _SCALED == 0:
                product, power = _scaled(product, power)
            products.append(product[: len(self._start)])
            powers.append(power)
        factors = np.stack(products)
        factors[..., ~carried] = 0
        return factors, np.array(powers)

    def _since(self, start: int, stop: int) -> tuple[Array, Array]:
        """The derivatives of all states before `stop`, for each s, and the powers of two they lack."""
        product, power = np.eye(len(self._jacobians[start].carried)), 0
        products, powers = list[Array](), list[int]()
        for place in range(stop - 1, start - 1, -1):
            own, product = self._along(product, place)
            products.append(own)
            powers.append(power)
            if (place - start) % _SCALED == 0:
                product, power = _scaled(product, power)
        return np.stack(products[::-1]), np.array(powers[::-1])

    def _along(self, rows: Array, place: int) -> tuple[Array, Array]:
        """The derivatives that are wanted, and those by what the place before ended with.

        Args:
            rows: those by what this place ended with.
            place: which.
        """
        jacobian = self._jacobians[place]
        before = rows @ jacobian.by_before
        own = rows @ jacobian.by_x if self._block is None else before[:, self._block]
        if not jacobian.carried.all():
            own = own.copy()
            before[:, ~jacobian.carried] = 0
        return own, before

    def _carried(self, place: int) -> Array:
        jacobian = self._jacobians[place]
        if jacobian.carried.all():
            return jacobian.by_before
        return np.where(jacobian.carried, jacobian.by_before, 0)


def _scaled(matrix: Array, power: int) -> tuple[Array, int]:
    """A matrix whose largest entry is near 1, and the power of two to multiply it by."""
    largest = float(np.abs(matrix).max(initial=0))
    shift = int(np.frexp(largest)[1]) if np.isfinite(largest) else 0
    return np.ldexp(matrix, -shift), power + shift


def norms_of_pairs(left: Array, left_powers: Array, right: Array, right_powers: Array) -> Array:
    """The norm of the product of each matrix of one side with each of the other.

    Args:
        left: (lefts, rows, inner).
        left_powers: the powers of two that these are to be multiplied by, (lefts,).
        right: (rights, inner, columns).
        right_powers: the same for these, (rights,).

    Returns:
        (lefts, rights).
    """
    sizes = np.zeros((len(left), len(right)))
    multiplied = np.ones(sizes.shape, bool)
    if sizes.size * left[0].size * right.shape[-1] > _MULTIPLIED:
        # ‖AB‖² is the inner product of AᵀA and BBᵀ.
        squares = _flat(left.swapaxes(1, 2) @ left) @ _flat(right @ right.swapaxes(1, 2)).T
        factors = np.outer(norm(_flat(left)), norm(_flat(right))) ** 2
        multiplied = ~((squares > _LEAST_SHARE * factors) & (squares < np.inf))
        sizes = np.sqrt(np.where(multiplied, 0, squares))
    pairs = np.argwhere(multiplied)
    for first in range(0, len(pairs), _AT_ONCE):
        lefts, rights = pairs[first : first + _AT_ONCE].T
        sizes[lefts, rights] = norm(_flat(left[lefts] @ right[rights]))
    return np.ldexp(sizes, np.add.outer(left_powers, right_powers))


def _flat(matrices: Array) -> Array:
    return matrices.reshape(len(matrices), -1)
