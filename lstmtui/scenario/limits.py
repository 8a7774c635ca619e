"""The largest sizes that a scenario may ask for."""

MAX_HIDDEN = 16_384
MAX_LAYERS = 64
MAX_BATCH = 4_096
MAX_MODELS = 64
MAX_VOCABULARY = 1 << 20
MAX_ELEMENTS = 1 << 28
"""The most numbers an input (T·B·I) or the parameters of one model may have."""
MAX_DATA = 1 << 25
"""The most numbers a data file may have: what is made of them then stays below 1 GiB of memory."""
MAX_SEED = (1 << 63) - 1
