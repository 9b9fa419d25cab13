"""Where the project lies on disk, its conf, and how its files are written.

The ground floor: may import the Lab only. Never Kedro's runs, the store or a provider; conf itself is read with Kedro's
loader, in `loader` alone.
"""
