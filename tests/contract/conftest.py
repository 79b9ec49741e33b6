"""The fixtures of the contract suites: a clock moved by hand, and stores of each kind in turn."""

from tests.contract.stores import clock, desk

__all__ = ["clock", "desk"]
