"""Identification: when data must stand in for experiments.

A network that can be run and intervened on needs no identification: its counterfactuals are
computed (see `causalnet.execute`).  This room is for the other cases, logs, coarse graphs,
other prompt distributions, and holds no algorithm yet.
"""

__all__: list[str] = []
