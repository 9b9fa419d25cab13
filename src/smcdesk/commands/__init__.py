"""The command line, one module for each group of verbs: parse, call, print.

May import everything. Never holds logic of its own.
"""
