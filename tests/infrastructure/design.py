"""The design's tables. The tests hold the manifests to them, so that a later edit that breaks one says which."""

from __future__ import annotations

from dataclasses import dataclass, field

GHCR = "ghcr.io/drewpayment/orbit/"
CUSTOM = (
    "orbit-www",
    "repository-service",
    "kafka-service",
    "plugins-service",
    "bifrost",
    "build-service",
    "temporal-worker",
)


@dataclass(frozen=True)
class Workload:
    """One replica of an image; `image` is how its reference begins, `user` its user and group."""

    kind: str
    image: str
    user: str
    requests: str
    limits: str
    wave: int
    ports: dict[str, int] = field(default_factory=dict)
    claim: str = ""


def go(name: str, ports: dict[str, int], wave: int = 3, memory: str = "64Mi") -> Workload:
    return Workload("Deployment", f"{GHCR}{name}:", "10001:10001", f"50m {memory}", "200m 256Mi", wave, ports)


WORKLOADS = {
    "orbit-www": Workload(
        "Deployment", f"{GHCR}orbit-www:", "1001:1001", "100m 256Mi", "500m 512Mi", 4, {"http": 3000}
    ),
    "repository-service": go("repository-service", {"grpc": 50051, "http-metrics": 8081}),
    "kafka-service": go("kafka-service", {"grpc": 50055}),
    "plugins-service": go("plugins-service", {"grpc": 50053, "http-metrics": 8080}, 5),
    "bifrost": go("bifrost", {"grpc": 50060, "kafka": 9092, "http-metrics": 8080}),
    "build-service": go("build-service", {"grpc": 50054}),
    "temporal-worker": go("temporal-worker", {}, 4, "128Mi"),
    "mongodb": Workload("StatefulSet", "mongo:7.", "999:999", "100m 512Mi", "1 1Gi", 0, {"mongodb": 27017}, "mongodb"),
    "postgresql": Workload(
        "StatefulSet", "postgres:15.", "70:70", "100m 256Mi", "1 1Gi", 0, {"postgresql": 5432}, "postgresql"
    ),
    "redis": Workload("StatefulSet", "redis:7.", "999:1000", "50m 64Mi", "200m 384Mi", 0, {"redis": 6379}, "redis"),
    "redpanda": Workload(
        "StatefulSet",
        "redpandadata/redpanda:v24.2.10",
        "101:101",
        "200m 1536Mi",
        "1 1536Mi",
        0,
        {"kafka": 9092, "admin": 9644, "rpc": 33145},
        "redpanda",
    ),
    "minio": Workload(
        "StatefulSet",
        "minio/minio:RELEASE.",
        "1000:1000",
        "100m 256Mi",
        "1 1Gi",
        0,
        {"api": 9000, "console": 9001},
        "minio",
    ),
    "temporal": Workload(
        "Deployment",
        "temporalio/auto-setup:1.25.1",
        "1000:1000",
        "100m 256Mi",
        "1 1Gi",
        2,
        {"grpc": 7233, "http": 8233},
    ),
    "temporal-ui": Workload(
        "Deployment", "temporalio/ui:2.30.0", "5000:5000", "50m 64Mi", "200m 256Mi", 3, {"http": 8080}
    ),
    "registry": Workload("Deployment", "registry:2.", "10001:10001", "50m 64Mi", "500m 256Mi", 2, {"http": 5050}),
    "buildkit": Workload("DaemonSet", "moby/buildkit:v", "1000:1000", "100m 256Mi", "2 2Gi", 5, {"buildkit": 1234}),
}

USERS = {name: workload.user for name, workload in WORKLOADS.items()} | {"minio-bucket": "10001:10001"}
# What runs beside the main containers, whole.
HELPERS = {
    "wait-for-temporal": "alpine:3.22.1",
    "copy-config": "redpandadata/redpanda:v24.2.10",
    "mc": "minio/mc:RELEASE.2024-11-17T19-35-25Z",
}

HEADLESS = {"mongodb", "postgresql"}
# The names and ports that other pods reach: those of the workload of that name. temporal-worker has none.
SERVICES = {name: workload.ports for name, workload in WORKLOADS.items() if workload.ports}

