"""MLflow: experiments, runs, registered versions, the gate between them and the alias ``champion``.

The only room that talks to MLflow. It is imported here in silence: what MLflow's own modules warn each other about is
not the user's business.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
