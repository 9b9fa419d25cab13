"""Long-running processes: the scheduler, its installation on a machine, JupyterLab's executor.

May import reports and everything below. Never a command: commands start services.
"""