# Size, the owner of the NFS directory, and how a node may mount it.
CLAIMS = {
    "mongodb": ("20Gi", "999:999", "ReadWriteOncePod"),
    "postgresql": ("10Gi", "70:70", "ReadWriteOncePod"),
    "redis": ("5Gi", "999:1000", "ReadWriteOncePod"),
    "redpanda": ("10Gi", "101:101", "ReadWriteOncePod"),
    "minio": ("20Gi", "1000:1000", "ReadWriteOncePod"),
    "buildkit": ("10Gi", "1000:1000", "ReadWriteMany"),
}

ROUTES = {"orbit.hoytlabs.app": ("orbit-www", 3000), "temporal.orbit.hoytlabs.app": ("temporal-ui", 8080)}

DOPPLER = {
    "ORBIT_MONGO_ROOT_USERNAME",
    "ORBIT_MONGO_ROOT_PASSWORD",
    "ORBIT_POSTGRES_USER",
    "ORBIT_POSTGRES_PASSWORD",
    "ORBIT_MINIO_ROOT_USER",
    "ORBIT_MINIO_ROOT_PASSWORD",
    "ORBIT_PAYLOAD_SECRET",
    "ORBIT_ENCRYPTION_KEY",
    "ORBIT_BETTER_AUTH_SECRET",
    "ORBIT_RESEND_API_KEY",
    "ORBIT_GITHUB_APP_ID",
    "ORBIT_GITHUB_APP_PRIVATE_KEY_BASE64",
    "ORBIT_GITHUB_CLIENT_ID",
    "ORBIT_GITHUB_CLIENT_SECRET",
    "ORBIT_GITHUB_WEBHOOK_SECRET",
    "ORBIT_INTERNAL_API_KEY",
    "ORBIT_JWT_SECRET",
    "ORBIT_REGISTRY_PASSWORD",
    "ORBIT_REGISTRY_JWT_SECRET",
}


def escaped(key: str) -> str:
    return f'{{{{ .{key} | urlquery | replace "+" "%20" }}}}'


_MONGO = f"{escaped('MONGO_ROOT_USERNAME')}:{escaped('MONGO_ROOT_PASSWORD')}"
_POSTGRES = f"{escaped('POSTGRES_USER')}:{escaped('POSTGRES_PASSWORD')}"
TEMPLATES = {
    "DATABASE_URI": f"mongodb://{_MONGO}@mongodb:27017/orbit-www?authSource=admin",
    "KAFKA_DATABASE_URL": f"postgres://{_POSTGRES}@postgresql:5432/kafka_service?sslmode=disable",
    "SVC_AUTH_SECRET": '{{ printf "orbit-svc-auth:%s" .PAYLOAD_SECRET | sha256sum }}',
}

# Which variable of which pod holds which key: these and no others.
SECRETS = {
    "orbit-www": {
        "DATABASE_URI": "DATABASE_URI",
        "PAYLOAD_SECRET": "PAYLOAD_SECRET",
        "ENCRYPTION_KEY": "ENCRYPTION_KEY",
        "BETTER_AUTH_SECRET": "BETTER_AUTH_SECRET",
        "RESEND_API_KEY": "RESEND_API_KEY",
        "GITHUB_APP_ID": "GITHUB_APP_ID",
        "GITHUB_APP_PRIVATE_KEY_BASE64": "GITHUB_APP_PRIVATE_KEY_BASE64",
        "GITHUB_APP_WEBHOOK_SECRET": "GITHUB_WEBHOOK_SECRET",
        "GITHUB_CLIENT_ID": "GITHUB_CLIENT_ID",
        "GITHUB_CLIENT_SECRET": "GITHUB_CLIENT_SECRET",
        "ORBIT_INTERNAL_API_KEY": "INTERNAL_API_KEY",
        "ORBIT_REGISTRY_JWT_SECRET": "REGISTRY_JWT_SECRET",
        "ORBIT_REGISTRY_TOKEN": "REGISTRY_PASSWORD",
        "ORBIT_SVC_AUTH_SECRET": "SVC_AUTH_SECRET",
    },
    "repository-service": {"ORBIT_SVC_AUTH_SECRET": "SVC_AUTH_SECRET"},
    "kafka-service": {"ORBIT_SVC_AUTH_SECRET": "SVC_AUTH_SECRET", "DATABASE_URL": "KAFKA_DATABASE_URL"},
    "plugins-service": {"JWT_SECRET": "JWT_SECRET"},
    "build-service": {"ORBIT_INTERNAL_API_KEY": "INTERNAL_API_KEY", "ORBIT_REGISTRY_PASSWORD": "REGISTRY_PASSWORD"},
    "temporal-worker": {
        "ORBIT_INTERNAL_API_KEY": "INTERNAL_API_KEY",
        "MINIO_ACCESS_KEY": "MINIO_ROOT_USER",
        "MINIO_SECRET_KEY": "MINIO_ROOT_PASSWORD",
    },
    "mongodb": {
        "MONGO_INITDB_ROOT_USERNAME": "MONGO_ROOT_USERNAME",
        "MONGO_INITDB_ROOT_PASSWORD": "MONGO_ROOT_PASSWORD",
    },
    "postgresql": {"POSTGRES_USER": "POSTGRES_USER", "POSTGRES_PASSWORD": "POSTGRES_PASSWORD"},
    "minio": {"MINIO_ROOT_USER": "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD": "MINIO_ROOT_PASSWORD"},
    "minio-bucket": {"MINIO_ROOT_USER": "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD": "MINIO_ROOT_PASSWORD"},
    "temporal": {"POSTGRES_USER": "POSTGRES_USER", "POSTGRES_PWD": "POSTGRES_PASSWORD"},
    "registry": {
        "REGISTRY_STORAGE_S3_ACCESSKEY": "MINIO_ROOT_USER",
        "REGISTRY_STORAGE_S3_SECRETKEY": "MINIO_ROOT_PASSWORD",
    },
    "bifrost": {},
    "redis": {},
    "redpanda": {},
    "temporal-ui": {},
    "buildkit": {},
}

