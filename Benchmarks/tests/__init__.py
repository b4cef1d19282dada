"""Tests of the harness itself; they need NumPy and no peer: scripts/check-harness.sh."""
