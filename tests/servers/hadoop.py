"""Apache Hadoop 2.7.3 without Docker and without a Hadoop download: jars, one JVM command, one-shot tools.

The source archive of ``pyspark==2.4.8`` carries the NameNode and DataNode classes; Debian has the rest. Both are
real releases, so what runs is Hadoop itself and not a likeness of it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

HADOOP_VERSION = "2.7.3"
DEBIAN_PACKAGES = (
    "openjdk-17-jre-headless",
    "hdfs-cli",
    "libasm-java",
    "libcommons-daemon-java",
    "libjaxb-java",
    "libjersey1-core-java",
    "libjersey1-json-java",
    "libjersey1-server-java",
    "libjersey1-servlet-java",
    "libjsr311-api-java",
)
"""What ``apt-get install`` needs, beside Python, to run the clusters and the foreign clients."""

_SYSTEM_FILES = {
    "/usr/bin/java": "openjdk-17-jre-headless",
    "/usr/share/java/asm-all.jar": "libasm-java",
    "/usr/share/java/commons-daemon.jar": "libcommons-daemon-java",
    "/usr/share/java/jaxb-core.jar": "libjaxb-java",
    "/usr/share/java/jaxb-impl.jar": "libjaxb-java",
    "/usr/share/java/jersey1-core.jar": "libjersey1-core-java",
    "/usr/share/java/jersey1-json.jar": "libjersey1-json-java",
    "/usr/share/java/jersey1-server.jar": "libjersey1-server-java",
    "/usr/share/java/jersey1-servlet.jar": "libjersey1-servlet-java",
    "/usr/share/java/jsr311-api.jar": "libjsr311-api-java",
}
_ARCHIVE = "pyspark-2.4.8.tar.gz"
_ARCHIVE_JARS = frozenset(
    f"{name}.jar"
    for name in (
        *(f"hadoop-{part}-{HADOOP_VERSION}" for part in ("annotations", "auth", "client", "common", "hdfs")),
        *(f"jackson-{part}-1.9.13" for part in ("core-asl", "jaxrs", "mapper-asl", "xc")),
        *(f"curator-{part}-2.7.1" for part in ("client", "framework", "recipes")),
        *("commons-beanutils-1.9.4", "commons-cli-1.2", "commons-codec-1.10", "commons-collections-3.2.2"),
        *("commons-compress-1.20", "commons-configuration-1.6", "commons-digester-1.8", "commons-httpclient-3.1"),
        *("commons-io-2.4", "commons-lang-2.6", "commons-logging-1.1.3", "commons-math3-3.4.1", "commons-net-3.1"),
        *("activation-1.1.1", "avro-1.8.2", "gson-2.2.4", "guava-14.0.1", "htrace-core-3.1.0-incubating"),
        *("httpclient-4.5.6", "httpcore-4.4.10", "javax.servlet-api-3.1.0", "jaxb-api-2.2.2", "jetty-6.1.26"),
        *("jetty-util-6.1.26", "jsp-api-2.1", "leveldbjni-all-1.8", "log4j-1.2.17", "netty-3.9.9.Final"),
        *("netty-all-4.1.47.Final", "protobuf-java-2.5.0", "slf4j-api-1.7.16", "slf4j-log4j12-1.7.16"),
        *("stax-api-1.0-2", "xercesImpl-2.9.1", "xmlenc-0.52", "zookeeper-3.4.6"),
    )
)
_OPENED = ("java.lang", "java.util", "java.net", "java.nio", "sun.nio.ch")
_JVM_FLAGS = (
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-XX:+UseSerialGC",
    "-Djava.net.preferIPv4Stack=true",
    "-Dhadoop.root.logger=INFO,console",
)


def cache_folder() -> Path:
    """Where downloads live between runs: ``$MODEL_LIFECYCLE_CACHE`` or ``~/.cache/model-lifecycle``."""
    return Path(os.environ.get("MODEL_LIFECYCLE_CACHE") or "~/.cache/model-lifecycle").expanduser()


def missing_packages() -> list[str]:
    """The Debian packages that must still be installed before a cluster can start."""
    return sorted({package for file, package in _SYSTEM_FILES.items() if not Path(file).exists()})


def jars() -> list[Path]:
    """Every jar of the class path, made available first if need be (a download of 220 MB, once).

    :raises RuntimeError: if Debian packages are missing, named, or the download fails.
    """
    if missing := missing_packages():
        raise RuntimeError(f"HDFS needs Debian packages: apt-get install {' '.join(missing)}")
    folder = cache_folder() / f"hadoop-{HADOOP_VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _extract(_archive(), folder)
    return [*sorted(folder.glob("*.jar")), *(Path(file) for file in _SYSTEM_FILES if file.endswith(".jar"))]


def _archive() -> Path:
    archive = cache_folder() / _ARCHIVE
    if archive.exists():
        return archive
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".download-") as work:
        constraint = Path(work, "constraint.txt")
        # The archive's setup.py converts its README with pypandoc when it can, in a way that 1.7 no longer allows.
        constraint.write_text("pypandoc<1.7\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run(
            [*command, "--dest", work, "pyspark==2.4.8"],
            env={**os.environ, "PIP_CONSTRAINT": str(constraint)},
            capture_output=True,
            text=True,
            timeout=1800,
        )
        if done.returncode:
            raise RuntimeError(f"the download of {_ARCHIVE} failed\n{done.stderr[-4000:]}")
        Path(work, _ARCHIVE).replace(archive)
    return archive


def _extract(archive: Path, folder: Path) -> None:
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".extract-"))
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                if (name := Path(member.name).name) in _ARCHIVE_JARS and (source := packed.extractfile(member)):
                    with source, (work / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
        if absent := _ARCHIVE_JARS - {jar.name for jar in work.iterdir()}:
            raise RuntimeError(f"{archive} lacks {sorted(absent)}")
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def java(main: str, *arguments: str, conf: Path, heap: int = 256) -> list[str]:
    """The command line that runs a Hadoop class with a configuration folder; ``heap`` in MiB."""
    classpath = os.pathsep.join([str(conf), *map(str, jars())])
    return ["/usr/bin/java", f"-Xmx{heap}m", *_JVM_FLAGS, "-cp", classpath, main, *arguments]


def run_java(main: str, *arguments: str, conf: Path, user: str | None = None, timeout: float = 90) -> bytes:
    """Run a Hadoop tool to its end and return what it printed.

    :raises RuntimeError: if it fails, with its messages.
    """
    env = {**os.environ, **({"HADOOP_USER_NAME": user} if user else {})}
    command = java(main, *arguments, conf=conf)
    done = subprocess.run(command, capture_output=True, env=env, timeout=timeout, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{main} {' '.join(arguments)}: exit {done.returncode}\n{done.stderr.decode()[-4000:]}")
    return done.stdout


def write_configuration(folder: Path, core: Mapping[str, object], hdfs: Mapping[str, object]) -> Path:
    """Write a configuration folder: the site files, a log4j file to the console, and the empty web applications."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in {"core-site.xml": core, "hdfs-site.xml": hdfs}.items():
        (folder / name).write_text(_site(values))
    (folder / "log4j.properties").write_text(
        "log4j.rootLogger=${hadoop.root.logger}\n"
        "log4j.appender.console=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.console.target=System.err\n"
        "log4j.appender.console.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n\n"
    )
    for webapp in ("hdfs", "datanode", "secondary", "journal", "static"):
        web_inf = folder / "webapps" / webapp / "WEB-INF"
        web_inf.mkdir(parents=True, exist_ok=True)
        (web_inf / "web.xml").write_text("<web-app/>\n")
    return folder


def _site(values: Mapping[str, object]) -> str:
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    rows = [f"<property><name>{name}</name><value>{text}</value></property>" for name, text in texts.items()]
    return "\n".join(["<configuration>", *rows, "</configuration>\n"])
