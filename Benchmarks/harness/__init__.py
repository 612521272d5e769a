"""The parts of bench.py. One measurement a module; `servers.py` and `rows.py` are the tables."""
