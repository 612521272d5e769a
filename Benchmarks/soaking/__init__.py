"""The parts of soak.py. `scenarios.py` is the table, `course.py` what each goes through; `peers/`
holds the client programs."""
