"""Where candles come from, one file per source."""
