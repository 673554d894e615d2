"""How good a result is against the truth; benchmarks, reports and tests judge with it."""
