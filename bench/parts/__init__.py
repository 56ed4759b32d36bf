# SPDX-License-Identifier: MIT
"""The parts of the benchmark. Each module has TITLE (a heading), run(bench, plan), which measures and notes
rows with bench.row(), and tables(rows), which makes Markdown of them."""
from parts import cells, connections, counts, growth, queue, recipients, relay, slow, tls

ALL = {"cells": cells, "counts": counts, "connections": connections, "slow": slow, "recipients": recipients,
       "relay": relay, "tls": tls, "queue": queue, "growth": growth}


class Plan:
    """How much is measured."""

    def __init__(self, rounds=5, scale=1.0, quick=False, depths=(0, 1000, 10000, 100000)):
        self.rounds, self.scale, self.quick, self.depths = rounds, scale, quick, depths

    def messages(self, count):
        return max(20, int(count * self.scale))
