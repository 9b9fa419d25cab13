"""Studies on whole tapes: sweeps, walk-forwards, searches, comparisons of runs, and the workers they share.

May import decisions, modelling, tracking, figures and what lies below. Never scans or orders, and nothing of Kedro.
"""
