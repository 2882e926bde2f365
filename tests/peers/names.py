"""What the contenders are called, in JSON and on the page. Wakes no library."""

PADDED, DYNAMIC, GROUPED = "Trainer, padded", "Trainer, dynamic padding", "Trainer, by length"
OURS, OURS_GROUPED, PRODUCTS = "this harness", "this harness, by length", "matrix products alone"
