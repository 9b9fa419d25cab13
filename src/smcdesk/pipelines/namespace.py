"""The nodes of a stage under a symbol's name."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline, pipeline


def namespaced(
    symbol: str,
    nodes: Iterable[Node],
    inputs: Iterable[str] = (),  # further datasets that belong to others
) -> Pipeline:
    "The nodes under a symbol's name; parameters, the calendar and headlines belong to everyone and keep their own."
    nodes = list(nodes)
    taken = {name for n in nodes for name in n.inputs}
    shared = {name for name in taken if name.startswith("params:")}
    return pipeline(nodes, namespace=symbol, parameters=shared, inputs={"news", "headlines", *inputs} & taken)
