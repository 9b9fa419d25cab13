"""One module for each template in nbs/reports, of the same name; the runner, and the index page of all results.

May import everything below but live services. Never decides, sends or draws candles itself.
"""
