"""Where decisions become orders: so far only the guard that keeps anything from being sent while no broker is there.

May import decisions, notifications, market data, the store and what lies below; later it is the only room, beside
`live` and `services`, that reaches a broker. Never research, scanning or Kedro.
"""
