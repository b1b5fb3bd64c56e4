"""How Delta is reached outside Spark: the options of object storage, made from the same properties that Spark gets."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from conf.errors import ConfigError, Problem

# For each scheme: Hadoop's name of a setting, and what the reader outside Spark calls it.
_S3 = {
    "fs.s3a.access.key": "AWS_ACCESS_KEY_ID",
    "fs.s3a.secret.key": "AWS_SECRET_ACCESS_KEY",
    "fs.s3a.session.token": "AWS_SESSION_TOKEN",
    "fs.s3a.endpoint": "AWS_ENDPOINT_URL",
    "fs.s3a.endpoint.region": "AWS_REGION",
}
_GCS = {"fs.gs.auth.service.account.json.keyfile": "GOOGLE_SERVICE_ACCOUNT"}
_AZURE_KEY = "fs.azure.account.key."
_HADOOP = "spark.hadoop."


def storage_options(uri: str, properties: Mapping[str, str]) -> dict[str, str]:
    """Return the options by which ``deltalake`` reads what lies at a URI.

    Parameters
    ----------
    properties : Spark's properties; those that begin with ``spark.hadoop.`` are used

    Raises
    ------
    ConfigError : when only Spark can read this kind of URI
    """
    scheme = urlsplit(uri).scheme if "://" in uri else "file"
    hadoop = {name.removeprefix(_HADOOP): value for name, value in properties.items() if name.startswith(_HADOOP)}
    if scheme in ("file", "hdfs"):
        return {}
    if scheme in ("s3a", "s3"):
        return _named(hadoop, _S3) | _s3_switches(hadoop)
    if scheme in ("abfss", "abfs"):
        return _azure_options(urlsplit(uri).hostname or "", hadoop)
    if scheme == "gs":
        return _named(hadoop, _GCS)
    message = f"{uri} cannot be read without Spark: the scheme {scheme} is not known"
    raise ConfigError([Problem("conf", "lake", message, "use a local path, s3a://, abfss://, gs:// or hdfs://")])


def _named(hadoop: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {ours: hadoop[theirs] for theirs, ours in names.items() if theirs in hadoop}


def _s3_switches(hadoop: Mapping[str, str]) -> dict[str, str]:
    options = {}
    if hadoop.get("fs.s3a.path.style.access") == "true":
        options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
    if hadoop.get("fs.s3a.connection.ssl.enabled") == "false" or hadoop.get("fs.s3a.endpoint", "").startswith("http:"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


def _azure_options(host: str, hadoop: Mapping[str, str]) -> dict[str, str]:
    options = {"AZURE_STORAGE_ACCOUNT_NAME": host.partition(".")[0]}
    key = hadoop.get(f"{_AZURE_KEY}{host}")
    return options | ({"AZURE_STORAGE_ACCOUNT_KEY": key} if key else {})
