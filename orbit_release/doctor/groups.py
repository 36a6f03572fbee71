"""What `doctor` looks at, in the order of its checklist; apart from it, for `--help` names them as well."""

GROUPS = ("git", "github", "registry", "builder", "doppler", "dns", "certificate", "argocd", "nfs")
