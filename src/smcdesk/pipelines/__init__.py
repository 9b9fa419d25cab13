"""The road, one file per stage; each stage once per symbol, by namespace."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline, pipeline


def stage(symbol: str, nodes: Iterable[Node]) -> Pipeline:
    "The nodes under a symbol's name; parameters, the calendar and headlines belong to everyone and keep their own."
    nodes = list(nodes)
    taken = {name for n in nodes for name in n.inputs}
    shared = {name for name in taken if name.startswith("params:")}
    return pipeline(nodes, namespace=symbol, parameters=shared, inputs={"news", "headlines"} & taken)
