"""Kedro's pipelines, one file a stage, each built once per symbol by namespace: wiring only.

May import datasets, research, decisions, modelling, figures and what lies below: nodes are their functions. Never
reads, writes, logs or looks at a clock.
"""
