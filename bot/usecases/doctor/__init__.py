"""Checks whether this deployment can keep its promise, and answers with findings, for ``rotakey doctor``.

Each module gathers the facts of its part through ports, and judges them in pure functions.
"""
