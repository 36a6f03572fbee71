"""A small deployment that is complete, as files of a tree, and ways to change it."""

from __future__ import annotations

from collections.abc import Mapping

from orbit_release.check.tree import Tree

CONFIGURATION = """\
image: ghcr.io/acme/{service}
manifests: k8s
services:
  web: {paths: [web/**]}
  api: {paths: [api/**]}
"""
KUSTOMIZATION = """\
namespace: shop
resources:
  - web.yaml
  - api.yaml
  - db.yaml
  - config.yaml
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: main
          image: ghcr.io/acme/web:sha-1a2b3c4
          env:
            - name: DATABASE_URL
              value: postgres://user:5433@db:5432/shop
            - name: SESSION_KEY
              valueFrom:
                secretKeyRef:
                  name: shop-secrets
                  key: SESSION_KEY
            - name: LOG_LEVEL
              valueFrom:
                configMapKeyRef:
                  name: web-config
                  key: level
          envFrom:
            - configMapRef:
                name: web-config
          volumeMounts:
            - name: uploads
              mountPath: /uploads
      volumes:
        - name: uploads
          persistentVolumeClaim:
            claimName: uploads
        - name: files
          configMap:
            name: web-config
            items:
              - key: nginx.conf
                path: nginx.conf
        - name: keys
          secret:
            secretName: shop-secrets
            items:
              - key: TLS_KEY
                path: tls.key
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: uploads
spec: {}
"""
API = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  template:
    spec:
      containers:
        - name: main
          image: ghcr.io/acme/api:latest
          env:
            - name: SESSION_KEY
              valueFrom:
                secretKeyRef:
                  name: shop-secrets
                  key: SESSION_KEY
            - name: DATABASE_DSN
              valueFrom:
                secretKeyRef:
                  name: shop-secrets
                  key: DSN
"""
DB = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db
  template:
    spec:
      containers:
        - name: main
          image: postgres:16
          volumeMounts:
            - name: data
              mountPath: /data
  volumeClaimTemplates:
    - metadata:
        name: data
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-config
data:
  level: info
  nginx.conf: |
    server {
      location /v1 { proxy_pass http://api.shop.svc.cluster.local:8080/; }
      location / { proxy_pass http://web; }
    }
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: shop
spec:
  target:
    name: shop-secrets
    template:
      mergePolicy: Merge
      data:
        DSN: postgres://{{ .DB_USER | urlquery }}:{{ .DB_PASSWORD }}@db:5432/shop
  data:
    - secretKey: SESSION_KEY
    - secretKey: TLS_KEY
    - secretKey: DB_USER
    - secretKey: DB_PASSWORD
    - secretKey: OLD_KEY # reserved: rotated in spring
"""
SHOP = {
    "orbit-release.yaml": CONFIGURATION,
    "k8s/kustomization.yaml": KUSTOMIZATION,
    "k8s/web.yaml": WEB,
    "k8s/api.yaml": API,
    "k8s/db.yaml": DB,
    "k8s/config.yaml": CONFIG,
}


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """Return the shop with the first `old` of a file replaced; `old` must be there."""
    path = f"k8s/{file}.yaml"
    assert old in SHOP[path]
    return {**SHOP, path: SHOP[path].replace(old, new, 1)}


def extended(*documents: str) -> dict[str, str]:
    """Return the shop with one more file, of these documents."""
    listed = KUSTOMIZATION + "  - more.yaml\n"
    return {**SHOP, "k8s/kustomization.yaml": listed, "k8s/more.yaml": "---\n".join(documents)}


def tree(files: Mapping[str, str | bytes]) -> Tree:
    """Return a tree of files."""
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return Tree(dict.fromkeys(data), data.__getitem__)


def line_of(files: Mapping[str, str], path: str, line: int) -> str:
    """Return a line of a file, without blanks around it."""
    return files[path].splitlines()[line - 1].strip()
