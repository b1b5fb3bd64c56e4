"""Benchmarks: Headwater beside what a user would write or take instead, on the same machine in the same run.

``python -m bench quick`` measures what the commands cost on the lake of the demonstration; ``python -m bench all``
measures everything; ``python -m bench NAME --help`` shows the sizes of one benchmark. Nothing of the engine imports
this package, and only this package needs DuckDB.
"""