# What the programs read besides secrets, under the names and in the forms in which they read it: this and no more.
ENVIRONMENT = {
    "orbit-www": {
        "HOSTNAME": "0.0.0.0",
        "PORT": "3000",
        "NEXT_TELEMETRY_DISABLED": "1",
        "NEXT_PUBLIC_APP_URL": "https://orbit.hoytlabs.app",
        "NEXT_PUBLIC_SERVER_URL": "https://orbit.hoytlabs.app",
        "NEXT_PUBLIC_TEMPORAL_UI_URL": "https://temporal.orbit.hoytlabs.app",
        "TEMPORAL_ADDRESS": "temporal:7233",
        "TEMPORAL_NAMESPACE": "default",
        "REPOSITORY_SERVICE_URL": "http://repository-service:50051",
        "PLUGINS_SERVICE_URL": "http://plugins-service:50053",
        "BUILD_SERVICE_URL": "http://build-service:50054",
        "KAFKA_SERVICE_URL": "http://kafka-service:50055",
        "BIFROST_ADMIN_URL": "http://bifrost:50060",
        "BIFROST_ADVERTISED_HOST": "bifrost:9092",
        "ORBIT_REGISTRY_URL": "registry:5050",
        "RESEND_FROM_EMAIL": "noreply@hoytlabs.app",
    },
    "repository-service": {
        "GRPC_PORT": "50051",
        "HTTP_PORT": "8081",
        "TEMPORAL_HOST": "temporal:7233",
        "TEMPORAL_ADDRESS": "temporal:7233",
        "TEMPORAL_NAMESPACE": "default",
    },
    "kafka-service": {"GRPC_PORT": "50055", "ENVIRONMENT": "production"},
    "plugins-service": {"GRPC_PORT": "50053", "HTTP_PORT": "8080", "REDIS_URL": "redis://redis:6379"},
    "bifrost": {
        "BIFROST_ADMIN_PORT": "50060",
        "BIFROST_PROXY_PORT": "9092",
        "BIFROST_METRICS_PORT": "8080",
        "BIFROST_LOG_LEVEL": "info",
        "KAFKA_BOOTSTRAP_SERVERS": "redpanda:9092",
    },
    "build-service": {
        "BUILD_SERVICE_PORT": "50054",
        "BUILD_WORK_DIR": "/tmp/orbit-builds",
        "HOME": "/tmp",
        "BUILDKIT_HOST": "tcp://buildkit:1234",
        "ORBIT_REGISTRY_URL": "http://registry:5050",
        "ORBIT_REGISTRY_USERNAME": "orbit-service",
        "ORBIT_API_URL": "http://orbit-www:3000",
    },
    "temporal-worker": {
        "TEMPORAL_ADDRESS": "temporal:7233",
        "TEMPORAL_NAMESPACE": "default",
        "HOME": "/tmp",
        "GIT_WORK_DIR": "/tmp/orbit-repos",
        "TEMPLATE_WORK_DIR": "/tmp/orbit-templates",
        "DEPLOYMENT_WORK_DIR": "/tmp/orbit-deployments",
        "ORBIT_API_URL": "http://orbit-www:3000",
        "BIFROST_ADMIN_URL": "bifrost:50060",
        "BUILD_SERVICE_ADDRESS": "build-service:50054",
        "MINIO_ENDPOINT": "minio:9000",
        "MINIO_USE_SSL": "false",
        "MINIO_BUCKET": "orbit-archives",
    },
    "mongodb": {},
    "postgresql": {"PGDATA": "/var/lib/postgresql/data/pgdata", "POSTGRES_INITDB_ARGS": "--data-checksums"},
    "redis": {},
    "redpanda": {},
    "minio": {"HOME": "/tmp"},
    "minio-bucket": {"MC_CONFIG_DIR": "/tmp/.mc"},
    "temporal": {
        "DB": "postgres12",
        "DB_PORT": "5432",
        "POSTGRES_SEEDS": "postgresql",
        "ENABLE_ES": "false",
        "NUM_HISTORY_SHARDS": "4",
        "DEFAULT_NAMESPACE": "default",
        "FRONTEND_HTTP_PORT": "8233",
        "DYNAMIC_CONFIG_FILE_PATH": "/etc/temporal/config/dynamicconfig/development-sql.yaml",
    },
    "temporal-ui": {
        "TEMPORAL_ADDRESS": "temporal:7233",
        "TEMPORAL_UI_PORT": "8080",
        "TEMPORAL_CORS_ORIGINS": "https://temporal.orbit.hoytlabs.app",
    },
    "registry": {
        "REGISTRY_HTTP_ADDR": "0.0.0.0:5050",
        "REGISTRY_STORAGE": "s3",
        "REGISTRY_STORAGE_S3_REGION": "us-east-1",
        "REGISTRY_STORAGE_S3_REGIONENDPOINT": "http://minio:9000",
        "REGISTRY_STORAGE_S3_BUCKET": "orbit-registry",
        "REGISTRY_STORAGE_S3_SECURE": "false",
        "REGISTRY_STORAGE_REDIRECT_DISABLE": "true",
        "REGISTRY_STORAGE_DELETE_ENABLED": "true",
        "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "inmemory",
    },
    "buildkit": {},
}

