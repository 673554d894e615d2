"""One thread per test process: several threads that wait for busy cores are slower than one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
