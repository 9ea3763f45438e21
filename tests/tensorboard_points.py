"""Reads a folder's event files as TensorBoard does, and prints a line for each point: tag, step, value.

    python3 -m venv venv && venv/bin/pip install tensorboard
    venv/bin/python tests/tensorboard_points.py runs/reviews-lstm-1
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

if len(sys.argv) != 2:
    sys.exit(__doc__)
# All points, where TensorBoard itself would draw a sample of many.
events = EventAccumulator(sys.argv[1], size_guidance={SCALARS: 0}).Reload()
for tag in events.Tags()[SCALARS]:
    for point in events.Scalars(tag):
        print(tag, point.step, point.value, sep="\t")