# What is mounted where, by container and path.
MOUNTS = {name: {f"{name} /tmp": "emptyDir"} for name in CUSTOM} | {
    "orbit-www": {
        "orbit-www /app/.next/cache": "emptyDir",
        "orbit-www /app/media": "emptyDir",
        "orbit-www /tmp": "emptyDir",
    },
    "mongodb": {
        "mongodb /data/db": "persistentVolumeClaim mongodb",
        "mongodb /data/configdb": "emptyDir",
        "mongodb /tmp": "emptyDir",
    },
    "postgresql": {
        "postgresql /var/lib/postgresql/data": "persistentVolumeClaim postgresql",
        "postgresql /docker-entrypoint-initdb.d": "configMap postgresql-init, read-only",
        "postgresql /var/run/postgresql": "emptyDir",
        "postgresql /tmp": "emptyDir",
    },
    "redis": {"redis /data": "persistentVolumeClaim redis"},
    "redpanda": {
        "copy-config /config": "configMap redpanda, read-only",
        "copy-config /etc/redpanda": "emptyDir",
        "redpanda /etc/redpanda": "emptyDir",
        "redpanda /var/lib/redpanda/data": "persistentVolumeClaim redpanda",
        "redpanda /tmp": "emptyDir",
    },
    "minio": {"minio /data": "persistentVolumeClaim minio", "minio /tmp": "emptyDir"},
    "minio-bucket": {"mc /tmp": "emptyDir"},
    "temporal": {
        "temporal /etc/temporal/config/dynamicconfig": "configMap temporal-dynamicconfig, read-only",
    },
    "temporal-ui": {},
    "registry": {},
    "buildkit": {
        "buildkit /home/user/.config/buildkit": "configMap buildkit, read-only",
        "buildkit /home/user/.local/share/buildkit": "emptyDir",
    },
}

