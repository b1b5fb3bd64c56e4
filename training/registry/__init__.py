"""MLflow: experiments, runs, registered versions, the gate between them and the alias ``champion``.

No other package imports MLflow. MLflow's modules warn about each other when they are imported. The user can do nothing
about these warnings, so they are suppressed here.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
