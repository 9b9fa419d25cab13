"""Scoring models: training, the test whether acting on one pays, registration, serving.

May import tracking, the store, `project` and the Lab. Never market data, notifications or anything that decides.
"""