# How containers are started; all others as their images say.
COMMANDS = {
    "wait-for-temporal": [
        "/bin/sh",
        "-c",
        'until nc -z -w 2 temporal 7233; do echo "waiting for temporal:7233"; sleep 3; done',
    ],
    "mongodb": ["mongod", "--bind_ip_all", "--wiredTigerCacheSizeGB=0.5"],
    "redis": ["redis-server", "--appendonly", "yes", "--protected-mode", "no", "--maxmemory", "160mb"],
    "copy-config": ["/bin/sh", "-c", "cp /config/redpanda.yaml /etc/redpanda/redpanda.yaml"],
    "redpanda": [
        "redpanda",
        "start",
        "--config=/etc/redpanda/redpanda.yaml",
        "--smp=1",
        "--memory=1G",
        "--reserve-memory=0M",
        "--overprovisioned",
        "--kernel-page-cache=1",
        "--unsafe-bypass-fsync=false",
        "--default-log-level=info",
    ],
    "minio": ["server", "/data", "--console-address", ":9001"],
    "mc": [
        "/bin/sh",
        "-ec",
        """\
mc alias set orbit http://minio:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"
mc mb --ignore-existing orbit/orbit-registry
""",
    ],
    "buildkit": [
        "--addr=unix:///run/user/1000/buildkit/buildkitd.sock",
        "--addr=tcp://0.0.0.0:1234",
        "--oci-worker-no-process-sandbox",
    ],
}
BROKER = {
    "data_directory": "/var/lib/redpanda/data",
    "developer_mode": False,
    "seed_servers": [],
    "rpc_server": {"address": "0.0.0.0", "port": 33145},
    "advertised_rpc_api": {"address": "redpanda", "port": 33145},
    "kafka_api": [{"name": "internal", "address": "0.0.0.0", "port": 9092}],
    "advertised_kafka_api": [{"name": "internal", "address": "redpanda", "port": 9092}],
    "admin": [{"address": "0.0.0.0", "port": 9644}],
}


def same(probe: str) -> dict[str, str]:
    return dict.fromkeys(("startup", "liveness", "readiness"), probe)


def health(port: int) -> dict[str, str]:
    return same(f"httpGet {port} /health") | {"readiness": f"httpGet {port} /ready"}


_TEMPORAL = "grpc 7233 temporal.api.workflowservice.v1.WorkflowService"
PROBES = {
    "orbit-www": same("httpGet 3000 /api/health"),
    "repository-service": health(8081),
    "kafka-service": same("grpc 50055"),
    "plugins-service": same("grpc 50053"),
    "bifrost": health(8080),
    "build-service": same("tcpSocket 50054"),
    "temporal-worker": {},
    "mongodb": same("tcpSocket 27017"),
    "postgresql": same('exec pg_isready -h 127.0.0.1 -U "$POSTGRES_USER"'),
    "redis": same("exec redis-cli ping | grep -q PONG") | {"liveness": "tcpSocket 6379"},
    "redpanda": same("httpGet 9644 /v1/status/ready"),
    "minio": same("httpGet 9000 /minio/health/live") | {"readiness": "httpGet 9000 /minio/health/ready"},
    "temporal": same(_TEMPORAL) | {"liveness": "tcpSocket 7233"},
    "temporal-ui": same("httpGet 8080 /healthz"),
    "registry": same("tcpSocket 5050") | {"readiness": "httpGet 5050 /"},
    "buildkit": same("exec buildctl debug workers"),
}
# Programs that must not be killed while they still start: seconds that the startup probe allows.
SLOW_STARTS = {"orbit-www": 300, "repository-service": 300, "mongodb": 1800, "postgresql": 1800, "temporal": 600}

# Seconds to end in; Kubernetes gives 30 to all others.
GRACE = dict.fromkeys(("mongodb", "postgresql", "redis", "redpanda", "minio", "temporal", "buildkit"), 60)
GRACE |= {"temporal-worker": 120, "build-service": 300}
DYNAMIC_CONFIGURATION = {
    "frontend.keepAliveMinTime": "10s",
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}

# Where the entrypoint writes beside its own files.
WRITABLE_ROOT = {"temporal", "temporal-ui", "buildkit"}
UNCONFINED = {"buildkit"}  # more than Pod Security's `restricted`
TOKEN = {"kafka-service", "temporal-worker"}  # a Kafka client looks for the service account's token
