"""What is computed: the cells, each defined once. Nothing here imports torch."""

from lstmtui.cells.cell import Cell
from lstmtui.cells.cfc import CFC
from lstmtui.cells.gru import GRU, GRU_RESET_BEFORE
from lstmtui.cells.indrnn import INDRNN
from lstmtui.cells.janet import JANET
from lstmtui.cells.lstm import LSTM, LSTM_COUPLED, LSTM_PEEPHOLE
from lstmtui.cells.lstm_layernorm import LSTM_LAYERNORM
from lstmtui.cells.mingru import MINGRU
from lstmtui.cells.minlstm import MINLSTM
from lstmtui.cells.rglru import RGLRU
from lstmtui.cells.rnn import RNN_RELU, RNN_TANH
from lstmtui.cells.slstm import SLSTM

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        *(RNN_TANH, RNN_RELU, LSTM, LSTM_PEEPHOLE, LSTM_COUPLED, GRU, GRU_RESET_BEFORE),
        *(LSTM_LAYERNORM, INDRNN, JANET, CFC, RGLRU, SLSTM, MINGRU, MINLSTM),
    )
}
"""Every cell by name, from the simplest to the newest."""

__all__ = ["CELLS", "Cell"]
