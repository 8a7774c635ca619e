"""What is computed: the cells, each defined once. Nothing here imports torch."""

from lstmtui.cells.cell import Cell
from lstmtui.cells.gru import GRU, GRU_RESET_BEFORE
from lstmtui.cells.lstm import LSTM, LSTM_COUPLED, LSTM_PEEPHOLE
from lstmtui.cells.minimal import INDRNN, JANET, MINGRU
from lstmtui.cells.rnn import RNN_RELU, RNN_TANH

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        *(RNN_TANH, RNN_RELU, LSTM, LSTM_PEEPHOLE, LSTM_COUPLED, GRU, GRU_RESET_BEFORE),
        *(INDRNN, JANET, MINGRU),
    )
}
"""Every cell by name, from the simplest to the newest."""

__all__ = ["CELLS", "Cell"]
