"""The verbs of the `smcdesk` command, one file per topic; `__main__` puts them together."""
