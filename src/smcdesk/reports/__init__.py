"""One module for each template in nbs/reports, of the same name; the runner, and the index page of all results.

`report` writes down what every such module offers, `text` how numbers are printed, `period` what the three reports
about the last days share. May import everything below but live services. Never decides, sends or draws candles itself.
"""
