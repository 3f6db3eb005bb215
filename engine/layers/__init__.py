"""What happens inside each block and head: attention, gradients, relevance and likeness, block by block.

One image and one target are recorded once with every block and its gradients; what the page draws is kept in
the store, one entry a block and quantity, so that a second visit reads only what it shows and loads no torch.
"""

from engine.layers.ask import Computed, compute, rows, stored
from engine.layers.coding import Rows, decode, encode
from engine.layers.quantities import QUANTITIES, SHARES, Quantity, quantities
from engine.layers.summary import Summary

__all__ = [
    "QUANTITIES",
    "SHARES",
    "Computed",
    "Quantity",
    "Rows",
    "Summary",
    "compute",
    "decode",
    "encode",
    "quantities",
    "rows",
    "stored",
]
