"""GitOps releases of a GitHub monorepo on Kubernetes."""

__version__ = "0.1.0"
